"""The same JSON in microseconds, or with fields that nobody has heard of."""

from __future__ import annotations

from typing import Any

_TIMES = frozenset(
    "serverTime transactTime transactionTime time updateTime workingTime closeTime openTime E T O W t D u createTime "
    "trailingTime authorizedSince connectedSince".split()
)
_SMALLEST_TIME_MS = 10**12
"""Ids and counts bear such names too; a time in milliseconds is at least this."""


def in_microseconds(body: Any) -> Any:
    """Every time, a thousand times larger.

    >>> in_microseconds({"serverTime": 1700000000000, "T": 5, "x": [{"time": 1700000000001}]})
    {'serverTime': 1700000000000000, 'T': 5, 'x': [{'time': 1700000000001000}]}
    """
    if isinstance(body, dict):
        return {name: _scaled(value) if name in _TIMES else in_microseconds(value) for name, value in body.items()}
    if isinstance(body, list):
        return [in_microseconds(each) if isinstance(each, (dict, list)) else _scaled(each) for each in body]
    return body


def _scaled(value: Any) -> Any:
    return value * 1_000 if type(value) is int and value >= _SMALLEST_TIME_MS else value


def with_unknown_fields(body: Any) -> Any:
    """Each object with fields that no documentation names.

    >>> with_unknown_fields([{"a": 1}])
    [{'a': 1, 'zzNew': 'SURPRISE', 'zzMore': {'deep': [1, None]}}]
    """
    if isinstance(body, dict):
        told = {name: with_unknown_fields(value) for name, value in body.items()}
        return told | {"zzNew": "SURPRISE", "zzMore": {"deep": [1, None]}}
    return [with_unknown_fields(each) for each in body] if isinstance(body, list) else body
