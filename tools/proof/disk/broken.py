"""Broken builds: each takes one promise of the journal's away, so that the proof can be seen to notice.

Nothing of the product is edited: a build is a patch that lasts as long as a `with` statement, in the process that
records (`child`) or in the one that opens what is left (`opener`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

from attrs import frozen

from journal import chain, journal, preflight, reader, schema
from journal.entry import Draft
from journal.errors import CommitUnknown
from journal.head import Head
from journal.journal import Journal


@frozen
class Build:
    """What is broken, in words; where it is patched; and who notices: `says` stands in a problem that the layer
    reports at this seed and so many drawn steps, and in none of the whole build's there."""

    what: str
    side: str
    patches: Callable[[ExitStack], None]
    layer: str
    seed: int
    steps: int
    says: str


def _synchronous(value: str) -> Callable[[ExitStack], None]:
    """Behind the check that reads the setting back."""
    configure = schema.configure

    def weakened(connection: Any, pragmas: tuple[tuple[str, str, str], ...]) -> None:
        configure(connection, pragmas)
        connection.execute(f"PRAGMA synchronous={value}")

    return lambda stack: _replace(stack, schema, "configure", weakened)


def _powersafe(stack: ExitStack) -> None:
    uri = reader.uri
    _replace(stack, journal, "uri", lambda path, query: uri(path, query.replace("psow=0", "psow=1")))


def _not_poisoned(stack: ExitStack) -> None:
    unknown = Journal._unknown

    def still_open(self: Journal, error: Exception) -> CommitUnknown:
        made = unknown(self, error)
        self._poisoned = False
        return made

    _replace(stack, Journal, "_unknown", still_open)


def _swallowed(stack: ExitStack) -> None:
    append = Journal.append

    def believing(self: Journal, drafts: Sequence[Draft]) -> int:
        try:
            return append(self, drafts)
        except CommitUnknown:
            return drafts[-1].seq

    _replace(stack, Journal, "append", believing)


def _late(stack: ExitStack) -> None:
    append = Journal.append
    held: dict[int, Sequence[Draft]] = {}

    def later(self: Journal, drafts: Sequence[Draft]) -> int:
        """Returns before the commit, which the next append makes up for."""
        before = held.pop(id(self), None)
        if before:
            append(self, before)
        held[id(self)] = drafts
        return drafts[-1].seq

    _replace(stack, Journal, "append", later)


def _shortened(stack: ExitStack) -> None:
    append = Journal.append

    def shorter(self: Journal, drafts: Sequence[Draft]) -> int:
        if len(drafts) > 1:
            append(self, drafts[:-1])
            return drafts[-1].seq
        return append(self, drafts)

    _replace(stack, Journal, "append", shorter)


def _head_first(stack: ExitStack) -> None:
    append = Journal.append

    def early(self: Journal, drafts: Sequence[Draft]) -> int:
        if drafts and self.epoch and not self._poisoned:
            last = self._rows(drafts)[-1]
            self._head_file.write(Head(last.seq, self.epoch, last.chain.hex(), self.journal_id))
        return append(self, drafts)

    _replace(stack, Journal, "append", early)


def _two_commits(stack: ExitStack) -> None:
    append = Journal.append

    def split(self: Journal, drafts: Sequence[Draft]) -> int:
        for part in (drafts[:1], drafts[1:]) if len(drafts) > 1 else (drafts,):
            append(self, part)
        return self.seq

    _replace(stack, Journal, "append", split)


def _names_unsynced(stack: ExitStack) -> None:
    _replace(stack, journal, "sync_directory", lambda directory: None)


def _log_kept(stack: ExitStack) -> None:
    check_files = preflight.check_files
    _replace(stack, preflight, "check_files", lambda database: bool(check_files(database)) and False)


def _unlooked(stack: ExitStack) -> None:
    _replace(stack, preflight, "check_files", lambda database: False)


def _unchained(stack: ExitStack) -> None:
    _replace(stack, chain, "verify", lambda entries, **_said: iter(entries))


def _headless(stack: ExitStack) -> None:
    _replace(stack, journal, "read_head", lambda path: None)


def _replace(stack: ExitStack, owner: object, name: str, value: object) -> None:
    stack.enter_context(patch.object(owner, name, value))


BUILDS = {
    "no-fsync": Build("synchronous=OFF", "child", _synchronous("OFF"), "images", 0, 1, "I1 seq 1"),
    "normal": Build("synchronous=NORMAL", "child", _synchronous("NORMAL"), "images", 0, 1, "I1 seq 1"),
    "psow": Build("a commit shares a sector with the one before it", "child", _powersafe, "images", 0, 1, "I1 seq 1"),
    "head-before-commit": Build(
        "the head is written before the commit", "child", _head_first, "images", 0, 1, "S2 the head remembers"
    ),
    "batch-in-two-commits": Build("a batch is split", "child", _two_commits, "images", 0, 1, "I3 a part of the batch"),
    "no-directory-sync": Build(
        "the new journal's name is not flushed", "child", _names_unsynced, "images", 0, 1, "database is missing"
    ),
    "gate-open-after-error": Build(
        "the journal goes on after an unknown commit", "child", _not_poisoned, "errors", 0, 1, "S3 taken"
    ),
    "error-swallowed": Build(
        "append returns although the commit raised", "child", _swallowed, "errors", 0, 1, "I1 seq 1"
    ),
    "late-commit": Build("append returns before its commit", "child", _late, "images", 0, 1, "I1 seq"),
    "last-event-lost": Build("append leaves the last event of a batch out", "child", _shortened, "images", 0, 1, "I3"),
    "torn-tail-kept": Build(
        "what is left of a torn commit stays in the log", "child", _log_kept, "compound", 1, 3, "I4 epoch 1"
    ),
    "no-preflight": Build(
        "nobody looks at the files before SQLite does",
        "opener",
        _unlooked,
        "damage",
        0,
        1,
        "1 entries, head -1; cut: byte",
    ),
    "no-chain": Build(
        "the chain is not checked", "opener", _unchained, "damage", 2, 1, "S2 damage is used: -1 entries"
    ),
    "no-head": Build("the head is not read", "opener", _headless, "damage", 2, 1, "entries, head -1; killed"),
}


@contextmanager
def _applied(build: Build) -> Iterator[None]:
    with ExitStack() as stack:
        build.patches(stack)
        yield


def broken_in_child(name: str) -> Any:
    """The build, where it is one of the recording process; raises `KeyError` for an unknown name."""
    return _applied(BUILDS[name]) if name and BUILDS[name].side == "child" else nullcontext()


def broken_in_opener(name: str) -> Any:
    """The build, where it is one of the process that opens what is left; raises `KeyError` for an unknown name."""
    return _applied(BUILDS[name]) if name and BUILDS[name].side == "opener" else nullcontext()
