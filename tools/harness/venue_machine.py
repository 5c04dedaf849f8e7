"""`VenueMachine`: Hypothesis drives your adapter, with your exchange behind it and a real runner before it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from engine.ports import Venue
from engine.values import SECOND_NS, Side, duration
from tools.harness.figures import FIGURES
from tools.harness.pace import Pace, RealPace
from tools.harness.points import MESSAGE_FAULTS
from tools.harness.strategy_machine import QUIET
from tools.harness.tap import Ledger
from tools.harness.venue_trial import VenueTrial

EXAMPLES = 3
STEPS = 12
SETTLE_NS = 60 * SECOND_NS
AWAY_PERMILLE = (-20, 1, -2)
SPANS = ("200ms", "1s", "1500ms")
LOTS_MOST = 5
LOST = ("lose_reply", "error_reply", "disconnect", "delay_reply", "lose_request")


class VenueMachine(RuleBasedStateMachine):
    """Subclass it, and say how your exchange is started and how a client of it is made:

        class MyVenue(VenueMachine):
            def start_exchange(self):
                self.server = start_my_exchange()

            def stop_exchange(self):
                self.server.close()

            def connect(self):
                return MyClient(self.server.url)

    `set_faults` and `ledger` are optional, and make it a harder test. Time is real; `pace` can make it virtual.
    """

    instruments: ClassVar[tuple[str, ...]] = ("BTC-USDT",)
    answer_within: ClassVar[str] = "5s"
    examples: ClassVar[int] = EXAMPLES
    steps: ClassVar[int] = STEPS

    trial: VenueTrial

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        cls.TestCase.settings = cls.hypothesis_settings()

    @classmethod
    def hypothesis_settings(cls, examples: int | None = None, **more: Any) -> settings:
        """How hard Hypothesis tries: on real time nothing repeats exactly, so nothing is made shorter."""
        return settings(
            max_examples=examples or cls.examples, stateful_step_count=cls.steps, deadline=None,
            report_multiple_bugs=False, suppress_health_check=list(HealthCheck), **{**QUIET, **more},
        )  # fmt: skip

    @classmethod
    def settings_for(cls, examples: int | None) -> settings:
        """The settings of its test, with so many examples if that is asked for."""
        usual = cls.TestCase.settings
        return settings(usual, max_examples=examples or usual.max_examples)

    @classmethod
    def begin_search(cls) -> None:
        """Nothing is kept from one search to the next."""

    @classmethod
    def is_complete(cls) -> bool:
        """Does it say how to connect?"""
        return cls.connect is not VenueMachine.connect

    # --- what a subclass says -------------------------------------------------------------------------------------

    def start_exchange(self) -> None:
        """Start your exchange, for one schedule. Nothing if it runs already."""

    def stop_exchange(self) -> None:
        """And end it."""

    def connect(self) -> Venue:
        """A client, as a new process of the engine makes it; it is not opened yet."""
        raise TypeError(f"{type(self).__name__} says not how to connect: write `def connect(self): return YourVenue()`")

    def set_faults(self, table: Mapping[str, Any]) -> None:
        """From now on these faults, spelled as in `[venues.NAME.faults]`; an exchange that can't make them does
        nothing."""

    def ledger(self) -> Ledger | None:
        """What your exchange says by its own books; None if it has none to show."""
        return None

    def pace(self) -> Pace:
        """How time passes."""
        return RealPace()

    # --- what may happen ------------------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        """The exchange, and then the engine."""
        FIGURES.schedules += 1
        self.start_exchange()
        self.trial = VenueTrial(self.connect, self.pace(), self.instruments, duration(self.answer_within))
        self.trial.begin()
        self.trial.run("500ms")
        self.submit(Side.BUY, AWAY_PERMILLE[0], 1)  # something to cancel, to replace and to ask about

    @rule(side=st.sampled_from(Side), away=st.sampled_from(AWAY_PERMILLE), lots=st.integers(1, LOTS_MOST))
    def submit(self, side: Side, away: int, lots: int) -> None:
        """A new order, near the market or far from it."""
        self.trial.want(f"submit {side} {away} {lots}", self.trial.submit(side, away, lots))

    @rule(side=st.sampled_from(Side), lots=st.integers(1, LOTS_MOST))
    def take(self, side: Side, lots: int) -> None:
        """A new order that trades at once."""
        self.trial.want(f"take {side} {lots}", self.trial.submit(side, 5, lots))

    @rule(index=st.integers(0, 3))
    def cancel(self, index: int) -> None:
        """One of the open orders is cancelled."""
        self.trial.want(f"cancel {index}", self.trial.cancel(index))

    @rule(index=st.integers(0, 3), lots=st.integers(1, LOTS_MOST))
    def replace(self, index: int, lots: int) -> None:
        """One of them is made larger."""
        self.trial.want(f"replace {index} {lots}", self.trial.replace(index, lots))

    @rule(known=st.booleans())
    def query(self, known: bool) -> None:
        """What became of an order?"""
        orders = self.trial.open_orders()
        self.trial.query(str(orders[0].client_order_id) if known and orders else None)

    @rule()
    def snapshot(self) -> None:
        """How does the account stand?"""
        self.trial.snapshot()

    @rule(span=st.sampled_from(SPANS))
    def run(self, span: str) -> None:
        """Time passes."""
        self.trial.run(span)

    @rule()
    def disconnect(self) -> None:
        """The engine gives the connection up."""
        self.trial.disconnect()

    @rule(what=st.sampled_from(MESSAGE_FAULTS))
    def fault(self, what: tuple[str, str]) -> None:
        """The next message of a kind meets a fault, if the exchange can make it; and one of that kind is made."""
        fault, kind = what
        FIGURES.faults += 1
        with self.trial.telling(f"fault {fault} {kind}"):
            self.set_faults({fault: {"at": [1], "on": [kind]}})
        match kind:
            case "cancel" | "order":
                self.cancel(0)
            case "replace":
                self.replace(0, 1)
            case "query":
                self.query(True)
            case "snapshot":
                self.snapshot()
            case "execution":
                self.take(Side.BUY, 1)
            case _:
                self.submit(Side.BUY, AWAY_PERMILLE[0], 1)

    @rule(fault=st.sampled_from(LOST))
    def lose(self, fault: str) -> None:
        """The answer to a new order is lost: what every adapter must get right."""
        self.fault((fault, "place"))

    @rule()
    def restart(self) -> None:
        """The engine's process dies and begins anew."""
        FIGURES.deaths += 1
        self.trial.restart()

    def teardown(self) -> None:
        """No more faults: everything comes to rest, and all sides agree."""
        try:
            if hasattr(self, "trial") and sys.exc_info()[1] is None:
                self.set_faults({})
                self.trial.settle(SETTLE_NS, self.ledger)
        finally:
            if hasattr(self, "trial"):
                self.trial.close()
                FIGURES.events += self.trial.log.seq
            self.stop_exchange()
