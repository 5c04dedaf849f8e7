"""Options as a user writes them."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from typing import Any

import pytest

from adapters.simulated.faults import Faults, Rule
from adapters.simulated.listing import Listing, opening_balances, terms
from adapters.simulated.options import FeeIn, FeeRates, SimulatedOptions, TapeFile
from engine.values import MILLISECOND_NS
from tools.spelling import SPELLING
from tools.structure import Structure, Wrong

EVERYTHING = """
seed = 9
speed = "10"
every = "1s"
latency = "5ms"
request_timeout = "2s"
fees = { maker = "0.0002", taker = "0.0004" }
fee_in = "received"
ack_on = "both"
balances = { USDT = "5000", BTC = "0.5" }
tape = { BTCUSDT = "a.gz", ETHUSDT = { path = "b.gz", format = "binance" } }
url = "ws://127.0.0.1:8700"

[instruments.BTCUSDT]
tick = "0.1"
min_notional = "10"
volatility_ppm = 50

[faults]
lose_reply = [3, 7]
duplicate = { every = 50, on = ["execution"] }
delay_reply = { permille = 20, by = "1s" }
lag = "12s"
seed = 4
only = ["lose_reply place 3"]
"""


def read(text: str) -> tuple[SimulatedOptions | None, list[Wrong]]:
    wrong: list[Wrong] = []
    return Structure(SPELLING).read(SimulatedOptions, tomllib.loads(text), ("venues", "sim"), wrong), wrong


def test_everything_can_be_written_in_a_configuration() -> None:
    options, wrong = read(EVERYTHING)
    assert wrong == []
    assert options == SimulatedOptions(
        seed=9, speed="10", latency_ns=5 * MILLISECOND_NS, request_timeout_ns=2_000 * MILLISECOND_NS,  # type: ignore[arg-type]
        every_ns=1_000 * MILLISECOND_NS,  # type: ignore[arg-type]
        fees=FeeRates(Decimal("0.0002"), Decimal("0.0004")), fee_in=FeeIn.RECEIVED, ack_on="both",  # type: ignore[arg-type]
        balances={"USDT": Decimal(5000), "BTC": Decimal("0.5")},
        tape={"BTCUSDT": TapeFile(path="a.gz"), "ETHUSDT": TapeFile(path="b.gz", format="binance")},
        url="ws://127.0.0.1:8700",
        instruments={
            "BTCUSDT": Listing(tick=Decimal("0.1"), min_notional=Decimal(10), volatility_ppm=50)
        },
        faults=Faults(
            lose_reply=Rule(at=(3, 7)), duplicate=Rule(every=50, on=("execution",)),  # type: ignore[arg-type]
            delay_reply=Rule(permille=20, by_ns=1_000 * MILLISECOND_NS), lag_ns=12_000 * MILLISECOND_NS, seed=4,  # type: ignore[arg-type]
            only=["lose_reply place 3"],
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ("fees = { maker = 0.001 }", "maker", "number"),
        ('fees = { maker = "2" }', "fees", "below 1"),
        ('latency = "5"', "latency", "duration"),
        ('speed = "0"', "speed", "above 0"),
        ('every = "150ms"', "every", "multiple of 100ms"),
        ('speed = "fast"', "sim", "not a number"),
        ("tape = 5", "tape", "tape is"),
        ("tape = { path = 'a', fromat = 'b' }", "path", "a tape is"),
        ('url = "ws://example.com:80"', "url", "local only"),
        ('url = "ws://127.0.0.1"', "url", "PORT"),
        ('balances = { USDT = "-1" }', "sim", "below 0"),
        ("faults = { lose_reply = 3 }", "lose_reply", "whole numbers"),
        ("faults = { loose_reply = [3] }", "loose_reply", "lose_reply"),
        ("faults = { drop = { every = 2, on = ['place'] } }", "drop", "can't happen to place"),
        ('ledger = "x"', "ledger", "unknown key"),
    ],
)
def test_what_can_not_be_is_refused_at_its_place(text: str, key: str, says: str) -> None:
    options, wrong = read(text)
    assert options is None
    assert [(fault.key[-1], says in fault.message) for fault in wrong] == [(key, True)], wrong


def test_defaults_fit_the_symbols() -> None:
    traded = [terms("BTCUSDT"), terms("ETHUSDT"), terms("SOL-EUR"), terms("SPY")]
    assert [str(each.instrument.base) + "/" + str(each.instrument.quote) for each in traded] == [
        "BTC/USDT", "ETH/USDT", "SOL/EUR", "SPY/USD",
    ]  # fmt: skip
    balances: dict[Any, Decimal] = dict(opening_balances({}, traded))
    assert balances["USDT"] == balances["EUR"] == Decimal(100_000)
    assert balances["BTC"] == Decimal(1)
    assert opening_balances({"USDT": Decimal(7)}, traded[:1]) == {"USDT": Decimal(7), "BTC": Decimal(0)}


@pytest.mark.parametrize("said", [{"tick": "-1"}, {"lot": "-0.1"}, {"price": "-5"}, {"displayed": "0"}])
def test_an_instrument_that_can_not_be_is_refused(said: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        terms("X", Listing(**{name: Decimal(value) for name, value in said.items()}))  # type: ignore[arg-type]
