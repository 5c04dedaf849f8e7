"""A backtest's report on a terminal, or as plain lines anywhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from tools.backtest.curve import Point, Who
from tools.backtest.drawing import extremes
from tools.backtest.figures import Figures, trip_span
from tools.backtest.report import Report
from tools.tables import BAD, DOUBTFUL, GOOD, LOUD, QUIET, Cell, Column, Line, Paper
from tools.wording import count, lasting, listed, moment, one_line, signed

LABEL_WIDTH = 13
CURVE_WIDTH, CURVE_HEIGHT = 84, 9
BLOCKS = " ▁▂▃▄▅▆▇█"

FIGURE_COLUMNS = (
    Column(""), Column("net", right=True), Column("return", right=True), Column("max drawdown", right=True),
    Column("Sharpe", right=True), Column("Sortino", right=True, least=104), Column("trades", right=True),
    Column("won", right=True), Column("profit factor", right=True, least=96), Column("fees", right=True, least=88),
)  # fmt: skip


def show_report(paper: Paper, report: Report) -> None:
    """All of it, what matters most first."""
    _heading(paper, report)
    for asset, accounts in report.accounts.items():
        if not accounts[None].fills:
            continue
        paper.line()
        paper.line(Cell(f"RESULT IN {asset}", LOUD))
        _account(paper, accounts[None])
        _curve(paper, report.curves[asset].points.get(None, []))
        _strategies(paper, accounts)
        _trades(paper, report, accounts[None])
    if report.asset is None:
        paper.line(Cell("nothing was traded", DOUBTFUL))
    _verdicts(paper, report)
    _said(paper, "ASSUMED", report.models)
    _said(paper, "DATA", report.data)
    _identity(paper, report)


def part_words(part: float | None) -> str:
    """A part as a percentage with its sign."""
    return "–" if part is None else f"{part * 100:+.2f} %"


def ratio_words(ratio: float | None) -> str:
    """A ratio to two places."""
    return "–" if ratio is None else f"{ratio:.2f}"


def _heading(paper: Paper, report: Report) -> None:
    pace = report.pace
    rate = f"{report.records / pace.seconds:,.0f} records/s" if pace.seconds else ""
    paper.line(Cell(f"● {report.title}", f"bold {GOOD}"), f"  {count(report.records, 'record')}, {rate}")
    span = lasting(report.end_ns - report.begin_ns)
    _label(paper, "from", f"{moment(report.begin_ns)[:-4]} to {moment(report.end_ns)[:-4]} UTC, {span}")


def _label(paper: Paper, label: str, *cells: Cell | str) -> None:
    paper.line(Cell(label.ljust(LABEL_WIDTH), QUIET), *cells)


def money_cell(value: Decimal | None) -> Cell:
    """Money with its sign, and the colour of it."""
    text = signed(value)
    return Cell(text, GOOD if text.startswith("+") else BAD if text.startswith("-") else "")


def money_text(text: str) -> str:
    """Money that is written as a decimal string, with its sign and two places."""
    return signed(Decimal(text))


def _account(paper: Paper, figures: Figures) -> None:
    fall, ratios = figures.drawdown, figures.ratios
    _label(paper, "net", money_cell(figures.net), f"  {part_words(figures.part)} on {figures.capital:,f}")
    _label(paper, "fees", f"{signed(-figures.fees)}  turnover {figures.turnover:,.2f}, gross {signed(figures.gross)}")
    _label(
        paper, "drawdown", money_cell(-fall.amount), f"  {part_words(-fall.part)}, longest below a peak ",
        lasting(fall.longest_ns),
    )  # fmt: skip
    error = f" (standard error {ratio_words(ratios.error)})" if ratios.error is not None else ""
    _label(
        paper, "Sharpe", ratio_words(ratios.sharpe), error, f"  Sortino {ratio_words(ratios.sortino)}",
        Cell(f"  returns of {count(ratios.count, ratios.period)}, a year has 365 days", QUIET),
    )  # fmt: skip
    _label(paper, "in market", f"{figures.in_market * 100:.1f} % of the time, on average "
           f"{figures.exposure * 100:.1f} % of the capital at stake")  # fmt: skip


def _strategies(paper: Paper, accounts: Mapping[Who, Figures]) -> None:
    paper.line()
    named: list[tuple[str, Figures]] = [(who, figures) for who, figures in accounts.items() if who is not None]
    paper.table(FIGURE_COLUMNS, [_figures_line(*each) for each in [*named, ("account", accounts[None])]], "")


def _figures_line(name: str, figures: Figures) -> Line:
    rate = "–" if figures.win_rate is None else f"{figures.win_rate * 100:.0f} %"
    return (
        name, money_cell(figures.net), part_words(figures.part), part_words(-figures.drawdown.part),
        ratio_words(figures.ratios.sharpe), ratio_words(figures.ratios.sortino), f"{figures.trips:,}", rate,
        ratio_words(figures.profit_factor), Cell(signed(-figures.fees), QUIET),
    )  # fmt: skip


def _trades(paper: Paper, report: Report, figures: Figures) -> None:
    span = trip_span(report.curves[report.asset].trips.done) if report.asset else None
    if not figures.trips:
        return
    words = [f"average win {signed(figures.average_win)}", f"average loss {signed(figures.average_loss)}",
             f"best {signed(figures.best)}", f"worst {signed(figures.worst)}"]  # fmt: skip
    words += [f"lasting {lasting(span)} on average"] if span is not None else []
    words += [f"{count(figures.open_trips, 'trade')} still open"] if figures.open_trips else []
    paper.line()
    _label(paper, "trades", listed(words))


def _curve(paper: Paper, points: Sequence[Point]) -> None:
    """The equity curve in blocks, on a terminal only."""
    if len(points) < 2 or not paper.is_terminal:
        return
    columns = extremes([(p.at_ns, float(p.result)) for p in points], CURVE_WIDTH)
    lasts = [column[-1][1] for column in columns]
    low, high = min(0.0, *lasts), max(0.0, *lasts)
    paper.line()
    for row in range(CURVE_HEIGHT - 1, -1, -1):
        text = "".join(_block(value, low, high, row) for value in lasts)
        edge = high if row == CURVE_HEIGHT - 1 else low if row == 0 else None
        paper.line(Cell(text.ljust(CURVE_WIDTH), "cyan"), Cell("" if edge is None else f" {edge:+,.2f}", QUIET))


def _block(value: float, low: float, high: float, row: int) -> str:
    eighths = round((value - low) / ((high - low) or 1.0) * CURVE_HEIGHT * 8) - row * 8
    return BLOCKS[min(max(eighths, 1 if row == 0 else 0), 8)]


def _verdicts(paper: Paper, report: Report) -> None:
    facts = report.facts
    ended = [f"{number:,} {what}" for what, number in sorted(facts.ended.items())]
    paper.line()
    _label(paper, "orders", listed([f"{facts.intents.total():,} intended", f"{facts.sent.total():,} sent",
                                    f"{len(facts.fills):,} fills", *ended]))  # fmt: skip
    for label, counts, style in (("denied", facts.denials, DOUBTFUL), ("anomalies", facts.anomalies, DOUBTFUL)):
        for reason, number in counts.most_common():
            example = facts.examples.get(reason, [""])[0]
            _label(paper, label, Cell(f"{number:,} × {reason}", style), f"  {one_line(example)}")
    for words in facts.pauses:
        _label(paper, "paused", Cell(one_line(words), DOUBTFUL))


def _said(paper: Paper, title: str, models: Sequence[tuple[str, str]]) -> None:
    paper.line()
    paper.line(Cell(title, LOUD))
    for about, words in models:
        _label(paper, about, one_line(words))


def _identity(paper: Paper, report: Report) -> None:
    found = report.identified
    paper.line()
    _label(paper, "journal", f"{found.journal_id}, {count(found.events, 'event')}")
    _label(paper, "chain", found.chain)
    _label(paper, "made of", f"configuration {found.configuration_hash[:16]}, tapes {found.tape_hash[:16]}, seed "
           f"{found.seed}, release {found.release}: the same again gives the same bytes")  # fmt: skip
