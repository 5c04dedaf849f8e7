"""A look at database and write-ahead log before SQLite opens them: torn tail or lost middle?

SQLite ends its recovery of a log at the first frame whose checksum fails, and says nothing: one flipped bit in the
middle drops every later acknowledged commit. A torn *tail* is normal after a power cut: at most one transaction,
the last, is not flushed when the next one begins. So a whole further transaction behind the first bad frame means
that acknowledged events are lost, and the journal is refused untouched.

Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from journal.errors import JournalDamaged, JournalUnsuitable

MAGIC = b"SQLite format 3\0"
WAL_MAGIC = 0x377F0682
WAL_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
MOUNTS = Path("/proc/self/mountinfo")
NETWORK_FILE_SYSTEMS = frozenset(
    "nfs nfs4 cifs smb3 smbfs 9p afs ceph glusterfs lustre beegfs vboxsf "
    "fuse.sshfs fuse.s3fs fuse.rclone fuse.gcsfuse fuse.glusterfs fuse.ceph".split()
)


class Frame(NamedTuple):
    """One frame of a log.

    `is_ours` where it is of the log's present generation, `commit` where it ends a transaction, `intact` where its
    checksum follows the one before.
    """

    number: int
    page: int
    commit: bool
    data: bytes
    intact: bool
    is_ours: bool


def check_place(database: Path, mounts: Path = MOUNTS) -> None:
    """Refuse a place that can't keep the promises: links and network file systems; raises `JournalUnsuitable`."""
    if database.is_symlink():
        raise _unsuitable("the database is a symbolic link", database, "Give the real directory.")
    if database.exists() and database.stat().st_nlink > 1:
        raise _unsuitable("the database has a second hard link", database, "Remove the other name of the file.")
    kind = file_system(database.parent, mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        raise _unsuitable(f"{kind} is a network file system", database, "Put the journal on a local disk.")


def log_of(database: Path) -> Path:
    """The write-ahead log that belongs to a database."""
    return database.with_name(database.name + "-wal")


def size_of(path: Path) -> int:
    """Bytes; 0 where there is no such file."""
    return path.stat().st_size if path.exists() else 0


def check_files(database: Path) -> bool:
    """Refuse a damaged database header or a log with a lost middle; changes nothing. True where a torn tail remains.

    Raises `JournalDamaged`, and `JournalUnsuitable` where another program left a half-done change.
    """
    wal = log_of(database)
    if size_of(database.with_name(database.name + "-journal")):
        raise _unsuitable("a rollback journal stands beside the database", database, "Another program wrote to it.")
    if not size_of(database):
        if size_of(wal):  # SQLite would delete it
            raise _damaged("there is a log, but the database is missing or empty", database)
        return False
    _check_header(database, size_of(wal) > 0)
    return size_of(wal) > 0 and check_wal(wal)


def check_wal(wal: Path) -> bool:
    """Refuse a log in which a whole transaction stands behind a bad frame; raises `JournalDamaged`.

    Behind the transaction with the bad frame may stand one frame more: SQLite repeats a commit's last frame to fill
    the sector (psow=0). True where there are bad frames, but no such transaction: a torn tail.
    """
    broken: Frame | None = None
    ended: Frame | None = None
    is_padded = is_torn = False
    for frame in frames(wal):
        if broken is None and frame.intact:
            continue
        broken = broken or frame
        is_torn = is_torn or frame.is_ours
        if ended is None:
            ended = frame if frame.commit else None
        elif frame.is_ours and (is_padded or not _is_padding(frame, ended)):
            raise _damaged(f"frame {broken.number} of the log is bad, and a later transaction stands behind it", wal)
        else:
            is_padded = True
    return is_torn


def frames(wal: Path) -> Iterator[Frame]:
    """All frames of the log, each checked against the stored checksum before it.

    Frames with other salts are what an older generation wrote, before the last restart of the log, or destroyed.
    """
    with wal.open("rb") as file:
        header = file.read(WAL_HEADER_BYTES)
        if len(header) < WAL_HEADER_BYTES:
            return
        magic, _version, page_size, _checkpoint, salt1, salt2, sum1, sum2 = struct.unpack(">8I", header)
        order = ">" if magic & 1 else "<"
        if magic & ~1 != WAL_MAGIC or (sum1, sum2) != checksum(header[:24], order, 0, 0):
            _check_broken_header(file.read(FRAME_HEADER_BYTES), (salt1, salt2), wal)
            return
        number = 0
        while len(raw := file.read(FRAME_HEADER_BYTES + page_size)) == FRAME_HEADER_BYTES + page_size:
            number += 1
            page, size, frame_salt1, frame_salt2, frame_sum1, frame_sum2 = struct.unpack(">6I", raw[:24])
            same = (frame_salt1 == salt1) + (frame_salt2 == salt2)
            intact = same == 2 and (frame_sum1, frame_sum2) == checksum(
                raw[24:], order, *checksum(raw[:8], order, sum1, sum2)
            )
            yield Frame(number, page, same > 0 and size != 0, raw[24:], intact, same > 0)
            sum1, sum2 = frame_sum1, frame_sum2


def checksum(data: bytes, order: str, first: int, second: int) -> tuple[int, int]:
    """SQLite's cumulative checksum of whole 8-byte groups."""
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second


def file_system(directory: Path, mounts: Path = MOUNTS) -> str:
    """The kind of file system a directory lies on, from the mount table; `unknown` where there is none."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return "unknown"
    device = os.stat(directory).st_dev
    name = f"{os.major(device)}:{os.minor(device)}"
    for line in lines:
        before, _, after = line.partition(" - ")
        if before.split()[2] == name:
            return after.split()[0]
    return "unknown"


def _check_header(database: Path, has_wal: bool) -> None:
    with database.open("rb") as file:
        header = file.read(100)
    size = database.stat().st_size
    if len(header) < 100 or not header.startswith(MAGIC):
        raise _damaged("the file does not begin like an SQLite database", database)
    page_size = int.from_bytes(header[16:18], "big")
    page_size = 65536 if page_size == 1 else page_size
    pages = int.from_bytes(header[28:32], "big")
    if not has_wal and header[24:28] == header[92:96] and size < pages * page_size:
        raise _damaged(f"the database is cut short: {size} bytes where {pages * page_size} belong", database)


def _check_broken_header(first_frame: bytes, salts: tuple[int, int], wal: Path) -> None:
    """A header torn at the restart of a log has salts unlike the old frames; a damaged one still shares one."""
    if len(first_frame) < FRAME_HEADER_BYTES:
        return
    _page, _size, salt1, salt2, _sum1, _sum2 = struct.unpack(">6I", first_frame)
    if (salt1, salt2) != (0, 0) and (salt1 == salts[0] or salt2 == salts[1]):
        raise _damaged("the header of the log is bad, and frames stand behind it", wal)


def _is_padding(frame: Frame, ended: Frame) -> bool:
    """The same page again, as it was or torn; a later commit of the page would follow from the frame before it."""
    return frame.commit and frame.page == ended.page and (frame.data == ended.data or not frame.intact)


def _damaged(message: str, path: Path) -> JournalDamaged:
    return JournalDamaged(
        message,
        place=str(path),
        hint="Nothing was changed. Keep the directory as evidence, restore a backup, or start with --fresh.",
    )


def _unsuitable(message: str, path: Path, hint: str) -> JournalUnsuitable:
    return JournalUnsuitable(message, place=str(path), hint=hint)
