"""Cuts secrets out of texts before anybody sees or keeps them: the one place that knows what must not be shown.

Two nets: secrets that this process has read are found wherever they stand and however they are escaped; and what stands
behind the name of a key or a signature in a query, a header or a JSON text is cut whatever it is. Redact first, shorten
after: half a key is found by its name alone.

What adapters deliver to the engine passes `adapters.cleansing`, what a process says on stderr a stream that redacts: an
adapter that forgets to redact still shows nothing.
"""

from __future__ import annotations

import re
import threading
from base64 import b64encode
from string import ascii_letters, digits
from typing import NamedTuple

from adapters.secret import MASK, Secret

KNOWN_MOST = 256
"""Secrets that one process may know."""

LEAST = 8
"""Characters of the shortest secret: what is shorter would be cut out of harmless words too."""

LINE_LEAST = 16
"""Lines of a secret that has several (a PEM file) are looked for one by one, from this length on."""

_PLAIN = frozenset(ascii_letters + digits + "-_~")
_ENTITIES = {'"': "&quot;|&#34;", "'": "&#39;|&#x27;|&apos;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LETTERS = {"\n": "n", "\r": "r", "\t": "t"}

_NAMES = (
    r"api[-_]?key|api[-_]?secret|secret(?:[-_]?key)?|signature|listen[-_]?key|access[-_]?token|refresh[-_]?token|"
    r"private[-_]?key|client[-_]?secret|pass(?:word|phrase)|x-mbx-apikey"
)
_HINTS = ("key", "secret", "signature", "token", "pass", "authorization")
"""One of these stands in whatever the patterns below find; looking for them first costs a hundredth."""

_QUOTE = r"\\{0,3}[\"']"
_BY_NAME = (
    # in a query, encoded once more or not: signature=…
    re.compile(rf"((?:{_NAMES})(?:=|%3D))[^\s&\"'<>;,)}}\]\\]+", re.IGNORECASE),
    # in JSON and in what Python shows of mappings and pairs: "apiKey": "…", cut off or not
    re.compile(rf"({_QUOTE}(?:{_NAMES}|authorization){_QUOTE}\s*[:,]\s*b?{_QUOTE})[^\"'\\]+", re.IGNORECASE),
    # a header: Authorization: Bearer …
    re.compile(r"(\b(?:x-mbx-apikey|authorization)\s*:\s*)[^\r\n\"',]+", re.IGNORECASE),
    # a private key in full
    re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END|\Z)", re.DOTALL),
)


class _Part(NamedTuple):
    """A text that is looked for; where its anchor is not, it is not there in any form."""

    text: str
    anchor: str
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, text: str) -> _Part:
        return cls(text, _anchor(text), re.compile(_anyhow(text)))

    def longest_first(self) -> tuple[int, str]:
        return -len(self.text), self.text


class Redactor:
    """What is secret, as one pattern. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._parts: tuple[_Part, ...] = ()

    def learn(self, secret: Secret) -> None:
        """Look for this one from now on. Raises `ValueError` for one too short to be told from other words."""
        value = secret.reveal()
        if len(value) < LEAST:
            raise ValueError(f"a secret has {LEAST} characters at least")
        with self._lock:
            if value in self._known:
                return
            if len(self._known) >= KNOWN_MOST:
                raise ValueError(f"more than {KNOWN_MOST} secrets in one process")
            self._known.add(value)
            new = [_Part.of(text) for text in {value, *_lines(value), *_encoded(value)}]
            self._parts = tuple(sorted((*self._parts, *new), key=_Part.longest_first))

    def forget(self) -> None:
        """Know none any more."""
        with self._lock:
            self._known.clear()
            self._parts = ()

    def redact(self, text: str) -> str:
        """The text without what is secret."""
        for part in self._parts:
            if part.anchor in text:
                text = part.pattern.sub(MASK, text)
        lower = text.lower()
        if any(hint in lower for hint in _HINTS):
            for pattern in _BY_NAME:
                text = pattern.sub(_masked, text)
        return text


REDACTOR = Redactor()
"""The one of this process."""


def redact(text: str) -> str:
    """The text without what is secret: for everything that is shown, logged, raised or handed to the engine.

    >>> redact("GET https://api.example.com/order?symbol=BTCUSDT&signature=0a1b2c")
    'GET https://api.example.com/order?symbol=BTCUSDT&signature=***'
    """
    return REDACTOR.redact(text)


def _masked(found: re.Match[str]) -> str:
    return found[1] + MASK


def _lines(value: str) -> list[str]:
    lines = value.split()
    return [line for line in lines if len(line) >= LINE_LEAST] if len(lines) > 1 else []


def _encoded(value: str) -> list[str]:
    """In hexadecimal, and in base64 wherever in an encoded text it may begin, without the ends that others share."""
    held = value.encode()
    found = [held.hex(), held.hex().upper()]
    for shift, shared in ((0, 0), (1, 2), (2, 3)):
        whole = b64encode(bytes(shift) + held).decode().rstrip("=")
        is_even = (shift + len(held)) % 3 == 0
        part = whole[shared : None if is_even else -1]
        found += [part, part.replace("+", "-").replace("/", "_")]
    return found


def _anchor(value: str) -> str:
    """Its longest run of characters that nothing escapes: without it, the text is not there in any form."""
    return max("".join(each if each in _PLAIN else " " for each in value).split(" "), key=len)


def _anyhow(value: str) -> str:
    """A pattern of the text as it is, and as URLs, JSON, HTML and Python escape it."""
    return "".join(character if character in _PLAIN else _escapes(character) for character in value)


def _escapes(character: str) -> str:
    """One character that may be written in several ways."""
    number = ord(character)
    ways = [rf"\\{{0,3}}{re.escape(character)}", rf"(?i:%(?:25)?{number:02x})", rf"(?i:\\{{1,2}}u{number:04x})"]
    if character in _ENTITIES:
        ways.append(f"(?i:{_ENTITIES[character]})")
    if character in _LETTERS:
        ways.append(rf"\\{{1,2}}{_LETTERS[character]}")
    if character == " ":
        ways.append(r"\+")
    return f"(?:{'|'.join(ways)})"
