"""A key, a password, a signature's secret: a value that is used and never shown."""

from __future__ import annotations

from hmac import compare_digest
from typing import NoReturn, Self

MASK = "***"
"""What stands where something secret was."""


class Secret:
    """Holds a text that only `reveal` gives back, where something is signed with it.

    Whatever shows, prints, formats or copies values into other forms gets a mask instead; pickling it raises
    `TypeError`, because a secret is not stored.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The text itself: for the line that signs or sends it, and for no variable that outlives that line."""
        return self.__value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        """Compares in a time that says nothing of where the two differ."""
        if not isinstance(other, Secret):
            return NotImplemented
        return compare_digest(self.__value.encode(), other.__value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret is not stored")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not stored")
