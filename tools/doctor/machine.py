"""This machine: its Python and SQLite, and whether the journal's place keeps what a commit promises."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from engine.ports import Draft
from journal import preflight
from journal.errors import JournalError
from journal.journal import Journal
from journal.lock import is_locked, read_owner
from tools.config import Configuration
from tools.control import ControlRefused, socket_path
from tools.doctor.finding import Finding, Verdict, fault
from tools.view import LOCK, read_view
from tools.wording import count

COMMITS = 30
"""How many commits are tried; their median is told."""

HONEST_NS = 20_000
"""A commit that is quicker than this has reached no disk."""

VOLATILE = frozenset(("tmpfs", "ramfs", "devtmpfs"))
CODE_PLACE, CODE_DISK = 65, 74
MIB = 1024 * 1024


def examine_machine(configuration: Configuration) -> Iterator[Finding]:
    """Everything about the machine that the journal rests on."""
    system = f"{platform.python_implementation()} on {platform.system()} {platform.machine()}"
    yield Finding(what="python", words=f"{platform.python_version()}, {system}")
    yield Finding(what="sqlite", words=sqlite3.sqlite_version)
    place = existing(configuration.journal)
    yield _file_system(place)
    yield _commits(place)
    yield _free(configuration, place)
    yield from _directory(configuration.journal)
    yield _socket(configuration.journal)
    yield _journal(configuration)


def existing(path: Path) -> Path:
    """The path, or the nearest directory above it that is there."""
    return next(each for each in (path, *path.parents) if each.is_dir())


def _file_system(place: Path) -> Finding:
    kind = preflight.file_system(place)
    words = f"{kind} at {place}"
    if kind in preflight.NETWORK_FILE_SYSTEMS:
        return fault(
            "file system", words, CODE_PLACE, "a network's file system loses locks and flushes: use a local disk"
        )
    if kind in VOLATILE:
        hint = "it is memory: nothing outlives a power cut or a reboot"
        return Finding(what="file system", words=words, verdict=Verdict.WARNING, hint=hint)
    return Finding(what="file system", words=words)


def _commits(place: Path) -> Finding:
    """Commits as the journal makes them, in a directory of their own that is removed again."""
    try:
        with tempfile.TemporaryDirectory(prefix="doctor.", dir=place) as directory:
            took_ns = int(median(_timed(Path(directory))))
    except (OSError, JournalError) as error:
        return fault("commit", f"a journal can't be written there: {error}", CODE_DISK)
    words = f"{_micros(took_ns)}, the median of {COMMITS}, each flushed to the disk"
    if took_ns < HONEST_NS:
        hint = "no disk is that quick: a power cut may lose what was acknowledged"
        return Finding(what="commit", words=words, verdict=Verdict.WARNING, hint=hint)
    return Finding(what="commit", words=words)


def _timed(directory: Path) -> list[int]:
    journal = Journal(directory, identity={"journal_id": "doctor", "mode": "paper"}, at_ns=time.time_ns())
    try:
        journal.claim(time.time_ns())
        found: list[int] = []
        for number in range(1, COMMITS + 1):
            draft = Draft(number, time.time_ns(), "Tried", 1, "", None, "{}")
            began_ns = time.perf_counter_ns()
            journal.append([draft])
            found.append(time.perf_counter_ns() - began_ns)
        return found
    finally:
        journal.close()


def _micros(ns: int) -> str:
    return f"{ns // 1_000:,} µs" if ns < 10_000_000 else f"{ns // 1_000_000:,} ms"


def _free(configuration: Configuration, place: Path) -> Finding:
    free, least = shutil.disk_usage(place).free, configuration.settings.disk.min_free_bytes
    words = f"{free // MIB:,} MiB, trading pauses below {least // MIB:,} MiB"
    if free < least:
        return fault("free space", words, CODE_DISK, "make room, or write a smaller [disk] min_free_bytes")
    return Finding(what="free space", words=words)


def _directory(journal: Path) -> Iterator[Finding]:
    """The journal's directory: only its owner has business there."""
    if not journal.exists():
        yield Finding(what="directory", words=f"{journal} will be made, for you alone", verdict=Verdict.INFO)
        return
    status = journal.stat()
    mode = stat.S_IMODE(status.st_mode)
    words = f"{journal}, mode {mode:04o}"
    if status.st_uid != os.geteuid():
        hint = "run as its owner, or name another journal directory"
        yield fault("directory", f"{words}, of another user", CODE_DISK, hint)
    elif mode & 0o022:
        hint = f"chmod 700 {journal}"
        yield Finding(what="directory", words=f"{words}: others may write there", verdict=Verdict.WARNING, hint=hint)
    elif mode & 0o055:
        hint = f"chmod 700 {journal}"
        yield Finding(what="directory", words=f"{words}: others may read it", verdict=Verdict.WARNING, hint=hint)
    else:
        yield Finding(what="directory", words=words)


def _socket(journal: Path) -> Finding:
    try:
        return Finding(what="control", words=str(socket_path(journal)))
    except ControlRefused as error:
        return fault("control", str(error), CODE_DISK)


def _journal(configuration: Configuration) -> Finding:
    """What is in the journal; its chain is `verify`'s to check."""
    journal = configuration.journal
    if not (journal / "journal.db").exists():
        return Finding(what="journal", words="none yet", verdict=Verdict.INFO)
    try:
        view = read_view(journal)
    except JournalError as error:
        return fault("journal", str(error), CODE_PLACE, "holdfast verify says more")
    owner = read_owner(journal / LOCK) if is_locked(journal / LOCK) else None
    held = f", held by process {owner.pid}" if owner else ""
    ended = "" if held or view.is_clean else ", its last run was cut off"
    return Finding(
        what="journal", words=f"{count(view.state.seq, 'event')}, mode {view.state.settings.mode}{held}{ended}"
    )
