"""Who may ask: the keys of the one account, their rights, signatures and the timing check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from attrs import evolve, fields, frozen

from adapters.binance.server.params import Params, missing
from adapters.binance.server.refusal import Refused
from adapters.binance.signing import Verifier, read_verifier
from engine.values import MILLISECOND_NS, SECOND_NS

RECV_WINDOW_MS = Decimal(5_000)
RECV_WINDOW_MOST_MS = Decimal(60_000)
AHEAD_MOST_NS = SECOND_NS
_MICROSECONDS_FROM = 10**15
"""A timestamp of at least this is in microseconds."""


@frozen(kw_only=True)
class Rights:
    """What the key, or the account, may do; `GET /sapi/v1/account/apiRestrictions` tells most of it."""

    reading: bool = True
    spot_trading: bool = True
    withdrawals: bool = False
    internal_transfer: bool = False
    margin: bool = False
    futures: bool = False
    ip_restrict: bool = True
    can_trade: bool = True


def read_rights(table: Mapping[str, Any]) -> Rights:
    """Rights from a table of true and false; raises `ValueError` for a name that there is not."""
    known = {entry.name for entry in fields(Rights)}
    if unknown := set(table) - known:
        raise ValueError(f"there is no right {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    return evolve(Rights(), **{name: bool(value) for name, value in table.items()})


@frozen
class Key:
    """One API key."""

    api_key: str
    verifier: Verifier


class Keys:
    """All keys of the account."""

    def __init__(self, texts: Iterable[tuple[str, str]]) -> None:
        """Pairs of API key and HMAC secret or public PEM; raises `KeyFault`."""
        self._keys = {api_key: Key(api_key, read_verifier(text)) for api_key, text in texts}

    def find(self, api_key: str | None, is_revoked: bool) -> Key:
        """The key of that name: -2014 where it is none, -2015 where it opens nothing."""
        if not api_key or not api_key.isascii() or not api_key.isprintable():
            raise Refused(-2014, status=401)
        key = self._keys.get(api_key)
        if key is None or is_revoked:
            raise Refused(-2015, status=401)
        return key


@frozen
class Window:
    """The time in which a request may be carried out."""

    timestamp_ns: int
    recv_window_ns: int

    def check(self, now_ns: int) -> None:
        """-1021 for a request of the future or of long ago; asked when it comes in and when it is carried out."""
        if self.timestamp_ns >= now_ns + AHEAD_MOST_NS:
            raise Refused(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now_ns - self.timestamp_ns > self.recv_window_ns:
            raise Refused(-1021, "Timestamp for this request is outside of the recvWindow.")


def read_window(params: Params) -> Window:
    """From `timestamp` (milliseconds, or microseconds) and `recvWindow` (up to three places)."""
    timestamp = params.whole("timestamp")
    if timestamp is None:
        raise missing("timestamp")
    at_ns = timestamp * 1_000 if timestamp >= _MICROSECONDS_FROM else timestamp * MILLISECOND_NS
    text = params.text("recvWindow")
    try:
        window_ms = RECV_WINDOW_MS if text is None else Decimal(text)
    except InvalidOperation:
        raise Refused(-1102, "Mandatory parameter 'recvWindow' was not sent, was empty/null, or malformed.") from None
    if not (window_ms.is_finite() and window_ms >= 0):
        raise Refused(-1102, "Mandatory parameter 'recvWindow' was not sent, was empty/null, or malformed.")
    if window_ms > RECV_WINDOW_MOST_MS:
        raise Refused(-1131, "recvWindow must be less than 60000")
    if round(window_ms, 3) != window_ms:
        raise Refused(-1111, "Parameter 'recvWindow' has too much precision.")
    return Window(at_ns, int(window_ms * MILLISECOND_NS))


def check_signature(key: Key, payload: str, signature: str | None) -> None:
    """-1102 without one, -1022 with a wrong one."""
    if not signature:
        raise missing("signature")
    if not key.verifier.verify(payload, signature):
        raise Refused(-1022)


def restrictions(rights: Rights, created_ms: int) -> dict[str, Any]:
    """The JSON of `GET /sapi/v1/account/apiRestrictions`."""
    return {
        "ipRestrict": rights.ip_restrict,
        "createTime": created_ms,
        "enableReading": rights.reading,
        "enableWithdrawals": rights.withdrawals,
        "enableInternalTransfer": rights.internal_transfer,
        "enableMargin": rights.margin,
        "enableFutures": rights.futures,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": rights.spot_trading,
        "enablePortfolioMarginTrading": False,
    }
