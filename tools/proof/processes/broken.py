"""Broken builds: the product with one safety taken out of a process, to see that this layer notices.

Each names the kinds of death under which it shows, and what the problem says then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from adapters.simulated import wire
from adapters.simulated.translate import Translator
from engine.runner import Runner, SendGate
from journal import journal as journal_module
from journal import schema
from journal.journal import Journal
from journal.lock import Lock
from tools import run as run_module
from tools import start


@frozen
class Broken:
    """One safety taken out; `kinds` of death show it, in a problem that begins with one of `caught`."""

    what: str
    patch: Callable[[], None]
    kinds: tuple[str, ...]
    caught: tuple[str, ...]


def _replace(owner: Any, name: str, value: Any) -> None:
    setattr(owner, name, value)


def _send_before_append() -> None:
    commit: Callable[[Runner], None] = Runner._commit

    def release_and_commit(runner: Runner) -> None:
        requests, runner._requests = runner._requests, []
        runner.gate.allow_until(runner.state.seq, runner.state.settings.orders.send_limit_ns)
        runner._release(requests)
        commit(runner)

    _replace(Runner, "_commit", release_and_commit)


def _open_gate() -> None:
    _replace(SendGate, "allows", lambda gate, request: True)


def _no_fence() -> None:
    """No lock check, no epoch in the insert, and a writer that goes on behind whatever it finds."""
    head, _begin, rest = schema.TABLES.partition("CREATE TRIGGER event_has_the_epoch")
    assert rest
    _replace(schema, "TABLES", head)
    _replace(Lock, "is_held", lambda lock: True)
    append: Callable[[Journal, Sequence[Any]], int] = Journal.append

    def append_anyway(journal: Journal, drafts: Sequence[Any]) -> int:
        query = "SELECT seq, chain FROM event ORDER BY seq DESC LIMIT 1"
        last = journal._connection.execute(query).fetchone()
        if last is not None and last[0] != journal.seq:
            journal.seq, journal.chain = last
            drafts = [draft._replace(seq=last[0] + number) for number, draft in enumerate(drafts, 1)]
        return append(journal, drafts)

    _replace(Journal, "append", append_anyway)


def _forget_executions() -> None:
    """What executed before this process began is not taken from the venue's answers."""
    began_ns = time.time_ns()
    reply: Callable[..., Any] = Translator.reply

    def reply_without(translator: Translator, request: Any, frame: Any) -> Any:
        if isinstance(frame, wire.AccountAnswer | wire.OrderAnswer):
            frame = evolve(frame, executions=tuple(each for each in frame.executions if each.at_ns >= began_ns))
        return reply(translator, request, frame)

    _replace(Translator, "reply", reply_without)


def _latch_lost() -> None:
    open_journal = start.open_journal

    def open_without(configuration: Any) -> Any:
        opened = open_journal(configuration)
        opened.state.pauses = {}
        return opened

    _replace(run_module, "open_journal", open_without)


def _head_ignored() -> None:
    _replace(journal_module, "read_head", lambda path: None)


BROKEN: Mapping[str, Broken] = {
    "send_before_append": Broken(
        "requests leave before the append", _send_before_append, ("before_append",) * 2, ("O1",)
    ),
    "open_gate": Broken("the gate is always open", _open_gate, ("stopped_after_append",) * 3, ("S3",)),
    "no_fence": Broken(
        "neither lock nor epoch stops a predecessor", _no_fence, ("zombie_after_append",) * 2, ("I4", "S1")
    ),
    "executions_forgotten": Broken(
        "what executed while nobody ran is not asked for", _forget_executions, ("after_release",) * 2, ("O3",)
    ),
    "latch_lost": Broken("an operator's pause ends with the process", _latch_lost, ("while_paused",), ("O4",)),
    "head_ignored": Broken("the head file is not compared", _head_ignored, ("tail_lost",) * 2, ("S2",)),
}  # fmt: skip
"""Name: broken build."""
