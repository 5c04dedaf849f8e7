"""What can go wrong at the local exchange, each settable while it runs, and what is true in its ledger then."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests
from websockets.exceptions import ConnectionClosed

from adapters.binance.server.faults import FORMS, BinanceFaults, read_binance_faults
from tests.adapters.binance.local_exchange import (
    BOUND_SECONDS,
    Json,
    Local,
    on_tape,
    serving,
    sign,
    signed_params,
    write_tape,
)
from tests.adapters.simulated.memory_log import MemoryLog
from tests.conftest import ROOT

ORDER = "/api/v3/order"
MARKET: Json = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}
LIMIT: Json = MARKET | {"type": "LIMIT", "timeInForce": "GTC", "price": "50000"}


@pytest.fixture(scope="module")
def shared_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """On a market that stands still, so that each order trades at one price."""
    with on_tape(tmp_path_factory.mktemp("tape"), [("60000", "60001")], size="1000") as found:
        yield found


@pytest.fixture
def local(shared_local: Local) -> Local:
    shared_local.faults()
    return shared_local


def _executions(local: Local) -> int:
    return len(local.ledger()["executions"])


ANSWERS = {
    "500": (500, -1000), "502": (502, None), "503": (503, -1008), "504": (504, -1007),
    "-1000": (500, -1000), "-1006": (500, -1006), "-1007": (504, -1007), "-1008": (503, -1008),
}  # fmt: skip


@pytest.mark.parametrize("form", sorted(ANSWERS))
@pytest.mark.parametrize(("fault", "executed"), [("error_reply", 1), ("busy", 0)])
def test_an_error_tells_nothing_of_what_became_of_the_order(local: Local, form: str, fault: str, executed: int) -> None:
    before = _executions(local)
    local.faults(**{fault: [1]}, error_form=form)
    answer = local.signed("POST", ORDER, **MARKET)
    status, code = ANSWERS[form]
    assert answer.status_code == status
    if code is None:
        assert answer.headers["Content-Type"] == "text/html"
        assert "<html>" in answer.text
    else:
        assert answer.json()["code"] == code
    assert _executions(local) == before + executed


@pytest.mark.parametrize("form", ["truncated", "reset", "hang"])
def test_an_answer_may_break_off(local: Local, form: str) -> None:
    before = _executions(local)
    local.faults(error_reply=[1], error_form=form)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        local.signed("POST", ORDER, **MARKET)
    assert _executions(local) == before + 1


def test_every_form_is_tried() -> None:
    assert set(FORMS) == set(ANSWERS) | {"truncated", "reset", "hang"}


def test_the_connection_may_be_cut_once_the_order_is_taken(local: Local) -> None:
    before = _executions(local)
    local.faults(disconnect=[1])
    with pytest.raises(requests.ConnectionError):
        local.signed("POST", ORDER, **MARKET)
    assert _executions(local) == before + 1


def test_the_ws_api_fails_in_the_same_ways(local: Local) -> None:
    for form, status in (("503", 503), ("-1007", 504)):
        with local.ws() as socket:
            local.faults(error_reply=[1], error_form=form)
            reply = socket.call("order.place", **signed_params(**MARKET))
            assert (reply["status"], "rateLimits" in reply) == (status, False)
    before = _executions(local)
    with local.ws() as socket:
        local.faults(error_reply=[1], error_form="reset")
        with pytest.raises(ConnectionClosed):
            socket.call("order.place", **signed_params(**MARKET))
    assert _executions(local) == before + 1


def test_an_order_may_be_accepted_after_the_client_gave_up(local: Local) -> None:
    local.faults(delay_request={"at": [1], "by": "1500ms"})
    with pytest.raises(requests.Timeout):
        local.session.post(f"{local.url}{ORDER}?{_signed(**LIMIT, newClientOrderId='late')}", timeout=0.2)
    assert local.bad("GET", ORDER, symbol="BTCUSDT", origClientOrderId="late")[0] == -2013
    until = time.monotonic() + BOUND_SECONDS
    while not (rows := local.good("GET", "/api/v3/openOrders")) or rows[-1]["clientOrderId"] != "late":
        assert time.monotonic() < until
        time.sleep(0.05)


def _signed(**params: object) -> str:
    text = urlencode(params | {"timestamp": int(time.time() * 1000)})
    return f"{text}&signature={sign(text)}"


def test_an_order_is_not_found_right_after_it_was_taken(local: Local) -> None:
    local.faults(hide_orders=2)
    local.limit("BUY", "50000", "0.001", newClientOrderId="hidden")
    named: Json = {"symbol": "BTCUSDT", "origClientOrderId": "hidden"}
    assert [local.bad("GET", ORDER, **named)[0] for _ in range(2)] == [-2013, -2013]
    assert local.good("GET", ORDER, **named)["status"] == "NEW"


def test_histories_lag_and_open_orders_are_stale(local: Local) -> None:
    local.faults(history_lag="30s")
    order = local.market("BUY", "0.001")
    assert order["orderId"] not in [row["orderId"] for row in local.good("GET", "/api/v3/allOrders", symbol="BTCUSDT")]
    assert order["orderId"] not in [row["orderId"] for row in local.good("GET", "/api/v3/myTrades", symbol="BTCUSDT")]
    resting = local.limit("BUY", "50000", "0.001")
    local.faults(stale={"every": 1, "by": "30s"})
    assert resting["orderId"] not in [row["orderId"] for row in local.good("GET", "/api/v3/openOrders")]
    local.faults()
    assert resting["orderId"] in [row["orderId"] for row in local.good("GET", "/api/v3/openOrders")]


def test_a_question_may_fail(local: Local) -> None:
    local.faults(fail={"every": 1}, error_form="503")
    assert local.signed("GET", "/api/v3/account").status_code == 503
    assert local.signed("GET", "/api/v3/openOrders").status_code == 503


@pytest.mark.parametrize("status", ["HALT", "BREAK", "CANCEL_ONLY"])
def test_a_symbol_that_does_not_trade_takes_cancels_only(local: Local, status: str) -> None:
    order = local.limit("BUY", "50000", "0.001")
    local.faults(symbol_status={"BTCUSDT": status})
    assert local.bad("POST", ORDER, **MARKET) == (-2010, "Market is closed.")
    shown = {row["symbol"]: row["status"] for row in local.get("/api/v3/exchangeInfo")["symbols"]}
    assert shown == {"BTCUSDT": status}
    assert local.good("DELETE", ORDER, symbol="BTCUSDT", orderId=order["orderId"])["status"] == "CANCELED"


def test_filters_may_change_while_it_runs(local: Local) -> None:
    local.faults(filters={"BTCUSDT": {"LOT_SIZE": {"minQty": "0.5"}}})
    assert local.bad("POST", ORDER, **MARKET) == (-1013, "Filter failure: LOT_SIZE")
    (row,) = local.get("/api/v3/exchangeInfo", symbol="BTCUSDT")["symbols"]
    assert next(each for each in row["filters"] if each["filterType"] == "LOT_SIZE")["minQty"] == "0.5"
    local.faults(filters={"BTCUSDT": {"NOTIONAL": {"minNotional": "1000"}}})
    assert local.bad("POST", ORDER, **MARKET) == (-1013, "Filter failure: NOTIONAL")


def test_the_firewall_answers_with_html(local: Local) -> None:
    local.faults(waf=[1])
    answer = local.signed("POST", ORDER, **MARKET)
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "text/html")
    assert local.signed("POST", ORDER, **MARKET).status_code == 200


def test_fields_and_words_that_nobody_knows(local: Local) -> None:
    with local.user_stream() as socket:
        local.faults(unknown_fields=True, unknown_enums=True)
        placed = local.limit("BUY", "50000", "0.001")
        assert placed["zzNew"] == "SURPRISE"
        strange, usual = socket.events(2)
    assert (strange["x"], usual["x"], usual["zzMore"]) == ("SURPRISE", "NEW", {"deep": [1, None]})


@pytest.mark.parametrize(("fault", "key", "value"), [
    ("null_fee_asset", "N", None), ("empty_client_ids", "c", ""), ("negative_quote", "Z", "-1.00000000"),
])  # fmt: skip
def test_reports_may_lack_something(local: Local, fault: str, key: str, value: object) -> None:
    with local.user_stream() as socket:
        local.faults(**{fault: True})
        local.market("BUY", "0.001")
        assert socket.events(2)[1][key] == value


def test_a_trade_of_nothing_may_be_told(local: Local) -> None:
    with local.user_stream() as socket:
        local.faults(zero_trades=True)
        local.market("BUY", "0.001")
        trade, nothing = socket.events(3)[1:]
    assert (trade["x"], nothing["x"], nothing["l"], nothing["t"]) == ("TRADE", "TRADE", "0.00000000", -1)
    assert nothing["z"] == trade["z"]


def test_reports_may_be_lost_doubled_and_late(local: Local) -> None:
    with local.user_stream() as socket:
        local.faults(drop=[1])
        local.market("BUY", "0.001")
        assert [event["x"] for event in socket.events(1)] == ["NEW"]
        local.faults(duplicate={"at": [1], "on": ["execution"]})
        local.market("BUY", "0.001")
        _, first, second = socket.events(3)
        assert first == second


def test_faults_are_read_back_and_mistakes_are_named(local: Local) -> None:
    local.faults(ban="0s", hide_orders=3)
    assert local.get("/holdfast/faults")["hide_orders"] == 3
    for table in ({"no_such": 1}, {"error_form": "418"}, {"rights": {"fly": True}}, {"drop": {"often": 1}}):
        answer = local.session.put(f"{local.url}/holdfast/faults", json=table, timeout=5)
        assert answer.status_code == 400
        assert answer.json()["error"]
    assert local.get("/holdfast/faults")["hide_orders"] == 3
    assert read_binance_faults({}) == BinanceFaults()


def test_there_is_no_other_endpoint(local: Local) -> None:
    assert local.session.get(f"{local.url}/holdfast/else", timeout=5).status_code == 404
    assert local.session.get(f"{local.url}/api/v1/ping", timeout=5).status_code == 404


# --- it survives its own end ----------------------------------------------------------------------------------------


def test_a_restart_knows_all_that_it_told() -> None:
    log = MemoryLog()
    with serving(log) as local:
        resting = local.limit("BUY", "50000", "0.001", newClientOrderId="r", strategyId="7")
        local.limit("BUY", "50000", "0.001", newClientOrderId="g")
        local.good("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="g", newClientOrderId="g-c")
        filled = local.market("BUY", "0.001")
        pair = local.good(
            "POST", "/api/v3/orderList/oco", symbol="BTCUSDT", side="SELL", quantity="0.01", aboveType="LIMIT_MAKER",
            abovePrice="90000", belowType="STOP_LOSS", belowStopPrice="30000",
        )  # fmt: skip
        before = {name: local.good("GET", f"/api/v3/{name}", symbol="BTCUSDT") for name in ("allOrders", "myTrades")}
        uid = local.good("GET", "/api/v3/account")["uid"]
    with serving(MemoryLog(log.batches)) as again:
        for name, rows in before.items():
            assert again.good("GET", f"/api/v3/{name}", symbol="BTCUSDT") == rows
        assert again.good("GET", "/api/v3/account")["uid"] == uid
        assert again.good("GET", ORDER, symbol="BTCUSDT", origClientOrderId="g-c")["status"] == "CANCELED"
        assert again.bad("POST", ORDER, **LIMIT, newClientOrderId="r") == (-2010, "Duplicate order sent.")
        later = again.market("BUY", "0.001")
        assert later["orderId"] > max(filled["orderId"], resting["orderId"])
        assert later["fills"][0]["tradeId"] > filled["fills"][0]["tradeId"]
        gone = again.good("DELETE", "/api/v3/orderList", symbol="BTCUSDT", orderListId=pair["orderListId"])
        assert len(gone["orderReports"]) == 2


@pytest.fixture
def process(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for each in started:
        each.kill()
        each.wait()
        assert each.stdout is not None
        each.stdout.close()


def _start(process: list[subprocess.Popen[str]], state: Path, *options: str) -> Local:
    command = [sys.executable, "-c", "import sys; from tools.cli import main; sys.exit(main())", "venue", "binance"]
    process.append(
        subprocess.Popen(
            [*command, "--port", "0", "--state", str(state), *options], stdout=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)}, cwd=state.parent,
        )
    )  # fmt: skip
    stdout = process[-1].stdout
    assert stdout is not None
    line = stdout.readline()
    assert line.startswith("listening on http://127.0.0.1:"), line
    return Local(int(line.split(",")[0].rsplit(":", 1)[1]))


def test_the_command_serves_an_exchange_that_survives_kill_9(
    process: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    (tmp_path / "faults.json").write_text(json.dumps({"hide_orders": 1}))
    local = _start(process, tmp_path / "state", "--faults", str(tmp_path / "faults.json"))
    order = local.limit("BUY", "50000", "0.001", newClientOrderId="k")
    fill = local.market("BUY", "0.001")
    named: Json = {"symbol": "BTCUSDT", "origClientOrderId": "k"}
    assert local.bad("GET", ORDER, **named)[0] == -2013
    process[-1].send_signal(signal.SIGKILL)
    process[-1].wait()
    local.session.close()
    again = _start(process, tmp_path / "state")
    assert again.good("GET", ORDER, **named)["orderId"] == order["orderId"]
    trades = again.good("GET", "/api/v3/myTrades", symbol="BTCUSDT")
    assert [row["id"] for row in trades] == [row["tradeId"] for row in fill["fills"]]
    again.session.close()
    process[-1].send_signal(signal.SIGTERM)
    assert process[-1].wait(timeout=10) == 0


def _trade_for_ever(local: Local, life: int, placed: dict[int, str], canceled: set[int]) -> None:
    for number in range(10_000):
        name = f"l{life}n{number}"
        order_id = local.limit("BUY", "50000", "0.001", newClientOrderId=name)["orderId"]
        placed[order_id] = name
        local.good("DELETE", ORDER, symbol="BTCUSDT", orderId=order_id, newClientOrderId=f"{name}-c")
        canceled.add(order_id)


def test_the_command_plays_a_tape(process: list[subprocess.Popen[str]], tmp_path: Path) -> None:
    tape = write_tape(tmp_path / "btc.csv", [("60000", "60001"), ("61000", "61001")])
    (tmp_path / "exchange.toml").write_text('speed = "step"\n')
    local = _start(process, tmp_path / "state", "--tape", str(tape), "--options", str(tmp_path / "exchange.toml"))
    for bid in ("60000.00000000", "61000.00000000"):
        local.step()
        assert local.get("/api/v3/ticker/bookTicker", symbol="BTCUSDT")["bidPrice"] == bid
    local.session.close()


def test_what_was_told_before_a_kill_is_true_after_it(process: list[subprocess.Popen[str]], tmp_path: Path) -> None:
    placed: dict[int, str] = {}
    canceled: set[int] = set()
    for life in range(3):
        local = _start(process, tmp_path / "state", "--options", str(_patient(tmp_path)))
        for order_id, name in placed.items():
            found = local.good("GET", ORDER, symbol="BTCUSDT", orderId=order_id)
            shown = found["clientOrderId"], found["status"]
            assert shown == (f"{name}-c", "CANCELED") or (shown == (name, "NEW") and order_id not in canceled)
        killer = threading.Timer(0.15, process[-1].kill)
        killer.start()
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            _trade_for_ever(local, life, placed, canceled)
        killer.join()
        process[-1].wait()
        local.session.close()
    assert len(placed) > 5


def _patient(folder: Path) -> Path:
    """Options of an exchange without limits."""
    path = folder / "exchange.toml"
    path.write_text("[limits]\norders_per_10s = 100000\norders_per_day = 1000000\nweight_per_minute = 1000000\n")
    return path


def test_the_ledger_tells_its_facts_page_by_page(local: Local) -> None:
    local.market("BUY", "0.001")
    facts = local.get("/holdfast/facts")
    assert [fact["seq"] for fact in facts] == list(range(1, len(facts) + 1))
    assert facts[0]["kind"] == "ExchangeOpened"
    last = local.get("/holdfast/facts", after=facts[-1]["seq"] - 1)
    assert [fact["seq"] for fact in last] == [facts[-1]["seq"]]
