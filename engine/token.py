"""Order tokens: 16 characters `[0-9a-z]` that say which journal, run and event an order comes from.

`h` + 4 journal + 4 run + 7 seq of the requesting event (base 36). Every request that creates an order has its own, so
the venue's order list itself exposes a lost tail, a restored old copy or a second writer.
"""

from __future__ import annotations

import re
from hashlib import sha256

from attrs import frozen

from engine.values import ClientOrderId, OrderId

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
TOKEN_LENGTH = 16
_FORM = re.compile(r"h([0-9a-z]{4})([0-9a-z]{4})([0-9a-z]{7})(?:-([0-9a-z]{1,19}))?")


@frozen
class Token:
    """A client order id of our form, taken apart."""

    journal: str
    run: str
    seq: int
    tag: str


def order_id(journal_id: str, run: str, seq: int) -> OrderId:
    """The token of the request that is journaled at `seq`.

    >>> order_id("a", "0b1c", 37)
    'hvoay0b1c0000011'
    """
    return OrderId("h" + journal_mark(journal_id) + run + base36(seq, 7))


def client_order_id(token: OrderId, tag: str, length: int) -> ClientOrderId:
    """The token as it goes on the wire: with the strategy's tag where the venue's length allows.

    >>> client_order_id(OrderId("h20i60b1c0000011"), "cross", 36)
    'h20i60b1c0000011-cross'
    """
    tagged = f"{token}-{tag}" if tag else token
    return ClientOrderId(tagged if len(tagged) <= length else token)


def parse_token(text: str) -> Token | None:
    """What an id of our form says; None for any other.

    >>> parse_token("h20i60b1c0000011-cross")
    Token(journal='20i6', run='0b1c', seq=37, tag='cross')
    """
    found = _FORM.fullmatch(text)
    return Token(found[1], found[2], int(found[3], 36), found[4] or "") if found else None


def journal_mark(journal_id: str) -> str:
    """The four characters that stand for a journal."""
    return base36(int.from_bytes(sha256(journal_id.encode()).digest()[:8], "big") % 36**4, 4)


def base36(number: int, width: int) -> str:
    """A number in base 36, padded with zeros."""
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
    return text.rjust(width, "0")
