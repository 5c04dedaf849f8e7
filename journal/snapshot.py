"""Snapshots: an opaque blob at a seq. A cache, never the truth: whatever does not match is not used."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

KEPT = 2
SUFFIX = ".snapshot"
PART = ".part"


class Snapshot(NamedTuple):
    """A state as it was after `seq`; `chain` (hex) and `journal_id` tie it to one journal."""

    journal_id: str
    seq: int
    chain: str
    state_digest: str
    fold_version: int
    blob: bytes


def write_snapshot(directory: Path, snapshot: Snapshot) -> Path:
    """Temporary file, fsync, rename, fsync of the directory; then older ones than the newest two go.

    Raises `OSError`: nothing was replaced, and trading can go on without.
    """
    if not directory.is_dir():
        directory.mkdir(mode=0o700, exist_ok=True)
        sync_directory(directory.parent)
    for unfinished in directory.glob("*" + PART):
        unfinished.unlink()
    path = directory / _name(snapshot.seq)
    temporary = path.with_suffix(PART)
    try:
        with temporary.open("wb") as file:
            file.write(_header(snapshot) + snapshot.blob)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    temporary.rename(path)
    sync_directory(directory)
    # Newer ones are of a history that is gone: they match nothing, and must not push out what does.
    for old in [other for other in sorted(directory.glob("*" + SUFFIX)) if other.name <= path.name][:-KEPT]:
        old.unlink()
    return path


def read_snapshots(directory: Path, journal_id: str, fold_version: int) -> list[Snapshot]:
    """The intact snapshots of this journal under this fold, newest first."""
    found = [_read(path) for path in sorted(directory.glob("*" + SUFFIX), reverse=True)]
    return [s for s in found if s and s.journal_id == journal_id and s.fold_version == fold_version]


def _name(seq: int) -> str:
    return f"{seq:016d}{SUFFIX}"


def _header(snapshot: Snapshot) -> bytes:
    """One line of JSON; its `digest` covers the other fields and the blob."""
    fields = snapshot._asdict()
    del fields["blob"]
    fields["digest"] = sha256(_canonical(fields) + snapshot.blob).hexdigest()
    return _canonical(fields)


def _canonical(fields: dict[str, str | int]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _read(path: Path) -> Snapshot | None:
    try:
        header, _, blob = path.read_bytes().partition(b"\n")
        fields = json.loads(header)
        del fields["digest"]
        snapshot = Snapshot(blob=blob, **fields)
        is_whole = _header(snapshot) == header + b"\n" and path.name == _name(snapshot.seq)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return snapshot if is_whole else None


def sync_directory(directory: Path) -> None:
    """Make what was renamed or created in it survive a power cut; raises `OSError`."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
