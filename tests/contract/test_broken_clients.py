"""The suite itself is tested: a client that is broken on purpose fails the case that is meant for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from adapters.simulated import translate, venue, wire
from adapters.simulated.inflight import InFlight
from adapters.simulated.translate import Translator
from engine import inputs
from engine.outbox import SubmitOrder
from engine.values import SECOND_NS, ClientOrderId
from tests.contract import test_deaths, test_doubt, test_lines, test_orders
from tests.contract.counterpart import counterpart
from tests.contract.served import Served
from tests.contract.trading import Trading
from tools.proof.processes.nursery import Nursery

IMPATIENT_NS = 4 * SECOND_NS
"""A broken client may never get there; that need not be waited for."""

Case = Callable[[Any, Served], None]
Break = Callable[[pytest.MonkeyPatch], None]


def _never_time_out(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(InFlight, "take_due", lambda self, at_ns=None: [])


def _take_silence_for_refusal(patch: pytest.MonkeyPatch) -> None:
    original: Callable[..., Any] = Translator.unanswered

    def unanswered(self: Any, request: Any, cause: str) -> Any:
        told = original(self, request, cause)
        if isinstance(request, SubmitOrder):
            return inputs.Rejected(venue=told.venue, instrument=told.instrument, client_order_id=told.client_order_id)
        return told

    patch.setattr(Translator, "unanswered", unanswered)


def _take_a_duplicate_for_refusal(patch: pytest.MonkeyPatch) -> None:
    patch.delitem(translate._REFUSALS, wire.Reason.DUPLICATE_ID)


def _take_a_late_cancel_for_done(patch: pytest.MonkeyPatch) -> None:
    original = Translator._refused

    def refused(self: Any, frame: Any) -> Any:
        if frame.request is inputs.RequestKind.CANCEL:
            return inputs.Canceled(**self._told(frame))
        return original(self, frame)

    patch.setattr(Translator, "_refused", refused)


def _ask_for_no_executions(patch: pytest.MonkeyPatch) -> None:
    answers: dict[str, Callable[..., Any]] = {"_snapshot": Translator._snapshot, "_order": Translator._order}
    patch.setattr(Translator, "_snapshot", lambda *given: evolve(answers["_snapshot"](*given), executions=()))
    patch.setattr(Translator, "_order", lambda *given: answers["_order"](*given)[-1:])


def _book_half_of_the_fee(patch: pytest.MonkeyPatch) -> None:
    original = Translator._trade

    def trade(self: Any, frame: Any) -> inputs.Trade:
        told = original(self, frame)
        return evolve(told, fee=told.fee / 2 if told.fee else told.fee)

    patch.setattr(Translator, "_trade", trade)


def _send_twice(patch: pytest.MonkeyPatch) -> None:
    """The same order again, under an id of its own, where the first has no answer in time."""
    original = Translator.unanswered

    def unanswered(self: Any, request: Any, cause: str) -> Any:
        if isinstance(request, SubmitOrder) and not request.client_order_id.endswith("-2"):
            again = evolve(request, client_order_id=ClientOrderId(f"{request.client_order_id}-2"))
            _clients[-1].release(again)
        return original(self, request, cause)

    patch.setattr(Translator, "unanswered", unanswered)


def _stay_away(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(venue, "BACKOFF_NS", 3600 * SECOND_NS)
    patch.setattr(venue, "BACKOFF_MOST_NS", 3600 * SECOND_NS)


def _believe_a_snapshot(patch: pytest.MonkeyPatch) -> None:
    """What a snapshot does not show is canceled."""
    original = Translator._order

    def order(self: Any, request: Any, answer: Any) -> Any:
        return [inputs.Canceled(**self._asked(request))] if request.client_order_id else original(self, request, answer)

    patch.setattr(Translator, "_order", order)


_clients: list[Any] = []

BROKEN: dict[str, tuple[Break, Case, str]] = {
    "requests without a reply are never told": (_never_time_out, test_doubt.test_ack_lost, "to be in_doubt"),
    "silence is taken for a refusal": (
        _take_silence_for_refusal,
        test_doubt.test_unknown_outcome_it_exists,
        "to be in_doubt",
    ),
    "a duplicate is taken for a refusal": (_take_a_duplicate_for_refusal, test_orders.test_duplicate_id, "'rejected'"),
    "a late cancel is taken for done": (
        _take_a_late_cancel_for_done,
        test_orders.test_fill_crossing_cancel,
        "to be filled",
    ),
    "executions are not asked for": (_ask_for_no_executions, test_lines.test_stream_gap, "to be filled"),
    "fees are halved": (_book_half_of_the_fee, test_orders.test_place, "O8: balance"),
    "an order without an answer is sent again": (_send_twice, test_doubt.test_ack_lost, "never requested"),
    "a line that is lost stays so": (_stay_away, test_deaths.test_kill_of_the_exchange, "trading with"),
    "what a snapshot does not show is canceled": (_believe_a_snapshot, test_lines.test_stale_snapshot, "canceled"),
}
"""What is broken: how, the case that shows it, and what that says."""


@pytest.fixture
def served(nursery: Nursery, tmp_path: Path) -> Iterator[Served]:
    """The simulated exchange, for any case."""
    served = Served(nursery, tmp_path, counterpart("simulated"))
    served.begin()
    yield served
    served.kill()


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_client_fails_its_case(name: str, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    break_it, case, says = BROKEN[name]
    begun: list[Trading] = []

    def begin(**given: int) -> Trading:
        begun.append(Trading(served.connect, **given))
        begun[-1].start()
        begun[-1].limit_ns = IMPATIENT_NS
        _clients.append(begun[-1].venue)
        return begun[-1]

    break_it(monkeypatch)
    wants_begin = "begin" in case.__annotations__
    with pytest.raises(AssertionError) as caught:
        case(begin if wants_begin else begin(), served)
    assert says in str(caught.value)
    for trading in begun:
        trading.close()
