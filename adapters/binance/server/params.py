"""The parameters of a request: read by name, refused with the documented codes where they are missing or wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import unquote_plus

from adapters.binance.server.refusal import Refused
from engine.values import EXACT

CLIENT_ID = re.compile(r"[a-zA-Z0-9-_]{1,36}")
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_WHOLE = re.compile(r"[0-9]{1,19}")
_PLACES_MOST = 8
_OF_EVERY_REQUEST = {"signature", "timestamp", "recvWindow", "apiKey"}


def parse_form(text: str) -> dict[str, str]:
    """Names and values of a query string or form body; the first of a name counts.

    >>> parse_form("a=1&b=%20x&a=2")
    {'a': '1', 'b': ' x'}
    """
    found: dict[str, str] = {}
    for part in text.split("&"):
        if part:
            name, _, value = part.partition("=")
            found.setdefault(unquote_plus(name), unquote_plus(value))
    return found


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


class Params:
    """One request's parameters; which of them were read is remembered."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        """The values of a WS API request may be any JSON; here they are text, as REST has them."""
        self.given = {name: _written(value) for name, value in given.items()}
        self._read: set[str] = set()

    def text(self, name: str) -> str | None:
        """A value, or None where the name was not sent; -1105 where it is empty."""
        self._read.add(name)
        value = self.given.get(name)
        if value == "":
            raise Refused(-1105, f"Parameter '{name}' was empty.")
        return value

    def need(self, name: str) -> str:
        """A value that must be there: -1102."""
        value = self.text(name)
        if value is None:
            raise missing(name)
        return value

    def whole(self, name: str) -> int | None:
        """A whole number from 0: -1100 for anything else."""
        value = self.text(name)
        if value is None:
            return None
        if not _WHOLE.fullmatch(value):
            raise _illegal(name, "^[0-9]{1,20}$")
        return int(value)

    def number(self, name: str) -> Decimal | None:
        """A decimal in plain notation: -1100 for another text, -1111 for too many places."""
        value = self.text(name)
        if value is None:
            return None
        if not _NUMBER.fullmatch(value):
            raise _illegal(name, "^([0-9]{1,20})(\\.[0-9]{1,20})?$")
        try:
            number = Decimal(value, EXACT)
        except InvalidOperation:
            raise _illegal(name, "^([0-9]{1,20})(\\.[0-9]{1,20})?$") from None
        if number != round(number, _PLACES_MOST):
            raise Refused(-1111, f"Parameter '{name}' has too much precision.")
        return number

    def need_number(self, name: str) -> Decimal:
        """A decimal that must be there and above 0."""
        number = self.number(name)
        if number is None:
            raise missing(name)
        return number

    def client_id(self, name: str) -> str | None:
        """A client's id of 1 to 36 letters, digits, - and _."""
        value = self.text(name)
        if value is not None and not CLIENT_ID.fullmatch(value):
            raise _illegal(name, "^[a-zA-Z0-9-_]{1,36}$")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """true or false."""
        value = self.text(name)
        if value is None:
            return default
        if value.lower() not in ("true", "false"):
            raise _illegal(name, "^(true|false)$")
        return value.lower() == "true"

    def choice(self, name: str, among: Mapping[str, Any] | frozenset[str], refused: Refused) -> str | None:
        """One of some words."""
        value = self.text(name)
        if value is not None and value not in among:
            raise refused
        return value

    def words(self, name: str) -> list[str] | None:
        """A list of words, which travels as JSON."""
        value = self.text(name)
        if value is None:
            return None
        try:
            found = json.loads(value)
        except ValueError:
            raise _illegal(name, "a JSON array") from None
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise _illegal(name, "a JSON array")
        return found

    def forbid(self, *names: str) -> None:
        """-1106 for what an order of this kind may not have."""
        for name in names:
            if self.text(name) is not None:
                raise Refused(-1106, f"Parameter '{name}' sent when not required.")

    def finish(self) -> None:
        """-1104 where something was sent that nobody reads."""
        known = self._read | _OF_EVERY_REQUEST
        unread = [name for name in self.given if name not in known]
        if unread:
            read, sent = len(self.given) - len(unread), len(self.given)
            raise Refused(
                -1104, f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'."
            )


def missing(name: str) -> Refused:
    """-1102 for this parameter."""
    return Refused(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def _illegal(name: str, legal: str) -> Refused:
    return Refused(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")
