"""The market streams: each confirmed, watched and told when it is missing; doubles are dropped, gaps are told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from engine import inputs
from tests.adapters.binance.scripted_peer import Peer
from tests.adapters.binance.trader import BTC, SECOND, Trader, options, trader

QUOTES, TRADES, DEPTH = "btcusdt@bookTicker", "btcusdt@trade", "btcusdt@depth@100ms"


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


def at(peer: Peer, **changes: Any) -> Any:
    urls = {"rest_url": peer.rest_url, "stream_url": peer.stream_url, "ws_api_url": peer.ws_api_url}
    return trader(options(**{**urls, "streams": ("quotes", "trades", "depth"), **changes}))


@pytest.fixture
def up(peer: Peer) -> Iterator[Trader]:
    """All streams are up."""
    with at(peer) as held:
        held.open()
        held.wait(inputs.StreamUp, 3)
        yield held


def ticker(update: int, bid: str = "50", ask: str = "51") -> dict[str, Any]:
    return {"u": update, "s": "BTCUSDT", "b": bid, "B": "1", "a": ask, "A": "2"}


def public_trade(number: int) -> dict[str, Any]:
    return {
        "e": "trade", "E": 1_700_000_000_001, "s": "BTCUSDT", "t": number, "p": "50.5", "q": "0.1",
        "T": 1_700_000_000_000, "m": True, "M": True,
    }  # fmt: skip


def diff(first: int, last: int) -> dict[str, Any]:
    return {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": first, "u": last, "b": [["49", "3"]], "a": []}


def book(last: int) -> Any:
    return lambda _: (200, {"lastUpdateId": last, "bids": [["50", "1"]], "asks": [["51", "2"]]})


def test_all_streams_are_asked_for_in_one_message(up: Trader, peer: Peer) -> None:
    assert list(peer.params("SUBSCRIBE")["params"]) == [QUOTES, TRADES, DEPTH]
    assert {(told.stream, told.instrument) for told in up.all(inputs.StreamUp)} == {
        ("quotes", BTC), ("trades", BTC), ("depth", BTC),
    }  # fmt: skip


def test_quotes_and_trades_are_handed_on_once(up: Trader, peer: Peer) -> None:
    for update in (5, 6, 4):
        peer.market(QUOTES, ticker(update, bid=f"{update}"))
    for number in (7, 7, 8, 6):
        peer.market(TRADES, public_trade(number))
    last = up.wait(inputs.TradeTick, 2)
    assert (last.price, last.quantity, last.aggressor) == (Decimal("50.5"), Decimal("0.1"), "sell")
    assert last.exchange_ns == 1_700_000_000_000_000_000
    time.sleep(0.05)
    assert len(up.all(inputs.TradeTick)) == 2
    assert [told.bid for told in up.all(inputs.Quote)] == [5, 6]


def test_missed_trades_are_counted(up: Trader, peer: Peer) -> None:
    peer.market(TRADES, public_trade(7))
    peer.market(TRADES, public_trade(11))
    assert up.wait(inputs.DataDropped) == inputs.DataDropped(BTC, 3)
    up.wait(inputs.TradeTick, 2)


def test_a_book_begins_with_a_snapshot_and_is_mended_after_a_gap(peer: Peer) -> None:
    peer.answers["GET /api/v3/depth"] = book(10)
    with at(peer, confirm_limit_ns=SECOND // 5) as held:
        held.open()
        assert held.wait(inputs.BookSnapshot).last_update == 10
        peer.market(DEPTH, diff(10, 12))
        assert held.wait(inputs.BookDelta).last_update == 12
        peer.answers["GET /api/v3/depth"] = book(21)
        peer.market(DEPTH, diff(20, 22))
        assert held.wait(inputs.BookSnapshot, 2).last_update == 21
        assert [told.last_update for told in held.all(inputs.BookDelta)] == [12, 22, 22]


def test_a_lost_line_is_told_by_stream_and_comes_back(up: Trader, peer: Peer) -> None:
    peer.cut(peer.markets)
    up.wait(inputs.StreamLost, 3)
    up.wait(inputs.StreamUp, 6)
    assert not up.all(inputs.VenueLost)
    peer.market(TRADES, public_trade(900))
    up.wait(inputs.TradeTick)
    assert not up.all(inputs.DataDropped)


def test_what_is_not_confirmed_in_time_is_missing_until_its_first_message(peer: Peer) -> None:
    peer.confirms = False
    with at(peer, confirm_limit_ns=SECOND // 5, streams=("quotes", "trades")) as held:
        held.open()
        held.wait(inputs.StreamLost, 2)
        deadline = time.monotonic() + 5
        while not held.all(inputs.StreamUp) and time.monotonic() < deadline:
            peer.market(QUOTES, ticker(1))
            time.sleep(0.01)
        assert [told.stream for told in held.all(inputs.StreamUp)] == ["quotes"]


def test_what_is_missing_is_said_again_once_the_venue_is_back(peer: Peer) -> None:
    peer.confirms = False
    with at(peer, confirm_limit_ns=2 * SECOND, streams=("quotes",)) as held:
        held.open()
        held.wait(inputs.StreamLost)
        peer.cut(peer.accounts)
        held.wait(inputs.VenueConnected, 2)
        held.wait(inputs.StreamLost, 2)


def test_a_stream_that_is_silent_although_the_market_moved_is_given_up(peer: Peer) -> None:
    peer.answers["GET /api/v3/depth"] = book(10)
    with at(peer, silence_limit_ns=SECOND // 5, streams=("quotes",)) as held:
        held.open()
        held.wait(inputs.StreamUp)
        peer.market(QUOTES, {**ticker(1), "A": "2", "B": "1"})
        time.sleep(0.6)  # silent, and the book says the same
        assert not held.all(inputs.StreamLost)
        peer.answers["GET /api/v3/depth"] = lambda _: (200, {"lastUpdateId": 11, "bids": [["48", "1"]],
                                                             "asks": [["49", "2"]]})  # fmt: skip
        lost = held.wait(inputs.StreamLost)
        assert "silent" in lost.cause
        held.wait(inputs.StreamUp, 2)


def test_a_frame_of_unknown_shape_is_kept(up: Trader, peer: Peer) -> None:
    peer.market(QUOTES, {"u": 1, "s": "BTCUSDT"})
    peer.market("btcusdt@novelty", {"a": 1})
    up.wait(inputs.ProtocolSurprise, 2)
    peer.market(QUOTES, ticker(1))
    up.wait(inputs.Quote)


def test_a_shutdown_is_followed_by_another_line_before_the_first_ends(up: Trader, peer: Peer) -> None:
    peer.market("!serverShutdown", {"e": "serverShutdown", "E": 1})
    deadline = time.monotonic() + 5
    while peer.count("SUBSCRIBE") < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    peer.market(QUOTES, ticker(1))
    up.wait(inputs.Quote)
    assert not up.all(inputs.StreamLost)
