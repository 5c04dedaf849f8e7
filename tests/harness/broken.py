"""Engines that are broken on purpose: a harness that does not notice them proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from engine import events, order_guards, runner
from engine.inputs import RequestKind
from engine.order_effects import EFFECTS
from engine.outbox import Request, SubmitOrder, requests_for
from engine.values import ClientOrderId


def _believe_not_found(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(order_guards.GUARDS, "proves_absence", lambda look: True)


def _book_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(order_guards.GUARDS, "is_known", lambda look: False)
    patch.setitem(order_guards.GUARDS, "contradicts", lambda look: False)


def _release_before_append(patch: pytest.MonkeyPatch) -> None:
    def commit(self: runner.Runner) -> None:
        self.gate.allow_until(self.state.seq, 10**18)
        self._release(self._requests)
        self._requests = []
        original(self)

    original = runner.Runner._commit
    patch.setattr(runner.Runner, "_commit", commit)


def _believe_a_cancel_timeout(patch: pytest.MonkeyPatch) -> None:
    doubt = EFFECTS["doubt"]

    def effect(look: Any) -> Any:
        if look.report.request is RequestKind.CANCEL:
            yield events.OrderCanceled(order_id=look.order.order_id, requested=True, reason="timeout")
        else:
            yield from doubt(look)

    patch.setitem(EFFECTS, "doubt", effect)


def _send_again(patch: pytest.MonkeyPatch) -> None:
    """Every new order leaves twice, the second time under an id of its own."""

    def twice(state: Any, recorded: Any) -> list[Request]:
        found = requests_for(state, recorded)
        return [
            *found,
            *(evolve(r, client_order_id=ClientOrderId(r.order_id + "-x")) for r in found if isinstance(r, SubmitOrder)),
        ]

    patch.setattr(runner, "requests_for", twice)


def _believe_silence(patch: pytest.MonkeyPatch) -> None:
    """A submit without an answer is taken for rejected."""
    doubt = EFFECTS["doubt"]

    def effect(look: Any) -> Any:
        if getattr(look.report, "request", None) is RequestKind.NEW:
            yield events.OrderRejected(order_id=look.order.order_id, reason="timeout")
        else:
            yield from doubt(look)

    patch.setitem(EFFECTS, "doubt", effect)


def _drop_late_fills(patch: pytest.MonkeyPatch) -> None:
    def effect(look: Any) -> Any:
        yield events.AnomalyRecorded(about=look.order.order_id, anomaly="late_fill", detail="too late")

    patch.setitem(EFFECTS, "book_late", effect)
    patch.setitem(order_guards.GUARDS, "misses_fills", lambda look: False)


BROKEN: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "not found is believed at once": _believe_not_found,
    "executions are booked whenever they are told": _book_twice,
    "requests leave before they are committed": _release_before_append,
    "a cancel that timed out is taken for done": _believe_a_cancel_timeout,
    "a submit that timed out is taken for rejected": _believe_silence,
    "orders are sent again under a new id": _send_again,
    "an execution after the end is dropped": _drop_late_fills,
}
