"""What may go wrong at the local exchange: the simulated exchange's faults, and those that only this wire has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import Factory, field, fields, frozen

from adapters.simulated.faults import Faults, Rule, read_rule
from engine.values import Duration, duration

FORMS = (
    "500", "502", "503", "504", "-1000", "-1006", "-1007", "-1008", "truncated", "reset", "hang",
)  # fmt: skip
"""What an answer looks like in place of the true one: an HTTP status, a code with its status, a part of the true JSON,
a connection that is reset in the middle of it, or that is never answered."""

_NONE = Duration(0)


def _read_words(words: Iterable[str] | str) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words)


@frozen(kw_only=True)
class BinanceFaults(Faults):
    """`error_reply` (done, but answered by an error), `busy` and `fail` (not done) look like `error_form`: one form
    after the other. Beside the simulated exchange's:

    Orders: the first `hide_orders` queries of each order say -2013; `history_lag_ns` is how far allOrders and myTrades
    lie behind, `finds_old_ids` lets a canceled order be found under its first id too. `symbol_status` is of symbols,
    `filters` replaces a symbol's filters by name.
    Access: `waf` answers 403 with HTML; `throttle_ns` and `ban_ns` are 429 and 418 for that long from when it is set;
    `revoke_key` takes the key away, sessions included; `rights` are what `accounts.Rights` names.
    Clock: `clock_ahead_ns`, `clock_behind_ns`.
    Shapes: `unknown_fields`, `unknown_enums`, `null_fee_asset`, `zero_trades` (an additional TRADE of nothing),
    `empty_client_ids`, `negative_quote`.
    Streams: `dead_streams` (names, or "user") say nothing any more; `ignore_subscribe` never confirms, nor delivers;
    `skip_depth` loses depth events; `lifetime_ns` ends each websocket at that age. Done once when they are set:
    `terminate_user_streams`, `announce_shutdown`, `cut_sockets`.
    """

    error_form: Any = field(default=("503",), converter=_read_words)
    hide_orders: int = 0
    history_lag_ns: Duration = _NONE
    finds_old_ids: bool = False
    symbol_status: dict[str, str] = Factory(dict)
    filters: dict[str, Any] = Factory(dict)
    waf: Any = field(factory=Rule, converter=read_rule)
    throttle_ns: Duration = _NONE
    ban_ns: Duration = _NONE
    revoke_key: bool = False
    rights: dict[str, Any] = Factory(dict)
    clock_ahead_ns: Duration = _NONE
    clock_behind_ns: Duration = _NONE
    unknown_fields: bool = False
    unknown_enums: bool = False
    null_fee_asset: bool = False
    zero_trades: bool = False
    empty_client_ids: bool = False
    negative_quote: bool = False
    dead_streams: Any = field(default=(), converter=_read_words)
    ignore_subscribe: bool = False
    skip_depth: Any = field(factory=Rule, converter=read_rule)
    lifetime_ns: Duration = _NONE
    terminate_user_streams: bool = False
    announce_shutdown: bool = False
    cut_sockets: bool = False

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if wrong := set(self.error_form) - set(FORMS):
            raise ValueError(f"an error has no form {', '.join(sorted(wrong))}; the forms are {', '.join(FORMS)}")
        if not self.error_form:
            raise ValueError("error_form names one form at least")

    @property
    def clock_offset_ns(self) -> int:
        """How far the exchange's clock is ahead."""
        return self.clock_ahead_ns - self.clock_behind_ns


def struck(rule: Rule, counter: int) -> bool:
    """Is the `counter`-th message one of a rule's?

    >>> struck(Rule(at=(2,), every=5), 2), struck(Rule(every=5), 10), struck(Rule(), 1)
    (True, True, False)
    """
    return counter in rule.at or bool(rule.every and counter % rule.every == 0)


def read_binance_faults(table: Mapping[str, Any]) -> BinanceFaults:
    """Faults from a table spelled as in the configuration; raises `ValueError` saying what is wrong with it.

    >>> read_binance_faults({"ban": "3d", "lose_reply": [2]}).ban_ns // 10**9
    259200
    """
    known = {entry.name for entry in fields(BinanceFaults)}
    given: dict[str, Any] = {}
    for name, value in table.items():
        if f"{name}_ns" in known:
            given[f"{name}_ns"] = duration(value)
        elif name in known and not name.endswith("_ns"):
            given[name] = value
        else:
            spelled = sorted(each.removesuffix("_ns") for each in known)
            raise ValueError(f"there is no fault {name}; there are {', '.join(spelled)}")
    try:
        return BinanceFaults(**given)
    except TypeError as error:
        raise ValueError(str(error)) from error
