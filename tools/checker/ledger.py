"""What the simulated exchange wrote down itself, against the journal: O1, O2, O3, O8."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from .contract import NOTHING, Net, executed
from .form import Chain, Row
from .journal import Journal
from .order import SIGN, ZERO, Order

CLOCKS_APART_NS = 100_000_000
"""The exchange may read another clock than the engine; what the journal shows of jumps and skew comes on top."""


class Wire(NamedTuple):
    """How the ledger's facts are told over an adapter's wire: what is put before an execution's number, whether a
    replacement is a new order at the exchange, and whether one that can't be carried out ends the order."""

    execution: str
    replaces_anew: bool
    replacing_may_end: bool = False


SIMULATED = Wire("x", replaces_anew=False)
WIRES = {
    "simulated": SIMULATED,
    "binance": Wire("", replaces_anew=True, replacing_may_end=True),
    "binance_usdm": Wire("", replaces_anew=False, replacing_may_end=True),
}


def compare(
    journal: Journal, chain: Chain, facts: Iterable[Row], notes: list[str], is_settled: bool, venue: str = ""
) -> None:
    """Take every fact of the ledger, then look at what both sides amount to. The journal must be taken whole before."""
    ledger = Ledger(journal, chain, notes, is_settled, venue)
    for row in facts:
        ledger.take(row)
    ledger.end()


class Ledger:
    """The exchange's side. What it did after the last complete snapshot (`known_ns`) the journal need not know yet."""

    def __init__(self, journal: Journal, chain: Chain, notes: list[str], is_settled: bool, venue: str) -> None:
        self.journal, self.chain, self.tell = journal, chain, chain.tell
        self.notes, self.is_settled = notes, is_settled
        self.venue, self.opened_ns, self.known_ns = venue, 0, 0
        self.wire = SIMULATED
        self.orders, self.accepted, self.executed = dict[str, Row](), Counter[str](), set[str]()
        self.of_intent = defaultdict[str, list[Row]](list)
        self.nets = defaultdict[str, Net](lambda: NOTHING)
        self.totals, self.unknown, self.fresh = defaultdict[str, Decimal](Decimal), list[str](), set[str]()

    def take(self, row: Row) -> None:
        """Check one fact."""
        body = self.chain.take(row)
        try:
            if body is not None:
                self._book(row, body)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            self.tell("body", f"{row['kind']} is not what its kind says: {error!r}")

    def _book(self, row: Row, body: Row) -> None:
        order = self.orders[body["venue_order_id"]] if "venue_order_id" in body else {}
        match row["kind"]:
            case "ExchangeOpened":
                venues = self.journal.venues.items()
                ours = [name for name, told in venues if told["account"].endswith(f":{body['identity']}")]
                self.venue = self.venue or next(iter([*ours, *self.journal.venues]), "")
                self.wire = WIRES.get(str(self.journal.venues.get(self.venue, {}).get("adapter")), SIMULATED)
                self.opened_ns = self.journal.opened_ns.get(self.venue, 0)
                self.known_ns = self.journal.snapshot_ns.get(self.venue, 0)
            case "FundingPaid":
                self.totals[body["asset"]] += Decimal(body["amount"])
            case "Deposited":
                self.totals[body["asset"]] += Decimal(body["quantity"])
            case "OrderAccepted":
                order = self._accept(row, body)
            case "OrderExecuted":
                self._execute(row, order, body)
            case "OrderReplaced":
                order |= {"quantity": body["quantity"], "price": body["price"]}
                order["open"] = order["filled"] < Decimal(body["quantity"])
                asked = self.journal.requests.get(body["new_client_order_id"])
                if order["ours"] and (asked is None or asked[0] is not order["ours"]):
                    self.tell("O1", f"the replacement {body['new_client_order_id']} was never requested")
            case "OrderReduced":
                order["quantity"], order["open"] = body["quantity"], order["filled"] < Decimal(body["quantity"])
                if not any(twin.get("group") == order["group"] and twin["filled"] for twin in self.orders.values()):
                    self.tell("O1", f"{order['client_order_id']} is reduced, and no order of its group has executed")
            case "OrderCanceled" | "OrderExpired":
                order["open"] = False
                if row["kind"] == "OrderCanceled" and order["ours"] and not self._may_cancel(order["ours"]):
                    self.tell("O1", f"{order['client_order_id']} is canceled, and nobody requested that")
        if order and row["at_ns"] > self.known_ns:
            self.fresh.add(_key(order))

    def _accept(self, row: Row, body: Row) -> Row:
        """O1: requested before; O2: at most one order for an intent."""
        name = body["client_order_id"]
        ours, asked_ns = self.journal.requests.get(name, (None, 0))
        order = self.orders[str(row["seq"])] = body | {"ours": ours, "open": True, "filled": ZERO}
        if ours is None:
            if row["at_ns"] > self.opened_ns:  # what was there before belongs to somebody else
                self.tell("O1", f"{name} is at the exchange and was never requested")
            return order
        if asked_ns > row["at_ns"] + CLOCKS_APART_NS + self.journal.jumps_ns + self.journal.behind_ns:
            self.tell("O1", f"{name} was requested after the exchange had it")
        if (ours.sign, ours.instrument) != (SIGN[body["side"]], self._instrument(body["symbol"])):
            self.tell("O1", f"{name} is another order at the exchange than was requested")
        earlier = self.of_intent[ours.order_id]
        self.accepted[name] += 1
        if self.accepted[name] > 1 or (earlier and not self.wire.replaces_anew):
            self.tell("O2", f"{ours.order_id} is {len(earlier) + 1} orders at the exchange")
        elif any(each["open"] for each in earlier):
            self.tell("O2", f"{ours.order_id} is an order at the exchange while an earlier one of it may trade")
        earlier.append(order)
        return order

    def _may_cancel(self, ours: Order) -> bool:
        return ours.was_canceled or (self.wire.replacing_may_end and ours.replace_ns > 0)

    def _instrument(self, symbol: str) -> str:
        listed = self.journal.venues.get(self.venue, {}).get("instruments", [])
        return next((str(each["name"]) for each in listed if each["symbol"] == symbol), symbol)

    def _execute(self, row: Row, order: Row, body: Row) -> None:
        """O3: the journal has the same execution of the same order."""
        order["filled"] += Decimal(body["quantity"])
        order["open"] = order["filled"] < Decimal(order["quantity"])
        signed = Decimal(body["quantity"]) * SIGN[order["side"]]
        if order.get("settles_in") is None:
            self.totals[order["base"]] += signed
            self.totals[order["quote"]] -= signed * Decimal(body["price"])
        else:
            price = Decimal(body["price"]) * Decimal(order["multiplier"])
            self.nets[order["symbol"]], gained = executed(self.nets[order["symbol"]], signed, price)
            self.totals[order["settles_in"]] += gained
        self.totals[body["fee_asset"]] -= Decimal(body["fee"])
        name, ours = f"{self.wire.execution}{row['seq']}", order["ours"]
        self.executed.add(name)
        fill = ours.fills.get(name) if ours else None
        if fill is None and ours is not None:
            told = f"execution {name} of {ours.order_id} is lost"
            if row["at_ns"] > self.known_ns or not self.is_settled:
                self.unknown.append(told)
            else:
                self.tell("O3", told)
        elif fill is not None and any(fill[each] != body[each] for each in ("quantity", "price", "fee", "fee_asset")):
            self.tell("O3", f"execution {name} is another in the journal: {fill}")

    def end(self) -> None:
        """Executions that are made up; and where the journal has come to rest, balances and open orders."""
        for venue, _instrument, name in sorted(self.journal.fills):
            if venue == self.venue and name not in self.executed and not name.startswith("operator-"):
                self.tell("O3", f"execution {name} is made up: the ledger does not have it")
        if not self.is_settled or self.unknown:
            known = f"{len(self.unknown)} executions are not known yet"
            self.notes.append(f"balances and open orders are not compared: the journal does not end settled, {known}")
            return
        self._compare_balances()
        self._compare_open()

    def _compare_balances(self) -> None:
        """O8. A difference that the journal itself has noticed, and paused for, is a note."""
        is_paused = any(key[2] == "position_drift" for key in self.journal.pauses)
        noticed = [
            (row["name"], Decimal(row["venue"]) - Decimal(row["ours"]))
            for row in self.journal.differences.get(self.venue, ())
            if is_paused and row["what"] == "balance"
        ]
        for asset, total in sorted(self.totals.items()):
            booked = self.journal.balances[self.venue, asset]
            if booked == total or not self.opened_ns:
                continue
            told = f"O8: {asset} is {booked} in the journal and {total} in the ledger"
            if (asset, total - booked) in noticed:
                self.notes.append(f"noticed, and paused for: {told}")
            else:
                self.chain.problems.append(told)

    def _compare_open(self) -> None:
        """O3: what may still trade; an order that changed after the last snapshot is not judged."""
        theirs = {_key(o): self._whole(o) for o in self.orders.values() if o["open"]}
        live = [order for order in self.journal.live.values() if order.venue == self.venue and order.life == "open"]
        ours = {order.client_id: (order.filled, order.quantity) for order in live}
        for name in sorted(theirs.keys() | ours.keys()):
            if theirs.get(name) != ours.get(name):
                told = f"{name} is open with (executed, of) {ours.get(name)} here, {theirs.get(name)} in the ledger"
                if name in self.fresh:
                    self.notes.append(f"not known yet: {told}")
                else:
                    self.chain.problems.append(f"O3: {told}")

    def _whole(self, order: Row) -> tuple[Decimal, Decimal]:
        """What is executed, and of what: what earlier orders of the intent executed is part of both."""
        chain = self.of_intent[order["ours"].order_id] if order["ours"] else []
        earlier = sum((each["filled"] for each in chain if each is not order), ZERO)
        return earlier + order["filled"], earlier + Decimal(order["quantity"])


def _key(order: Row) -> str:
    """The intent's client order id, where it is ours."""
    return str(order["ours"].client_id if order["ours"] else order["client_order_id"])
