"""Snapshots: an opaque blob at a seq. A cache, never the truth: whatever does not match is not used."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

KEPT = 2
SUFFIX = ".snapshot"


class Snapshot(NamedTuple):
    """A state as it was after `seq`; `chain` (hex) and `journal_id` tie it to one journal."""

    journal_id: str
    seq: int
    chain: str
    state_digest: str
    fold_version: int
    blob: bytes


def write_snapshot(directory: Path, snapshot: Snapshot) -> Path:
    """Temporary file, fsync, rename, fsync of the directory; then older ones than the newest two go."""
    directory.mkdir(mode=0o700, exist_ok=True)
    path = directory / f"{snapshot.seq:016d}{SUFFIX}"
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        file.write(_header(snapshot) + snapshot.blob)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    _sync_directory(directory)
    for old in sorted(directory.glob("*" + SUFFIX))[:-KEPT]:
        old.unlink()
    return path


def read_snapshots(directory: Path, journal_id: str, fold_version: int) -> list[Snapshot]:
    """The intact snapshots of this journal under this fold, newest first."""
    found = [_read(path) for path in sorted(directory.glob("*" + SUFFIX), reverse=True)]
    return [s for s in found if s and s.journal_id == journal_id and s.fold_version == fold_version]


def _header(snapshot: Snapshot) -> bytes:
    fields = snapshot._asdict()
    fields["blob"] = sha256(snapshot.blob).hexdigest()
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _read(path: Path) -> Snapshot | None:
    try:
        header, _, blob = path.read_bytes().partition(b"\n")
        fields = json.loads(header)
        if fields.pop("blob") != sha256(blob).hexdigest():
            return None
        snapshot = Snapshot(blob=blob, **fields)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return snapshot if _header(snapshot) == header + b"\n" else None


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
