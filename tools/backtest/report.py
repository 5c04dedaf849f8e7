"""Everything that is told of a backtest, as values: for the terminal, the page and `--json` alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from attrs import asdict, frozen

from adapters.tape import Census
from engine.instrument import Instrument
from engine.values import ZERO, Asset, InstrumentName, StrategyName
from tools.backtest.curve import Curves, Who, curves_of
from tools.backtest.facts import Facts, facts_of
from tools.backtest.figures import Figures, figures_of, trip_span
from tools.backtest.models import Model, models_of
from tools.backtest.session import Pace, Played, Sample
from tools.wording import count, lasting, moment

GAPS_TOLD = 3


@frozen(kw_only=True)
class Identified:
    """What makes it repeatable: the journal's id and chain head, seed, hashes, release."""

    journal_id: str
    chain: str
    events: int
    seed: int
    configuration_hash: str
    tape_hash: str
    release: str


@frozen(kw_only=True)
class Report:
    """One backtest. `accounts` are the figures by quote asset and by strategy, None being the account's."""

    title: str
    begin_ns: int
    end_ns: int
    records: int
    bad_lines: int
    identified: Identified
    accounts: Mapping[Asset, Mapping[Who, Figures]]
    curves: Mapping[Asset, Curves]
    facts: Facts
    samples: list[Sample]
    instruments: Mapping[InstrumentName, Instrument]
    strategies: Mapping[StrategyName, str]
    models: list[Model]
    data: list[Model]
    pace: Pace

    @property
    def asset(self) -> Asset | None:
        """The quote asset with the most fills: the one that is told first. None where nothing was traded."""
        traded = [asset for asset, accounts in self.accounts.items() if accounts[None].fills]
        return max(traded, key=lambda asset: self.accounts[asset][None].fills, default=None)

    @property
    def account(self) -> Figures | None:
        """Its figures."""
        return None if self.asset is None else self.accounts[self.asset][None]


def report_of(played: Played, title: str) -> Report:
    """Fold what was played."""
    facts, identity = facts_of(played.entries), played.identity
    instruments = played.state.instruments
    curves = curves_of(facts.fills, played.samples, instruments, played.last_ns)
    return Report(
        title=title, begin_ns=played.first_ns, end_ns=played.last_ns, records=played.records,
        bad_lines=played.bad_lines,
        identified=Identified(
            journal_id=identity.journal_id, chain=played.log.chain.hex(), events=facts.count, seed=identity.seed,
            configuration_hash=identity.configuration_hash, tape_hash=identity.tape_hash, release=identity.release,
        ),
        accounts={asset: _account(played, each, facts) for asset, each in curves.items()},
        curves=curves, facts=facts, samples=played.samples, instruments=instruments,
        strategies={name: each.strategy_class for name, each in played.settings.strategies.items()},
        models=models_of(played), data=_data(played), pace=played.pace,
    )  # fmt: skip


def _account(played: Played, curves: Curves, facts: Facts) -> dict[Who, Figures]:
    """The account's figures, then those of each strategy that traded in this asset, on the same capital."""
    capital = facts.capital.get(curves.asset, ZERO)
    counts: Counter[Who] = Counter()
    for fill in facts.fills:
        if played.state.instruments[fill.instrument].quote == curves.asset:
            counts[fill.strategy] += 1
            counts[None] += 1
    names: list[Who] = [None, *sorted(who for who in curves.points if who is not None)]
    return {who: figures_of(curves, who, capital, played.first_ns, played.last_ns, counts[who]) for who in names}


def _data(played: Played) -> list[Model]:
    """What the tapes held, and what was wrong with them."""
    found: list[Model] = []
    for by_symbol in played.census.values():
        for symbol, census in by_symbol.items():
            found += [Model(symbol, words) for words in _census(census)]
    return found


def _census(census: Census) -> list[str]:
    kinds = ", ".join(count(number, name) for name, number in sorted(census.kinds.items()))
    found = [f"played: {kinds}"]
    if census.gap_count:
        longest = "; ".join(f"{lasting(ns)} from {moment(at)[:-4]}" for ns, at in census.gaps[:GAPS_TOLD])
        found.append(f"{count(census.gap_count, 'gap')} of 5 minutes or more, the longest: {longest}")
    for number, words in ((census.repeated, "repeated"), (census.locked, "locked (bid = ask)")):
        if number:
            found.append(f"{count(number, 'record')} {words}, played as they are")
    found += [f"{count(number, 'line')} not believed and not played: {why}" for why, number in census.bad.most_common()]
    return [*found, *(f"for example {text}" for text in census.examples)]


def row_of(report: Report) -> dict[str, Any]:
    """`backtest --json`: money as decimal strings, times in ns."""
    return {
        "title": report.title, "begin_ns": report.begin_ns, "end_ns": report.end_ns, "records": report.records,
        "bad_lines": report.bad_lines, **asdict(report.identified),
        "accounts": {
            asset: {
                "account": figures_row(figures[None], report.curves[asset], None),
                "strategies": {
                    who: figures_row(each, report.curves[asset], who) for who, each in figures.items() if who
                },
            }
            for asset, figures in report.accounts.items()
        },
        "denials": dict(report.facts.denials), "anomalies": dict(report.facts.anomalies),
        "orders": {
            "intended": report.facts.intents.total(), "sent": report.facts.sent.total(), **report.facts.ended,
            "fills": len(report.facts.fills),
        },
        "pauses": report.facts.pauses,
        "models": [model._asdict() for model in report.models], "data": [model._asdict() for model in report.data],
        "pace": asdict(report.pace),
    }  # fmt: skip


def figures_row(figures: Figures, curves: Curves, who: Who) -> dict[str, Any]:
    """The figures of one curve as plain values."""
    trips = [trip for trip in curves.trips.done if who in (None, trip.strategy)]
    row = {name: _plain(value) for name, value in asdict(figures, recurse=True).items()}
    return {**row, "final": str(figures.final), "return": figures.part, "win_rate": figures.win_rate,
            "average_trip_ns": trip_span(trips)}  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return {name: _plain(item) for name, item in value.items()} if isinstance(value, dict) else value
