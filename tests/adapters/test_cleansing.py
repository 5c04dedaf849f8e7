"""What adapters deliver is cut before the engine sees it, and is otherwise the very same."""

from __future__ import annotations

import timeit
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, get_args

import attrs
import pytest

from adapters.cleansing import FREE_TEXTS, cleanse, cleansed
from adapters.redaction import REDACTOR
from adapters.secret import MASK, Secret
from engine import inputs
from engine.inputs import Input, OutcomeUnknown, Quote, RequestKind, Snapshot, StatusReport, VenueStatus
from engine.values import ClientOrderId, InstrumentName, OrderType, Side, TimeInForce, VenueName

SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP"
VENUE = VenueName("binance")
KINDS: tuple[Any, ...] = get_args(inputs.Input)
HOME_MADE = {"ProcessBegan", "OperatorCommand", "HistoryChecked", "OrderFound", "Snapshot"}
"""Inputs that no adapter makes, or (the last) that are made of others."""


@pytest.fixture(autouse=True)
def _learned() -> Iterator[None]:
    REDACTOR.learn(Secret(SECRET))
    yield
    REDACTOR.forget()


def unknown(raw: str, cause: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        venue=VENUE, client_order_id=ClientOrderId("h"), raw=raw, request=RequestKind.NEW, cause=cause
    )


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.__name__ not in HOME_MADE], ids=lambda k: k.__name__)
def test_every_free_text_of_every_input_is_known(kind: type[Any]) -> None:
    """A new input with a text of the wire in a field of another name would pass uncut."""
    attrs.resolve_types(kind)
    texts = {field.name for field in attrs.fields(kind) if field.type is str}
    assert texts - {"funding_id"} <= set(FREE_TEXTS)


def test_free_texts_are_cut() -> None:
    told: list[Input] = []
    tell = cleansed(told.append)
    tell(inputs.VenueLost(VENUE, f"https://h/?signature={SECRET}"))
    tell(inputs.ProtocolSurprise(VENUE, f'{{"x": "{SECRET}"}}'))
    tell(unknown(f"a {SECRET} b", "timeout"))
    assert SECRET not in repr(told)
    assert repr(told).count(MASK) == 3


def test_rows_of_a_snapshot_are_cut() -> None:
    row = StatusReport(
        venue=VENUE, instrument=InstrumentName("BTC-USDT"),
        status=VenueStatus.NEW, side=Side.BUY, order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC,
        quantity=Decimal(1), filled=Decimal(0), raw=f'{{"apiKey":"{SECRET}"}}',
    )  # fmt: skip
    clean = attrs.evolve(row, raw="{}")
    seen = Snapshot(venue=VENUE, asked_seq=1, asked_ns=1, taken_ns=1, complete=(), open_orders=(clean, row))
    told = cleanse(seen)
    assert isinstance(told, Snapshot)
    assert told.open_orders[0] is clean
    assert told.open_orders[1].raw == f'{{"apiKey":"{MASK}"}}'


def test_what_has_nothing_to_cut_is_the_very_same() -> None:
    for seen in (
        unknown("{}", "timeout"),
        inputs.VenueLost(VENUE, "the other side closed"),
        Snapshot(venue=VENUE, asked_seq=1, asked_ns=1, taken_ns=1, complete=()),
        inputs.DiskMeasured(1),
    ):
        assert cleanse(seen) is seen


def test_market_data_costs_next_to_nothing() -> None:
    quote = Quote(InstrumentName("BTC-USDT"), Decimal(1), Decimal(1), Decimal(2), Decimal(1), 1)
    seconds = min(timeit.repeat(lambda: cleanse(quote), number=10_000, repeat=5))
    assert seconds < 0.1, f"{seconds / 10_000 * 1e6:.1f} µs for each quote"
