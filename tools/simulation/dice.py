"""Chance from a seed, the same in every Python."""

from __future__ import annotations

from hashlib import sha256


class Dice:
    """An own generator with named forks: a function of seed, name and count, the same in every Python."""

    def __init__(self, seed: int, name: str = "") -> None:
        self._seed, self._name, self._count = seed, name, 0

    def fork(self, name: str) -> Dice:
        """A generator of its own: what is drawn here does not move what is drawn there."""
        return Dice(self._seed, f"{self._name}/{name}")

    def below(self, most: int) -> int:
        """A number from 0 up to, not including, `most`."""
        self._count += 1
        text = f"{self._seed}{self._name}/{self._count}"
        return int.from_bytes(sha256(text.encode()).digest()[:8], "big") % most

    def chance(self, permille: int) -> bool:
        """True so many times in a thousand."""
        return self.below(1_000) < permille
