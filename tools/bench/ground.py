"""The ground under the figures: file system, versions, cores, and what a bare flush costs here."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from journal.preflight import file_system
from tools.bench.timing import Times, take_turns
from tools.version import RELEASE

IN_MEMORY = frozenset({"tmpfs", "ramfs", "hugetlbfs"})
FLUSHES = 200
BLOCK = b"\0" * 4096


@frozen(kw_only=True)
class Ground:
    """Where and with what is measured. Times in microseconds."""

    directory: str
    file_system: str
    release: str
    python: str
    sqlite: str
    system: str
    cores: int
    fdatasync_p50_us: float
    fdatasync_p99_us: float

    @property
    def is_durable(self) -> bool:
        """False where a flush is free because nothing survives a power cut: no figure about a disk holds there."""
        return self.file_system not in IN_MEMORY

    def lines(self) -> tuple[str, ...]:
        """In words."""
        found = [
            f"holdfast {self.release}, Python {self.python}, SQLite {self.sqlite}, {self.system}, {self.cores} cores",
            f"{self.file_system} at {self.directory}: write 4 KiB + fdatasync {self.fdatasync_p50_us:,.0f} µs p50, "
            f"{self.fdatasync_p99_us:,.0f} µs p99",
            "Compare ratios, not figures: a machine's own speed may drift by half within a minute.",
        ]
        if not self.is_durable:
            found.append(
                f"{self.file_system} is kept in memory, where a flush is free: what rests on a disk is not compared. "
                "Name a directory on a real disk: --directory DIR"
            )
        return tuple(found)


def survey(directory: Path, flushes: int = FLUSHES) -> Ground:
    """Look at the machine and time bare flushes in `directory`."""
    flushed = _time_flushes(directory / "flush", flushes)
    return Ground(
        directory=str(directory),
        file_system=file_system(directory),
        release=RELEASE,
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cores=_cores(),
        fdatasync_p50_us=flushed.p50_us,
        fdatasync_p99_us=flushed.p99_us,
    )


@contextmanager
def workplace(wanted: Path | None) -> Iterator[Path]:
    """A new directory below `wanted`, or below the first usual place that is on a disk; gone afterwards."""
    places = [wanted] if wanted else [Path(tempfile.gettempdir()), Path("/var/tmp"), Path.cwd()]
    there = [place for place in places if place.is_dir() and os.access(place, os.W_OK)] or places
    on_disk = [place for place in there if file_system(place) not in IN_MEMORY]
    directory = Path(tempfile.mkdtemp(prefix="holdfast-bench-", dir=(on_disk or there)[0]))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _time_flushes(path: Path, flushes: int) -> Times:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return take_turns({"flush": lambda: write_through(file, BLOCK)}, flushes)["flush"]
    finally:
        os.close(file)
        path.unlink()


def write_through(file: int, data: bytes) -> None:
    """The least that durable can mean: write, and wait until the device has it."""
    os.write(file, data)
    os.fdatasync(file)
