"""What the simulated exchange tells of orders, in the words of the user data stream."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from adapters.binance.server import lists
from adapters.binance.server.orders import Floor
from adapters.binance.server.reads import balance_row
from adapters.binance.server.shapes import Json, eight, expiry_reason, is_working, ms, trade_id, working_ms
from adapters.binance.server.terms import Terms
from adapters.simulated import wire
from adapters.simulated.state import Order
from engine.values import MILLISECOND_NS, ZERO, Asset, Liquidity

MAKER_GIVES_BACK = 5
"""How many unfilled orders an order's first fill takes from the count where it rested."""

_SURPRISE = "SURPRISE"


class UserEvents:
    """Used in the exchange's thread, when something is told: each frame becomes the events of Binance's for it."""

    def __init__(self, floor: Callable[[], Floor], count_orders: Callable[[int], None]) -> None:
        self._floor, self._count_orders = floor, count_orders

    def dress(self, at_ns: int, frame: wire.Frame) -> wire.Frame:
        """The events of a frame, as one; what is foreign already stays as it is."""
        if not isinstance(frame, wire.OrderFrame):
            return frame
        floor = self._floor()
        order = floor.register.state.find(frame.venue_order_id, None)
        if order is None:
            return frame
        terms = floor.register.of(order)
        report = self._report(floor, order, terms, frame, at_ns + floor.faults.clock_offset_ns)
        events = self._spoiled(floor, report)
        events.append(self._position(floor, order, at_ns))
        if terms.list_id >= 0 and not order.status.is_open:
            found = floor.register.list_of(terms.list_id, None)
            if found is not None and not floor.register.is_list_open(found):
                events.append(lists.status_event(floor, found))
        return wire.Foreign(tuple(events))

    def _report(self, floor: Floor, order: Order, terms: Terms, frame: wire.OrderFrame, at_ns: int) -> Json:
        kind, status, filled = self._what(order, frame)
        executed = frame if isinstance(frame, wire.Executed) else None
        part = _until(order, executed, filled)
        report = self._constants(order, terms, at_ns, frame)
        report |= {
            "x": kind,
            "X": status,
            "l": eight(executed.quantity if executed else ZERO),
            "z": eight(filled),
            "L": eight(executed.price if executed else ZERO),
            "n": eight(executed.fee) if executed else "0",
            "N": executed.fee_asset if executed else None,
            "t": trade_id(executed) if executed else -1,
            "I": floor.register.next_execution(),
            "w": is_working(order) and kind in ("NEW", "TRADE", "REPLACED") and status != "FILLED",
            "m": executed is not None and executed.liquidity is Liquidity.MAKER,
            "Z": eight(part),
            "Y": eight(executed.quantity * executed.price if executed else ZERO),
        }
        if kind == "EXPIRED":
            report["eR"] = expiry_reason(order, terms)
        if executed is not None and filled == executed.quantity and executed.liquidity is Liquidity.MAKER:
            self._count_orders(-MAKER_GIVES_BACK)
        return report

    def _constants(self, order: Order, terms: Terms, at_ns: int, frame: wire.OrderFrame) -> Json:
        is_cancel, is_amend = isinstance(frame, wire.Canceled), isinstance(frame, wire.Replaced)
        client_id = terms.client_id if is_cancel or is_amend else terms.first_id or terms.client_id
        first = terms.first_id if is_cancel else terms.amendments[-1].old_id if is_amend else ""
        stop = terms.sent_stop if terms.trailing_delta is not None else order.stop_price
        quantity = frame.quantity if isinstance(frame, wire.Replaced) else order.quantity
        told: Json = {
            "e": "executionReport", "E": ms(at_ns), "s": order.accepted.symbol, "c": client_id,
            "S": order.accepted.side.upper(), "o": terms.type, "f": terms.time_in_force, "q": eight(quantity),
            "p": eight(order.price or ZERO), "P": eight(stop or ZERO), "F": eight(terms.iceberg), "g": terms.list_id,
            "C": first, "r": "NONE", "i": int(order.venue_order_id), "T": ms(at_ns), "M": False,
            "O": terms.created_ms, "Q": eight(terms.quote_quantity), "V": terms.self_trade,
        }  # fmt: skip
        if not order.waits:
            told["W"] = working_ms(order, terms)
        if terms.trailing_delta is not None:
            told |= {"d": terms.trailing_delta, "D": terms.created_ms}
        if terms.strategy_id is not None:
            told["j"] = terms.strategy_id
        if terms.strategy_type is not None:
            told["J"] = terms.strategy_type
        return told

    def _what(self, order: Order, frame: wire.OrderFrame) -> tuple[str, str, Decimal]:
        """Execution type, status after it, cumulative quantity."""
        match frame:
            case wire.Executed():
                filled = filled_until(order, frame)
                is_full = filled == order.quantity
                return "TRADE", "FILLED" if is_full else "PARTIALLY_FILLED", filled
            case wire.Canceled():
                return "CANCELED", "CANCELED", frame.filled
            case wire.Expired():
                return "EXPIRED", "EXPIRED", frame.filled
            case wire.Replaced():
                return "REPLACED", "PARTIALLY_FILLED" if order.filled else "NEW", order.filled
            case _:
                return "NEW", "NEW", ZERO

    def _position(self, floor: Floor, order: Order, at_ns: int) -> Json:
        state, accepted = floor.register.state, order.accepted
        assets: dict[Asset, None] = dict.fromkeys((accepted.base, accepted.quote))
        rows = []
        for asset in assets:
            free, locked = balance_row(state, asset)
            rows.append({"a": asset, "f": free, "l": locked})
        return {"e": "outboundAccountPosition", "E": ms(floor.now_ns), "u": at_ns // MILLISECOND_NS, "B": rows}

    def _spoiled(self, floor: Floor, report: Json) -> list[Json]:
        """The report as the faults make it."""
        faults, events = floor.faults, list[Json]()
        if faults.null_fee_asset and report["x"] == "TRADE":
            report = report | {"n": "0", "N": None}
        if faults.empty_client_ids:
            report = report | {"c": ""}
        if faults.negative_quote:
            report = report | {"Z": "-1.00000000"}
        if faults.unknown_enums and report["x"] == "NEW":
            events.append(report | {"x": _SURPRISE, "I": floor.register.next_execution()})
        events.append(report)
        if faults.zero_trades and report["x"] == "TRADE":
            nothing: dict[str, Any] = {"l": eight(ZERO), "Y": eight(ZERO), "n": "0", "N": None, "t": -1}
            events.append(report | nothing | {"I": floor.register.next_execution()})
        return events


def filled_until(order: Order, executed: wire.Executed) -> Decimal:
    """What was executed with this execution and all before it."""
    total = ZERO
    for each in order.executions:
        total += each.quantity
        if each.exec_id == executed.exec_id:
            break
    return total


def _until(order: Order, executed: wire.Executed | None, filled: Decimal) -> Decimal:
    """What was paid for the first `filled`."""
    total = done = ZERO
    for each in order.executions:
        if done >= filled:
            break
        done += each.quantity
        total += each.quantity * each.price
        if executed is not None and each.exec_id == executed.exec_id:
            break
    return total
