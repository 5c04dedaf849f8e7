"""Opening the exchange: from options to an exchange on its ledger."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from adapters.simulated.exchange import Exchange
from adapters.simulated.gateway import Gateway
from adapters.simulated.listing import Listing, Terms, opening_balances, terms
from adapters.simulated.market import GeneratedMarket, Market
from adapters.simulated.matching import Rules
from adapters.simulated.options import SimulatedOptions
from adapters.simulated.playback import open_tapes
from engine.ports import EventLog

LEDGER = "exchange/ledger"
DEFAULT_SYMBOLS = ("BTCUSDT", "ETHUSDT")

OpenedMarket = tuple[Market, Mapping[str, Terms]]


def open_market(options: SimulatedOptions, symbols: Iterable[str], directory: str) -> OpenedMarket:
    """The market that the options ask for. Raises `ValueError` where a tape can't be read or is missing."""
    traded = {symbol: terms(symbol, options.instruments.get(symbol, Listing())) for symbol in symbols}
    if options.tape is None:
        return GeneratedMarket(options.seed, traded.values(), options.every_ns), traded
    return open_tapes(options.tape, options.speed, traded, Path(directory)), traded


def open_gateway(
    options: SimulatedOptions,
    symbols: Iterable[str],
    directory: str,
    log: EventLog,
    at_ns: int,
    identity: str = "",
    opened: OpenedMarket | None = None,
    ends_twins: bool = False,
    sweeps: bool = True,
    keeps_ids: bool = False,
) -> Gateway:
    """An exchange on its ledger, caught up to `at_ns`, with the latency and faults of the options.

    `identity` names the account of a new ledger; by chance if it is empty. `opened` is the market where the caller
    has opened it already. `ends_twins`, `sweeps` and `keeps_ids` are as in `Rules`.
    """
    market, traded = opened or open_market(options, symbols, directory)
    rules = Rules(
        instruments={symbol: each.instrument for symbol, each in traded.items()},
        fees=options.fees, fee_in=options.fee_in, ack_on=options.ack_on,
        balances=opening_balances(options.balances, traded.values()), order_types=options.order_types,
        times_in_force=options.times_in_force, links=options.links, slippage=options.slippage,
        ends_twins=ends_twins, sweeps=sweeps, keeps_ids=keeps_ids,
        funding={s: (each.funding_rate, each.funding_every_ns) for s, each in traded.items() if each.funding_rate},
    )  # fmt: skip
    exchange = Exchange(log, market, rules, identity=identity or secrets.token_hex(4), at_ns=at_ns)
    return Gateway(exchange, options.latency_ns, options.faults)
