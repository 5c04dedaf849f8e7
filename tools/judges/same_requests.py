"""Are a judge's requests the ones that our adapter makes for the same orders and questions?

What the judge sent is read back into the engine's words, and built by the adapter from there. Both must then say the
same of method, path and parameters. Whether parameters travel in the query or in a form, and in which order, is each
client's own affair; what else one says and the other leaves to the venue is named here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from attrs import frozen

from adapters.binance import calls
from adapters.binance.calls import Call
from adapters.door import HttpRequest
from engine import outbox
from engine.values import (
    ClientOrderId,
    InstrumentName,
    OrderId,
    OrderType,
    Side,
    TimeInForce,
    VenueName,
    VenueOrderId,
)

VENUE, INSTRUMENT = VenueName("binance"), InstrumentName("BTC-USDT")

SIGNING = {"timestamp", "recvWindow", "signature"}
"""With every signed request; the exchange has checked them."""

OURS_ALONE = {
    "newOrderRespType": "the adapter always wants the full reply",
    "cancelRestrictions": "a replacement of ours must not cross an execution",
    "cancelNewClientOrderId": "the old order's id is to be read back from it",
    "newClientOrderId": "a client that is given none makes one up, or leaves it to the venue",
    "listClientOrderId": "as newClientOrderId",
    "aboveClientOrderId": "as newClientOrderId",
    "belowClientOrderId": "as newClientOrderId",
    "limit": "the adapter always asks for the longest page",
    "omitZeroBalances": "of what the account has nothing the adapter asks for nothing",
}
"""What the adapter adds, and why."""

THEIRS_ALONE = {
    "limit": "the judge asked for a shorter page",
    "newOrderRespType": "the judge asked for another kind of reply, or its client always says which",
}
"""What a judge or its client adds, and why; never what an order means. Where both say it they may differ."""

NAMES = {("DELETE", "newClientOrderId"), ("POST", "listClientOrderId")}
"""Names that the adapter makes itself, of the order's: both say them, each its own."""

Params = Mapping[str, str]


@frozen
class Comparison:
    """How many requests the adapter makes too, by what they are; in what others differ; what the engine has no words
    for."""

    same: Counter[str]
    differences: tuple[str, ...]
    foreign: Counter[str]


def compare(requests: Iterable[HttpRequest]) -> Comparison:
    """Every request that the engine has words for, beside ours."""
    same, foreign, differences = Counter[str](), Counter[str](), list[str]()
    for request in requests:
        name = f"{request.method} {request.path}"
        theirs = read_params(request)
        ours = as_ours(name, theirs)
        if ours is None:
            foreign[name] += 1
        elif found := difference(ours, request, theirs):
            differences.append(f"{name}: {found}")
        else:
            same[name] += 1
    return Comparison(same, tuple(dict.fromkeys(differences)), foreign)


def read_params(request: HttpRequest) -> dict[str, str]:
    """Without what signs them. Where a name is in both, the query counts."""
    both = dict(parse_qsl(request.body, keep_blank_values=True)) | dict(
        parse_qsl(request.query, keep_blank_values=True)
    )
    return {name: value for name, value in both.items() if name not in SIGNING}


def difference(call: Call, request: HttpRequest, theirs: Params) -> str | None:
    """What is not the same, in words."""
    if (call.method, call.path) != (request.method, request.path):
        return f"the adapter asks {call.method} {call.path}"
    ours = {name: str(value) for name, value in call.params.items()}
    for name in sorted(ours.keys() | theirs.keys()):
        if name in ours and name in theirs:
            is_free = name in THEIRS_ALONE or (call.method, name) in NAMES
            if ours[name] != theirs[name] and not is_free:
                return f"{name} is {theirs[name]}, the adapter's is {ours[name]}"
        elif name in ours and name not in OURS_ALONE:
            return f"the adapter adds {name}"
        elif name in theirs and name not in THEIRS_ALONE:
            return f"the adapter does not say {name}"
    return None


def as_ours(name: str, theirs: Params) -> Call | None:
    """The adapter's call for the same; None where the engine has no words for it."""
    read = _READERS.get(name)
    try:
        return read(theirs) if read is not None else None
    except (KeyError, ValueError, ArithmeticError):
        return None  # such as a market order by what it may cost, or a quantity with an exponent


# --- reading back ---------------------------------------------------------------------------------------------------

_TYPES = {word: kind for kind, word in calls.TYPES.items()} | {calls.POST_ONLY: OrderType.LIMIT}


def _terms(theirs: Params) -> dict[str, Any]:
    kind = _TYPES[theirs["type"]]
    needed = {"price": kind.has_price, "stopPrice": kind.has_trigger}
    if "trailingDelta" in theirs or any(name not in theirs for name, is_needed in needed.items() if is_needed):
        raise ValueError("the engine has no such order")
    return {
        "side": Side(theirs["side"].lower()),
        "order_type": kind,
        "time_in_force": TimeInForce(theirs.get("timeInForce", "GTC").lower()),
        "post_only": theirs["type"] == calls.POST_ONLY,
        "quantity": Decimal(theirs["quantity"]),
        "price": Decimal(theirs["price"]) if "price" in theirs else None,
        "stop_price": Decimal(theirs["stopPrice"]) if "stopPrice" in theirs else None,
    }


def _head(client_order_id: str) -> dict[str, Any]:
    return {
        "seq": 1, "at_ns": 0, "expires_ns": 0, "venue": VENUE, "instrument": INSTRUMENT,
        "order_id": OrderId(client_order_id), "client_order_id": ClientOrderId(client_order_id),
    }  # fmt: skip


def _submitted(theirs: Params) -> Call:
    name = theirs.get("newClientOrderId", "made-up")
    return calls.place(outbox.SubmitOrder(**_head(name), **_terms(theirs)), theirs["symbol"])


def _canceled(theirs: Params) -> Call:
    request = outbox.CancelOrder(
        **_head(theirs.get("origClientOrderId", "")), venue_order_id=_number(theirs, "orderId")
    )
    return calls.cancel(request, theirs["symbol"])


def _replaced(theirs: Params) -> Call:
    request = outbox.ReplaceOrder(
        **_head(theirs.get("cancelOrigClientOrderId", "")), **_terms(theirs), filled=Decimal(0),
        venue_order_id=_number(theirs, "cancelOrderId"), old_quantity=Decimal(theirs["quantity"]), old_price=None,
        new_client_order_id=ClientOrderId(theirs.get("newClientOrderId", "made-up")),
    )  # fmt: skip
    return calls.cancel_replace(request, theirs["symbol"])


def _amended(theirs: Params) -> Call:
    quantity = Decimal(theirs["newQty"])
    request = outbox.ReplaceOrder(
        **_head(theirs.get("origClientOrderId", "")), side=Side.BUY, order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC, post_only=False, filled=Decimal(0), quantity=quantity, price=None,
        venue_order_id=_number(theirs, "orderId"), old_quantity=quantity, old_price=None,
        new_client_order_id=ClientOrderId(theirs.get("newClientOrderId", "made-up")),
    )  # fmt: skip
    return calls.amend(request, theirs["symbol"])


def _listed(theirs: Params) -> Call:
    legs = {
        prefix: outbox.SubmitOrder(
            **_head(theirs.get(f"{prefix}ClientOrderId", "made-up")),
            **_terms({
                "side": theirs["side"], "quantity": theirs["quantity"],
                **{
                    f"{name[len(prefix)].lower()}{name[len(prefix) + 1:]}": value
                    for name, value in theirs.items() if name.startswith(prefix)
                },
            }),
        )
        for prefix in ("above", "below")
    }  # fmt: skip
    stop, limit = sorted(legs.values(), key=lambda leg: not leg.order_type.has_trigger)
    return calls.place_list(stop, limit, theirs["symbol"])


def _trades(theirs: Params) -> Call:
    since, until, first = (theirs.get(name) for name in ("startTime", "endTime", "fromId"))
    return calls.my_trades(
        theirs["symbol"], order_id=theirs.get("orderId"), from_id=_whole(first), since_ms=_whole(since),
        until_ms=_whole(until),
    )  # fmt: skip


def _number(theirs: Params, name: str) -> VenueOrderId | None:
    return VenueOrderId(theirs[name]) if name in theirs else None


def _whole(text: str | None) -> int | None:
    return None if text is None else int(text)


_READERS: dict[str, Callable[[Params], Call]] = {
    "POST /api/v3/order": _submitted,
    "DELETE /api/v3/order": _canceled,
    "POST /api/v3/order/cancelReplace": _replaced,
    "PUT /api/v3/order/amend/keepPriority": _amended,
    "POST /api/v3/orderList/oco": _listed,
    "GET /api/v3/order": lambda theirs: calls.order_status(
        theirs["symbol"], theirs.get("origClientOrderId"), _number(theirs, "orderId")
    ),
    "GET /api/v3/openOrders": lambda theirs: calls.open_orders(theirs.get("symbol")),
    "GET /api/v3/allOrders": lambda theirs: calls.all_orders(
        theirs["symbol"], since_ms=_whole(theirs.get("startTime")), from_id=_whole(theirs.get("orderId"))
    ),
    "GET /api/v3/myTrades": _trades,
    "GET /api/v3/account": lambda _: calls.account(),
    "GET /api/v3/rateLimit/order": lambda _: calls.order_counts(),
    "GET /sapi/v1/account/apiRestrictions": lambda _: calls.key_rights(),
    "GET /api/v3/time": lambda _: calls.server_time(),
    "GET /api/v3/exchangeInfo": lambda theirs: calls.exchange_info(
        tuple(part.strip('"') for part in theirs.get("symbols", "").strip("[]").split(",") if part)
    ),
    "GET /api/v3/depth": lambda theirs: calls.depth(theirs["symbol"], int(theirs.get("limit", "100"))),
}
