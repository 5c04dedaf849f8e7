"""Requests of the engine as calls, and the documented signature."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import parse_qs

from adapters.binance.calls import Credentials, Validity, http_request
from adapters.binance.signing import read_signer, rest_payload
from adapters.binance_usdm import calls
from adapters.secret import Secret
from engine.values import OrderType, TimeInForce, VenueOrderId
from tests.adapters.binance.trader import SECOND, TOKEN, cancel_order, replace_order, submit_order

SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
PAYLOAD = (
    "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943"
)
SIGNATURE = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"


def test_the_published_signature() -> None:
    assert read_signer(SECRET).sign(rest_payload(PAYLOAD)) == SIGNATURE


def test_an_order_travels_signed_in_the_form() -> None:
    signer = read_signer(SECRET)
    call = calls.place(submit_order(reduce_only=True), "BTCUSDT")
    request = http_request(call, "http://x", Credentials(Secret("key"), signer), Validity(1591702613943, 5000))
    assert request.body is not None
    text, _, signature = request.body.rpartition("&signature=")
    assert signature == signer.sign(text)
    assert parse_qs(text) == {
        "symbol": ["BTCUSDT"], "side": ["BUY"], "type": ["LIMIT"], "quantity": ["0.2"], "price": ["50"],
        "timeInForce": ["GTC"], "newClientOrderId": [TOKEN], "newOrderRespType": ["RESULT"], "reduceOnly": ["true"],
        "recvWindow": ["5000"], "timestamp": ["1591702613943"],
    }  # fmt: skip


def test_a_market_order_names_neither_price_nor_end() -> None:
    params = calls.place(submit_order(order_type=OrderType.MARKET, price=None), "BTCUSDT").params
    assert not {"price", "timeInForce", "goodTillDate", "reduceOnly"} & set(params)


def test_post_only_and_an_end_are_words_of_the_time_in_force() -> None:
    assert calls.place(submit_order(post_only=True), "BTCUSDT").params["timeInForce"] == "GTX"
    ends = submit_order(time_in_force=TimeInForce.GTD, good_till_ns=1_700_000_000 * SECOND + 999)
    params = calls.place(ends, "BTCUSDT").params
    assert (params["timeInForce"], params["goodTillDate"]) == ("GTD", 1_700_000_000_000)


def test_a_change_says_the_whole_quantity_and_always_a_price() -> None:
    params = calls.modify(replace_order(price=None, venue_order_id=VenueOrderId("28")), "BTCUSDT").params
    assert (params["orderId"], params["quantity"], params["price"]) == (28, "0.3", "50")
    assert "newClientOrderId" not in params


def test_an_order_is_named_by_the_venues_id_where_it_is_known() -> None:
    assert calls.cancel(cancel_order(), "BTCUSDT").params == {"symbol": "BTCUSDT", "origClientOrderId": TOKEN}
    named = calls.cancel(cancel_order(venue_order_id=VenueOrderId("28")), "BTCUSDT").params
    assert named == {"symbol": "BTCUSDT", "orderId": 28}


def test_no_number_has_an_exponent() -> None:
    small = calls.place(submit_order(quantity=Decimal("1E-7"), price=Decimal("1E+5")), "BTCUSDT").params
    assert (small["quantity"], small["price"]) == ("0.0000001", "100000")


def test_a_book_is_asked_for_in_a_size_that_there_is() -> None:
    sizes = [(calls.depth("BTCUSDT", levels).params["limit"], calls.depth("BTCUSDT", levels).weight)
             for levels in (1, 5, 60, 400, 1_000, 5_000)]  # fmt: skip
    assert sizes == [(5, 2), (5, 2), (100, 5), (500, 10), (1_000, 20), (1_000, 20)]
