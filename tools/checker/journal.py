"""What the events mean: orders, requests, executions, pauses and the system, in one pass."""

from __future__ import annotations

import re
from collections import defaultdict
from decimal import Decimal
from typing import Any

from .contract import NOTHING, Net, executed
from .form import Chain, Row
from .order import BREACH, LEADS, LIVE, MAY, SENT, SIGN, VERSIONS, ZERO, Order

TOKEN = re.compile(r"(h[0-9a-z]{15})(?:-[0-9a-z]{1,19})?")
DOORS = {("starting", "reconciling"), ("reconciling", "trading"), ("reconciling", "paused"), ("trading", "paused"),
         ("trading", "reconciling"), ("paused", "reconciling")}  # fmt: skip
SILENT = frozenset(
    "ConfigurationAdopted StateDigested SnapshotMissed AccountSeen StrategyAdvanced StrategyFailed EquityMarked "
    "InstrumentChanged VenueThrottled StreamLost StreamRestored".split()
)


CHECKS = ("resumed", "max_venue_errors")
"""Why a venue that is ready has to be compared with the books before it is used again."""


class Journal:
    """The checks of what the events mean, in one pass: `take` them in order, then `end_batch`."""

    def __init__(self, chain: Chain) -> None:
        self.chain, self.tell, self.row = chain, chain.tell, dict[str, Any]()
        self.orders, self.live = dict[str, Order](), dict[str, Order]()
        self.requests, self.fills = dict[str, tuple[Order, int]](), set[tuple[str, ...]]()
        self.positions = defaultdict[tuple[str, str], Decimal](Decimal)
        self.balances = defaultdict[tuple[str, str], Decimal](Decimal)
        self.nets = defaultdict[str, Net](lambda: NOTHING)
        self.fundings = set[tuple[str, ...]]()
        self.instruments, self.venues = dict[str, Row](), dict[str, Row]()
        self.ready, self.opened_ns, self.snapshot_ns = dict[str, bool](), dict[str, int](), dict[str, int]()
        self.pauses, self.missed = dict[tuple[str, ...], tuple[bool, str]](), set[str]()
        self.said, self.owed = set[tuple[str, ...]](), list[tuple[tuple[str, ...], str]]()
        self.system, self.run, self.mark, self.flatten = "", "", "", False
        self.jumps_ns = self.behind_ns = 0
        self.differences = dict[str, list[Row]]()

    def take(self, row: Row) -> None:
        """Check one event."""
        if row.get("batch") != self.chain.batch:
            self.end_batch()
        kind, before, stopped = str(row.get("kind")), self.chain.epoch, self.system == "stopped"
        at_ns, body = self.chain.at_ns, self.chain.take(row)
        self.row = row
        if body is None:
            return
        if (self.chain.epoch != before) != (kind == "ProcessStarted") or (stopped and kind != "ProcessStarted"):
            self.tell("I4", f"{kind} in epoch {self.chain.epoch} after epoch {before}, {self.system}")
        if row["at_ns"] < at_ns:
            self.tell("I4", f"time goes back by {at_ns - row['at_ns']} ns")
        try:
            if row["version"] > VERSIONS.get(kind, 1):
                self.tell("kind", f"{kind} version {row['version']} is not known to this checker")
            elif kind in MAY:
                self._take_order(kind, body)
            elif kind not in SILENT:
                self._take_system(kind, body)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            self.tell("body", f"{kind} is not what its kind says: {error!r}")

    def end_batch(self) -> None:
        """What a commit has to hold as a whole."""
        self.chain.problems.extend(problem for key, problem in self.owed if key not in self.said)
        self.said, self.owed = set(), []

    def _owe(self, name: str, message: str, *key: str) -> None:
        """This commit has to say something besides."""
        self.owed.append((key, f"{name}: seq {self.row['seq']}: {message}"))

    def _take_order(self, kind: str, body: Row) -> None:
        order = self.orders.get(body["order_id"])
        if order is None:
            self.tell("O1", f"{kind} about {body['order_id']}, which this journal does not know")
            return
        was, stage = order.life, order.stage
        overtaken = kind == "OrderReplaced" and was == "open"  # the last fills came before the replacement's answer
        if stage not in MAY[kind] and not overtaken:
            name = "O2" if kind == "SubmitRequested" and stage != "denied" else BREACH.get(stage, "O7")
            self.tell(name, f"{kind} about {order.order_id}, which is {stage}")
        if self.row["subject"] != order.order_id or self.row["cause"] not in {None, *order.causes}:
            self.tell("O7", f"{kind}: subject or cause is not of {order.order_id}")
        order.life = LEADS.get(kind, order.life)
        self._apply(order, kind, body, was)
        if kind.startswith(("Fill", "Fee")):
            self._execute(order, kind, body, was)
        if was == "doubt" and order.life != "doubt":
            self._leave_doubt(order, kind, body)
        if order.stage in LIVE:
            self.live[order.order_id] = order
        else:
            order.cancel = order.replace = ""
            self.live.pop(order.order_id, None)

    def _apply(self, order: Order, kind: str, body: Row, was: str) -> None:
        at_ns = self.row["at_ns"]
        match kind:
            case "SubmitRequested":
                order.client_id, order.request_ns = body["client_order_id"], at_ns
                if order.client_id[:16] != order.order_id:
                    self.tell("token", f"{order.client_id} does not begin with {order.order_id}")
                self._request(order, order.client_id)
                self.said.add(("verdict", order.order_id))
            case "ReplaceRequested":
                if order.cancel or order.replace:
                    self.tell("O2", f"a replacement of {order.order_id} while another request about it is outstanding")
                self._request(order, body["new_client_order_id"])
                order.replace, order.replace_ns = "sent", at_ns
            case "ReplaceRefused":
                late_ns = order.replace_ns + self.venues[order.venue]["absence"]["after_ns"]
                inferred = not body["raw"] and body["reason"] == "not effective"  # else somebody said so
                if inferred and not any(ns >= late_ns for ns in order.asked_ns):
                    self.tell("O7", f"the replacement of {order.order_id} had no effect, and nobody was asked")
                order.replace = ""
            case "OrderReplaced" | "OrderRestated":
                order.quantity = max(Decimal(body["quantity"]), order.filled)
                if kind == "OrderReplaced":
                    order.price, order.replace = body["price"], ""
            case "CancelRequested":
                order.cancel, order.was_canceled = "held" if body["held"] else "sent", True
                order.causes.add(self.row["seq"])
            case "CancelRefused":
                order.cancel = "doubt" if body["refusal"] == "unknown_order" else ""
            case "OrderDenied" | "OrderHeld":
                self.said.add(("verdict", order.order_id))
                order.is_held = kind == "OrderHeld"
            case "OrderAmended":
                order.quantity, order.price = Decimal(body["quantity"]), body["price"]
            case "OrderTriggered" | "OrderExpired" if was == "intent" and not order.is_held:
                self.tell("O1", f"{kind} of {order.order_id}, which was neither held nor sent")
            case "OutcomeUnknown":
                self.said.add(("unknown", order.order_id, body["request"]))
                if body["request"] == "new":
                    order.life = "doubt"
                else:
                    setattr(order, body["request"], "doubt")
            case "OrderQueried":
                order.asked_ns.append(at_ns)
                order.reported = max(order.reported, Decimal(body["reported_filled"] or 0))
            case "OrderCanceled":
                if body["evidence"] == "inferred" and order.order_id not in self.missed:
                    self.tell("O7", f"{order.order_id} is taken for canceled, and nobody had missed it before")
            case "OrderRejected":
                if order.filled:
                    self.tell("O6", f"{order.order_id} is called rejected and has executions")
            case "OrderResolved":
                order.life = "void" if body["resolution"] == "void" else "closed"
            case "OrderRecalled":
                order.life = (
                    "void" if body["order"]["status"] == "void" else "closed" if body["order"]["closed_as"] else "open"
                )
                if Decimal(body["order"]["filled"]) != order.filled or len(body["executions"]) != len(order.fills):
                    self.tell("O3", f"{order.order_id} comes back with other executions than it had")

    def _request(self, order: Order, client_id: str) -> None:
        """O1, O2, O4: what holds where a request that creates an order is made."""
        seq, kind = self.row["seq"], self.row["kind"]
        if client_id in self.requests:
            self.tell("O2", f"client order id {client_id} was requested before")
        self.requests[client_id] = (order, self.row["at_ns"])
        order.causes.add(seq)
        if not (order.is_held and kind == "SubmitRequested"):  # a held order's id names the event that held it
            self._check_token(client_id, seq)
        if order.is_flatten and kind == "SubmitRequested":
            held = self.positions[order.instrument, order.strategy]
            if not self.flatten or held * order.sign >= 0 or order.quantity > abs(held):
                self.tell("O4", f"{order.order_id} flattens without an order to, or does not reduce {held}")
            return
        covers = {("all", ""), ("venue", order.venue), ("instrument", order.instrument), ("strategy", order.strategy)}
        pause = next((key for key in self.pauses if key[:2] in covers), None)
        if self.system != "trading" or pause or not self.ready.get(order.venue):
            self.tell("O4", f"{kind} while {self.system}, pause {pause}, venue ready {self.ready.get(order.venue)}")
        for other in self.live.values() if kind == "SubmitRequested" else ():
            if other.instrument == order.instrument and other is not order and other.is_doubtful:
                self.tell("O4", f"a new order of {order.instrument} while {other.order_id} is in doubt")

    def _check_token(self, text: str, seq: int) -> None:
        """`h`, 4 of the journal, 4 of the run, 7 for the seq of the event that requests it."""
        form = TOKEN.fullmatch(text)
        if not form or form[1][5:9] != self.run or int(form[1][9:], 36) != seq or self.mark not in ("", form[1][1:5]):
            self.tell("token", f"{text} does not say journal {self.mark}, run {self.run}, seq {seq}")
        else:
            self.mark = form[1][1:5]

    def _execute(self, order: Order, kind: str, body: Row, was: str) -> None:
        """O3, O6: facts in every state, each once; quantities, positions and balances are their sums."""
        key, fill = (body["venue"], body["instrument"], body["exec_id"]), order.fills.get(body["exec_id"])
        if kind == "FillBooked":
            if key in self.fills or Decimal(body["quantity"]) <= 0:
                self.tell("O3", f"execution {body['exec_id']} is booked before, or of nothing")
                return
            if (SIGN[body["side"]], *key[:2]) != (order.sign, order.venue, order.instrument):
                self.tell("O3", f"execution {body['exec_id']} is not of the order's side, venue and instrument")
            self.fills.add(key)
            order.life = "open" if order.life in SENT else order.life
            fill = order.fills[body["exec_id"]] = dict(body)
            if order.filled + Decimal(body["quantity"]) > order.quantity and not order.is_external:
                told = f"{order.order_id} is executed beyond {order.quantity}, and no anomaly says so"
                self._owe("O3", told, "overfill", order.order_id)
            if was == "closed" and not body["late"] and not body["overfill"]:
                self.tell("O6", f"an execution of {order.order_id} after its end is not called late")
        elif fill is None:
            self.tell("O3", f"{kind} of execution {body['exec_id']}, which {order.order_id} does not have")
            return
        else:
            self._move(order, fill, -1)
            fill |= {name: body[name] for name in ("quantity", "price", "fee", "fee_asset") if name in body}
            fill["busted"] = kind == "FillBusted" or (kind == "FeeBooked" and fill.get("busted", False))
        self._move(order, fill, 1)
        counted = (Decimal(each["quantity"]) for each in order.fills.values() if not each.get("busted"))
        order.filled = sum(counted, ZERO)

    def _move(self, order: Order, fill: Row, sign: int) -> None:
        """Book an execution and its fee, or with sign -1 take it back."""
        if fill.get("busted"):
            return
        terms, quantity = self.instruments[order.instrument], Decimal(fill["quantity"]) * order.sign * sign
        self.positions[order.instrument, order.strategy] += quantity
        if terms.get("kind", "spot") == "spot":
            self.balances[order.venue, terms["base"]] += quantity
            self.balances[order.venue, terms["quote"]] -= quantity * Decimal(fill["price"])
        else:
            self._move_contract(order, terms, quantity, Decimal(fill["price"]) * Decimal(terms["multiplier"]))
        if fill["fee"] is not None:
            self.balances[order.venue, fill["fee_asset"]] -= sign * Decimal(fill["fee"])

    def _move_contract(self, order: Order, terms: Row, quantity: Decimal, price: Decimal) -> None:
        """A contract moves no asset but what it realises, by the average of the account's net position."""
        self.nets[order.instrument], gained = executed(self.nets[order.instrument], quantity, price)
        self.balances[order.venue, terms["settlement_asset"] or terms["quote"]] += gained

    def _fund(self, body: Row) -> None:
        """O3: a payment once, and its shares are the whole of it."""
        key = (body["venue"], body["instrument"], body["funding_id"])
        shares = [Decimal(share) for share in body["shares"].values()]
        if key in self.fundings or (shares and sum(shares, ZERO) != Decimal(body["amount"])):
            self.tell("O3", f"funding {body['funding_id']} is booked before, or its shares are not the whole")
        self.fundings.add(key)
        self.balances[body["venue"], body["asset"]] += Decimal(body["amount"])

    def _leave_doubt(self, order: Order, kind: str, body: Row) -> None:
        """O7: only by what the venue said, by a proof of absence, or by hand."""
        if kind == "OrderVoided":
            absence = self.venues[order.venue]["absence"]
            is_asked = any(order.request_ns < ns <= body["asked_ns"] for ns in order.asked_ns)
            is_late = body["asked_ns"] >= max(order.request_ns, order.replace_ns) + absence["after_ns"]
            if not (is_asked and is_late and set(absence["sources"]) <= set(body["sources"])):
                self.tell("O7", f"{order.order_id} is called absent without proof")
        elif kind == "OrderResolved" or str(body.get("exec_id", "")).startswith("operator-"):
            if not any(key[0] == "resolve" for key in self.said):
                self.tell("O7", f"{order.order_id} was settled by an operator whom nobody saw")
        elif not body.get("raw"):
            self.tell("O7", f"{kind} ends the doubt about {order.order_id} without what the venue said")

    def _introduce(self, order: Order, kind: str, body: Row) -> None:
        """An order that begins to exist for this journal: an intent of ours, or somebody else's."""
        name = order.order_id
        self._check_token(name, self.row["seq"] + (kind == "OrderIntended"))
        if name in self.orders:
            self.tell("O2", f"order {name} exists")
        self.orders[name] = order
        if kind == "OrderIntended":
            self._owe("O1", f"the intent {name} has no verdict", "verdict", name)
        else:
            order.life, order.client_id = "open", body["client_order_id"] or ""
            self.live[name] = order

    def _take_system(self, kind: str, body: Row) -> None:
        seq, at_ns, venue = self.row["seq"], self.row["at_ns"], str(body.get("venue"))
        match kind:
            case "OrderIntended" | "ExternalOrderSeen":
                self._introduce(Order(seq, at_ns, body), kind, body)
            case "ProcessStarted":
                self.system, self.run, self.ready = "starting", body["run"], {}
                self.pauses = {key: pause for key, pause in self.pauses.items() if pause[0]}
                for name, request in [(name, each) for name, order in self.live.items() for each in order.waiting]:
                    told = f"the {request} request of {name} has no outcome, and the start does not say so"
                    self._owe("O7", told, "unknown", name, request)
                if (body["epoch"], body["journal_id"]) != (self.chain.epoch, self.chain.journal_id):
                    self.tell("I4", "a start in another epoch or journal than it says")
            case "ProcessStopped":
                self.system = "stopped"
            case "SystemChanged":
                if (self.system, body["state"]) not in DOORS:
                    self.tell("system", f"from {self.system} to {body['state']}")
                self.system = body["state"]
                shut = next((key for key in self.pauses if key[0] == "all"), None)
                if self.system == "trading" and (shut or not any(self.ready.values())):
                    self.tell("O4", f"trading begins with the pause {shut} or with no venue ready")
            case "TradingPaused":
                key = (body["scope"], body["subject_name"], body["reason"])
                self.said.add(("paused", *key))
                if key not in self.pauses or body["latched"]:
                    self.pauses[key] = (body["latched"], body["detail"])
            case "PauseEnded":
                key = (body["scope"], body["subject_name"], body["reason"])
                is_latched, _detail = self.pauses.pop(key, (True, ""))
                if is_latched and not self.said & {("resume", "all", ""), ("resume", *key[:2])}:
                    self.tell("latch", f"the pause {key} ends and nobody resumed")
            case "OperatorCommanded":
                self.said.add((body["action"], body["scope"], body["subject_name"]))
                self.flatten = body["flatten"] if body["action"] == "kill" else self.flatten
            case "LimitTripped":
                self._trip(body)
            case "KillVerified":
                self.flatten = False
                if self.live:
                    self.tell("O4", f"a kill is called done while {sorted(self.live)} may trade")
            case "VenueDescribed":
                self.venues[venue] = body["description"]
                self.instruments |= {each["name"]: each for each in body["description"]["instruments"]}
            case "VenueConnected" | "VenueLost":
                self.ready[venue] = False
            case "SnapshotRequested":
                self.ready[venue] = self.ready.get(venue, False) and body["why"] not in CHECKS
            case "Reconciled":
                self.ready[venue], self.differences[venue] = body["ready"], body["differences"]
                self.behind_ns = max(self.behind_ns, body["asked_ns"] - body["taken_ns"])  # the venue's clock, at least
                if body["ready"] and "executions" in body["complete"]:
                    self.snapshot_ns[venue] = body["taken_ns"]
            case "AccountOpened":
                self._open(venue, body)
            case "BalanceAdjusted":
                self.balances[venue, body["asset"]] += Decimal(body["amount"])
            case "PositionAdjusted":
                self.positions[body["instrument"], body["strategy"]] += Decimal(body["quantity"])
                self._adjust(venue, body)
            case "FundingBooked":
                self._fund(body)
            case "ClockJumped":
                self.jumps_ns += abs(body["jump_ns"])
            case "AnomalyRecorded":
                self.said.add((body["anomaly"], body["about"]))
                self.missed |= {body["about"]} if body["anomaly"] == "vanished" else set()
            case _:
                self.tell("kind", f"{kind} is not known to this checker")

    def _trip(self, body: Row) -> None:
        """O4: a limit that was reached pauses its scope, and where it kills everything, in the same commit."""
        key = (body["scope"], body["subject_name"], body["limit"])
        self._owe("O4", f"the limit {key} is reached, and nothing is paused", "paused", *key)
        if body["action"] != "pause":
            self._owe("O4", f"the limit {key} kills, and not everything is paused", "paused", "all", "", "kill")
            self.flatten = body["action"] == "kill_and_flatten"

    def _open(self, venue: str, body: Row) -> None:
        self.opened_ns[venue] = body["taken_ns"]
        for each in body["balances"]:
            self.balances[venue, each["asset"]] = Decimal(each["free"]) + Decimal(each["locked"])
        for each in body.get("positions", ()):
            name, held = each["instrument"], Decimal(each["quantity"])
            self.positions[name, ""] = held
            cost = held * Decimal(each["average_price"] or 0) * Decimal(self.instruments[name]["multiplier"])
            self.nets[name] = held, cost

    def _adjust(self, venue: str, body: Row) -> None:
        terms, quantity = self.instruments[body["instrument"]], Decimal(body["quantity"])
        if terms.get("kind", "spot") == "spot":
            self.balances[venue, terms["base"]] += quantity
        else:
            held, cost = self.nets[body["instrument"]]
            value = quantity * Decimal(body["price"] or 0) * Decimal(terms["multiplier"])
            self.nets[body["instrument"]] = held + quantity, cost + value

    def books(self) -> Row:
        """What the journal amounts to, for whoever wants to compare: positions, balances, what is executed."""
        return {
            "journal_id": self.chain.journal_id,
            "events": self.chain.seq,
            "chain": self.chain.previous.hex(),
            "orders": len(self.orders),
            "fills": len(self.fills),
            "filled": {name: _plain(order.filled) for name, order in self.orders.items() if order.fills},
            "positions": sorted([*key, _plain(quantity)] for key, quantity in self.positions.items()),
            "balances": sorted([*key, _plain(amount)] for key, amount in self.balances.items()),
        }


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}" if number else "0"
