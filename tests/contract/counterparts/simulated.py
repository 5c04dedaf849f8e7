"""The simulated exchange, over its own websocket."""

from __future__ import annotations

from tests.contract.counterpart import Counterpart

COUNTERPART = Counterpart(
    adapter="simulated",
    options={"request_timeout": "300ms"},
    served={"ack_on": "both"},
    cannot={
        "clock_skew": "the simulated exchange reads the machine's own clock and judges no timestamps",
        "credentials_expire_or_are_revoked": "the simulated exchange has no credentials",
    },
)
