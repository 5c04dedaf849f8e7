"""The wire of USD-M futures, spoken by the local exchange over HTTP and websockets on one port."""

from __future__ import annotations

from tests.contract.counterpart import Counterpart
from tools.proof.processes.exchanges import QUICK

COUNTERPART = Counterpart(
    adapter="binance_usdm",
    options=QUICK,
    rate_limit={"throttle": "2s"},
    clock_skew={"clock_ahead": "3s"},
    credentials_revoked={"revoke_key": True},
    throttles=True,
)
