"""Campaigns: an engine and its exchanges as real processes, harmed again and again, then settled and compared."""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

from engine.codec import decode
from engine.fold import apply
from engine.state import State
from engine.system import SystemState
from engine.values import VenueName, exact_arithmetic
from journal.errors import JournalError
from journal.journal import Reader
from tools.checker import examine
from tools.checker.reading import find
from tools.checker.reading import read_rows as checker_rows
from tools.proof.outcome import Outcome
from tools.proof.processes.books import (
    books_of,
    fold_rows,
    ledger_faults,
    pause_faults,
    read_rows,
    replay_faults,
    row_faults,
    stale_faults,
)
from tools.proof.processes.disk import small_disk
from tools.proof.processes.exchanges import EXCHANGES, USUAL_ADAPTER
from tools.proof.processes.ground import Ground, built_in, draw_faults, of_a_user
from tools.proof.processes.kinds import KINDS, LAST, OFTEN
from tools.proof.processes.nursery import Nursery
from tools.proof.processes.session import Pace, Session, Unexpected

LAYER = "processes"
ADAPTERS = tuple(EXCHANGES)
KILLS = 10
TURNS = 5
"""Of the kills of a seed so many are of the kinds that take turns."""

USUAL_PACE = Pace()
A_USERS_PACE = Pace(events_most=60, life_ms=(300, 6_000), batches_most=3, point_seconds=15)
"""A user's strategy may think for seconds before it asks for anything."""

PROBLEMS_MOST = 20
CALM_SECONDS = 0.05


def try_seed(seed: int, *, broken: str = "", kills: int = KILLS) -> Outcome:
    """About ten deaths of the busy strategy's engine and of its exchange, by the seed; faults on every second seed.

    Two seeds at the simulated exchange are followed by two at Binance's. `broken` names a broken build
    (`broken.BROKEN`) that the engine is run as.
    """
    chance = Random(f"processes {seed}")
    with _directory() as directory:
        ground = built_in(directory, seed, ADAPTERS[seed // 2 % len(ADAPTERS)])
        faults = (seed + seed // 4) % 2 == 1  # not with the turns of the kinds, so that each is met with and without
        return _run(seed, ground, draw_kinds(seed, kills), chance, USUAL_PACE, faults=faults, broken=broken)


def campaign(
    configuration_file: Path, *, seed: int, kills: int, faults: bool, tell: Callable[[str], None] = lambda line: None,
    kinds: Sequence[str] = (), pace: Pace = A_USERS_PACE,
) -> Outcome:  # fmt: skip
    """The same with a user's configuration and strategies, on the exchanges that ship, in a directory that is thrown
    away; with these kinds of death in this order, where some are named.

    The user's own journal is not touched. `tell` is called with a line for each death. Raises `ConfigurationWrong`.
    """
    chance = Random(f"campaign {seed}")
    with _directory() as directory:
        ground = of_a_user(directory, configuration_file)
        drawn = [name if name != "disk_full" else "at_a_moment" for name in draw_kinds(seed, kills)]
        kinds = kinds or drawn
        return _run(seed, ground, kinds, chance, pace, faults=faults, tell=tell)


def try_kinds(
    seed: int, kinds: Sequence[str], *, faults: bool = False, broken: str = "", pace: Pace = USUAL_PACE,
    adapter: str = USUAL_ADAPTER,
) -> Outcome:  # fmt: skip
    """Just these kinds of death, in this order, by the names of `kinds.KINDS`, at an adapter's own exchange."""
    with _directory() as directory:
        ground = built_in(directory, seed, adapter)
        return _run(seed, ground, kinds, Random(seed), pace, faults=faults, broken=broken)


def draw_kinds(seed: int, kills: int) -> list[str]:
    """Half of them in turns, so that after a few seeds every kind has had its turn; half what is done often."""
    names, chance = list(KINDS), Random(f"kinds {seed}")
    turns = [names[(seed * TURNS + number) % len(names)] for number in range(min(TURNS, kills // 2))]
    drawn = turns + [chance.choice(OFTEN) for _ in range(kills - len(turns))]
    chance.shuffle(drawn)
    return sorted(drawn, key=lambda name: name in LAST)


@contextmanager
def _directory() -> Iterator[Path]:
    """A place that is thrown away; short, because a socket's path may not be long."""
    directory = Path(tempfile.mkdtemp(prefix="holdfast-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _run(
    seed: int, ground: Ground, kinds: Sequence[str], chance: Random, pace: Pace, *, faults: bool, broken: str = "",
    tell: Callable[[str], None] = lambda line: None,
) -> Outcome:  # fmt: skip
    ground.write_exchanges()
    drawn = draw_faults(chance) if faults else {}
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        if "disk_full" in kinds and (refused := stack.enter_context(small_disk(ground.journal))):
            counts[f"full disk skipped: {refused}"] += 1
            kinds = [name if name != "disk_full" else "at_a_moment" for name in kinds]
        nursery = stack.enter_context(Nursery({"PYTHONHASHSEED": str(chance.randrange(1, 1 << 32))}))
        session = Session(nursery, ground, chance, pace, broken, drawn, counts)
        try:
            session.serve_all()
            for number, kind in enumerate(kinds, 1):
                tell(f"{number}/{len(kinds)} {kind.replace('_', ' ')}")
                KINDS[kind](session)
            settle(session)
            session.problems += _problems(session)
        except Unexpected as problem:
            session.problems.append(str(problem))
        except JournalError as error:
            session.problems.append(f"S2: {error}")
        _count_events(session)
    harmed = sum(number for name, number in counts.items() if _is_harm(name))
    return Outcome(
        layer=LAYER, seed=seed, cases=len(kinds), faults=harmed, problems=tuple(session.problems[:PROBLEMS_MOST]),
        counts=dict(sorted(counts.items())),
    )  # fmt: skip


def _is_harm(name: str) -> bool:
    return any(word in name for word in ("kill", "woken", "refused", "races", "full disk noticed", "lost tails"))


def _count_events(session: Session) -> None:
    try:
        with Reader(session.ground.journal) as reader:
            kinds = Counter(row.kind for row in reader.read())
    except JournalError:
        return  # what is wrong with it is a problem already
    session.counts["orders"] = kinds["SubmitRequested"]
    session.counts["fills"] = kinds["FillBooked"]
    session.counts["outcomes unknown"] = kinds["OutcomeUnknown"]
    session.counts["strategies failed"] = kinds["StrategyFailed"]


# --- the liveness phase -------------------------------------------------------------------------------------------


def settle(session: Session) -> None:
    """No faults and no new orders: all is settled in bounded time, then everything is ended cleanly."""
    for venue in session.ground.venues:
        session.set_faults(venue, {})
    engine = session.start()
    paused = session.order({"action": "pause", "reason": "the liveness phase"})["seq"]
    calm = Calm(session, int(paused))
    if not session.live_until(engine, calm.is_reached, "calm", session.pace.settle_seconds):
        session.problems.append(f"S1: not settled: {calm.told()}; {session.told_state()}")
    engine.signal(signal.SIGTERM)
    session.expect(engine, (0,), "S1: the clean stop of the liveness phase")
    for venue, exchange in session.exchanges.items():
        exchange.signal(signal.SIGTERM)
        session.expect(exchange, (0,), f"the clean stop of the exchange {venue}")


class Calm:
    """Paused, nothing in flight or in doubt, and every venue has been compared since then without a difference."""

    def __init__(self, session: Session, after_seq: int) -> None:
        self._session, self._after_seq = session, after_seq
        self._state = State()
        self._calm_seq = 0
        self._compared: dict[VenueName, int] = {}

    def is_reached(self) -> bool:
        """Read on, and look."""
        if self._session.seq == self._state.seq:
            return False
        self._read_on()
        state = self._state
        if state.seq < self._after_seq or state.system is not SystemState.PAUSED or self._open():
            self._calm_seq = 0
            return False
        self._calm_seq = self._calm_seq or state.seq
        return all(self._compared.get(venue, 0) >= self._calm_seq for venue in self._session.ground.venues)

    def told(self) -> str:
        """What is missing."""
        found = ", ".join(f"{order_id} is {status}" for order_id, status in self._open()[:5])
        return f"{self._state.system}, {found or 'nothing open'}, compared at seq {self._compared}"

    def _read_on(self) -> None:
        with Reader(self._session.ground.journal) as reader, exact_arithmetic():
            for row in reader.read(self._state.seq):
                apply(self._state, decode(row))
                body = json.loads(row.body) if row.kind == "Reconciled" else {}
                if body and body["ready"] and not body["differences"]:
                    self._compared[VenueName(body["venue"])] = body["asked_seq"]

    def _open(self) -> list[tuple[str, str]]:
        return [
            (str(order.order_id), f"{order.status}, cancel {order.pending_cancel}, replace {order.pending_replace}")
            for order in self._state.orders.values()
            if order.is_in_doubt or order.is_unsettled
            or (order.order_id in self._state.open_ids and not order.pending_cancel == order.pending_replace == "none")
        ]  # fmt: skip


# --- the verdict --------------------------------------------------------------------------------------------------


def _problems(session: Session) -> list[str]:
    journal = session.ground.journal
    rows, found = read_rows(journal)
    state = fold_rows(rows)
    problems = [f"S2: the journal: {line}" for line in found]
    problems += [*row_faults(rows, session.heads), *pause_faults(rows), *replay_faults(rows, state, journal)]
    for venue in session.ground.venues:
        ledger, found = read_rows(session.ground.books(venue), "ledger")
        problems += [f"the ledger of {venue}: {line}" for line in found]
        exec_name = EXCHANGES[session.ground.adapter(venue)].exec_name
        books = books_of(venue, rows, state, ledger, exec_name)
        problems += [*stale_faults(books, session.stops, session.ground.orders.expiry_ns), *ledger_faults(books)]
        stored, told = find(journal, "journal"), find(session.ground.books(venue), "ledger")
        problems += examine(checker_rows(stored), checker_rows(told), venue).problems
    code, said = session.run_command("verify", "--level", "2", "--json", "-c", str(session.ground.config))
    if code:
        problems.append(f"S2: holdfast verify ends with {code}: {said[-500:]}")
    return problems
