"""Where each key of a TOML file stands: the standard library reads the values and forgets the lines."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Callable

Key = tuple[str | int, ...]
"""The way to a value: keys, and numbers for the elements of arrays."""

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|' r"'''.*?'{3,5}|" r'"(?:\\.|[^"\\\n])*"|' r"'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]*")


def lines_of(text: str) -> dict[Key, int]:
    """The line (from 1) of each key, table and array element; `text` must be valid TOML.

    >>> lines_of("[risk]\\nmax_open_orders = 20\\n")
    {('risk',): 1, ('risk', 'max_open_orders'): 2}
    """
    return _Walk(text).lines()


def dotted(key: Key) -> str:
    """The key as a file would spell it.

    >>> dotted(("risk", "instruments", "BTC-USDT")), dotted(("a", "b c", 0))
    ('risk.instruments.BTC-USDT', 'a."b c"[0]')
    """
    found = ""
    for part in key:
        if isinstance(part, int):
            found += f"[{part}]"
            continue
        bare = part if _BARE.fullmatch(part) else f'"{part}"'
        found += f".{bare}" if found else bare
    return found


class _Walk:
    """One walk through the text, noting where each key begins."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Key, int] = {}
        self.counts: dict[Key, int] = {}
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def lines(self) -> dict[Key, int]:
        table: Key = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)
        return self.found

    def _header(self) -> Key:
        is_array = self.text.startswith("[[", self.at)
        start = self.at
        self.at += 2 if is_array else 1
        key = self._in_arrays(self._key(), is_array)
        self.at += 2 if is_array else 1
        self._note(key, start)
        return key

    def _in_arrays(self, key: Key, is_array: bool) -> Key:
        """The key with the number of the present element after each array of tables that it goes through."""
        found: Key = ()
        for number, part in enumerate(key, 1):
            found = (*found, part)
            if is_array and number == len(key):
                self.counts[found] = self.counts.get(found, -1) + 1
            if found in self.counts:
                found = (*found, self.counts[found])
        return found

    def _pair(self, table: Key) -> None:
        start = self.at
        key = (*table, *self._key())
        for length in range(len(table) + 1, len(key) + 1):
            self._note(key[:length], start)
        self.at += 1  # the sign of equality
        self._skip(_SPACE)
        self._value(key)

    def _key(self) -> Key:
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            if self.text[self.at] in "\"'":
                parts.append(str(tomllib.loads(f"key = {self._take(_STRING)}")["key"]))
            else:
                parts.append(self._take(_BARE))
            self._skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return tuple(parts)
            self.at += 1

    def _value(self, key: Key) -> None:
        first = self.text[self.at]
        if first in "\"'":
            self._take(_STRING)
        elif first == "{":
            self._group("}", lambda _number: self._pair(key))
        elif first == "[":
            self._group("]", lambda number: self._element((*key, number)))
        else:
            self._take(_SCALAR)

    def _element(self, key: Key) -> None:
        self._note(key, self.at)
        self._value(key)

    def _group(self, end: str, take: Callable[[int], None]) -> None:
        self.at += 1
        self._skip(_BLANK)
        number = 0
        while self.text[self.at] != end:
            take(number)
            number += 1
            self._skip(_BLANK)
            if self.text[self.at] == ",":
                self.at += 1
                self._skip(_BLANK)
        self.at += 1

    def _note(self, key: Key, at: int) -> None:
        self.found.setdefault(key, bisect_right(self.starts, at))

    def _skip(self, pattern: re.Pattern[str]) -> None:
        self._take(pattern)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        assert match is not None, f"not TOML at character {self.at}"
        self.at = match.end()
        return match[0]
