"""Binance's keys and signatures are repeated by everything that answers, and no byte of them is kept or shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from adapters import binance
from adapters.redaction import REDACTOR
from tests.adapters.binance.scripted_peer import ACCOUNT, Peer
from tests.tools.planted import KEYS, WINDOW, left_behind, parts_found
from tools import document
from tools.cli import run_command

READING = ("status", "orders", "fills", "positions", "balances", "events", "verify", "doctor")
PEMS = st.binary(min_size=32, max_size=32).map(
    lambda seed: (
        Ed25519PrivateKey.from_private_bytes(seed)
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        .decode()
    )
)

STRATEGY = """
from decimal import Decimal
from engine.strategy import Intent, Strategy


class Mine(Strategy):
    def on_timer(self, context):
        for instrument in ("BTC-USDT", "ETH-USDT", "SOL-USDT"):
            if not context.open_orders(instrument):
                yield Intent(instrument=instrument, side="buy", quantity=Decimal("0.2"), order_type="limit",
                             price=Decimal(50), time_in_force="gtc", reason={})
"""

NAMES = ("BTC", "ETH", "SOL")


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(document, "adapters", lambda: {"binance": binance.ADAPTER})
    yield
    REDACTOR.forget()


class Parrot:
    """Makes a peer repeat whatever it was asked with, in errors of every kind."""

    def __init__(self, peer: Peer, key: str) -> None:
        self.peer, self.key = peer, key
        peer.answers["GET /api/v3/exchangeInfo"] = lambda _: (200, rules())
        for name in ("order.place", "order.cancel", "GET /api/v3/order",
                     "GET /sapi/v1/account/apiRestrictions", "account.rateLimits.orders"):  # fmt: skip
            self._repeat(name)

    def _repeat(self, name: str) -> None:
        kinds = cycle((self.rejected, self.failed, self.odd))

        def answer(params: dict[str, str]) -> Any:
            return next(kinds)(params)

        self.peer.answers[name] = answer

    def words(self, params: dict[str, Any]) -> str:
        query = "&".join(f"{name}={value}" for name, value in params.items())
        return f"X-MBX-APIKEY: {self.key} ?{query} {json.dumps({'params': params, 'echo': self.key})}"

    def rejected(self, params: dict[str, Any]) -> Any:
        return 400, {"code": -2010, "msg": self.words(params)}

    def failed(self, params: dict[str, Any]) -> Any:
        return 503, {"code": -1000, "msg": self.words(params)}

    def odd(self, params: dict[str, Any]) -> Any:
        return 200, {"symbol": 5, "clientOrderId": self.words(params), "origClientOrderId": self.words(params)}

    def interrupt(self) -> None:
        """On the streams: frames that nobody knows."""
        self.peer.event(e="surprise", E=1, text=self.words(self.params()))
        self.peer.market("btcusdt@bookTicker", {"text": self.words(self.params())})

    def refuse(self) -> None:
        """From now on the key is not taken."""
        self.peer.answers["GET /api/v3/account"] = lambda params: (401, {"code": -2015, "msg": self.words(params)})

    def params(self) -> dict[str, Any]:
        """What came last with a signature."""
        return next((params for _, params in reversed(list(self.peer.asked)) if "signature" in params), {})

    def signatures(self) -> set[str]:
        """All that came."""
        return {params["signature"] for _, params in list(self.peer.asked) if "signature" in params}


def rules() -> Any:
    from tests.adapters.binance.scripted_peer import RULES

    (row,) = RULES["symbols"]
    return {**RULES, "symbols": [{**row, "symbol": f"{name}USDT", "baseAsset": name} for name in NAMES]}


def configure(directory: Path, peer: Peer, monkeypatch: pytest.MonkeyPatch, key: str, secret: str) -> Path:
    monkeypatch.setenv("PLANTED_KEY", key)
    (directory / "secret").write_text(secret)
    (directory / "secret").chmod(0o600)
    (directory / "mine.py").write_text(STRATEGY)
    instruments = "".join(f'[instruments."{name}-USDT"]\nvenue = "binance"\nsymbol = "{name}USDT"\n' for name in NAMES)
    path = directory / "holdfast.toml"
    path.write_text(f"""
mode = "paper"
[venues.binance]
adapter = "binance"
environment = "testnet"
rest_url = "{peer.rest_url}"
stream_url = "{peer.stream_url}"
ws_api_url = "{peer.ws_api_url}"
api_key = {{ env = "PLANTED_KEY" }}
api_secret = {{ file = "secret" }}
streams = ["quotes"]
{instruments}
[strategies.mine]
class = "mine.py:Mine"
instruments = ["BTC-USDT", "ETH-USDT", "SOL-USDT"]
evaluate = {{ every = "100ms" }}
[reconcile]
every = "300ms"
start_limit = "10s"
[record]
quotes = "all"
""")
    return path


def play(config: Path, capfd: pytest.CaptureFixture[str], parrot: Parrot) -> str:
    """A run with surprises, the reading commands, and a start with a key that is not taken; all that was said."""
    capfd.readouterr()
    timer = Timer(2, parrot.interrupt)
    timer.start()
    assert run_command(["run", "--for", "4s", "-c", str(config)]) == 0
    timer.join()
    for command in READING:
        run_command([command, "-c", str(config)])
        run_command([command, "-c", str(config), "--json"])
    parrot.refuse()
    assert run_command(["run", "--for", "1s", "-c", str(config)]) == 77
    assert run_command(["doctor", "-c", str(config), "--json"]) == 77
    said = capfd.readouterr()
    return said.out + said.err


@settings(
    max_examples=1, phases=(Phase.explicit, Phase.reuse, Phase.generate), deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@pytest.mark.parametrize("secrets", [KEYS, PEMS], ids=["HMAC", "Ed25519"])
@given(data=st.data())
def test_keys_and_signatures_are_nowhere(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    secrets: st.SearchStrategy[str], data: st.DataObject,
) -> None:  # fmt: skip
    key, secret = data.draw(KEYS, "key"), data.draw(secrets, "secret")
    REDACTOR.forget()
    peer = Peer()
    try:
        parrot = Parrot(peer, key)
        config = configure(tmp_path_factory.mktemp("planted"), peer, monkeypatch, key, secret)
        text = play(config, capfd, parrot)
    finally:
        peer.close()
    assert peer.count("order.place") >= len(NAMES)
    assert peer.count("GET /api/v3/order"), "nothing was in doubt"
    everything = text.encode() + left_behind(config.parent / "run")
    assert everything.count(b"***") > len(NAMES)
    for planted in (key, *secret.strip().splitlines()):
        if not planted.startswith("-----"):
            assert parts_found(planted, everything) == []
    for signature in parrot.signatures():
        beginning, middle = signature[:WINDOW], signature[20 : 20 + WINDOW]
        assert beginning.encode() not in everything
        assert middle.encode() not in everything


def test_the_parrot_repeats() -> None:
    """Whoever finds nothing must have been given something."""
    peer = Peer()
    try:
        words = Parrot(peer, "a-planted-key").words({"signature": "deadbeef", **ACCOUNT})
    finally:
        peer.close()
    assert words.count("a-planted-key") == 2
    assert words.count("deadbeef") == 2
