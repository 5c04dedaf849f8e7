"""The head file: an anchor outside the database, because no file can prove that its own tail is missing.

Two slots of 128 bytes, written in turn after each commit without a sync: after kill -9 it is exact; after a power
cut it may be behind, which is normal. A head ahead of the journal means that the journal's tail is lost.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

SLOT_BYTES = 128


class Head(NamedTuple):
    """The last commit that was acknowledged: `chain` in hex, `journal_id` so that a stranger's head is noticed."""

    seq: int
    epoch: int
    chain: str
    journal_id: str


class HeadFile:
    """Writes the head after each commit; one `pwrite`, no sync."""

    def __init__(self, path: Path) -> None:
        """Open or create; raises `OSError`. The newest slot stays until the one after it is written."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        first, second = _slots(os.pread(self._file, 2 * SLOT_BYTES, 0))
        self._slot = 1 if first and (second is None or first > second) else 0

    def write(self, head: Head) -> None:
        """Remember `head` in the slot that was not written last."""
        os.pwrite(self._file, _encode(head), self._slot * SLOT_BYTES)
        self._slot ^= 1

    def sync(self) -> None:
        """Flush to the device: at checkpoints and at a clean stop."""
        os.fdatasync(self._file)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._file)


def read_head(path: Path) -> Head | None:
    """The newest valid slot, or None where the file is missing or no slot is intact; raises `OSError`."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    return max((slot for slot in _slots(content) if slot), default=None)


def _slots(content: bytes) -> tuple[Head | None, Head | None]:
    return _decode(content[:SLOT_BYTES]), _decode(content[SLOT_BYTES : 2 * SLOT_BYTES])


def _encode(head: Head) -> bytes:
    text = f"{head.seq} {head.epoch} {head.chain[:32]} {head.journal_id}".encode()
    line = b"%08x " % crc32(text) + text
    return line[: SLOT_BYTES - 1].ljust(SLOT_BYTES - 1) + b"\n"


def _decode(slot: bytes) -> Head | None:
    try:
        checksum, text = slot.rstrip().split(b" ", 1)
        if int(checksum, 16) != crc32(text):
            return None
        seq, epoch, chain, journal_id = text.decode().split(" ")
        return Head(int(seq), int(epoch), chain, journal_id)
    except ValueError:
        return None
