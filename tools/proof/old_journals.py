"""Layer 8: the journals of every released version are verified, folded, and gone on with.

They are kept as rows of text, with what the reading commands showed of them: that must stay equal for ever. Run this
once for each release, and keep what it writes:

    python -m tools.proof.old_journals --make tests/fixtures/journals
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from attrs import define, field

from engine.codec import UnknownEvent, decode, digest
from engine.fold import FOLD_VERSION, apply
from engine.inputs import Action, OperatorCommand
from engine.order import IllegalEvent
from engine.state import State
from engine.strategy import Intent
from engine.values import SECOND_NS, Side, exact_arithmetic, plain
from journal import chain
from journal.entry import COLUMNS, Entry
from journal.errors import JournalError
from journal.journal import Journal, Reader
from journal.schema import WRITER_PRAGMAS, configure, create
from tools.checker import check, examine
from tools.exported import read_journal, read_lines, rows_of, write_lines
from tools.money import holdings
from tools.proof.outcome import Outcome
from tools.proof.stage import Stage
from tools.rows import Row, fill_rows, order_row, position_row
from tools.verify import verify
from tools.version import RELEASE
from tools.view import Source

LAYER = "old_journals"
KEPT = Path(__file__).parents[2] / "tests" / "fixtures" / "journals"
ROWS, EXPECTED = "rows.jsonl", "expected.json"
SHOWN = ("orders", "fills", "positions")
VALUED = frozenset({"unrealized", "mark", "mark_from", "mark_ns"})
"""What is no fact but a valuation, by today's rule and configuration: it may be another one tomorrow."""
ROUNDS, ROUND_SECONDS = 30, 2


@define
class Findings:
    """What one journal came to."""

    cases: int = 0
    faults: int = 0
    problems: list[str] = field(factory=list)
    counts: dict[str, int] = field(factory=dict)

    def add(self, where: str, problems: Iterable[str]) -> None:
        """A case was tried."""
        self.cases += 1
        self.problems += [f"{problem} ({where})" for problem in problems]


def kept(folder: Path = KEPT) -> list[Path]:
    """The journals of all releases, sorted by release and name."""
    return sorted(path.parent for path in folder.glob(f"*/*/{ROWS}"))


def try_seed(seed: int) -> Outcome:
    """The journal of that number: verified, shown, gone on with, and refused once it holds what nobody knows."""
    journals = kept()
    if not 0 <= seed < len(journals):
        return Outcome(layer=LAYER, seed=seed, skipped="there is no such fixture")
    with tempfile.TemporaryDirectory(prefix="holdfast-old-") as directory:
        found = try_journal(journals[seed], Path(directory))
    return Outcome(
        layer=LAYER, seed=seed, cases=found.cases, faults=found.faults, problems=tuple(found.problems),
        counts=found.counts,
    )  # fmt: skip


def try_journal(kept_in: Path, directory: Path) -> Findings:
    """All that is asked of an old journal, on a copy in an empty directory."""
    found, name = Findings(), f"{kept_in.parent.name}/{kept_in.name}"
    rows = list(read_lines(kept_in / ROWS))
    expected = json.loads((kept_in / EXPECTED).read_text("utf-8"))
    journal = rebuild(rows, directory / "run")
    found.add(name, [] if list(read_journal(journal)) == rows else ["I2: the rebuilt journal has other rows"])
    found.add(name, check(rows))
    found.add(name, verify(journal, 2).problems)
    found.add(name, shown_faults(journal, expected))
    found.add(name, digest_faults(journal, expected))
    found.add(name, book_faults(rows, expected))
    found.add(name, go_on_faults(journal, rows))
    for what, altered in unknown_events(rows):
        found.faults += 1
        found.add(f"{name}, {what}", refusal_faults(rebuild(altered, directory / what)))
    found.counts = {"events": len(rows) - 1, "went_on": len(list(read_journal(journal))) - len(rows)}
    return found


# --- from text to a journal and back ----------------------------------------------------------------------------


def rebuild(rows: list[Row], directory: Path) -> Path:
    """A journal directory with exactly these rows."""
    directory.mkdir(mode=0o700)
    first, *events = rows
    meta: dict[str, str | int] = {
        "journal_id": first["journal_id"], "mode": "paper", "segment": 1, "base_seq": 0, "base_chain": "",
        "created_ns": events[0]["at_ns"],
    }  # fmt: skip
    with closing(_connect(directory / "journal.db")) as connection:
        create(connection, meta, "", "", events[0]["at_ns"])
        connection.execute("BEGIN IMMEDIATE")
        for row in events:
            entry = entry_of(row)
            connection.execute("UPDATE writer SET epoch=?", (entry.epoch,))
            connection.execute(f"INSERT INTO event({COLUMNS}) VALUES(?,?,?,?,?,?,?,?,?,?)", entry)
        connection.execute("COMMIT")
    return directory


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    configure(connection, WRITER_PRAGMAS)
    return connection


def entry_of(row: Row) -> Entry:
    """The entry that a row tells."""
    return Entry(**(row | {"chain": bytes.fromhex(row["chain"])}))


def relink(rows: list[Row]) -> list[Row]:
    """The same rows with a chain that fits them, as somebody who writes the file could make it."""
    first, *events = rows
    previous, linked = chain.genesis(first["journal_id"]), [first]
    for row in events:
        head = chain.head_line(
            row["seq"], row["batch"], row["epoch"], row["at_ns"], row["kind"], row["version"], row["subject"],
            row["cause"],
        )  # fmt: skip
        previous = chain.next_chain(previous, head, row["body"])
        linked.append(row | {"chain": previous.hex()})
    return linked


# --- what it shows ----------------------------------------------------------------------------------------------


def shown(journal: Path) -> dict[str, Any]:
    """What the reading commands show as JSON, and what the journal folds to."""
    with Source(journal) as source, exact_arithmetic():
        state = source.state()
        last = source.reader.last()
        return {
            "release": RELEASE, "journal_id": source.reader.journal_id, "seq": state.seq,
            "chain": last.chain.hex() if last else "", "fold_version": FOLD_VERSION, "state_digest": digest(state),
            "orders": [order_row(order) for order in source.all_orders()],
            "fills": fill_rows(source.recorded()),
            "positions": [position_row(each) for each in holdings(state, source.marks(state.positions))],
        }  # fmt: skip


def shown_faults(journal: Path, expected: dict[str, Any]) -> Iterator[str]:
    """Orders, fills and positions are for ever what they were. A field that was added since is no difference."""
    now = json.loads(json.dumps(shown(journal)))
    for what in ("journal_id", "seq", "chain"):
        if now[what] != expected[what]:
            yield f"I2: {what} was {expected[what]}, now {now[what]}"
    for what in SHOWN:
        if len(now[what]) != len(expected[what]):
            yield f"I5: {what} were {len(expected[what])}, now {len(now[what])}"
        for old, new in zip(expected[what], now[what], strict=False):
            facts = {key: value for key, value in old.items() if key not in VALUED}
            changed = {key: (value, new.get(key, "missing")) for key, value in facts.items() if new.get(key) != value}
            if changed or old.keys() - new.keys():
                yield f"I5: {what}: {old.get('order_id') or old['instrument']} was and is {changed}"


def digest_faults(journal: Path, expected: dict[str, Any]) -> Iterator[str]:
    """The state is the same, as long as it is folded in the same way."""
    now = shown(journal)
    if now["fold_version"] == expected["fold_version"] and now["state_digest"] != expected["state_digest"]:
        yield f"I5: the state digest was {expected['state_digest']}, now {now['state_digest']}"


def book_faults(rows: list[Row], expected: dict[str, Any]) -> Iterator[str]:
    """What the independent checker adds up is what was shown."""
    books = examine(rows).books
    held = [[p["instrument"], p["strategy"], p["quantity"]] for p in expected["positions"] if p["strategy"] is not None]
    filled = {
        order["order_id"]: order["filled"] for order in expected["orders"] if order["order_id"] in books["filled"]
    }
    for what, shown_then, added in (
        ("positions", sorted(held), books["positions"]),
        ("filled", filled, books["filled"]),
    ):
        if shown_then != added:
            yield f"O3: {what}: shown were {shown_then}, the events add up to {added}"


# --- going on ---------------------------------------------------------------------------------------------------


def go_on_faults(journal: Path, rows: list[Row]) -> Iterator[str]:
    """Today's engine goes on with it: settles what is in doubt, trades, stops, starts again and stops."""
    try:
        stages = [_go_on(journal), _go_on(journal)]
    except (JournalError, UnknownEvent, IllegalEvent, AssertionError, LookupError) as error:
        yield f"S1: it can't be gone on with: {error!r}"
        return
    for number, stage in enumerate(stages):
        unsettled = [order.order_id for order in stage.state.open_orders() if order.is_unsettled or order.is_in_doubt]
        if unsettled:
            yield f"O7: run {number}: {unsettled} stay in doubt"
        if not any(stage.traded):
            yield f"S1: run {number}: it does not trade again"
    after = list(read_journal(journal))
    if after[: len(rows)] != rows:
        yield "I1: what was there has changed"
    if after[len(rows)]["kind"] != "ProcessStarted" or after[-1]["kind"] != "ProcessStopped":
        yield "S1: the run that went on has no beginning or no end"
    yield from check(after)
    yield from verify(journal, 2).problems


@define
class Continued:
    """A run that went on: its state at the end, and what its strategies could trade."""

    state: State
    traded: list[str]


def _go_on(directory: Path) -> Continued:
    with closing(Journal(directory)) as journal:
        journal.verify()
        state = _fold(journal.read())
        at_ns = state.at_ns + 10 * SECOND_NS
        described = [venue.description for _name, venue in state.used_venues() if venue.description is not None]
        stage = Stage(journal, journal.journal_id, state.settings, described, at_ns)
        clean = state.system == "stopped"
        stage.begin(journal.claim(at_ns), clean, f"0{state.epoch:03}")
        stage.connect()
        stage.tell(OperatorCommand(action=Action.RESUME, uid=1000, pid=99, reason="on again"))
        for _ in range(ROUNDS):
            stage.wait(ROUND_SECONDS * SECOND_NS)
            stage.answer()
        traded = [str(name) for name in state.instruments if _trade(stage, str(name))]
        stage.runner.stop("time is up")
        return Continued(stage.state, traded)


def _trade(stage: Stage, name: str) -> bool:
    """One more order, accepted and executed."""
    instrument = next(each for each in stage.state.instruments.values() if each.name == name)
    quantity, price = plain(instrument.lot * 100), plain(instrument.tick * 7_000)
    before = len(stage.state.executions)
    stage.want(name, str(price), Intent(instrument=instrument.name, side=Side.BUY, quantity=quantity, price=price))
    stage.answer()
    order = list(stage.state.orders.values())[-1]
    if order.is_open and order.instrument == name:
        stage.tell(stage.trade(order, str(quantity), str(price)))
    return len(stage.state.executions) > before


def _fold(entries: Iterable[Any]) -> State:
    state = State()
    with exact_arithmetic():
        for entry in entries:
            apply(state, decode(entry))
    return state


# --- what nobody knows ------------------------------------------------------------------------------------------


def unknown_events(rows: list[Row]) -> Iterator[tuple[str, list[Row]]]:
    """The same journal with one event of an unknown kind, and with one of a version to come; well linked."""
    middle = len(rows) // 2
    for what, changes in (("kind", {"kind": "OrderDreamt"}), ("version", {"version": 99})):
        altered = [*rows[:middle], rows[middle] | changes, *rows[middle + 1 :]]
        yield what, relink(altered)


def refusal_faults(journal: Path) -> Iterator[str]:
    """To trade on half a history is worse than not to trade: folding refuses, and nothing is written."""
    with Reader(journal) as reader:
        for _ in chain.verify(reader.read(), journal_id=reader.journal_id):
            pass
        try:
            _fold(reader.read())
            yield "S2: an event that this release does not know is taken"
        except UnknownEvent:
            pass
    if not any(
        "unknown" in problem or "know" in problem or "version" in problem for problem in verify(journal, 2).problems
    ):
        yield "S2: verify does not name the event that this release does not know"


# --- making them ------------------------------------------------------------------------------------------------


def make(folder: Path) -> list[Path]:
    """Write this release's journals below `folder`; raises `FileExistsError` where one is there already."""
    from tools.proof.old_stories import STORIES

    written = []
    for name, tell in STORIES.items():
        place = folder / RELEASE / name
        place.mkdir(parents=True)
        rows = list(rows_of(tell(), f"old-{name}"))
        write_lines(rows, place / ROWS)
        with tempfile.TemporaryDirectory(prefix="holdfast-old-") as directory:
            expected = shown(rebuild(rows, Path(directory) / "run"))
        (place / EXPECTED).write_text(_lines(expected), "utf-8")
        written.append(place)
    return written


def _lines(expected: dict[str, Any]) -> str:
    """JSON with one order, fill or position a line, so that a difference is one line."""
    parts = []
    for key, value in expected.items():
        listed = ",\n  ".join(json.dumps(each) for each in value) if isinstance(value, list) else ""
        parts.append(f' "{key}": ' + (f"[\n  {listed}\n ]" if listed else json.dumps(value)))
    return "{\n" + ",\n".join(parts) + "\n}\n"


@click.command()
@click.option("--make", "folder", type=click.Path(path_type=Path), help="Write this release's journals below DIR.")
def main(folder: Path | None) -> None:
    """Try the journals of all releases, or write those of this one."""
    if folder is not None:
        for place in make(folder):
            click.echo(f"wrote {place}")
        return
    outcomes = [try_seed(seed) for seed in range(len(kept()))]
    for outcome, place in zip(outcomes, kept(), strict=True):
        click.echo(f"{place.parent.name}/{place.name}: {outcome.cases} cases, {outcome.counts}")
        for problem in outcome.problems:
            click.echo(f"    {problem}")
    raise SystemExit(any(outcome.problems for outcome in outcomes))


if __name__ == "__main__":
    main()
