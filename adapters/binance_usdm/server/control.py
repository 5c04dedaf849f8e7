"""The local exchange's own endpoints, which Binance does not have: Spot's, and

POST /holdfast/liquidate  {"symbol": "BTCUSDT"}: the exchange closes the position itself (autoclose-…)
POST /holdfast/adl        {"symbol": "BTCUSDT", "quantity": "0.1"}: others' losses are covered with it (adl_autoclose)
POST /holdfast/margin_call {"symbol": "BTCUSDT"}: a MARGIN_CALL is told
POST /holdfast/expire     the listen key is over at once
POST /holdfast/transfer   as Spot's, told as an ACCOUNT_UPDATE
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from adapters.binance.server.control import PREFIX
from adapters.binance.server.control import control as control_spot
from adapters.binance.server.errand import Errand
from adapters.binance.server.house import NoReply
from adapters.binance.server.orders import Floor, Frames, Result
from adapters.binance.server.refusal import Refused
from adapters.binance.server.shapes import Json, eight, ms
from adapters.binance.server.terms import Terms
from adapters.binance_usdm.server.events import DELEVERAGING, LIQUIDATION, AccountEvents
from adapters.binance_usdm.server.house import UsdmHouse
from adapters.binance_usdm.server.margins import holdings
from adapters.binance_usdm.server.orders import held_of, refusal_of
from adapters.binance_usdm.server.shapes import order_row
from adapters.door import HttpAnswer, HttpRequest
from adapters.simulated import wire
from adapters.simulated.ledger import Deposited
from engine.values import Asset, ClientOrderId, OrderType, Side, exact


def control(house: UsdmHouse, request: HttpRequest) -> HttpAnswer:
    """The answer to one of the exchange's own endpoints."""
    try:
        match request.method, request.path.removeprefix(PREFIX):
            case "POST", "liquidate":
                return _close(house, _table(request), LIQUIDATION)
            case "POST", "adl":
                return _close(house, _table(request), DELEVERAGING)
            case "POST", "margin_call":
                return _margin_call(house, _table(request))
            case "POST", "expire":
                house.listen_keys.end()
                return _ok({})
            case "POST", "transfer":
                return _transfer(house, _table(request))
            case _:
                return control_spot(house, request)
    except (ValueError, TypeError, KeyError, Refused) as error:
        return HttpAnswer(400, json.dumps({"error": str(error)}).encode())
    except NoReply as error:
        return HttpAnswer(503, json.dumps({"error": str(error)}).encode())


def _close(house: UsdmHouse, table: dict[str, Any], name: str) -> HttpAnswer:
    """An order of the exchange's own against a position."""
    symbol = str(table["symbol"])

    def work(floor: Floor, _: object) -> Result:
        floor.instrument(symbol)
        held = held_of(floor, symbol)
        quantity = exact(table.get("quantity", str(abs(held))))
        if not held or not Decimal(0) < quantity <= abs(held):
            raise Refused(-2022, "There is no such position.")
        client_id = f"{name}{ms(floor.now_ns)}" if name == LIQUIDATION else name
        return _enter(floor, symbol, Side.SELL if held > 0 else Side.BUY, quantity, client_id)

    return _ok(house.ask(Errand(None, work, house.standing)))


def _enter(floor: Floor, symbol: str, side: Side, quantity: Decimal, client_id: str) -> Result:
    exchange = floor.register.exchange
    request = wire.Place(
        symbol=symbol, client_order_id=ClientOrderId(client_id), side=side, order_type=OrderType.MARKET,
        quantity=quantity,
    )  # fmt: skip
    reply, told = exchange.desk.carry_out(request, exchange.now_ns)
    if not isinstance(reply, wire.Accepted):
        assert isinstance(reply, wire.Refused), f"{reply} answers a new order"
        raise refusal_of(reply.reason)
    assert reply.venue_order_id is not None, "what is accepted has an id"
    terms = Terms(client_id=client_id, type="MARKET", time_in_force="GTC", created_ms=ms(floor.now_ns))
    floor.register.write(reply.venue_order_id, terms)
    order = floor.register.state.find(reply.venue_order_id, None)
    assert order is not None, "it has just been accepted"
    return order_row(order, terms), [*told]


def _margin_call(house: UsdmHouse, table: dict[str, Any]) -> HttpAnswer:
    symbol = str(table["symbol"])

    def work(floor: Floor, _: object) -> Result:
        rows = [
            {
                "s": each.symbol, "ps": "BOTH", "pa": eight(each.held.quantity), "mt": "CROSSED", "iw": "0",
                "mp": eight(each.mark), "up": eight(each.unrealized), "mm": "0",
            }
            for each in holdings(floor.register.exchange)
            if each.symbol == symbol
        ]  # fmt: skip
        event: Json = {"e": "MARGIN_CALL", "E": ms(floor.now_ns), "cw": "0", "p": rows}
        return {}, [wire.Foreign((event,))]

    return _ok(house.ask(Errand(None, work, house.standing)))


def _transfer(house: UsdmHouse, table: dict[str, Any]) -> HttpAnswer:
    asset, quantity = Asset(str(table["asset"])), exact(table["quantity"])

    def work(floor: Floor, _: object) -> Result:
        exchange = floor.register.exchange
        exchange.scribe.write(exchange.now_ns, Deposited(asset=asset, quantity=quantity))
        reason = "DEPOSIT" if quantity > 0 else "WITHDRAW"
        events = AccountEvents(house.standing, house.account_settings)
        told = Frames([wire.Foreign((events.account(floor, reason, asset, (), floor.now_ns),))])
        return {"balance": eight(exchange.state.account.total(asset))}, told

    return _ok(house.ask(Errand(None, work, house.standing)))


def _table(request: HttpRequest) -> dict[str, Any]:
    table = json.loads(request.body or "{}")
    if not isinstance(table, dict):
        raise ValueError("the body is a JSON table")
    return table


def _ok(body: Any) -> HttpAnswer:
    return HttpAnswer(200, json.dumps(body, separators=(",", ":")).encode())
