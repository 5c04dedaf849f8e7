"""The form of what is stored: chain, batches, epochs, canonical JSON, decimals (JOURNAL §2)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from json.encoder import encode_basestring
from typing import Any

Row = dict[str, Any]
COLUMNS = ("seq", "batch", "epoch", "at_ns", "kind", "version", "subject", "cause", "body", "chain")
TYPES = [[int, int, int, int, str, int, str, cause, str, str] for cause in (int, type(None))]
DIGITS = re.compile(r"(?!-0$)-?(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?")
AMOUNTS = frozenset(
    "quantity price fee amount free locked filled notional reported_filled ask bid ask_quantity bid_quantity tick lot "
    "min_price max_price min_quantity max_quantity min_notional reserved_each level stop_price trail max_slippage "
    "worst_price market_price opening peak max_notional market_lot min_market_quantity max_market_quantity buy_low "
    "trail_fraction equity maintenance initial buy_high sell_low sell_high".split()
)
"""Fields that hold a decimal, as text; and those that hold such fields in turn (what a strategy says is its own)."""
NESTED = frozenset({"seen", "balances", "order", "replacement", "executions", "description", "instruments",
                    "price_bands", "margin"})  # fmt: skip

_quote = encode_basestring
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def _refuse(text: str) -> None:
    raise ValueError(f"the number {text}")


_decode = json.JSONDecoder(parse_float=_refuse, parse_constant=_refuse).decode


class Chain:
    """I2, I3, I4 and the form of what is stored, row by row: a journal and a ledger are alike in this."""

    def __init__(self, problems: list[str], first: Row | None, what: str = "") -> None:
        self.problems, self.what, self.journal_id = problems, what, str((first or {}).get("journal_id", ""))
        self.seq = self.batch = self.epoch = self.at_ns = 0
        self.previous = sha256(self.journal_id.encode()).digest()
        if not self.journal_id:
            self.tell("I2", "the first line does not say the journal_id")

    def tell(self, name: str, message: str) -> None:
        """Note a problem of the row at hand."""
        self.problems.append(f"{name}: {self.what}seq {self.seq}: {message}")

    def take(self, row: Row) -> Row | None:
        """Check the next row; its body, or None where that can't be read."""
        values: list[Any] = [row.get(column) for column in COLUMNS]
        if list(map(type, values)) not in TYPES:
            self.tell("I2", "what follows is not a row of table event")
            return None
        seq, batch, epoch, at_ns, kind, version, subject, cause, body, stored = values
        before, self.seq = self.seq, seq
        if seq != before + 1:
            self.tell("I2", f"stands where seq {before + 1} must be")
        told = "null" if cause is None else cause
        head = f"[{seq},{batch},{epoch},{at_ns},{_quote(kind)},{version},{_quote(subject)},{told}]\n"
        self._link(head + body, stored)
        if cause is not None and not 0 < cause < seq:
            self.tell("I2", f"its cause {cause} does not come before it")
        if batch != seq and (batch != self.batch or not before):
            self.tell("I3", f"is of batch {batch}, the row before of {self.batch}")
        if epoch < self.epoch or (epoch != self.epoch and batch != seq):
            self.tell("I4", f"epoch {epoch} after {self.epoch} in batch {batch}")
        self.batch, self.epoch, self.at_ns = batch, epoch, at_ns
        return self._body(body)

    def _link(self, text: str, stored: str) -> None:
        try:
            if sha256(self.previous + text.encode()).hexdigest() != stored:
                self.tell("I2", "the stored bytes do not match the chain")
            self.previous = bytes.fromhex(stored)  # from here on by what is stored: one break is one problem
        except ValueError as error:
            self.tell("I2", f"it can't be linked: {error}")

    def _body(self, text: str) -> Row | None:
        try:
            body = _decode(text)
            if type(body) is not dict or _encode(body) != text:
                self.tell("json", "the body is not canonical: encoded again it has other bytes")
        except (ValueError, RecursionError) as error:
            self.tell("json", f"the body is not canonical: {error}")
            return None
        if type(body) is not dict:
            return None
        for name, value in _amounts(body):
            if type(value) is not str or not DIGITS.fullmatch(value):
                self.tell("decimal", f"{name} is {value!r}")
        return body


def _amounts(body: Row) -> Iterator[tuple[str, Any]]:
    for name in AMOUNTS & body.keys():
        if body[name] is not None:
            yield name, body[name]
    for name in NESTED & body.keys():
        held = body[name]
        if name == "executions" and type(held) is dict:
            held = list(held.values())
        for one in held if type(held) is list else [held]:
            if type(one) is dict:
                yield from _amounts(one)
