"""Which hosts belong to which environment of USD-M futures: nothing else is ever asked with an account's key.

The REST hosts and mainnet's streams are documented in what this adapter was written from; the demo's stream host is
Binance's own word from its general page, and can be named otherwise in the configuration.
"""

from __future__ import annotations

from adapters.environment import Environment

MAINNET = Environment(
    "mainnet", is_live=True, hosts=("fapi.binance.com", "fstream.binance.com", "ws-fapi.binance.com", "api.binance.com")
)
DEMO = Environment(
    "demo", is_live=False, hosts=("demo-fapi.binance.com", "fstream.binancefuture.com", "demo-fstream.binance.com")
)

USDM = (MAINNET, DEMO)
BY_NAME = {environment.name: environment for environment in USDM}
