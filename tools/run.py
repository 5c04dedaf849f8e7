"""The composition root: puts journal, engine and adapters together, and runs them in the foreground."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from adapters.cleansing import cleansed
from adapters.redaction import redact
from engine.capabilities import VenueDescription
from engine.codec import encode_state
from engine.desk import Desk
from engine.fold import FOLD_VERSION
from engine.inbox import Inbox
from engine.inputs import (
    Action,
    ClockJumped,
    ConfigurationRead,
    DiskMeasured,
    HistoryChecked,
    Input,
    OperatorCommand,
    ProcessBegan,
    VenueDescribed,
    VenuesDescribed,
)
from engine.market import Market
from engine.outbox import RecallOrder
from engine.ports import Venue
from engine.recall import find_order, lend
from engine.runner import Runner, SendGate
from engine.settings import Record
from engine.state import Recorded, State
from engine.token import base36
from engine.values import SECOND_NS, VenueName
from journal.errors import CommitUnknown
from journal.journal import Reader
from journal.snapshot import Snapshot, write_snapshot
from tools.clock import WallClock
from tools.config import Configuration, load_strategies
from tools.control import ControlServer
from tools.guard import check_binding, check_bound_environments, check_environments, check_keys, check_rights
from tools.input_tape import InputTape
from tools.recheck import recheck
from tools.start import Found, Opened, check_listed, connect, describe, move_aside, open_journal
from tools.version import RELEASE

SNAPSHOT_EVERY = 10_000
HOUSEKEEPING_NS = SECOND_NS
IDLE_WAIT_NS = 50_000_000
EXIT_CLEAN, EXIT_NO_VENUE, EXIT_JOURNAL = 0, 69, 74


class Watcher(Protocol):
    """What sees a run: the live screen, plain lines, a test."""

    def begin(self, found: Found) -> None: ...
    def events(self, state: State, recorded: Sequence[Recorded]) -> None: ...
    def tick(self, state: State, market: Market, runner: Runner) -> None: ...
    def close(self, state: State, code: int) -> None: ...


class Unwatched:
    """Sees nothing."""

    def begin(self, found: Found) -> None:
        """Nothing."""

    def events(self, state: State, recorded: Sequence[Recorded]) -> None:
        """Nothing."""

    def tick(self, state: State, market: Market, runner: Runner) -> None:
        """Nothing."""

    def close(self, state: State, code: int) -> None:
        """Nothing."""


def run(
    configuration: Configuration,
    *,
    for_ns: int | None = None,
    fresh: bool = False,
    watcher: Watcher | None = None,
    kill: OperatorCommand | None = None,
) -> int:
    """Start or continue the unattended run; returns the exit code.

    `kill`: take over, do only this, and leave; what a key may do too much does not keep orders from being cancelled.
    Raises `JournalLocked`, `JournalDamaged`, `ConfigurationConflict`, `ConfigurationWrong`, `LiveRefused` and
    `PolicyRefused` before anything is sent.
    """
    check_environments(configuration)
    check_keys(configuration)
    strategies = {} if kill else load_strategies(configuration)  # a broken strategy does not keep a kill from working
    if fresh:
        move_aside(configuration.journal)
    opened = open_journal(configuration)
    try:
        check_bound_environments(configuration, opened.state)
        venues = connect(configuration, opened.journal, opened.state)
        descriptions = describe(configuration, venues, opened.state)
        check_binding(configuration, opened.state, descriptions)
        check_listed(configuration, opened.state, descriptions)
        if kill is None:
            check_rights(configuration, descriptions)
    except BaseException:
        opened.journal.close()
        raise
    session = Run(configuration, opened, venues, Desk(strategies), watcher or Unwatched())
    return session.go(descriptions, for_ns, kill)


class Run:
    """One process's life on one journal."""

    def __init__(
        self, configuration: Configuration, opened: Opened, venues: dict[VenueName, Venue], desk: Desk, watcher: Watcher
    ) -> None:
        self.configuration, self.watcher = configuration, watcher
        self.journal, self.state = opened.journal, opened.state
        self.found = opened.found
        self.clock = WallClock(self.state.at_ns)
        self.inbox = Inbox()
        self.gate = SendGate(self.clock, self.journal.is_owner)
        self.venues = venues
        self.control = ControlServer(configuration.journal, self.inbox.deliver, self._figures)
        self.runner = Runner(
            state=self.state,
            market=Market(),
            desk=desk,
            inbox=self.inbox,
            log=self.journal,
            venues=venues,
            clock=self.clock,
            gate=self.gate,
            die=die,
            watch=self._watch,
            recall=self._recall,
        )
        self._tape: InputTape | None = None
        self._signals = 0
        self._is_over = False
        self._housekeeping_ns = 0
        self._snapshot_seq = self.found.from_snapshot

    def go(self, descriptions: list[VenueDescription], for_ns: int | None, kill: OperatorCommand | None) -> int:
        """From the first event of this process to its last."""
        self.watcher.begin(self.found)
        if self.found.verified < self.found.seq or self.found.from_snapshot:
            threading.Thread(target=self._recheck, name="recheck", daemon=True).start()
        with self._signalled(), self._dying_well():
            self.runner.run_batch(self._beginning(descriptions, kill))
            self.runner.desk.prepare(self.state, self.runner.market)
            for venue in self.venues.values():
                venue.open(cleansed(self.inbox.deliver), self.gate)
            code, reason = self._loop(for_ns, kill is not None)
            self._stop(reason)
        self.watcher.close(self.state, code)
        return code

    def _keep_tape(self, epoch: int) -> None:
        """Inputs are kept where that is asked for; a tape that ends is said, and does not end the run."""
        if self.configuration.settings.quotes is Record.ALL:
            try:
                self._tape = self.runner.tape = InputTape(self.configuration.journal, epoch)
            except OSError as error:
                sys.stderr.write(f"holdfast: what comes in can't be kept: {error}; the run goes on\n")

    def _beginning(self, descriptions: list[VenueDescription], kill: OperatorCommand | None) -> list[Input]:
        epoch = self.journal.claim(self.clock.now_ns())
        self._keep_tape(epoch)
        remembered = self.journal.remembered
        began = ProcessBegan(
            journal_id=self.journal.journal_id,
            run=base36(int.from_bytes(os.urandom(4), "big") % 36**4, 4),
            epoch=epoch,
            pid=os.getpid(),
            release=RELEASE,
            clean=self.found.clean,
            head_seq=remembered.seq if remembered and remembered.journal_id == self.journal.journal_id else None,
        )
        described: list[Input] = [VenueDescribed(description) for description in descriptions]
        return [
            began,
            ConfigurationRead(self.configuration.settings),
            *described,
            VenuesDescribed(),
            *([kill] if kill else []),
        ]

    def _loop(self, for_ns: int | None, killing: bool) -> tuple[int, str]:
        end_ns = None if for_ns is None else self.clock.now_ns() + for_ns
        kill_end_ns = self.clock.now_ns() + self.configuration.settings.reconcile.start_limit_ns
        while True:
            self.runner.step()
            self._keep_house()
            if self._signals:
                return EXIT_CLEAN, "signal"
            if end_ns is not None and self.clock.now_ns() >= end_ns:
                return EXIT_CLEAN, "time is up"
            if killing and self.state.kill_verified:
                return EXIT_CLEAN, "killed"
            if killing and self.clock.now_ns() >= kill_end_ns:
                return EXIT_NO_VENUE, "open orders could not be shown to be gone"
            if self.state.system_reason == "no_venue" and not _has_reached_a_venue(self.state):
                return EXIT_NO_VENUE, "no venue"

    def _stop(self, reason: str) -> None:
        """No new orders; replies in flight are awaited, for a bounded time; then the last event."""
        self.inbox.deliver(OperatorCommand(action=Action.STOP, uid=os.getuid(), pid=os.getpid(), reason=reason))
        end_ns = self.clock.now_ns() + self.configuration.settings.orders.stop_limit_ns
        self.runner.step(0)
        while self.clock.now_ns() < end_ns and (self.inbox.depth() or is_in_flight(self.state)):
            self.runner.step(IDLE_WAIT_NS)
        self.gate.close()
        self._is_over = True
        for venue in self.venues.values():
            venue.close()
        self.runner.run_batch(self.inbox.take(1_000_000, 0))
        self._snapshot(self.runner.stop(reason))
        self.control.close()
        self.journal.close()
        if self._tape is not None:
            self._tape.close()

    def _keep_house(self) -> None:
        """Once a second: clock, disk, checkpoint, snapshot; and let those who watch see."""
        now_ns = self.clock.now_ns()
        self._show(lambda: self.watcher.tick(self.state, self.runner.market, self.runner))
        if now_ns < self._housekeeping_ns:
            return
        if self._tape is not None and self._tape.ended:
            sys.stderr.write(f"holdfast: what comes in is not kept any more: {self._tape.ended}; the run goes on\n")
            self._tape = None
        self._housekeeping_ns = now_ns + HOUSEKEEPING_NS
        if jump_ns := self.clock.measure_jump_ns():
            self.inbox.deliver(ClockJumped(jump_ns))
        free_bytes = self.journal.free_bytes()
        self.inbox.deliver(DiskMeasured(free_bytes))
        if free_bytes < self.configuration.settings.disk.min_free_bytes:
            self.journal.free_reserve()
        if self.inbox.depth() <= 1:
            self.journal.checkpoint()
            if self.state.seq - self._snapshot_seq >= SNAPSHOT_EVERY:
                self._snapshot(self.runner.digest_state())

    def _snapshot(self, state_digest: str) -> None:
        """A short cut for the next start; a failure costs nothing but time then."""
        snapshot = Snapshot(
            self.journal.journal_id, self.state.seq, self.journal.chain.hex(), state_digest, FOLD_VERSION,
            encode_state(self.state),
        )  # fmt: skip
        try:
            write_snapshot(self.configuration.journal / "snapshots", snapshot)
        except OSError as error:
            sys.stderr.write(f"holdfast: no snapshot at seq {self.state.seq}: {error}\n")
        self._snapshot_seq = self.state.seq

    def _watch(self, recorded: Sequence[Recorded]) -> None:
        self.control.watch(recorded)
        self._show(lambda: self.watcher.events(self.state, recorded))

    def _show(self, show: Callable[[], None]) -> None:
        """A display that fails ends the display, never the run."""
        try:
            show()
        except Exception:  # noqa: BLE001 (whatever a display raises: it is said, and nothing is shown any more)
            self.watcher = Unwatched()
            sys.stderr.write(f"holdfast: the display failed and is off; the run goes on\n{traceback.format_exc()}")

    def _recheck(self) -> None:
        """The journal from its very beginning must lead to where the short cut led: in a process of its own."""
        problem = recheck(self.configuration.journal, self.found.seq, self.found.state_digest, lambda: self._is_over)
        self.inbox.deliver(HistoryChecked(problem))

    def _recall(self, asked: RecallOrder) -> None:
        """Look an archived order up, off the deciding thread."""
        threading.Thread(target=self._find, args=(asked, lend(self.state)), name="recall", daemon=True).start()

    def _find(self, asked: RecallOrder, alone: State) -> None:
        with Reader(self.configuration.journal) as reader:
            found = find_order(asked.order_id, reader.about(asked.order_id), alone)
        if found is not None:
            self.inbox.deliver(found)

    def _figures(self) -> dict[str, Any]:
        """What only the living process knows."""
        return {
            "pid": os.getpid(),
            "now_ns": self.clock.now_ns(),
            "state": str(self.state.system),
            "seq": self.journal.seq,
            "last_data_ns": {str(name): ns for name, ns in list(self.runner.market.last_data_ns.items())},
            "inbox_depth": self.inbox.depth(),
            "commit_ns": self.runner.figures.commit_ns,
        }

    @contextmanager
    def _dying_well(self) -> Iterator[None]:
        """Whatever ends a run, nothing is sent after it; an unknown commit ends the process at once."""
        try:
            yield
        except CommitUnknown as error:
            self.gate.close()
            die(error)
        except BaseException:
            self.gate.close()
            raise

    @contextmanager
    def _signalled(self) -> Iterator[None]:
        """SIGINT and SIGTERM stop cleanly; a second one ends at once, which is as safe as kill -9."""

        def on_signal(number: int, frame: Any) -> None:
            self._signals += 1
            if self._signals > 1:
                os._exit(128 + number)

        before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def die(error: BaseException) -> None:
    """After an unknown commit: last words, and out at once, without closing (that would write)."""
    screen = "\x1b[?1049l\x1b[?25h" if os.isatty(2) else ""  # a live screen gives the terminal back
    words = (
        f"{screen}holdfast: {error}\nholdfast: the outcome is unknown, so this process ends itself (74). Start again.\n"
    )
    try:
        os.write(2, redact(words).encode())
    finally:
        os._exit(EXIT_JOURNAL)


def _has_reached_a_venue(state: State) -> bool:
    """Has this process been answered? Then an outage is waited for, paused; only a start that reaches nobody ends."""
    return any(venue.reconciled_ns >= state.started_ns for _name, venue in state.used_venues())


def is_in_flight(state: State) -> bool:
    """Is a reply to something of ours still expected?"""
    return any(order.is_unsettled or order.pending_cancel == "sent" for order in state.open_orders())
