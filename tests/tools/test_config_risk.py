"""`[risk]`, sharing and sessions in `holdfast.toml`: what they mean, and their faults."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from attrs import fields

from engine.limits import NOT_LIMITS, CollarFrom, Limits, Measures, OnLimit, Risk
from engine.reasons import REASONS
from engine.sessions import TradingSession, Weekday
from engine.settings import InstrumentSettings, Sharing
from engine.values import SECOND_NS, Asset, Duration, InstrumentName, StrategyName
from tools.config import ConfigurationWrong, read_configuration
from tools.document import LIMITS, MEASURES

BTC, ETH = InstrumentName("BTC-USDT"), InstrumentName("ETH-USDT")

GOOD = """
[venues.sim]
adapter = "simulated"

[instruments."BTC-USDT"]
venue = "sim"
symbol = "BTCUSDT"
sharing = "exclusive"

[instruments."ETH-USDT"]
venue = "sim"
symbol = "ETHUSDT"

[instruments."ETH-USDT".trading_session]
time_zone = "America/New_York"
open = "09:30"
close = "16:00"
weekdays = ["mon", "wed"]
holidays = ["2026-12-25"]
early_closes = { "2026-11-27" = "13:00" }

[strategies.cross]
class = "engine.strategies.sma_cross:SmaCross"
instruments = ["BTC-USDT", "ETH-USDT"]
params = { fast = 1, slow = 2, quantity = "1" }

[strategies.other]
class = "engine.strategies.sma_cross:SmaCross"
instruments = ["ETH-USDT"]
params = { fast = 1, slow = 2, quantity = "1" }

[risk]
max_order_notional = "5000"
min_order_notional = 10
price_collar = "2%"
price_collar_from = "trade"
max_slippage = "1%"
max_spread = "0.5%"
allowed_instruments = ["BTC-USDT"]
max_gross_exposure = "10000"
max_net_exposure = "8000"
check_funds = true
max_orders_per_second = 5
max_rejects = 10
rejects_within = "2m"
max_repeated_executions = 50
repeated_executions_within = "1h"
cool_down_after_fill = "1s"
cool_down_after_loss = "5m"
max_daily_loss = "500"
max_drawdown = "800"
max_daily_fees = "50"
on_daily_loss = "kill"
on_drawdown = "kill_and_flatten"
day_begins = "17:00"
time_zone = "America/Chicago"
currency = "USDT"
conversions = { EUR = "1.08" }
fee_rate = "0.1%"
max_venue_errors = 5
venue_errors_within = "30s"

[risk.strategies.cross]
reduce_only = true

[risk.instruments."ETH-USDT"]
max_orders_per_minute = 100
"""


def write(place: Path, text: str) -> Path:
    path = place / "holdfast.toml"
    path.write_text(text)
    return path


def test_every_limit_means_what_it_says(tmp_path: Path) -> None:
    settings = read_configuration(write(tmp_path, GOOD)).settings
    assert settings.risk.account == Limits(
        max_order_notional=Decimal(5000), min_order_notional=Decimal(10), price_collar=Decimal("0.02"),
        price_collar_from=CollarFrom.TRADE, max_slippage=Decimal("0.01"), max_spread=Decimal("0.005"),
        allowed_instruments=(BTC,), max_gross_exposure=Decimal(10000), max_net_exposure=Decimal(8000),
        check_funds=True, max_orders_per_second=5, max_rejects=10, rejects_within_ns=Duration(120 * SECOND_NS),
        max_repeated_executions=50, repeated_executions_within_ns=Duration(3600 * SECOND_NS),
        cool_down_after_fill_ns=Duration(SECOND_NS), cool_down_after_loss_ns=Duration(300 * SECOND_NS),
        max_daily_loss=Decimal(500), max_drawdown=Decimal(800), max_daily_fees=Decimal(50),
    )  # fmt: skip
    assert settings.risk.measures == Measures(
        on_daily_loss=OnLimit.KILL, on_drawdown=OnLimit.KILL_AND_FLATTEN, day_begins="17:00",
        time_zone="America/Chicago", currency=Asset("USDT"), conversions={Asset("EUR"): Decimal("1.08")},
        fee_rate=Decimal("0.001"), max_venue_errors=5, venue_errors_within_ns=Duration(30 * SECOND_NS),
    )  # fmt: skip
    assert settings.risk.strategies == {StrategyName("cross"): Limits(reduce_only=True)}
    assert settings.risk.instruments == {ETH: Limits(max_orders_per_minute=100)}


def test_sharing_and_sessions(tmp_path: Path) -> None:
    settings = read_configuration(write(tmp_path, GOOD)).settings
    session = TradingSession(
        time_zone="America/New_York", open="09:30", close="16:00", weekdays=(Weekday.MONDAY, Weekday.WEDNESDAY),
        holidays=("2026-12-25",), early_closes={"2026-11-27": "13:00"},
    )  # fmt: skip
    assert settings.instruments == {
        BTC: InstrumentSettings(sharing=Sharing.EXCLUSIVE),
        ETH: InstrumentSettings(trading_session=session),
    }


def test_what_is_as_it_always_was_is_not_written_down(tmp_path: Path) -> None:
    text = GOOD.replace('sharing = "exclusive"', 'sharing = "shared"')
    assert BTC not in read_configuration(write(tmp_path, text)).settings.instruments


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"America/Chicago"', '"America/Chicgo"', 'risk.time_zone: "America/Chicgo" is not a time zone'),
        ('day_begins = "17:00"', 'day_begins = "5 pm"', 'risk.day_begins: "5 pm" is not a time of day'),
        ('on_daily_loss = "kill"', 'on_daily_loss = "kil"', "risk.on_daily_loss:"),
        ('on_daily_loss = "kill"', 'on_daily_los = "kill"', "on_daily_los: unknown key; did you mean on_daily_loss?"),
        ("max_rejects = 10", "max_reject = 10", "risk.max_reject: unknown key; did you mean max_rejects?"),
        ("max_rejects = 10", "max_rejects = 0", "risk.max_rejects: it must be between 1 and 1000"),
        ("max_rejects = 10", "max_rejects = 1001", "risk.max_rejects: it must be between 1 and 1000"),
        ("max_venue_errors = 5", "max_venue_errors = 0", "risk.max_venue_errors: it must be between 1 and 1000"),
        ("reduce_only = true", 'reduce_only = "yes"', "risk.strategies.cross.reduce_only: true or false is wanted"),
        ("reduce_only = true", "fee_rate = 0", "risk.strategies.cross.fee_rate: unknown key"),
        ("max_orders_per_minute = 100", "max_orders_per_minute = 5000", "at most 1000 are counted"),
        ('currency = "USDT"\n', "", "risk.conversions: conversions are into the account's currency"),
        ('EUR = "1.08"', "EUR = 0", "risk.conversions: it must be above zero"),
        ('max_slippage = "1%"', 'max_slippage = "1"', "risk.max_slippage:"),
        ('max_drawdown = "800"', "max_drawdown = 0", "risk.max_drawdown: it must be above zero"),
        ('max_daily_fees = "50"', 'max_daily_fees = "-1"', "risk.max_daily_fees: it can't be below zero"),
        ('["BTC-USDT"]\nmax_gross', '["XRP-USDT"]\nmax_gross', 'risk.allowed_instruments[0]: there is no instrument'),
        ('close = "16:00"', 'close = "25:00"', 'trading_session.close: "25:00" is not a time of day'),
        ('"2026-12-25"]', '"25 December"]', 'trading_session.holidays: "25 December" is not a date'),
        ('["mon", "wed"]', '["mon", "mon"]', "trading_session.weekdays: a session has one weekday or more"),
        ('["mon", "wed"]', '["mo"]', "trading_session.weekdays[0]:"),
        ('"2026-11-27" = "13:00"', '"2026-11-27" = "1 pm"', 'trading_session.early_closes: "1 pm" is not a time'),
        ('sharing = "exclusive"', 'sharing = "mine"', "instruments.BTC-USDT.sharing:"),
        ('instruments = ["ETH-USDT"]', 'instruments = ["ETH-USDT", "BTC-USDT"]',
         "instruments.BTC-USDT.sharing: cross, other trade it, and it is exclusive"),
    ],
)  # fmt: skip
def test_a_fault_stands_at_its_key(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert GOOD.count(old) == 1
    with pytest.raises(ConfigurationWrong) as caught:
        read_configuration(write(tmp_path, GOOD.replace(old, new)))
    found = [f"{fault.place}: {fault.message}" for fault in caught.value.faults]
    assert len(found) == 1, found
    assert told in found[0]


def test_a_limits_key_is_its_reason_code() -> None:
    measuring = {field.name.removesuffix("_ns") for field in fields(Limits) if field.name in NOT_LIMITS}
    assert set(LIMITS) - measuring <= set(REASONS)
    assert not set(LIMITS) & set(MEASURES)


def test_what_is_not_written_is_no_limit(tmp_path: Path) -> None:
    start = GOOD.index("[risk]")
    for text in (GOOD[:start], GOOD[:start] + "[risk]\n"):
        assert read_configuration(write(tmp_path, text)).settings.risk == Risk()
