"""The account that the benchmarks trade on: one venue, one instrument, one strategy, and settings written down."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from engine.capabilities import AbsencePolicy, Capabilities, ClientIds, Source, VenueDescription
from engine.instrument import Instrument
from engine.settings import BarsFrom, Limits, Orders, Risk, Settings, StrategySettings
from engine.values import SECOND_NS, Asset, Duration, InstrumentName, OrderType, StrategyName, TimeInForce, VenueName
from tools.config import Configuration

VENUE, STRATEGY = VenueName("bench"), StrategyName("cross")
INSTRUMENT = InstrumentName("BTC-USDT")
BASE, QUOTE = Asset("BTC"), Asset("USDT")
JOURNAL_ID, RUN = "0123456789abcdef0123456789abcdef", "be0c"
START_NS = 1_767_225_600 * SECOND_NS
BAR_NS = Duration(SECOND_NS)
QUANTITY = "0.01"
DEFAULT_ORDERS = Orders()
OPENING = {BASE: Decimal(10), QUOTE: Decimal(1_000_000)}

TERMS = Instrument(
    INSTRUMENT, VENUE, "BTCUSDT", BASE, QUOTE, tick=Decimal("0.01"), lot=Decimal("0.00001"), min_notional=Decimal(5)
)
DESCRIPTION = VenueDescription(
    venue=VENUE,
    adapter="bench",
    account="bench",
    capabilities=Capabilities(
        order_types=tuple(OrderType),
        times_in_force=tuple(TimeInForce),
        post_only=True,
        replace=True,
        client_ids=ClientIds.DEDUP,
        client_id_length=36,
    ),
    absence=AbsencePolicy(after_ns=3 * SECOND_NS, sources=(Source.ORDER_QUERY, Source.OPEN_ORDERS)),
    instruments=(TERMS,),
)


def settings(orders: Orders = DEFAULT_ORDERS) -> Settings:
    """A strategy on one-second bars, all account-wide limits set so that each is judged and none is hit."""
    limits = Limits(
        max_order_quantity={INSTRUMENT: Decimal(1)}, max_order_notional=Decimal(100_000),
        max_position={INSTRUMENT: Decimal(1)}, max_open_orders=10, max_orders_per_minute=1_000,
        max_daily_loss=Decimal(500_000), price_collar=Decimal("0.02"), max_quote_age_ns=Duration(10 * SECOND_NS),
    )  # fmt: skip
    cross = StrategySettings(
        strategy_class="holdfast.SmaCross", instruments=(INSTRUMENT,), tag="cross", bars_ns=BAR_NS,
        bars_from=BarsFrom.QUOTES, params={"fast": 3, "slow": 8, "quantity": QUANTITY},
    )  # fmt: skip
    return Settings(venues={VENUE: "bench"}, strategies={STRATEGY: cross}, risk=Risk(account=limits), orders=orders)


def configuration(journal: Path) -> Configuration:
    """What a start needs to open the journal."""
    return Configuration(
        path=journal / "holdfast.toml", directory=journal, journal=journal, settings=settings(), venues={}
    )


def identity() -> dict[str, str | int]:
    """What a new journal is told of itself."""
    return {
        "journal_id": JOURNAL_ID, "mode": "paper", "segment": 1, "base_seq": 0, "base_chain": "", "created_ns": START_NS
    }  # fmt: skip
