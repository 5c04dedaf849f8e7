"""The local exchange's own endpoints, which Binance does not have: `/holdfast/…`. They meet no faults and no limits.

GET  /holdfast/status     how it goes: symbols, identity, uid, times
GET  /holdfast/ledger     all orders that are open, all executions, all balances
GET  /holdfast/facts      ?after=SEQ: the facts behind that one as they are stored, 1,000 at most
GET  /holdfast/faults     the names of all faults and whether they are set
PUT  /holdfast/faults     a JSON table, spelled as in the configuration; replaces all faults, counting begins anew
POST /holdfast/transfer   {"asset": "USDT", "quantity": "-100"}: a deposit, or below zero a withdrawal
POST /holdfast/step       plays one record of a tape at speed "step"
"""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

from attrs import asdict

from adapters.binance.server.errand import Errand
from adapters.binance.server.house import House, NoReply
from adapters.binance.server.orders import Floor
from adapters.binance.server.params import parse_form
from adapters.binance.server.reads import balance_row, uid
from adapters.binance.server.shapes import eight, ms
from adapters.door import HttpAnswer, HttpRequest
from adapters.simulated import wire
from adapters.simulated.ledger import Deposited
from engine.values import Asset, exact

PREFIX = "/holdfast/"
FACTS_MOST = 1_000


def control(house: House, request: HttpRequest) -> HttpAnswer:
    """The answer to one of the exchange's own endpoints."""
    try:
        match request.method, request.path.removeprefix(PREFIX):
            case "GET", "status":
                return _ok(house.ask(Errand(None, lambda floor, _: (_status(house, floor), []), house.standing)))
            case "GET", "ledger":
                return HttpAnswer(200, wire.canonical(house.ask(wire.ReadLedger())).encode())
            case "GET", "faults":
                return _ok(asdict(house.faults, value_serializer=_plain))
            case "GET", "facts":
                after = int(parse_form(request.query).get("after", "0"))
                return _ok(house.ask(Errand(None, lambda floor, _: (_facts(floor, after), []), house.standing)))
            case "PUT", "faults":
                house.set_faults(_table(request))
                return _ok({})
            case "POST", "transfer":
                return _transfer(house, _table(request))
            case "POST", "step":
                return HttpAnswer(200, wire.canonical(house.ask(wire.Step())).encode())
            case _:
                return _wrong(404, f"there is no {request.method} {request.path}")
    except (ValueError, TypeError, KeyError) as error:
        return _wrong(400, str(error))
    except NoReply as error:
        return _wrong(503, str(error))


def _status(house: House, floor: Floor) -> dict[str, Any]:
    state = floor.register.state
    return {
        "identity": state.identity,
        "uid": uid(state),
        "symbols": list(house.symbols),
        "started_ns": house.started_ns,
        "at_ns": floor.register.exchange.now_ns,
        "clock_offset_ns": house.faults.clock_offset_ns,
        "open_orders": len(state.open),
        "executions": len(state.executions),
        "seq": state.seq,
        "data": json.loads(wire.canonical(floor.register.exchange.status())),
    }


def _facts(floor: Floor, after: int) -> list[dict[str, Any]]:
    return [
        {"seq": each.seq, "at_ns": each.at_ns, "kind": each.kind, "body": json.loads(each.body)}
        for each in islice(floor.register.exchange.facts(after), FACTS_MOST)
    ]


def _transfer(house: House, table: dict[str, Any]) -> HttpAnswer:
    asset, quantity = Asset(str(table["asset"])), exact(table["quantity"])

    def work(floor: Floor, _: object) -> tuple[Any, list[Any]]:
        exchange = floor.register.exchange
        exchange.scribe.write(exchange.now_ns, Deposited(asset=asset, quantity=quantity))
        free, locked = balance_row(exchange.state, asset)
        now_ms = ms(floor.now_ns)
        events = (
            {"e": "balanceUpdate", "E": now_ms, "a": asset, "d": eight(quantity), "T": now_ms},
            {"e": "outboundAccountPosition", "E": now_ms, "u": now_ms, "B": [{"a": asset, "f": free, "l": locked}]},
        )
        return {"free": free, "locked": locked}, [wire.Foreign(events)]

    return _ok(house.ask(Errand(None, work, house.standing)))


def _table(request: HttpRequest) -> dict[str, Any]:
    table = json.loads(request.body or "{}")
    if not isinstance(table, dict):
        raise ValueError("the body is a JSON table")
    return table


def _plain(_: Any, __: Any, value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value


def _ok(body: Any) -> HttpAnswer:
    return HttpAnswer(200, json.dumps(body, separators=(",", ":")).encode())


def _wrong(status: int, message: str) -> HttpAnswer:
    return HttpAnswer(status, json.dumps({"error": message}).encode())
