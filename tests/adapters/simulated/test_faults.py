"""Each fault does what it says, and only that."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.simulated import wire
from adapters.simulated.faults import SCOPES, Fate, Faults, Kind, Rule, read_faults, strikes, what_happens
from adapters.simulated.gateway import REORDER_MOST_NS, Cut, Delivery, Gateway, Strike
from engine.inputs import Quote, Section
from engine.values import ClientOrderId
from tests.adapters.simulated.memory_log import MemoryLog
from tests.adapters.simulated.trading_day import STILL, SYMBOL, T0_NS, moment, open_day, place

MS = 10**6
LATENCY_NS = 5 * MS

rules = st.builds(
    Rule, at=st.lists(st.integers(1, 20), max_size=3).map(tuple), every=st.integers(0, 5), permille=st.integers(0, 300)
)


class Client:
    """One client on virtual time: what it sends at an instant, and what it has got by another."""

    def __init__(
        self, faults: dict[str, Any] | None = None, moments: Any = STILL, log: MemoryLog | None = None
    ) -> None:
        self.exchange = open_day(moments, log)
        self.gateway = Gateway(self.exchange, LATENCY_NS, read_faults(faults or {}))
        self.now_ns = T0_NS
        self.numbers = 0
        self.connect(1)

    def connect(self, connection: int) -> None:
        self.connection = connection
        self.gateway.connect(connection)
        self.send(wire.Hello(symbols=(SYMBOL,)))
        assert [type(delivery.frame) for delivery in self.after(20)] == [wire.Welcome]

    def send(self, request: wire.Ask) -> int:
        self.numbers += 1
        self.gateway.send(self.connection, self.numbers, request, self.now_ns)
        return self.numbers

    def after(self, milliseconds: int) -> list[Delivery]:
        self.now_ns += milliseconds * MS
        return self.gateway.advance(self.now_ns)

    def told(self, milliseconds: int = 2 * 10) -> list[str]:
        return [type(delivery.frame).__name__ for delivery in self.after(milliseconds)]

    def place(self, name: str = "a", quantity: str = "1", price: str | None = "98", **more: Any) -> None:
        self.send(place("buy", quantity, price, client_order_id=name, **more))


# --- the rules --------------------------------------------------------------------------------------------------


@given(st.dictionaries(st.sampled_from(sorted(SCOPES)), rules), st.integers(0, 9))
def test_removing_one_fault_does_not_move_the_others(given_rules: dict[str, Rule], seed: int) -> None:
    def fates(**rules: Any) -> list[Fate]:
        return [what_happens(Faults(**rules, seed=seed), kind, n) for kind in Kind for n in range(1, 25)]

    everything = fates(**given_rules)
    for name in given_rules:
        others = fates(**{key: rule for key, rule in given_rules.items() if key != name})
        fate_name = name if name in attrs.fields_dict(Fate) else f"{name}_ns"
        nothing = getattr(Fate(), fate_name)
        assert others == [attrs.evolve(fate, **{fate_name: nothing}) for fate in everything]


@given(rules, st.sampled_from(sorted(SCOPES)), st.integers(1, 60), st.integers(0, 5))
def test_a_rule_hits_the_numbers_that_it_names(rule: Rule, name: str, counter: int, seed: int) -> None:
    kind = SCOPES[name][0][0]
    given_rule: dict[str, Any] = {name: rule}
    hit = what_happens(Faults(**given_rule, seed=seed), kind, counter) != Fate()
    named = counter in rule.at or (rule.every > 0 and counter % rule.every == 0)
    assert hit if named else (not hit or rule.permille > 0)


def test_a_chance_is_about_as_often_as_it_says() -> None:
    faults = Faults(drop={"permille": 100}, seed=3)
    hits = sum(what_happens(faults, Kind.EXECUTION, counter).drop for counter in range(1, 5_001))
    assert 400 <= hits <= 600


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"loose_reply": [3]}, "there is no fault loose_reply"),
        ({"lose_reply": 3}, "whole numbers"),
        ({"lose_reply": ["3"]}, "whole numbers"),
        ({"lose_reply": {"evry": 3}}, "has no evry"),
        ({"lose_reply": {"every": 2, "on": ["place", "market"]}}, "can't happen to market"),
        ({"drop": {"every": 2, "on": ["plaice"]}}, "plaice"),
        ({"delay_reply": {"at": [1], "by": "2 s"}}, "not a duration"),
        ({"lag": 12}, "not a duration"),
    ],
)
def test_faults_that_can_not_be_are_refused(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_faults(table)


# --- what they do -----------------------------------------------------------------------------------------------


def test_without_faults_everything_takes_its_latency() -> None:
    client = Client()
    client.place("a", "3", None)
    assert client.told(9) == []
    assert client.told(1) == ["Accepted", "Executed", "Executed"]


def test_lose_request() -> None:
    client = Client({"lose_request": [2]})
    for name in "abc":
        client.place(name)
    assert client.told() == ["Accepted", "Accepted"]
    assert sorted(client.exchange.state.ids) == ["a", "c"]


def test_lose_reply() -> None:
    client = Client({"lose_reply": [1]})
    client.place("a", "1", None)
    assert client.told() == ["Executed"]
    assert len(client.exchange.state.closed) == 1


def test_error_reply_though_it_was_done() -> None:
    client = Client({"error_reply": [1]})
    client.place()
    assert client.after(20)[0].frame == wire.Failed("server error")
    assert len(client.exchange.state.open) == 1


def test_delay_request_until_it_has_expired() -> None:
    client = Client({"delay_request": {"at": [1], "by": "300ms"}})
    client.place(expires_ns=client.now_ns + 200 * MS)
    assert client.told(309) == []
    refused = client.after(1)[0].frame
    assert isinstance(refused, wire.Refused)
    assert refused.reason is wire.Reason.REQUEST_EXPIRED


def test_delay_reply_and_let_the_stream_overtake_it() -> None:
    client = Client({"delay_reply": {"at": [1], "by": "300ms"}})
    client.place("a", "1", None)
    assert client.told(309) == ["Executed"]
    assert client.told(1) == ["Accepted"]


def test_duplicate_reply() -> None:
    client = Client({"duplicate_reply": [1]})
    client.place()
    deliveries = client.after(20)
    assert [type(delivery.frame) for delivery in deliveries] == [wire.Accepted, wire.Accepted]
    assert deliveries[0].number == deliveries[1].number


def test_busy() -> None:
    client = Client({"busy": [1]})
    client.place("a")
    client.place("b")
    refused, accepted = [delivery.frame for delivery in client.after(20)]
    assert isinstance(refused, wire.Refused)
    assert refused.reason is wire.Reason.BUSY
    assert isinstance(accepted, wire.Accepted)


def test_fail() -> None:
    client = Client({"fail": {"at": [1], "on": ["query"]}})
    for _ in range(2):
        client.send(wire.Query(symbol=SYMBOL, client_order_id=ClientOrderId("a")))
    client.send(wire.ReadAccount())
    assert client.told() == ["Failed", "OrderAnswer", "AccountAnswer"]


def test_a_stale_snapshot_is_old_and_does_not_say_so() -> None:
    client = Client({"stale": {"at": [2], "by": "1s"}})
    client.after(2_000)
    client.place()
    client.after(500)
    for _ in range(2):
        client.send(wire.ReadAccount())
    fresh, stale = [delivery.frame for delivery in client.after(20)]
    assert isinstance(fresh, wire.AccountAnswer)
    assert isinstance(stale, wire.AccountAnswer)
    assert (len(fresh.orders), len(stale.orders)) == (1, 0)
    assert (stale.at_ns, stale.complete) == (fresh.at_ns, fresh.complete)


def test_a_partial_snapshot_says_what_is_missing() -> None:
    client = Client({"partial": [1]})
    client.place("a", "3", None)
    client.after(20)
    client.send(wire.ReadAccount())
    answer = client.after(20)[0].frame
    assert isinstance(answer, wire.AccountAnswer)
    assert len(answer.executions) == 1
    assert Section.EXECUTIONS not in answer.complete


def test_drop_one_execution_and_nothing_else() -> None:
    client = Client({"drop": [2]}, [*STILL, moment(1, "99x5", "101x5")])
    client.place("a", "4.5", None)
    deliveries = client.after(20)
    prices = [d.frame.price for d in deliveries if isinstance(d.frame, wire.Executed)]
    assert prices == [Decimal(101)]
    assert len(client.exchange.state.executions) == 2
    assert client.told(1000) == ["Quote"]


def test_a_delayed_frame_holds_up_the_stream_behind_it() -> None:
    client = Client({"delay": {"at": [1], "on": ["execution"], "by": "300ms"}})
    client.place("a", "3", None)
    assert client.told(20) == ["Accepted"]
    assert client.told(300) == ["Executed", "Executed"]


def test_duplicate_frame() -> None:
    client = Client({"duplicate": {"at": [1], "on": ["execution"]}})
    client.place("a", "1", None)
    frames = [delivery.frame for delivery in client.after(20)]
    assert frames[1] == frames[2]
    assert isinstance(frames[1], wire.Executed)


def test_a_reordered_frame_goes_behind_the_next() -> None:
    client = Client({"reorder": {"at": [1], "on": ["execution"]}})
    client.place("a", "3", None)
    prices = [d.frame.price for d in client.after(20) if isinstance(d.frame, wire.Executed)]
    assert prices == [Decimal(102), Decimal(101)]


def test_a_reordered_frame_without_a_next_goes_after_a_while() -> None:
    client = Client({"reorder": {"at": [1], "on": ["execution"]}})
    client.place("a", "1", None)
    assert client.told(REORDER_MOST_NS // MS) == ["Accepted"]
    assert client.told(20) == ["Executed"]


def test_disconnect_after_the_effect() -> None:
    client = Client({"disconnect": [1]})
    client.place("a", "1", None)
    deliveries = client.after(2_000)
    assert [type(delivery.frame) for delivery in deliveries] == [Cut]
    assert len(client.exchange.state.executions) == 1
    client.connect(2)
    client.place("b")
    assert client.told() == ["Accepted"]


def test_disconnect_instead_of_a_frame() -> None:
    client = Client({"disconnect": {"at": [2], "on": ["execution"]}})
    client.place("a", "4.5", None)
    assert client.told(100) == ["Accepted", "Executed", "Cut"]


def test_lag_delays_market_data_and_nothing_else() -> None:
    client = Client({"lag": "12s"}, [*STILL, moment(1, "99x5", "101x5")])
    client.after(1_000)
    client.place("a", "1", None)
    assert client.told(11_900) == ["Accepted", "Executed"]
    quote = client.after(200)[0]
    assert isinstance(quote.frame, Quote)
    assert quote.frame.exchange_ns is not None
    assert quote.at_ns - quote.frame.exchange_ns == 12_000 * MS + LATENCY_NS


def test_faults_can_be_changed_while_it_runs_and_counting_begins_anew() -> None:
    client = Client()
    client.place("a")
    client.after(20)
    client.send(wire.SetFaults({"lose_reply": [1]}))
    assert client.told() == ["Status"]
    client.place("b")
    client.place("c")
    assert client.told() == ["Accepted"]
    client.send(wire.SetFaults({"lose_rply": [1]}))
    failed = client.after(20)[0].frame
    assert isinstance(failed, wire.Failed)
    assert "lose_rply" in failed.cause


def test_lag_that_ends_leaves_no_old_quotes_behind() -> None:
    client = Client({"lag": "12s"}, [*STILL, *(moment(s, "99x5", "101x5") for s in range(1, 9))])
    client.after(5_000)
    client.send(wire.SetFaults({}))
    quotes = [(d.at_ns, d.frame) for d in client.after(60_000) if isinstance(d.frame, Quote)]
    assert [at_ns - (quote.exchange_ns or 0) for at_ns, quote in quotes] == [LATENCY_NS] * 3


def test_what_is_on_the_way_to_a_client_that_left_is_gone_but_its_requests_are_not() -> None:
    client = Client()
    client.place("a")
    client.gateway.disconnect(1)
    assert client.after(100) == []
    assert len(client.exchange.state.open) == 1


def test_only_who_said_hello_is_told_and_only_of_its_symbols() -> None:
    client = Client(None, [*STILL, moment(1, "99x5", "98x5", "")])
    client.gateway.connect(2)
    client.gateway.connect(3)
    client.gateway.send(3, 1, wire.Hello(), client.now_ns)
    client.after(20)
    client.place("a", "1", None)
    told = [(d.connection, type(d.frame).__name__) for d in client.after(2_000)]
    assert told == [(1, "Accepted"), (1, "Executed"), (3, "Executed"), (1, "Quote")]


def test_a_long_list_of_faults_is_narrowed_to_those_that_matter() -> None:
    everything = read_faults({"lose_reply": {"every": 1}, "busy": [2]})
    one = read_faults({"lose_reply": {"every": 1}, "busy": [2], "only": ["lose_reply place 2"]})
    assert [strikes(everything, Kind.PLACE, number) for number in (1, 2)] == [["lose_reply"], ["busy", "lose_reply"]]
    assert [strikes(one, Kind.PLACE, number) for number in (1, 2, 3)] == [[], ["lose_reply"], []]
    assert strikes(one, Kind.CANCEL, 2) == []


def test_what_happened_is_told_and_counted_on_after_a_restart() -> None:
    seen: list[Strike] = []
    counts: Counter[Kind] = Counter()
    for name in ("a", "b"):
        client = Client({"lose_reply": [2]})
        client.gateway.go_on_counting(counts)
        client.gateway.struck = seen.append
        client.place(name)
    assert [(strike.fault, strike.kind, strike.counter) for strike in seen] == [("lose_reply", Kind.PLACE, 2)]
    assert getattr(seen[0].message, "client_order_id", None) == "b"
