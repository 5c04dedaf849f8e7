"""What Binance's errors mean for a request, as data: surely refused, surely not executed for now, unknown, exists.

Codes are stable; the text counts only where the facts say that it alone tells the reason (-2010, -2011).
"""

from __future__ import annotations

from enum import StrEnum

from engine.inputs import Refusal


class Verdict(StrEnum):
    """What an answer with an error says about the request."""

    REFUSED = "refused"
    """It had no effect and will have none."""
    POLICY = "policy"
    """The same, because of what the account or the key may do: no fault of the order."""
    CREDENTIALS = "credentials"
    """The same, because the venue does not take our key (any more)."""
    THROTTLED = "throttled"
    """Not executed because of a rate limit; later it may be."""
    CLOCK = "clock"
    """Not executed because of our timestamp: measure the clock, then it may be."""
    LATER = "later"
    """Not executed; the venue is not ready for it."""
    UNKNOWN = "unknown"
    """It may have been executed."""
    EXISTS = "exists"
    """An open order has this id: evidence that it was executed."""
    UNKNOWN_ORDER = "unknown_order"
    """The order is not open: filled, canceled, expired, or never there."""
    OTHER_STATUS = "other_status"
    """The order is open with another status than the request wanted."""
    NOT_FOUND = "not_found"
    """No such order, or not yet."""


UNKNOWN_CODES = frozenset({-1000, -1001, -1006, -1007, -1008})
THROTTLED_CODES = frozenset({-1003, -1015, -1034})
CLOCK_CODE = -1021
CREDENTIAL_CODES = frozenset({-1002, -1022, -2014, -2015})
REJECTED_CODE, CANCEL_REJECTED_CODE, NOT_FOUND_CODE = -2010, -2011, -2013
CANCEL_REPLACE_CODES = frozenset({-2021, -2022})
ORDER_COUNT_CODE = -1015

_BY_CODE: dict[int, Verdict] = {
    CLOCK_CODE: Verdict.CLOCK,
    -1016: Verdict.LATER,
    -1013: Verdict.REFUSED,
    -1014: Verdict.REFUSED,
    -1020: Verdict.REFUSED,
    NOT_FOUND_CODE: Verdict.NOT_FOUND,
    -2026: Verdict.REFUSED,
    -2038: Verdict.REFUSED,
    -2039: Verdict.REFUSED,
    **dict.fromkeys(UNKNOWN_CODES, Verdict.UNKNOWN),
    **dict.fromkeys(THROTTLED_CODES, Verdict.THROTTLED),
    **dict.fromkeys(CREDENTIAL_CODES, Verdict.CREDENTIALS),
}
_REFUSED_RANGES = (range(-1199, -1099), range(-1211, -1209), range(-1225, -1219))

DUPLICATE = "Duplicate order sent."
CANCEL_RESTRICTED = "Order was not canceled due to cancel restrictions."
_POLICY_WORDS = (
    "This action is disabled on this account.",
    "This account may not place or cancel orders.",
    "This symbol is not permitted for this account.",
    "This symbol is restricted for this account.",
    "The symbol is not permitted for this account.",
    "Rest API trading is not enabled.",
    "WebSocket API trading is not enabled.",
    "FIX API trading is not enabled.",
)

REFUSALS: dict[Verdict, Refusal] = {
    Verdict.REFUSED: Refusal.DEFINITIVE,
    Verdict.POLICY: Refusal.POLICY,
    Verdict.CREDENTIALS: Refusal.POLICY,
    Verdict.THROTTLED: Refusal.THROTTLED,
    Verdict.LATER: Refusal.DEFINITIVE,
    Verdict.CLOCK: Refusal.DEFINITIVE,
    Verdict.EXISTS: Refusal.DUPLICATE_ID,
    Verdict.UNKNOWN_ORDER: Refusal.UNKNOWN_ORDER,
    Verdict.NOT_FOUND: Refusal.UNKNOWN_ORDER,
    Verdict.OTHER_STATUS: Refusal.TOO_LATE,
}
"""How the engine calls it."""


def judge(status: int, code: int | None, text: str = "") -> Verdict:
    """What an answer with this HTTP status and, where the body could be read, this code says. Whatever is not listed
    as certain is unknown.

    >>> judge(400, -2010, "Account has insufficient balance for requested action.").value
    'refused'
    >>> judge(400, -2010, DUPLICATE).value, judge(503, -2010, "").value, judge(403, None).value
    ('exists', 'unknown', 'unknown')
    """
    if status >= 500:
        return Verdict.UNKNOWN
    if status in (418, 429):
        return Verdict.THROTTLED
    if code == REJECTED_CODE:
        return _judge_rejected(text)
    if code == CANCEL_REJECTED_CODE:
        return _judge_cancel(text)
    if code is not None:
        known = _BY_CODE.get(code)
        if known is not None:
            return known
        if any(code in refused for refused in _REFUSED_RANGES):
            return Verdict.REFUSED
    return Verdict.CREDENTIALS if status == 401 else Verdict.UNKNOWN


def _judge_rejected(text: str) -> Verdict:
    if text == DUPLICATE:
        return Verdict.EXISTS
    return Verdict.POLICY if text in _POLICY_WORDS else Verdict.REFUSED


def _judge_cancel(text: str) -> Verdict:
    if text == CANCEL_RESTRICTED:
        return Verdict.OTHER_STATUS
    return Verdict.POLICY if text in _POLICY_WORDS else Verdict.UNKNOWN_ORDER
