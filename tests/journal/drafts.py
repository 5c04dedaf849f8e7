"""What the journal's tests write: drafts, journals with several commits, and copies of them as a crash leaves them."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from hashlib import sha256
from json import dumps
from pathlib import Path
from typing import NamedTuple

from journal.journal import Journal

ROOT = Path(__file__).parents[2]
ID = "0123456789abcdef"
IDENTITY: dict[str, str | int] = {"journal_id": ID, "mode": "paper", "created_ns": 7}


class Draft(NamedTuple):
    """What a writer hands in."""

    seq: int
    at_ns: int = 1_763_688_000_000_000_001
    kind: str = "OrderIntended"
    version: int = 1
    subject: str = "BTC-USDT"
    cause: int | None = None
    body: str = "{}"


def draft(seq: int, size: int = 40) -> Draft:
    """A draft whose body is unlike every other one's."""
    return Draft(seq, body=f'{{"number":{seq},"text":"{"xyz"[seq % 3] * size}"}}')


def drafts(first: int, count: int, size: int = 40) -> list[Draft]:
    """A batch."""
    return [draft(seq, size) for seq in range(first, first + count)]


def begin(directory: Path, *, durable: bool = False) -> Journal:
    """A journal that takes entries."""
    journal = Journal(directory, identity=IDENTITY, durable=durable, wait_seconds=0)
    journal.claim(1)
    return journal


def append(journal: Journal, count: int = 1, size: int = 40) -> int:
    """One commit more."""
    return journal.append(drafts(journal.seq + 1, count, size))


def bury(journal: Journal) -> None:
    """Let go of everything that a poisoned journal holds, as the end of its process would."""
    journal._let_go()


def crash(directory: Path, to: Path) -> Path:
    """The files as `kill -9` of the writer leaves them now."""
    shutil.copytree(directory, to, ignore=shutil.ignore_patterns("*-shm", "reserve"))
    return to


def raw(directory: Path, name: str = "journal.db") -> closing[sqlite3.Connection]:
    """Some other program's connection."""
    return closing(sqlite3.connect(directory / name, isolation_level=None, timeout=0))


def rows(directory: Path) -> list[tuple[object, ...]]:
    """All events, as any other program reads them."""
    with raw(directory) as connection:
        return connection.execute("SELECT * FROM event ORDER BY seq").fetchall()


def check_chain(found: Iterable[tuple[object, ...]], journal_id: str = ID) -> int:
    """The chain as the published text says it, without a line of the package."""
    chain, count = sha256(journal_id.encode()).digest(), 0
    for *head, body, stored in found:
        assert isinstance(body, str)
        line = dumps(head, separators=(",", ":"), ensure_ascii=False) + "\n"
        chain = sha256(chain + line.encode() + body.encode()).digest()
        count += 1
        assert head[0] == count
        assert chain == stored
    return count


def child(script: str) -> list[str]:
    """The command that runs a script in a process of its own."""
    return [sys.executable, "-c", f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{script}"]


def flipped(content: bytes, places: Iterable[int], mask: int = 0xFF) -> Iterator[tuple[int, bytes]]:
    """The content with one byte changed, for each place."""
    for place in places:
        changed = bytearray(content)
        changed[place] ^= mask
        yield place, bytes(changed)
