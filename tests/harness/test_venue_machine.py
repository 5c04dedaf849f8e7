"""The machine for adapters: on the simulated one over a socket and in virtual time, and on clients that are broken."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from hypothesis import seed as seeded
from hypothesis.stateful import run_state_machine_as_test

from adapters.simulated.inflight import InFlight
from adapters.simulated.translate import Translator
from engine import inputs
from tools.harness.simulated_exchange import LoopbackMachine, VirtualMachine
from tools.harness.venue_machine import VenueMachine


def search(machine: type[VenueMachine], examples: int, seed: int = 1) -> Exception | None:
    try:
        run_state_machine_as_test(seeded(seed)(machine), settings=machine.hypothesis_settings(examples, database=None))
    except Exception as error:  # noqa: BLE001 (what is found is looked at by the tests)
        return error
    return None


class Counted(VirtualMachine):
    """Keeps what went through."""

    released = told = executed = restarts = 0

    def teardown(self) -> None:
        """Sum up."""
        super().teardown()
        kind = type(self)
        kind.released += self.trial.record.released
        kind.told += self.trial.record.told
        kind.executed += len(self.trial.record.executions)
        kind.restarts += self.trial.log.epoch - 1


def test_the_simulated_venue_in_virtual_time() -> None:
    assert search(Counted, 30) is None
    assert Counted.released > 200
    assert Counted.told > 500
    assert Counted.executed > 5
    assert Counted.restarts > 5


def test_the_simulated_venue_over_a_socket() -> None:
    assert search(LoopbackMachine, 4) is None


def test_who_says_not_how_to_connect_is_told() -> None:
    class Nothing(VenueMachine):
        """Says nothing."""

    assert not Nothing.is_complete()
    assert VirtualMachine.is_complete()
    error = search(Nothing, 1)
    assert isinstance(error, TypeError)
    assert "def connect(self)" in str(error)


# --- clients that are broken ------------------------------------------------------------------------------------


def _never_time_out(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(InFlight, "take_due", lambda self, at_ns=None: [])


def _round_the_price(patch: pytest.MonkeyPatch) -> None:
    """Snapshots tell other prices than the stream."""
    original = Translator._snapshot

    def snapshot(self: Any, request: Any, answer: Any) -> inputs.Snapshot:
        found = original(self, request, answer)
        return evolve(found, executions=tuple(evolve(t, price=t.price.quantize(Decimal(1))) for t in found.executions))

    patch.setattr(Translator, "_snapshot", snapshot)


def _forget_a_kind(patch: pytest.MonkeyPatch) -> None:
    original = Translator.frame

    def frame(self: Any, frame: Any, received_ns: int) -> Any:
        told = original(self, frame, received_ns)
        return inputs.ProtocolSurprise(told.venue, "?") if isinstance(told, inputs.Canceled) else told

    patch.setattr(Translator, "frame", frame)


def _take_busy_for_refused(patch: pytest.MonkeyPatch) -> None:
    """An answer that is an error is told as a refusal, though the order may live."""
    original = Translator.unanswered

    def unanswered(self: Any, request: Any, cause: str) -> Any:
        told = original(self, request, cause)
        if isinstance(told, inputs.OutcomeUnknown) and told.request is inputs.RequestKind.NEW:
            return inputs.Rejected(venue=told.venue, instrument=told.instrument, client_order_id=told.client_order_id)
        return told

    patch.setattr(Translator, "unanswered", unanswered)


def _show_no_open_orders(patch: pytest.MonkeyPatch) -> None:
    original = Translator._snapshot
    patch.setattr(Translator, "_snapshot", lambda *given: evolve(original(*given), open_orders=()))


def _hide_half_of_the_fee(patch: pytest.MonkeyPatch) -> None:
    original = Translator._trade

    def trade(self: Any, frame: Any) -> inputs.Trade:
        told = original(self, frame)
        return evolve(told, fee=told.fee / 2 if told.fee else told.fee)

    patch.setattr(Translator, "_trade", trade)


BROKEN: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "requests without a reply are never told": (_never_time_out, "answered: "),
    "a snapshot tells other prices": (_round_the_price, "execution: "),
    "a kind of message is not understood": (_forget_a_kind, "known: "),
    "an error is taken for a refusal": (_take_busy_for_refused, "refused: "),
    "a snapshot shows no open orders": (_show_no_open_orders, "snapshot: open"),
    "fees are halved": (_hide_half_of_the_fee, "O8: "),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_client_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    break_it, says = BROKEN[name]
    break_it(monkeypatch)
    error = search(VirtualMachine, 60)
    assert error is not None, f"{name}: nobody noticed"
    assert any(problem.startswith(says) for problem in str(error).splitlines()), error
    assert "the schedule" in "".join(error.__notes__)
