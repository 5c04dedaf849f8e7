"""Sessions, holidays and days by the wall clock of a place, through the changes of its clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from engine.sessions import (
    DAY_NS,
    TradingSession,
    Weekday,
    is_holiday,
    is_in_session,
    session_end_ns,
    time_of_day,
    trading_day,
    zone_of,
)
from engine.values import SECOND_NS

NEW_YORK = TradingSession(
    time_zone="America/New_York", open="09:30", close="16:00", holidays=("2026-12-25",),
    early_closes={"2026-11-27": "13:00"},
)  # fmt: skip
NIGHT = TradingSession(
    time_zone="America/Chicago", open="17:00", close="16:00",
    weekdays=(Weekday.SUNDAY, Weekday.MONDAY, Weekday.TUESDAY, Weekday.WEDNESDAY, Weekday.THURSDAY),
)  # fmt: skip


def ns(text: str) -> int:
    """An instant of UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND_NS


@pytest.mark.parametrize(
    ("at", "session", "is_open"),
    [
        ("2026-11-20T14:29:59", NEW_YORK, False),  # a Friday in winter: UTC - 5
        ("2026-11-20T14:30:00", NEW_YORK, True),
        ("2026-11-20T20:59:59", NEW_YORK, True),
        ("2026-11-20T21:00:00", NEW_YORK, False),
        ("2026-07-10T13:29:59", NEW_YORK, False),  # a Friday in summer: UTC - 4
        ("2026-07-10T13:30:00", NEW_YORK, True),
        ("2026-07-10T20:00:00", NEW_YORK, False),
        ("2026-11-21T15:00:00", NEW_YORK, False),  # a Saturday
        ("2026-12-25T15:00:00", NEW_YORK, False),
        ("2026-11-27T17:59:59", NEW_YORK, True),  # closes early
        ("2026-11-27T18:00:00", NEW_YORK, False),
        ("2026-11-22T22:59:59", NIGHT, False),  # a Sunday; the week begins at 17:00 in Chicago
        ("2026-11-22T23:00:00", NIGHT, True),
        ("2026-11-23T21:59:59", NIGHT, True),
        ("2026-11-23T22:30:00", NIGHT, False),  # the hour between two sessions
        ("2026-11-27T21:59:59", NIGHT, True),  # Thursday's session, on Friday
        ("2026-11-27T23:30:00", NIGHT, False),
    ],
)
def test_the_edges_of_a_session(at: str, session: TradingSession, is_open: bool) -> None:
    assert is_in_session(session, ns(at)) is is_open
    assert (session_end_ns(session, ns(at)) is not None) is is_open


def test_a_holiday_is_told_from_a_closed_hour() -> None:
    assert is_holiday(NEW_YORK, ns("2026-12-25T15:00:00"))
    assert not is_holiday(NEW_YORK, ns("2026-12-25T22:00:00"))  # it would be closed anyway
    assert not is_holiday(NEW_YORK, ns("2026-12-24T22:00:00"))
    eve = evolve(NIGHT, holidays=("2026-12-24",))
    assert is_holiday(eve, ns("2026-12-25T15:00:00"))  # the session that would have opened the day before


def test_when_a_session_ends() -> None:
    assert session_end_ns(NEW_YORK, ns("2026-11-27T15:00:00")) == ns("2026-11-27T18:00:00")
    assert session_end_ns(NIGHT, ns("2026-11-22T23:00:00")) == ns("2026-11-23T22:00:00")
    assert session_end_ns(TradingSession(), ns("2026-11-20T12:00:00")) == ns("2026-11-21T00:00:00")


def test_a_session_across_a_change_of_the_clock() -> None:
    """On 1 November 2026 the clock goes back in Chicago: Saturday's session lasts 24 hours, not 23."""
    session = evolve(NIGHT, weekdays=(Weekday.SATURDAY,))
    assert session_end_ns(session, ns("2026-10-31T22:00:00")) == ns("2026-11-01T22:00:00")
    assert not is_in_session(session, ns("2026-10-31T21:59:59"))
    assert is_in_session(session, ns("2026-11-01T21:59:59"))


instants = st.integers(0, 4_000_000_000 * SECOND_NS)
zones = st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Casablanca"])
times = st.times().map(lambda t: f"{t.hour:02}:{t.minute:02}")


@given(instants, times, zones)
def test_a_day_is_the_date_on_which_it_began(at_ns: int, begins: str, zone: str) -> None:
    local = datetime.fromtimestamp(at_ns // SECOND_NS, zone_of(zone)).replace(tzinfo=None)
    hours, minutes = map(int, begins.split(":"))
    naive = (local - timedelta(hours=hours, minutes=minutes)).date()
    assert date.fromordinal(trading_day(at_ns, begins, zone)) == naive


@given(instants)
def test_the_day_of_utc_is_the_short_way_the_same(at_ns: int) -> None:
    assert trading_day(at_ns) == trading_day(at_ns, "00:00:00", "UTC")
    assert trading_day(at_ns + DAY_NS) == trading_day(at_ns) + 1


@given(instants, times, times, zones, st.sets(st.sampled_from(list(Weekday)), min_size=1))
def test_a_session_equals_its_restatement(at_ns: int, opens: str, closes: str, zone: str, days: set[Weekday]) -> None:
    """In a zone without changes of the clock: minutes since the week began."""
    if zone not in ("UTC", "Asia/Kolkata"):
        return
    session = TradingSession(time_zone=zone, open=opens, close=closes, weekdays=tuple(sorted(days)))
    local = datetime.fromtimestamp(at_ns // SECOND_NS, zone_of(zone))
    second = (local.hour * 60 + local.minute) * 60 + local.second
    first, last = (sum(int(x) * w for x, w in zip(t.split(":"), (3600, 60), strict=True)) for t in (opens, closes))
    today, yesterday = list(Weekday)[local.weekday()], list(Weekday)[local.weekday() - 1]
    if last > first:
        is_open = today in days and first <= second < last
    else:
        is_open = (today in days and second >= first) or (yesterday in days and second < last)
    assert is_in_session(session, at_ns) is is_open


@pytest.mark.parametrize("text", ["9:30", "24:00", "09:60", "0930", "09:30:60", ""])
def test_what_is_no_time_of_day(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time of day"):
        time_of_day(text)


@pytest.mark.parametrize("name", ["Europe/Atlantis", "../etc/passwd", ""])
def test_what_is_no_time_zone(name: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone"):
        zone_of(name)
