"""Which hosts belong to which Binance, as its documents name them: nothing else is ever asked with an account's key."""

from __future__ import annotations

from adapters.environment import Environment

MAINNET = Environment(
    "mainnet",
    is_live=True,
    hosts=(
        "api.binance.com", "api-gcp.binance.com", "api1.binance.com", "api2.binance.com", "api3.binance.com",
        "api4.binance.com", "data-api.binance.vision", "stream.binance.com", "data-stream.binance.vision",
        "ws-api.binance.com",
    ),
)  # fmt: skip
TESTNET = Environment(
    "testnet",
    is_live=False,
    hosts=("testnet.binance.vision", "stream.testnet.binance.vision", "ws-api.testnet.binance.vision"),
)
DEMO = Environment(
    "demo",
    is_live=False,
    hosts=("demo-api.binance.com", "demo-stream.binance.com", "demo-ws-api.binance.com"),
)

SPOT = (MAINNET, TESTNET, DEMO)
BY_NAME = {environment.name: environment for environment in SPOT}
