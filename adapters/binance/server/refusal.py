"""What the exchange says instead of carrying something out: code, message and HTTP status, as documented."""

from __future__ import annotations

from typing import Any

from adapters.simulated.wire import Reason

UNKNOWN_ORDER = "Unknown order sent."
WOULD_TAKE = "Order would immediately match and take."
WOULD_TRIGGER = "Order would trigger immediately."
DUPLICATE = "Duplicate order sent."
POOR = "Account has insufficient balance for requested action."
CLOSED = "Market is closed."
DISABLED = "This action is disabled on this account."
NOT_SUPPORTED = "Order type not supported for this symbol."

MESSAGES = {
    -1000: "An unknown error occurred while processing the request.",
    -1002: "You are not authorized to execute this request.",
    -1006: "An unexpected response was received from the message bus. Execution status unknown.",
    -1007: "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    -1008: "Server is currently overloaded with other requests. Please try again in a few minutes.",
    -1020: "This operation is not supported.",
    -1022: "Signature for this request is not valid.",
    -1099: "Not found, unauthenticated, or unauthorized.",
    -1115: "Invalid timeInForce.",
    -1116: "Invalid orderType.",
    -1117: "Invalid side.",
    -1118: "New client order ID was empty.",
    -1120: "Invalid interval.",
    -1121: "Invalid symbol.",
    -1127: "More than 24 hours between startTime and endTime.",
    -1128: "Combination of optional parameters invalid.",
    -1134: "strategyType was less than 1000000.",
    -1145: "Invalid cancelRestrictions",
    -2013: "Order does not exist.",
    -2014: "API-key format invalid.",
    -2015: "Invalid API-key, IP, or permissions for action.",
    -2026: "Order was canceled or expired with no executed qty over 90 days ago and has been archived.",
    -2035: "User data stream is already subscribed.",
    -2036: "User data stream is not subscribed.",
    -2038: "Order has reached its limit of amendments.",
    -2039: "Client order ID is not correct for this order ID.",
}


class Refused(Exception):
    """The request had no effect, or `data` tells what it had. `retry_seconds` goes into Retry-After."""

    def __init__(
        self,
        code: int,
        message: str | None = None,
        status: int = 400,
        data: Any = None,
        retry_seconds: int | None = None,
    ) -> None:
        self.code, self.message = code, MESSAGES[code] if message is None else message
        super().__init__(f"{code}: {self.message}")
        self.status, self.data, self.retry_seconds = status, data, retry_seconds

    def body(self) -> dict[str, Any]:
        """The JSON that says so."""
        told: dict[str, Any] = {"code": self.code, "msg": self.message}
        return told if self.data is None else told | {"data": self.data}


def filter_failure(name: str) -> Refused:
    """The order breaks this filter."""
    return Refused(-1013, f"Filter failure: {name}")


_REASONS: dict[Reason, tuple[int, str | None]] = {
    Reason.PRICE_OFF_TICK: (-1013, "Filter failure: PRICE_FILTER"),
    Reason.PRICE_TOO_LOW: (-1013, "Filter failure: PRICE_FILTER"),
    Reason.PRICE_TOO_HIGH: (-1013, "Filter failure: PRICE_FILTER"),
    Reason.QUANTITY_OFF_LOT: (-1013, "Filter failure: LOT_SIZE"),
    Reason.QUANTITY_TOO_SMALL: (-1013, "Filter failure: LOT_SIZE"),
    Reason.QUANTITY_TOO_LARGE: (-1013, "Filter failure: LOT_SIZE"),
    Reason.NOTIONAL_TOO_SMALL: (-1013, "Filter failure: NOTIONAL"),
    Reason.TOO_MANY_ORDERS: (-1013, "Filter failure: EXCHANGE_MAX_NUM_ORDERS"),
    Reason.INSUFFICIENT_FUNDS: (-2010, POOR),
    Reason.DUPLICATE_ID: (-2010, DUPLICATE),
    Reason.POST_ONLY_WOULD_TAKE: (-2010, WOULD_TAKE),
    Reason.NOT_SUPPORTED: (-2010, NOT_SUPPORTED),
    Reason.UNKNOWN_SYMBOL: (-1121, None),
    Reason.BAD_CLIENT_ID: (-1100, "Illegal characters found in parameter 'newClientOrderId'; legal range is "
                           "'^[a-zA-Z0-9-_]{1,36}$'."),
}  # fmt: skip


def refusal_of(reason: Reason) -> Refused:
    """A reason of the simulated exchange in Binance's words."""
    code, message = _REASONS.get(reason, (-1000, None))
    return Refused(code, message)
