"""What the errors of USD-M futures mean for a request, as data.

-4116, -2022, -4118, -5022, -4061 and -4120 are in what this adapter was written from; the others of the tables are
Binance's own list of codes. Whatever is not listed as certain is judged as Spot's are, and in the end unknown.
"""

from __future__ import annotations

from adapters.binance.codes import Verdict
from adapters.binance.codes import judge as judge_spot

DUPLICATE_CODE = -4116
REDUCE_ONLY_CODE = -2022
REQUEST_TIMEOUT = 408
SERVER_ERRORS = 500
THROTTLES = (418, 429)

_REFUSED = (-2018, -2019, -2020, -2021, REDUCE_ONLY_CODE, -2024, -2025, -2026, -2027, -2028)
"""Not enough balance, margin or position, too many orders, reduce-only, leverage: nothing was done."""

_POLICY = (-2023, -4061, -4087, -4088, -4400, -4401, -4402, -4403)
"""The account is being liquidated, has another position mode, or may not do this now."""

_REFUSED_RANGES = (range(-4199, -3999), range(-5045, -5019))
"""What is looked at before anything happens, and orders that may not take or could not be filled at once."""


def judge(status: int, code: int | None, text: str = "") -> Verdict:
    """What an answer with this HTTP status and this code says. A 503 is unknown whichever of its three texts it has.

    >>> judge(400, -4116).value, judge(400, -2022).value, judge(503, None, "Service Unavailable.").value
    ('exists', 'refused', 'unknown')
    >>> judge(408, -1007).value, judge(400, -4061).value, judge(400, -5022).value
    ('unknown', 'policy', 'refused')
    """
    if status >= SERVER_ERRORS or status == REQUEST_TIMEOUT:
        return Verdict.UNKNOWN
    if status in THROTTLES:
        return Verdict.THROTTLED
    if code == DUPLICATE_CODE:
        return Verdict.EXISTS
    if code in _POLICY:
        return Verdict.POLICY
    if code in _REFUSED or any(code in refused for refused in _REFUSED_RANGES):
        return Verdict.REFUSED
    return judge_spot(status, code, text)
