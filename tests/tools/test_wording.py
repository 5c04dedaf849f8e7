"""Words: every event has a sentence, and nothing that others wrote can move a terminal's cursor."""

from __future__ import annotations

import string
from pathlib import Path

from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from engine import events
from engine.codec import KINDS
from engine.events import Event
from engine.values import OrderId
from tests.tools.journals import Author, tell
from tools.sentences import sentence
from tools.sentences import tell as words_of
from tools.wording import LINE_LIMIT, one_line


def test_every_event_has_its_words() -> None:
    spoken = set(words_of.registry) - {object}
    assert {kind.__name__ for kind in KINDS.values()} == {kind.__name__ for kind in spoken if kind is not Event}


def test_a_run_in_sentences(tmp_path: Path) -> None:
    author = Author(tmp_path / "run")
    told: list[str] = []
    add = author.add

    def listen(*added: Event, **options: int) -> list[object]:
        told.extend(sentence(event) for event in added)
        return list(add(*added, **options))

    author.add = listen  # type: ignore[method-assign, assignment]
    tell(author)
    author.pause()
    author.close()
    for words in (
        "process 4711 began, on a new journal; release 0.1.0, epoch 1",
        "described: simulated, account paper, 1 instrument",
        "account paper began with 100000 USDT, 1 BTC",
        "compared with the books: 0 open orders, 0 executions; all agrees",
        "cross wants to buy 0.02 BTC-USDT at 60001 (limit gtc; version 1, 0123456789abcdef), seeing 60000 / 60001 "
        "in on_quote, looking at BTC-USDT 1m Sma(5, close) 60010, because fast 60010, slow 60000",
        "bought 0.01 BTC-USDT at 60000 (taker, fee 0.1 USDT)",
        "risk said no: max_order_quantity (limit 0.1, quantity 5)",
        "cancel asked for by cross",
        "canceled as asked",
        "rejected by the venue: price out of bounds",
        "an order not ours: sell 0.3 BTC-USDT at 70000",
        "outcome of the order unknown (timeout): the venue will be asked, nothing is sent twice",
        "operator 1000 (pid 99) ordered: pause everything: lunch",
        "paused everything (operator), until resumed by an operator: lunch",
    ):
        assert words in told


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("\x1b\x07\x00\r\n\u202e"))))
def test_what_others_wrote_stays_on_its_line(text: str) -> None:
    found = one_line(text)
    assert len(found) <= LINE_LIMIT + 1
    assert all(letter.isprintable() for letter in found)
    if all(letter in string.ascii_letters for letter in text) and len(text) <= LINE_LIMIT:
        assert found == text


def test_a_venue_s_reason_is_made_harmless() -> None:
    rejected = events.OrderRejected(order_id=OrderId("o"), reason="")
    assert sentence(evolve(rejected, reason="a\x1b[2J\nb")) == "rejected by the venue: a?[2J b"


def test_an_event_without_words_still_has_a_line() -> None:
    @frozen
    class OrderTeleported(Event):
        order_id: str = "o1"
        reason: str = "a\x1b[2Jb"

    assert sentence(OrderTeleported()) == "OrderTeleported: order_id o1, reason a?[2Jb"
