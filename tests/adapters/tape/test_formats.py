"""Every format alike: what was written is read, and one bad line costs one line."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.tape import BadLine, read_tape
from engine.inputs import BookDelta, BookSnapshot, Candle, MarketData, Quote, TradeTick
from engine.values import MILLISECOND_NS, SECOND_NS, InstrumentName, Side

BTC = InstrumentName("BTC-USDT")
MIDNIGHT_NS = 1_381_118_400 * SECOND_NS
"""2013-10-07 in New York; four hours earlier the same in UTC."""
LEAN_CRYPTO_NS = MIDNIGHT_NS - 4 * 3600 * SECOND_NS

Numbers = dict[str, Decimal]
Write = Callable[[int, Numbers], list[str]]
Record = Callable[[int, Numbers], MarketData]


@frozen
class Kind:
    """A kind of line: its template, what stands in each slot, and how both are made from a time and numbers."""

    id: str
    file: str
    format: str | None
    template: str
    slots: str
    write: Write
    record: Record
    header: str = ""
    origin_ns: int = MIDNIGHT_NS
    step_ns: int = 60 * SECOND_NS

    def line(self, texts: list[str]) -> str:
        return self.template.format(*texts)


def frame(stream: str, data: str) -> str:
    return '{} {{"stream":"btcusdt@' + stream + '","data":{{"s":"BTCUSDT",' + data + "}}}}"


def places(number: Decimal) -> str:
    """As Binance writes it."""
    return f"{number:.8f}"


def four(n: Numbers) -> list[str]:
    return [places(n["low"]), places(n["size"]), places(n["high"]), places(n["size"])]


def levels(n: Numbers) -> tuple[tuple[tuple[Decimal, Decimal]], tuple[tuple[Decimal, Decimal]]]:
    return ((n["low"], n["size"]),), ((n["high"], n["size"]),)


def quoted(at_ns: int, n: Numbers, exchange_ns: int | None) -> Quote:
    return Quote(BTC, n["low"], n["size"], n["high"], n["size"], at_ns, exchange_ns)


def traded(at_ns: int, n: Numbers, side: Side | None = None) -> TradeTick:
    return TradeTick(BTC, n["open"], n["size"], at_ns, at_ns, side)


def barred(at_ns: int, n: Numbers, interval_ns: int) -> Candle:
    prices = (n["open"], n["high"], n["low"], n["close"])
    return Candle(BTC, *prices, n["size"], at_ns, at_ns + interval_ns, received_ns=at_ns + interval_ns)


def millis(at_ns: int, origin_ns: int) -> str:
    return str((at_ns - origin_ns) // MILLISECOND_NS)


def deci(price: Decimal) -> str:
    return str(int(price * 10_000))


def bar_texts(n: Numbers) -> list[str]:
    return [str(n[name]) for name in ("open", "high", "low", "close", "size")]


def exchange_ms(at_ns: int) -> str:
    return str(at_ns // MILLISECOND_NS)


KINDS = [
    Kind(
        "ticker",
        "capture",
        None,
        frame("bookTicker", '"u":{},"b":"{}","B":"{}","a":"{}","A":"{}"'),
        "time id price size price size",
        lambda at_ns, n: [str(at_ns), "7", *four(n)],
        lambda at_ns, n: quoted(at_ns, n, None),
    ),
    Kind(
        "trade",
        "capture",
        None,
        frame("trade", '"e":"trade","E":{},"t":{},"p":"{}","q":"{}","T":1,"m":true,"M":true'),
        "time id id price size",
        lambda at_ns, n: [str(at_ns), exchange_ms(at_ns), "7", places(n["open"]), places(n["size"])],
        lambda at_ns, n: traded(at_ns, n, Side.SELL),
    ),
    Kind(
        "depth",
        "capture",
        None,
        frame("depth@100ms", '"e":"depthUpdate","E":{},"U":{},"u":{},"b":[["{}","{}"]],"a":[["{}","{}"]]'),
        "time id id id price size price size",
        lambda at_ns, n: [str(at_ns), exchange_ms(at_ns), "7", "9", *four(n)],
        lambda at_ns, n: BookDelta(BTC, *levels(n), 7, 9, at_ns, at_ns),
    ),
    Kind(
        "snapshot",
        "capture",
        "binance",
        '{} {{"lastUpdateId":{},"bids":[["{}","{}"]],"asks":[["{}","{}"]]}}',
        "time id price size price size",
        lambda at_ns, n: [str(at_ns), "7", *four(n | {"low": n["low"] - Decimal("0.0001")})],
        lambda at_ns, n: BookSnapshot(BTC, *levels(n | {"low": n["low"] - Decimal("0.0001")}), 7, at_ns),
    ),
    Kind(
        "lean equity ticks",
        "20131007_spy_Trade_Tick.csv",
        "lean:equity",
        "{},{},{},P,20002020,{}",
        "time price size id",
        lambda at_ns, n: [millis(at_ns, MIDNIGHT_NS), deci(n["open"]), str(n["size"]), "0"],
        traded,
    ),
    Kind(
        "lean equity quote bars",
        "20131007_spy_minute_quote.csv",
        "lean:equity",
        "{},{},{},{},{},{},{},{},{},{},{}",
        "time price price price price size price price price price size",
        lambda at_ns, n: [
            millis(at_ns, MIDNIGHT_NS),
            *[deci(n["low"])] * 4,
            str(n["size"]),
            *[deci(n["high"])] * 4,
            str(n["size"]),
        ],
        lambda at_ns, n: quoted(at_ns + 60 * SECOND_NS, n, at_ns + 60 * SECOND_NS),
    ),
    Kind(
        "lean crypto trade bars",
        "20131007_btcusd_minute_trade.csv",
        "lean:crypto",
        "{},{},{},{},{},{}",
        "time price price price price size",
        lambda at_ns, n: [millis(at_ns, LEAN_CRYPTO_NS), *bar_texts(n)],
        lambda at_ns, n: barred(at_ns, n, 60 * SECOND_NS),
        origin_ns=LEAN_CRYPTO_NS,
    ),
    Kind(
        "csv trades",
        "mine.csv",
        None,
        "{},{},{},buy",
        "time price size",
        lambda at_ns, n: [str(Decimal(at_ns) / SECOND_NS), str(n["open"]), str(n["size"])],
        lambda at_ns, n: traded(at_ns, n, Side.BUY),
        header="time_s,price,quantity,side",
        step_ns=1,
    ),
    Kind(
        "csv quotes",
        "mine.csv",
        None,
        '{},"{}",{},"{}",{}',
        "time price size price size",
        lambda at_ns, n: [str(at_ns), str(n["low"]), str(n["size"]), str(n["high"]), str(n["size"])],
        lambda at_ns, n: quoted(at_ns, n, at_ns),
        header="Timestamp_ns,bid,bid_size,ask,ask_size",
        step_ns=1,
    ),
    Kind(
        "csv bars",
        "mine.csv",
        "csv:bars:1m:ms",
        "{},{},{},{},{},{}",
        "time price price price price size",
        lambda at_ns, n: [exchange_ms(at_ns), *bar_texts(n)],
        lambda at_ns, n: barred(at_ns, n, 60 * SECOND_NS),
        header="time,open,high,low,close,volume",
    ),
]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)

prices = st.integers(100, 999_990_000).map(lambda whole: Decimal(whole).scaleb(-4))
sizes = st.integers(1, 10**13).map(lambda whole: Decimal(whole).scaleb(-8))
numbers = st.builds(
    lambda found, size: dict(zip(("low", "open", "close", "high"), sorted(found), strict=True)) | {"size": size},
    st.lists(prices, min_size=4, max_size=4),
    sizes,
)
rows = st.lists(st.tuples(st.integers(1, 3), numbers), min_size=4, max_size=7)
Rows = list[tuple[int, Numbers]]

NONSENSE = ["", "x", "NaN", "Infinity", "-1", "-0.5", "1_0", "1e999", "0x10", "٣", "1,5", "1 0", "9" * 60]
CORRUPTIONS = {"time": NONSENSE, "id": NONSENSE, "size": NONSENSE, "price": [*NONSENSE, "0", "0.000"]}


def timed(kind: Kind, found: Rows) -> list[tuple[int, Numbers]]:
    """The rows with rising times, all within the first hours of the day."""
    at_ns, result = kind.origin_ns, []
    for steps, row in found:
        at_ns += steps * kind.step_ns
        result.append((at_ns, row))
    return result


def read(kind: Kind, lines: list[bytes]) -> list[MarketData | BadLine]:
    head = [kind.header.encode()] if kind.header else []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / kind.file
        path.write_bytes(b"\n".join(head + lines) + b"\n")
        return list(read_tape(path, BTC, kind.format))


def assert_one_bad(kind: Kind, found: Rows, at: int, bad: bytes) -> BadLine:
    """Line `at` replaced by `bad` is one bad line, at its place and with its number; all others are as they were."""
    good = timed(kind, found)
    lines = [kind.line(kind.write(*row)).encode() for row in good]
    lines[at] = bad
    result = read(kind, lines)
    expected = [kind.record(*row) for row in good]
    seen = result.pop(at)
    assert isinstance(seen, BadLine)
    assert seen.number == at + 1 + bool(kind.header)
    assert result == expected[:at] + expected[at + 1 :]
    return seen


@every_kind
@settings(max_examples=15)
@given(found=rows)
def test_what_was_written_is_read(kind: Kind, found: Rows) -> None:
    good = timed(kind, found)
    lines = [kind.line(kind.write(*row)).encode() for row in good]
    assert read(kind, lines) == [kind.record(*row) for row in good]
    assert read(kind, [line + b"\r" for line in lines]) == [kind.record(*row) for row in good]


@every_kind
@settings(max_examples=40)
@given(found=rows, data=st.data())
def test_one_impossible_field_costs_one_line(kind: Kind, found: Rows, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(found) - 1))
    texts = kind.write(*timed(kind, found)[at])
    slot = data.draw(st.integers(0, len(texts) - 1))
    texts[slot] = data.draw(st.sampled_from(CORRUPTIONS[kind.slots.split()[slot]]))
    assert_one_bad(kind, found, at, kind.line(texts).encode())


@every_kind
@settings(max_examples=40)
@given(found=rows, data=st.data())
def test_one_damaged_line_costs_one_line(kind: Kind, found: Rows, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(found) - 1))
    line = kind.line(kind.write(*timed(kind, found)[at])).encode()
    cut = data.draw(st.integers(0, line.rindex(b",")))
    others = [b"\xff" + line, line + b",1", line + b"}", b"\x00" * 300, line[line.index(b",") + 1 :]]
    bad = data.draw(st.sampled_from([line[:cut], *others]))
    seen = assert_one_bad(kind, found, at, bad)
    assert len(seen.text) <= 200


@every_kind
@settings(max_examples=15)
@given(found=rows, data=st.data())
def test_a_line_that_goes_back_in_time_costs_one_line(kind: Kind, found: Rows, data: st.DataObject) -> None:
    at = data.draw(st.integers(1, len(found) - 1))
    good = timed(kind, found)
    back_ns = data.draw(st.sampled_from([kind.origin_ns, good[at - 1][0] - kind.step_ns]))
    bad = kind.line(kind.write(back_ns, good[at][1])).encode()
    assert "out of order" in assert_one_bad(kind, found, at, bad).reason


@every_kind
@settings(max_examples=15)
@given(found=rows, data=st.data())
def test_a_line_that_jumps_ahead_costs_itself_and_not_those_after_it(
    kind: Kind, found: Rows, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(found) - 3))
    good = timed(kind, found)
    ahead_ns = good[-1][0] + data.draw(st.integers(1, 9)) * kind.step_ns
    bad = kind.line(kind.write(ahead_ns, good[at][1])).encode()
    assert "ahead" in assert_one_bad(kind, found, at, bad).reason


@every_kind
@settings(max_examples=10)
@given(found=rows, size=st.integers(1, 40))
def test_a_torn_gzip_is_read_up_to_the_tear(kind: Kind, found: Rows, size: int) -> None:
    good = timed(kind, found)
    text = "\n".join(filter(None, [kind.header, *(kind.line(kind.write(*row)) for row in good)])) + "\n"
    whole = gzip.compress(text.encode())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{kind.file}.gz"
        path.write_bytes(whole)
        assert list(read_tape(path, BTC, kind.format)) == [kind.record(*row) for row in good]
        path.write_bytes(whole[: -min(size, 8)])
        *before, last = read_tape(path, BTC, kind.format)
    assert before == [kind.record(*row) for row in good][: len(before)]
    assert isinstance(last, BadLine)
    assert "damaged" in last.reason


@pytest.mark.parametrize("id", ["ticker", "snapshot", "lean equity quote bars", "csv quotes"])
@settings(max_examples=15)
@given(found=rows, data=st.data())
def test_a_crossed_quote_or_snapshot_costs_one_line(id: str, found: Rows, data: st.DataObject) -> None:  # noqa: A002
    kind = next(kind for kind in KINDS if kind.id == id)
    at = data.draw(st.integers(0, len(found) - 1))
    at_ns, row = timed(kind, found)[at]
    crossed = row | {"low": row["high"] + 1}
    bad = kind.line(kind.write(at_ns, crossed)).encode()
    assert "crossed" in assert_one_bad(kind, found, at, bad).reason


@pytest.mark.parametrize("id", ["lean crypto trade bars", "csv bars"])
@pytest.mark.parametrize("wrong", [("high", "low"), ("close", "above"), ("open", "below")])
@settings(max_examples=15)
@given(found=rows)
def test_a_bar_beyond_its_own_range_costs_one_line(
    id: str,  # noqa: A002
    wrong: tuple[str, str],
    found: Rows,
) -> None:
    kind = next(kind for kind in KINDS if kind.id == id)
    at_ns, row = timed(kind, found)[1]
    others = {"low": row["low"] / 2, "above": row["high"] + 1, "below": row["low"] / 2}
    bad = kind.line(kind.write(at_ns, row | {wrong[0]: others[wrong[1]]})).encode()
    assert "not between" in assert_one_bad(kind, found, 1, bad).reason
