"""Binance's wire, spoken by the local exchange over HTTP and websockets on one port."""

from __future__ import annotations

from tests.contract.counterpart import Counterpart
from tools.proof.processes.exchanges import QUICK

COUNTERPART = Counterpart(
    adapter="binance",
    options=QUICK,
    also={"rest": {"order_entry": "rest"}},
    rate_limit={"throttle": "2s"},
    clock_skew={"clock_ahead": "3s"},
    credentials_revoked={"revoke_key": True},
    throttles=True,
)
