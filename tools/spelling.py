"""How the engine's settings are written in `holdfast.toml`, and which values can't be, as data."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from attrs import fields, frozen

from adapters.keys import KeySource, key_source
from engine.instrument import InstrumentKind, MarginMode
from engine.limits import Limits, Measures
from engine.recent import COUNTED_MOST
from engine.sessions import TradingSession, time_of_day, zone_of
from engine.settings import (
    EVALUATE_ON,
    FRAMES_MOST,
    Disk,
    Evaluate,
    Guards,
    InstrumentSettings,
    Marks,
    Mode,
    Orders,
    Reconcile,
    Record,
    Sharing,
    StrategySettings,
)
from engine.values import ONE, SECOND_NS, Asset, Duration, InstrumentName, VenueName, divide, duration, exact
from tools.structure import Check, Spelling, nearest

TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
TIMES_MOST = 24
TAG = re.compile(r"[a-z0-9]{1,8}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,39}")
PARAMS_PLAIN = "a text, a whole number, true or false"


@frozen(kw_only=True)
class Heading:
    """What stands above the first table."""

    mode: Mode = Mode.PAPER
    journal: str = "run"


@frozen(kw_only=True)
class Recording:
    """`[record]`."""

    quotes: Record = Record.DECIDING


@frozen(kw_only=True)
class Listing:
    """One `[instruments."X"]`: where it is traded, what it is called there, by how many strategies, and when; what is
    said of its terms must be the venue's word too."""

    venue: VenueName
    symbol: str
    base: str | None = None
    quote: str | None = None
    kind: InstrumentKind | None = None
    tick: Decimal | None = None
    lot: Decimal | None = None
    multiplier: Decimal | None = None
    settlement_asset: str | None = None
    expiry_ns: int | None = None
    leverage: int | None = None
    margin_mode: MarginMode | None = None
    sharing: Sharing = Sharing.SHARED
    trading_session: TradingSession | None = None


def terms_of(listing: Listing) -> InstrumentSettings | None:
    """What a configuration says of an instrument's terms; None where it leaves them all to the venue."""
    said = InstrumentSettings(**{field.name: getattr(listing, field.name) for field in fields(InstrumentSettings)})
    return None if said == InstrumentSettings() else said


@frozen(kw_only=True)
class Backtesting:
    """`[backtest]`: another `seed` draws other ids and other chance; records before `begin_ns` only make the market,
    those after `end_ns` are not played; the equity curve has a point for each `sample_ns`, and one for each fill."""

    seed: int = 1
    begin_ns: int | None = None
    end_ns: int | None = None
    sample_ns: Duration = Duration(10 * SECOND_NS)


def check_name(name: str) -> None:
    """A name of the user's own; raises `ValueError`."""
    if not NAME.fullmatch(name):
        raise ValueError("a name is 1 to 40 letters, digits and . _ : - and begins with a letter or digit")


def default_tag(name: str) -> str:
    """A short form of a strategy's name, for the end of its order ids.

    >>> default_tag("Mean-Reversion")
    'meanreve'
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())[:8]


def percentage(value: Any) -> Decimal:
    """A fraction, also written in percent; raises `ValueError`.

    >>> percentage("2%"), percentage("0.02")
    (Decimal('0.02'), Decimal('0.02'))
    """
    if isinstance(value, str) and value.endswith("%"):
        found = divide(exact(value[:-1].strip()), Decimal(100))
    elif isinstance(value, (str, int)) and not isinstance(value, bool):
        found = exact(value)
    else:
        raise ValueError('a fraction is wanted, such as "2%" or "0.02"')
    if not 0 < found < ONE:
        raise ValueError(f'"{value}" is not between 0 and 100 %; write "2%" or "0.02"')
    return found


def expiry(value: Any) -> int:
    """The instant at which a contract ends, in nanoseconds; raises `ValueError` for a time without a zone.

    >>> expiry("2026-12-25T08:00:00Z")
    1798185600000000000
    """
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f'"{value}" is not a time; write it as 2026-12-25T08:00:00Z') from None
    if found.tzinfo is None:
        raise ValueError(f'"{value}" has no zone; write it as 2026-12-25T08:00:00Z')
    since = found - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND_NS + since.microseconds * 1_000


def instant(value: Any) -> int:
    """Nanoseconds of a moment in UTC; raises `ValueError` saying how to write one.

    >>> instant("2013-10-07"), instant("1970-01-01T00:00:01Z")
    (1381104000000000000, 1000000000)
    """
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f'"{value}" is not a moment; write "2013-10-07" or "2013-10-07T13:30:00Z"') from None
    return int(found.replace(tzinfo=found.tzinfo or UTC).timestamp()) * SECOND_NS


def _positive(value: Any) -> None:
    if value <= 0:
        raise ValueError("it must be above zero")


def _not_negative(value: Any) -> None:
    numbers = value.values() if isinstance(value, dict) else (value,)
    if any(number < 0 for number in numbers):
        raise ValueError("it can't be below zero")


def _counted(value: int) -> None:
    if not 0 < value <= COUNTED_MOST:
        raise ValueError(f"it must be between 1 and {COUNTED_MOST}")


def _time_of_day(value: str) -> None:
    time_of_day(value)


def _time_zone(value: str) -> None:
    zone_of(value)


def _dates(value: tuple[str, ...]) -> None:
    for text in value:
        try:
            date.fromisoformat(text)
        except ValueError:
            raise ValueError(f'"{text}" is not a date; write it as 2026-12-25') from None


def _closes(value: dict[str, str]) -> None:
    _dates(tuple(value))
    for text in value.values():
        time_of_day(text)


def _all_positive(value: dict[Asset, Decimal]) -> None:
    for number in value.values():
        _positive(number)


def _weekdays(value: tuple[Any, ...]) -> None:
    if not value or len(set(value)) != len(value):
        raise ValueError("a session has one weekday or more, each once")


def _tag(value: str) -> None:
    if value and not TAG.fullmatch(value):
        raise ValueError(f'"{value}" is not a tag: 1 to 8 of a-z and 0-9')


def triggers(value: Any) -> str | tuple[str, ...]:
    """What a strategy is asked on: one word, or a list of them; raises `ValueError`."""
    for word in _words(value, '"quote" or a list such as ["quote", "trade"]'):
        if word not in EVALUATE_ON:
            raise ValueError(f'"{word}": {nearest(word, EVALUATE_ON)}')
    return tuple(value) if isinstance(value, list) else str(value)


def bar_lengths(value: Any) -> Duration | tuple[Duration, ...]:
    """The length of a strategy's bars, or a list of lengths; raises `ValueError`."""
    lengths = tuple(duration(word) for word in _words(value, '"1m" or a list such as ["1m", "5m"]'))
    for length in lengths:
        _positive(length)
    if len(lengths) > FRAMES_MOST:
        raise ValueError(f"{len(lengths)} lengths of bars; at most {FRAMES_MOST} are built for a strategy")
    return lengths if isinstance(value, list) else lengths[0]


def times_of_day(value: Any) -> tuple[str, ...]:
    """Times at which a strategy is asked, "HH:MM" in UTC; raises `ValueError`."""
    found = _words(value, '"00:05" or a list of such times')
    for word in found:
        if not TIME_OF_DAY.fullmatch(word):
            raise ValueError(f'"{word}" is no time of the day (UTC); write it as "00:05"')
    if len(found) > TIMES_MOST:
        raise ValueError(f"{len(found)} times of the day; at most {TIMES_MOST} are kept")
    return found


def _words(value: Any, wanted: str) -> tuple[str, ...]:
    words = tuple(value) if isinstance(value, list) else (value,)
    if not words or not all(isinstance(word, str) for word in words):
        raise ValueError(f"a text in quotes is wanted: {wanted}")
    if len(set(words)) != len(words):
        raise ValueError("one of them stands there twice")
    return words


def _some(value: tuple[InstrumentName, ...]) -> None:
    if not value:
        raise ValueError("a strategy needs an instrument")
    if len(set(value)) != len(value):
        raise ValueError("an instrument stands there twice")


def _journal(value: str) -> None:
    if not value or value.rstrip("/") in ("", ".", ".."):
        raise ValueError("the journal needs a directory of its own")


_POSITIVE: tuple[tuple[type, str], ...] = (
    (StrategySettings, "memory_every_ns"),
    (Evaluate, "every_ns"),
    (Orders, "send_limit_ns"),
    (Orders, "expiry_ns"),
    (Orders, "outcome_limit_ns"),
    (Reconcile, "every_ns"),
    (Reconcile, "start_limit_ns"),
    (Reconcile, "retry_ns"),
    (Reconcile, "answer_limit_ns"),
    (Reconcile, "data_silent_ns"),
    (Backtesting, "sample_ns"),
    (Limits, "max_quote_age_ns"),
    (Guards, "reject_window_ns"),
    (Guards, "min_orders"),
    (Listing, "tick"),
    (Listing, "lot"),
    (Listing, "multiplier"),
    (Listing, "leverage"),
    (Limits, "max_leverage"),
    (Limits, "max_margin_ratio"),
    (Marks, "max_mark_age_ns"),
    (Limits, "duplicate_intent_ns"),
    (Limits, "rejects_within_ns"),
    (Limits, "repeated_executions_within_ns"),
    (Limits, "cool_down_after_fill_ns"),
    (Limits, "cool_down_after_loss_ns"),
    (Limits, "max_drawdown"),
    (Measures, "venue_errors_within_ns"),
)
_NOT_NEGATIVE: tuple[tuple[type, str], ...] = (
    (Limits, "max_order_quantity"),
    (Limits, "max_order_notional"),
    (Limits, "max_position"),
    (Limits, "max_open_orders"),
    (Limits, "max_orders_per_minute"),
    (Limits, "max_daily_loss"),
    (Limits, "min_order_notional"),
    (Limits, "max_gross_exposure"),
    (Limits, "max_net_exposure"),
    (Limits, "max_orders_per_second"),
    (Limits, "max_daily_fees"),
    (Orders, "closed_kept_most"),
    (Reconcile, "tolerances"),
    (Disk, "min_free_bytes"),
)
_OTHERS: dict[tuple[type, str], Check] = {
    (Heading, "journal"): _journal,
    (StrategySettings, "tag"): _tag,
    (Limits, "max_rejects"): _counted,
    (Limits, "max_repeated_executions"): _counted,
    (Measures, "max_venue_errors"): _counted,
    (Measures, "day_begins"): _time_of_day,
    (Measures, "time_zone"): _time_zone,
    (Measures, "conversions"): _all_positive,
    (TradingSession, "time_zone"): _time_zone,
    (TradingSession, "open"): _time_of_day,
    (TradingSession, "close"): _time_of_day,
    (TradingSession, "weekdays"): _weekdays,
    (TradingSession, "holidays"): _dates,
    (TradingSession, "early_closes"): _closes,
    (StrategySettings, "instruments"): _some,
}

_REAL_VENUES = "it belongs to the adapters of real venues; take the key out"
_OF_REAL_VENUES = (
    "environment", "rest_url", "stream_url", "ws_api_url", "api_key", "api_secret", "allow_withdrawal_rights",
)  # fmt: skip

SPELLING = Spelling(
    names={
        (StrategySettings, "strategy_class"): "class",
        (Listing, "expiry_ns"): "expiry",
        (Backtesting, "begin_ns"): "from",
        (Backtesting, "end_ns"): "to",
    },
    absent=frozenset({(StrategySettings, "file_hash")}),
    checks={
        **dict.fromkeys(_POSITIVE, _positive),
        **dict.fromkeys(_NOT_NEGATIVE, _not_negative),
        **_OTHERS,
    },
    readers={
        (Limits, "price_collar"): percentage,
        (Limits, "max_slippage"): percentage,
        (Limits, "max_spread"): percentage,
        (Limits, "max_margin_ratio"): percentage,
        (Measures, "fee_rate"): percentage,
        (Guards, "max_reject_rate"): percentage,
        (Listing, "expiry_ns"): expiry,
        (StrategySettings, "bars_ns"): bar_lengths,
        (Evaluate, "on"): triggers,
        (Evaluate, "at"): times_of_day,
        (Backtesting, "begin_ns"): instant,
        (Backtesting, "end_ns"): instant,
    },
    kinds={KeySource: key_source},
    planned={
        **{(None, key): _REAL_VENUES for key in _OF_REAL_VENUES},
        (None, "prices_from"): "not available yet: prices of another venue come in a later release; take the key out",
    },
)
