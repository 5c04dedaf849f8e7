"""What the simulated exchange tells of orders and fundings, as events of the account. Used in the exchange's thread."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from adapters.binance.server.orders import Floor
from adapters.binance.server.shapes import Json, eight, ms, trade_id
from adapters.binance.server.terms import Terms
from adapters.binance.server.user_events import filled_until
from adapters.binance_usdm.server.margins import holdings
from adapters.binance_usdm.server.orders import beyond_position
from adapters.binance_usdm.server.settings import AccountSettings
from adapters.binance_usdm.server.shapes import average_price
from adapters.simulated import wire
from adapters.simulated.ledger import OrderCanceled
from adapters.simulated.state import Order
from engine.values import ZERO, Asset, Liquidity

LIQUIDATION = "autoclose-"
DELEVERAGING = "adl_autoclose"


class AccountEvents:
    """Each frame becomes the events for it."""

    def __init__(self, floor: Callable[[], Floor], settings: Callable[[], AccountSettings]) -> None:
        self._floor, self._settings = floor, settings

    def dress(self, at_ns: int, frame: wire.Frame) -> wire.Frame:
        """The events of a frame, as one; what is foreign already stays as it is."""
        floor = self._floor()
        at_ns += floor.faults.clock_offset_ns
        if isinstance(frame, wire.Funding):
            return wire.Foreign((self.account(floor, "FUNDING_FEE", frame.asset, (), at_ns),))
        if not isinstance(frame, wire.OrderFrame):
            return frame
        order = floor.register.state.find(frame.venue_order_id, None)
        if order is None:
            return frame
        events = [self._report(order, floor.register.of(order), frame, at_ns)]
        if isinstance(frame, wire.Executed):
            symbol = order.accepted.symbol
            asset = floor.register.exchange.rules.instruments[symbol].cash
            events.append(self.account(floor, "ORDER", asset, (symbol,), at_ns))
            events += self._trim(floor, symbol, at_ns)
        return wire.Foreign(tuple(events))

    def _trim(self, floor: Floor, symbol: str, at_ns: int) -> list[Json]:
        """Reduce-only orders that the position is too small for by now are ended."""
        exchange, events = floor.register.exchange, list[Json]()
        for order in beyond_position(floor, symbol):
            exchange.scribe.write(exchange.now_ns, OrderCanceled(venue_order_id=order.venue_order_id))
            gone = floor.register.state.closed[order.venue_order_id]
            frame = wire.Canceled(**order.head(exchange.now_ns), filled=order.filled)
            events.append(self._report(gone, floor.register.of(gone), frame, at_ns))
        if events:
            exchange.scribe.commit()
        return events

    def _report(self, order: Order, terms: Terms, frame: wire.OrderFrame, at_ns: int) -> Json:
        executed = frame if isinstance(frame, wire.Executed) else None
        kind, status, filled = _what(order, frame)
        if executed is not None and terms.client_id.startswith(LIQUIDATION):
            kind = "CALCULATED"
        changed = frame if isinstance(frame, wire.Replaced) else None
        price = changed.price if changed is not None else order.price
        part: Json = {
            "s": order.accepted.symbol, "c": terms.client_id, "S": order.accepted.side.upper(), "o": terms.type,
            "f": terms.time_in_force, "q": eight(order.quantity if changed is None else changed.quantity),
            "p": eight(price or ZERO), "ap": eight(average_price(order)), "sp": "0", "x": kind, "X": status,
            "i": int(order.venue_order_id), "l": eight(executed.quantity if executed else ZERO), "z": eight(filled),
            "L": eight(executed.price if executed else ZERO), "T": ms(at_ns),
            "t": trade_id(executed) if executed else 0,
            "b": "0", "a": "0", "m": executed is not None and executed.liquidity is Liquidity.MAKER,
            "R": terms.reduce_only, "wt": "CONTRACT_PRICE", "ot": terms.type, "ps": "BOTH", "cp": False, "rp": "0",
            "pP": False, "V": "NONE", "pm": "NONE", "gtd": terms.good_till_ms, "er": "0",
        }  # fmt: skip
        if executed is not None:
            part |= {"n": eight(executed.fee), "N": executed.fee_asset}
        return {"e": "ORDER_TRADE_UPDATE", "E": ms(at_ns), "T": ms(at_ns), "o": part}

    def account(self, floor: Floor, reason: str, asset: Asset, symbols: tuple[str, ...], at_ns: int) -> Json:
        """ACCOUNT_UPDATE: an asset, and these contracts, as they are now."""
        exchange, settings = floor.register.exchange, self._settings()
        wallet = eight(exchange.state.account.total(asset))
        held = {each.symbol: each for each in holdings(exchange)}
        positions = []
        for symbol in symbols:
            holding = held.get(symbol)
            average = holding.held.average_price or ZERO if holding else ZERO
            positions.append(
                {
                    "s": symbol, "pa": eight(holding.held.quantity if holding else ZERO), "ep": eight(average),
                    "bep": eight(average), "cr": "0", "up": eight(holding.unrealized if holding else ZERO),
                    "mt": "isolated" if settings.margin_type_of(symbol) == "ISOLATED" else "cross", "iw": "0",
                    "ps": "BOTH",
                }
            )  # fmt: skip
        balances = [{"a": asset, "wb": wallet, "cw": wallet, "bc": "0"}]
        body = {"m": reason, "B": balances, "P": positions}
        return {"e": "ACCOUNT_UPDATE", "E": ms(at_ns), "T": ms(at_ns), "a": body}


def _what(order: Order, frame: wire.OrderFrame) -> tuple[str, str, Decimal]:
    """Execution type, status after it, cumulative quantity."""
    match frame:
        case wire.Executed():
            filled = filled_until(order, frame)
            return "TRADE", "FILLED" if filled == order.quantity else "PARTIALLY_FILLED", filled
        case wire.Canceled():
            return "CANCELED", "CANCELED", frame.filled
        case wire.Expired():
            return "EXPIRED", "EXPIRED", frame.filled
        case wire.Replaced():
            return "AMENDMENT", "PARTIALLY_FILLED" if order.filled else "NEW", order.filled
        case _:
            return "NEW", "NEW", ZERO
