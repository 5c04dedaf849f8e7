"""The report as one HTML page: no other file, no network, readable in the light and in the dark."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from engine.values import MILLISECOND_NS, Asset, InstrumentName
from tools.backtest.curve import Point, Who
from tools.backtest.drawing import Dot, thinned
from tools.backtest.facts import Fill
from tools.backtest.figures import Figures, trip_span
from tools.backtest.report import Report
from tools.backtest.trips import Trip
from tools.wording import count, lasting, moment, number, signed

HERE = Path(__file__).parent
DOTS_MOST = 20_000
"""Dots of one curve in the page; of more, the extremes of each column of time are kept."""

ROWS_MOST = 500
"""Rows of a table in the page; what is beyond is counted, and stands in the journal."""

MARKS_MOST = 5_000
"""Fills drawn on the price."""


def write_page(report: Report, path: Path) -> None:
    """Write it; raises `OSError`."""
    path.write_text(page_of(report), encoding="utf-8")


def page_of(report: Report) -> str:
    """The page's text: a function of the report's facts alone, so that the same journal gives the same page."""
    template = Template((HERE / "page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(report.title), release=escape(report.identified.release), span=_span(report),
        style=(HERE / "page.css").read_text(encoding="utf-8"), script=(HERE / "page.js").read_text(encoding="utf-8"),
        body="\n".join(_body(report)), data=_embedded(_data(report)),
    )  # fmt: skip


def _embedded(data: Any) -> str:
    """JSON that can stand in a script element."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _span(report: Report) -> str:
    began, ended = moment(report.begin_ns)[:-7], moment(report.end_ns)[:-7]
    words = [f"{began} to {ended} UTC", lasting(report.end_ns - report.begin_ns), ", ".join(sorted(report.instruments)),
             count(report.records, "record"), count(len(report.strategies), "strategy", "strategies")]  # fmt: skip
    return escape(" · ".join(words))


# --- the figures ------------------------------------------------------------------------------------------------


def _body(report: Report) -> Iterator[str]:
    asset, account = report.asset, report.account
    if asset is None or account is None:
        yield "<p>Nothing was traded.</p>"
    else:
        yield _tiles(report, asset, account)
        yield from _plots(report, asset)
        yield from _accounts(report)
        yield from _trips(report, asset)
        yield from _fills(report)
    yield from _verdicts(report)
    yield "<h2>Models and assumptions</h2>" + _described(report.models)
    yield "<h2>Data</h2>" + _described(report.data)
    yield "<h2>Made of<small>the same configuration, tapes and seed give the same bytes</small></h2>" + _identity(
        report
    )


def _tiles(report: Report, asset: Asset, account: Figures) -> str:
    fall, ratios = account.drawdown, account.ratios
    error = "" if ratios.error is None else f"± {ratios.error:.2f}, one standard error"
    rate = "–" if account.win_rate is None else f"{account.win_rate * 100:.1f} %"
    span = trip_span(report.curves[asset].trips.done)
    tiles = (
        ("Net result", signed(account.net), f"{asset}, after fees", tone(account.net)),
        ("Return", _part(account.part), f"on {account.capital:,f} {asset}", tone(account.net)),
        ("Max drawdown", _part(-fall.part), f"{signed(-fall.amount)} {asset}", "loss" if fall.amount else ""),
        ("Below a peak", lasting(fall.longest_ns), "at the longest", ""),
        ("Sharpe", _ratio(ratios.sharpe), error, ""),
        ("Sortino", _ratio(ratios.sortino), f"{count(ratios.count, ratios.period)}; 365-day year", ""),
        ("Trades", f"{account.trips:,}", f"{count(account.fills, 'fill')}, {account.open_trips} still open", ""),
        ("Won", rate, f"{account.wins:,} of {account.trips:,}", ""),
        ("Profit factor", _ratio(account.profit_factor), "gains over losses", ""),
        ("Average win", signed(account.average_win), f"average loss {signed(account.average_loss)}", ""),
        ("Fees", signed(-account.fees), f"turnover {account.turnover:,.0f} {asset}", ""),
        ("In the market", f"{account.in_market * 100:.1f} %", f"{account.exposure * 100:.1f} % of capital at stake"
         + (f"; a trade lasts {lasting(span)}" if span else ""), ""),
    )  # fmt: skip
    cells = (
        f'<div class="tile"><span>{escape(name)}</span><b class="{style}">{escape(_true_minus(value))}</b>'
        f"<i>{escape(_true_minus(words))}</i></div>"
        for name, value, words, style in tiles
    )
    return f'<section class="tiles">{"".join(cells)}</section>'


def tone(value: Decimal) -> str:
    """The class of a gain or loss."""
    return "gain" if value > 0 else "loss" if value < 0 else ""


def _true_minus(text: str) -> str:
    """A minus as wide as a plus, so that figures stand below each other.

    >>> _true_minus("-1.50"), _true_minus("average loss -2"), _true_minus("365-day year")
    ('−1.50', 'average loss −2', '365-day year')
    """
    return _MINUS.sub("\u2212", text)


def _part(part: float | None) -> str:
    return "–" if part is None else f"{part * 100:+.2f} %"


def _ratio(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.2f}"


# --- the plots --------------------------------------------------------------------------------------------------


def _plots(report: Report, asset: Asset) -> Iterator[str]:
    names = _names(report, asset)
    keys = "".join(f'<span class="key" style="--key: var(--c{place % 6})">{escape(name)}</span>'
                   for place, (name, _) in enumerate(names))  # fmt: skip
    yield "<h2>Result by time</h2>"
    yield _plot("equity", f"Net result, {asset}", keys if len(names) > 1 else "")
    yield _plot("drawdown", "Drawdown, % of the equity at its peak", "")
    prices = _traded(report)
    if prices:
        chosen = "".join(f'<button type="button">{escape(name)}</button>' for name in prices) if len(prices) > 1 else ""
        title = "Price and trades" if len(prices) > 1 else f"{prices[0]}, middle of bid and ask, and trades"
        yield _plot("price", title, chosen)
    yield ('<p class="hint">Drag to look closer, double-click to see all of it. <button type="button" id="whole">'
           "all</button></p><noscript><p>The curves are drawn by the script in this page.</p></noscript>")  # fmt: skip


def _plot(place: str, title: str, more: str) -> str:
    head = f'<div class="head"><strong>{escape(title)}</strong>{more}<span class="read"></span></div>'
    return f'<div class="plot" id="{place}">{head}</div>'


def _names(report: Report, asset: Asset) -> list[tuple[str, Who]]:
    """The curves that are drawn: the account, and the strategies where there are several."""
    strategies = [who for who in report.accounts[asset] if who is not None]
    return [("account", None), *((who, who) for who in strategies if len(strategies) > 1)]


def _traded(report: Report) -> list[InstrumentName]:
    counts = dict.fromkeys(report.instruments, 0)
    for fill in report.facts.fills:
        counts[fill.instrument] += 1
    seen = {sample.instrument for sample in report.samples}
    return sorted((name for name in counts if name in seen), key=lambda name: (-counts[name], name))


def _data(report: Report) -> dict[str, Any]:
    asset = report.asset
    found: dict[str, Any] = {
        "begin_ms": report.begin_ns // MILLISECOND_NS, "end_ms": report.end_ns // MILLISECOND_NS, "asset": asset,
        "equity": [], "drawdown": [], "prices": [],
    }  # fmt: skip
    if asset is None or report.account is None:
        return found
    points = report.curves[asset].points
    found["equity"] = [
        {"name": name, "dots": _dots(report, [(p.at_ns, float(p.result)) for p in points[who]])}
        for name, who in _names(report, asset)
    ]
    found["drawdown"] = _dots(report, list(_falls(points[None], report.account.capital)))
    found["prices"] = [_price(report, name) for name in _traded(report)]
    return found


def _dots(report: Report, dots: list[Dot]) -> list[tuple[int, float]]:
    """Thinned, in ms, from the beginning to the end."""
    whole = [(report.begin_ns, 0.0), *dots]
    whole.append((max(report.end_ns, whole[-1][0]), whole[-1][1]))
    return [(at_ns // MILLISECOND_NS, round(value, 6)) for at_ns, value in thinned(whole, DOTS_MOST)]


def _falls(points: Iterable[Point], capital: Decimal) -> Iterator[Dot]:
    peak = Decimal(0)
    for point in points:
        peak = max(peak, point.result)
        base = capital + peak
        yield point.at_ns, float((point.result - peak) / base * 100) if base > 0 else 0.0


def _price(report: Report, name: InstrumentName) -> dict[str, Any]:
    dots = [(s.at_ns, float((s.bid + s.ask) / 2)) for s in report.samples if s.instrument == name]
    fills = [fill for fill in report.facts.fills if fill.instrument == name]
    trips = [trip for curves in report.curves.values() for trip in curves.trips.done if trip.instrument == name]
    return {
        "name": name, "places": _places(report, name) + 1,
        "dots": [(at_ns // MILLISECOND_NS, round(value, 8)) for at_ns, value in thinned(dots, DOTS_MOST)],
        "fills": [
            {"at": f.at_ns // MILLISECOND_NS, "price": float(f.price), "side": str(f.side), "words": _fill_words(f)}
            for f in fills[:MARKS_MOST]
        ],
        "trips": [
            {"at": t.start_ns // MILLISECOND_NS, "to": t.end_ns // MILLISECOND_NS, "entry": float(t.entry_price),
             "exit": float(t.exit_price), "net": float(t.net)}
            for t in trips[:MARKS_MOST] if t.end_ns is not None and t.exit_price is not None
        ],
    }  # fmt: skip


def _fill_words(fill: Fill) -> str:
    return f"{fill.strategy} {fill.side} {number(fill.quantity)} at {number(fill.price)}"


# --- the tables -------------------------------------------------------------------------------------------------


_MINUS = re.compile(r"(?<![\w.])-(?=\d)")

Column = tuple[str, bool]
"""A title, and whether it is of figures."""


def _table(columns: Sequence[Column], rows: Iterable[Sequence[str]], *, style: str = "", has_sum: bool = False) -> str:
    """Cells are HTML already."""
    head = "".join(
        f'<th class="n">{escape(title)}</th>' if right else f"<th>{escape(title)}</th>" for title, right in columns
    )
    lines = list(rows)
    body = []
    for place, row in enumerate(lines):
        cells = "".join(f'<td class="n">{cell}</td>' if right else f"<td>{cell}</td>"
                        for cell, (_, right) in zip(row, columns, strict=True))  # fmt: skip
        body.append(f'<tr class="sum">{cells}</tr>' if has_sum and place == len(lines) - 1 else f"<tr>{cells}</tr>")
    return (f'<div class="scroll {style}"><table><thead><tr>{head}</tr></thead>'
            f'<tbody>{"".join(body)}</tbody></table></div>')  # fmt: skip


def _money(value: Decimal | None) -> str:
    if value is None:
        return "–"
    return f'<span class="{tone(value)}">{_true_minus(signed(value))}</span>'


_ACCOUNT_COLUMNS: tuple[Column, ...] = (
    ("strategy", False), ("net", True), ("return", True), ("fees", True), ("drawdown", True), ("Sharpe", True),
    ("Sortino", True), ("trades", True), ("won", True), ("profit factor", True), ("best", True), ("worst", True),
    ("turnover", True), ("in market", True),
)  # fmt: skip


def _accounts(report: Report) -> Iterator[str]:
    for asset, accounts in report.accounts.items():
        yield f"<h2>Strategies<small>in {escape(asset)}; each return is on the whole account's capital</small></h2>"
        named = [(who, figures) for who, figures in accounts.items() if who is not None]
        rows = [_figures_row(escape(who), figures) for who, figures in named]
        yield _table(_ACCOUNT_COLUMNS, [*rows, _figures_row("account", accounts[None])], style="wide", has_sum=True)


def _figures_row(name: str, figures: Figures) -> list[str]:
    rate = "–" if figures.win_rate is None else f"{figures.win_rate * 100:.1f} %"
    return [
        name, _money(figures.net), _true_minus(_part(figures.part)), _true_minus(signed(-figures.fees)),
        _true_minus(_part(-figures.drawdown.part)), _true_minus(_ratio(figures.ratios.sharpe)),
        _true_minus(_ratio(figures.ratios.sortino)), f"{figures.trips:,}", rate, _ratio(figures.profit_factor),
        _money(figures.best), _money(figures.worst), f"{figures.turnover:,.0f}", f"{figures.in_market * 100:.1f} %",
    ]  # fmt: skip


_TRIP_COLUMNS: tuple[Column, ...] = (
    ("opened", False), ("closed", False), ("strategy", False), ("instrument", False), ("side", False),
    ("quantity", True), ("entry", True), ("exit", True), ("fees", True), ("net", True), ("lasted", True),
)  # fmt: skip


def _trips(report: Report, asset: Asset) -> Iterator[str]:
    trips = report.curves[asset].trips.done
    yield f"<h2>Trades{_beyond(len(trips), 'from flat to flat, after fees')}</h2>"
    yield _table(_TRIP_COLUMNS, (_trip_row(trip, report) for trip in trips[:ROWS_MOST]), style="tall")


def _beyond(found: int, words: str) -> str:
    shown = f"the first {ROWS_MOST} of {found:,}; {words}" if found > ROWS_MOST else f"{found:,}; {words}"
    return f"<small>{escape(shown)}</small>"


def _trip_row(trip: Trip, report: Report) -> list[str]:
    assert trip.end_ns is not None, "only what has ended is shown"
    assert trip.exit_price is not None, "and what has ended has a price"
    places = _places(report, trip.instrument)
    return [
        moment(trip.start_ns)[:-4], moment(trip.end_ns)[:-4], escape(trip.strategy), escape(trip.instrument),
        "long" if trip.side == "buy" else "short", number(trip.quantity), f"{trip.entry_price:,.{places}f}",
        f"{trip.exit_price:,.{places}f}", _true_minus(signed(-trip.fees)), _money(trip.net),
        lasting(trip.end_ns - trip.start_ns),
    ]  # fmt: skip


def _places(report: Report, name: InstrumentName) -> int:
    """Places of a price that is on the tick."""
    return max(-int(report.instruments[name].tick.as_tuple().exponent), 0)


_FILL_COLUMNS: tuple[Column, ...] = (
    ("time (UTC)", False), ("seq", True), ("order", False), ("strategy", False), ("side", False), ("quantity", True),
    ("instrument", False), ("price", True), ("bid seen", True), ("ask seen", True), ("fee", True), ("", False),
)  # fmt: skip


def _fills(report: Report) -> Iterator[str]:
    fills = report.facts.fills
    yield f"<h2>Fills{_beyond(len(fills), 'all of them: holdfast fills --json; each one: holdfast why ORDER')}</h2>"
    yield _table(_FILL_COLUMNS, (_fill_row(fill, report) for fill in fills[:ROWS_MOST]), style="tall")


def _fill_row(fill: Fill, report: Report) -> list[str]:
    places = _places(report, fill.instrument)
    seen = ["–", "–"] if fill.seen is None else [f"{price:,.{places}f}" for price in (fill.seen.bid, fill.seen.ask)]
    style = "gain" if fill.side == "buy" else "loss"
    return [
        moment(fill.at_ns), f"{fill.seq:,}", f"<code>{escape(fill.order_id)}</code>", escape(fill.strategy),
        f'<span class="{style}">{fill.side}</span>', number(fill.quantity), escape(fill.instrument),
        f"{fill.price:,.{places}f}", *seen, f"{number(fill.fee)} {escape(fill.fee_asset)}", str(fill.liquidity),
    ]  # fmt: skip


# --- what was said ----------------------------------------------------------------------------------------------

_SAID_COLUMNS: tuple[Column, ...] = (("", False), ("reason", False), ("times", True), ("for example", False))


def _verdicts(report: Report) -> Iterator[str]:
    facts = report.facts
    rows = [
        [what, f"<code>{escape(reason)}</code>", f"{times:,}", escape(facts.examples.get(reason, [""])[0])]
        for what, counts in (("denied", facts.denials), ("anomaly", facts.anomalies))
        for reason, times in counts.most_common()
    ]
    rows += [["paused", "", "1", f'<span class="warn">{escape(words)}</span>'] for words in facts.pauses]
    ended = ", ".join(f"{number_of:,} {what}" for what, number_of in sorted(facts.ended.items()))
    counts = f"{facts.intents.total():,} intended, {facts.sent.total():,} sent, {len(facts.fills):,} fills"
    yield f"<h2>Orders<small>{escape(', '.join(filter(None, [counts, ended])))}</small></h2>"
    yield (
        _table(_SAID_COLUMNS, rows) if rows else '<p class="quiet">Nothing was denied, and nothing was surprising.</p>'
    )


def _described(models: Iterable[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(about)}</dt><dd>{escape(words)}</dd>" for about, words in models) + "</dl>"


def _identity(report: Report) -> str:
    found = report.identified
    rows = (
        ("journal", f"{found.journal_id}, {count(found.events, 'event')}"), ("chain head", found.chain),
        ("configuration", found.configuration_hash), ("tapes", found.tape_hash), ("seed", str(found.seed)),
        ("release", found.release),
    )  # fmt: skip
    return "<dl>" + "".join(f"<dt>{name}</dt><dd><code>{escape(value)}</code></dd>" for name, value in rows) + "</dl>"
