"""Trading sessions, holidays and days: when an instrument is open, and which day an instant belongs to.

Time zones come from the `tzdata` package that the lock pins, never from the machine, so that two machines that read the
same journal agree on when a day began.
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache

from attrs import Factory, frozen

from engine.values import SECOND_NS

DAY_NS = 86_400 * SECOND_NS
MIDNIGHT = "00:00"
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_ONE_DAY = timedelta(days=1)
_EPOCH_DAY = date(1970, 1, 1).toordinal()


class Weekday(StrEnum):
    """A day of the week, as a configuration writes it."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


WEEK = tuple(Weekday)


@frozen(kw_only=True)
class TradingSession:
    """When an instrument trades: from `open` to `close` by the clock of `time_zone`, on `weekdays` but `holidays`.

    A `close` at or before `open` lies on the next day, and the session belongs to the day on which it opens. Where a
    clock is put forward or back, `open` and `close` keep their place on the wall. `early_closes` gives another `close`
    for single dates.
    """

    time_zone: str = "UTC"
    weekdays: tuple[Weekday, ...] = WEEK[:5]
    open: str = MIDNIGHT
    close: str = MIDNIGHT
    holidays: tuple[str, ...] = ()
    early_closes: dict[str, str] = Factory(dict)


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    """A time zone by its IANA name; raises `ValueError` for one that the pinned package does not have."""
    if name == "UTC":
        return UTC
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=())  # else the machine's own tables, of whatever age, would come first
    try:
        return zoneinfo.ZoneInfo.no_cache(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f'"{name}" is not a time zone; write one such as "UTC" or "America/New_York"') from error
    finally:
        zoneinfo.reset_tzpath(to=before)


@lru_cache(maxsize=256)
def time_of_day(text: str) -> time:
    """`09:30` or `16:00:00`; raises `ValueError` for anything else.

    >>> time_of_day("09:30")
    datetime.time(9, 30)
    """
    found = _TIME_OF_DAY.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text}" is not a time of day; write it as 09:30 or 16:00:00')
    return time(int(found[1]), int(found[2]), int(found[3] or 0))


def trading_day(at_ns: int, begins: str = MIDNIGHT, time_zone: str = "UTC") -> int:
    """The number of the day that an instant belongs to, where a day begins at `begins` by that zone's clock.

    >>> trading_day(0), trading_day(86_399 * 10**9), trading_day(86_400 * 10**9)
    (719163, 719163, 719164)
    """
    if begins == MIDNIGHT and time_zone == "UTC":
        return _EPOCH_DAY + at_ns // DAY_NS
    local = _local(at_ns, time_zone)
    today = local.date().toordinal()
    return today - 1 if local.time() < time_of_day(begins) else today


def is_holiday(session: TradingSession, at_ns: int) -> bool:
    """Is there no session around this instant because its day is a holiday, although its weekday has one?"""
    local = _local(at_ns, session.time_zone)
    days = (local.date(), local.date() - _ONE_DAY)
    return any(_covers(session, day, local) and day.isoformat() in session.holidays for day in days)


def is_in_session(session: TradingSession, at_ns: int) -> bool:
    """Is the instrument open at this instant? The opening instant is, the closing one is not."""
    return _session_day(session, at_ns) is not None


def session_end_ns(session: TradingSession, at_ns: int) -> int | None:
    """When the session that is open at this instant closes; None where none is."""
    day = _session_day(session, at_ns)
    if day is None:
        return None
    closes = _bounds(session, day)[1]
    return int(closes.timestamp()) * SECOND_NS


def _session_day(session: TradingSession, at_ns: int) -> date | None:
    """The date on which the session that covers the instant opened."""
    local = _local(at_ns, session.time_zone)
    for day in (local.date(), local.date() - _ONE_DAY):
        if _covers(session, day, local) and day.isoformat() not in session.holidays:
            return day
    return None


def _covers(session: TradingSession, day: date, local: datetime) -> bool:
    """Would the session of this date, if there is one, be open at this instant?"""
    if WEEK[day.weekday()] not in session.weekdays:
        return False
    opens, closes = _bounds(session, day)
    return opens.timestamp() <= local.timestamp() < closes.timestamp()


@lru_cache(maxsize=1_024)
def _bounds_of(open_: str, close: str, day: date, time_zone: str) -> tuple[datetime, datetime]:
    zone = zone_of(time_zone)
    opens, closes = time_of_day(open_), time_of_day(close)
    last = day if closes > opens else day + _ONE_DAY
    return datetime.combine(day, opens, zone), datetime.combine(last, closes, zone)


def _bounds(session: TradingSession, day: date) -> tuple[datetime, datetime]:
    close = session.early_closes.get(day.isoformat(), session.close)
    return _bounds_of(session.open, close, day, session.time_zone)


def _local(at_ns: int, time_zone: str) -> datetime:
    """The instant by that zone's clock; what is below a second is cut."""
    return datetime.fromtimestamp(at_ns // SECOND_NS, zone_of(time_zone))
