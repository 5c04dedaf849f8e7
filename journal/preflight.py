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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from journal.errors import JournalDamaged, JournalUnsuitable

MAGIC = b"SQLite format 3\0"
WAL_MAGIC = 0x377F0682
WAL_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
SECTOR_BYTES = 4096
MOUNTS = Path("/proc/self/mountinfo")
NETWORK_FILE_SYSTEMS = frozenset(
    "nfs nfs4 cifs smb3 smbfs 9p afs ceph glusterfs lustre beegfs vboxsf "
    "fuse.sshfs fuse.s3fs fuse.rclone fuse.gcsfuse fuse.glusterfs fuse.ceph".split()
)


class Frame(NamedTuple):
    """One frame of a log.

    `is_ours` where it is of the log's present generation, `commit` where it ends a transaction, `intact` where its
    checksum follows the one before; `is_whole_with` says whether it would with another page in its place.
    """

    number: int
    page: int
    commit: bool
    data: bytes
    intact: bool
    is_ours: bool
    is_whole_with: Callable[[bytes], bool]


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
    the sector (psow=0), and flushes that repetition with the *next* commit: one that is torn is no damage, unless a
    whole transaction stands behind it. True where something is left of a transaction that was not ended: a torn tail.
    """
    broken: Frame | None = None
    ended: Frame | None = None
    before: Frame | None = None
    is_padded = is_torn = is_rest = False
    whole = WAL_HEADER_BYTES
    for frame in frames(wal):
        whole += FRAME_HEADER_BYTES + len(frame.data)
        if broken is None and frame.intact:
            before = frame
            continue
        if broken is None and before and before.commit and _is_unflushed(frame, before):
            broken, is_torn, is_rest = frame, True, True
            continue
        broken = broken or frame
        is_torn = is_torn or frame.is_ours
        is_rest = is_rest and frame.intact
        if ended is None:
            ended = frame if frame.commit else None
            if ended and is_rest:  # flushed, and the rest of the padding before it was flushed with it
                raise _damaged(
                    f"frame {broken.number} of the log is bad, and a whole transaction stands behind it", wal
                )
        elif frame.is_ours and (is_padded or not _is_padding(frame, ended)):
            raise _damaged(f"frame {broken.number} of the log is bad, and a later transaction stands behind it", wal)
        else:
            is_padded = True
    has_open_end = before is not None and not before.commit  # whole frames, but the transaction was not ended
    return is_torn or has_open_end or size_of(wal) > whole


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
            _check_old_commits(wal)
            return
        number = 0
        while len(raw := file.read(FRAME_HEADER_BYTES + page_size)) == FRAME_HEADER_BYTES + page_size:
            number += 1
            page, size, frame_salt1, frame_salt2, frame_sum1, frame_sum2 = struct.unpack(">6I", raw[:24])
            same = (frame_salt1 == salt1) + (frame_salt2 == salt2)
            start, end = checksum(raw[:8], order, sum1, sum2), (frame_sum1, frame_sum2) if same == 2 else ()

            def is_whole_with(data: bytes, start: tuple[int, int] = start, end: tuple[int, ...] = end) -> bool:
                return checksum(data, order, *start) == end

            intact = is_whole_with(raw[24:])
            yield Frame(number, page, same > 0 and size != 0, raw[24:], intact, same > 0, is_whole_with)
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


def _check_old_commits(wal: Path) -> None:
    """Behind a bad header stand the frames of a generation that is in the database as a whole (the header was torn at
    the log's restart), or acknowledged commits that are not: then the journal is refused.

    The first frame may be gone with the header; from the second on each follows from the one before.
    """
    database = wal.with_name(wal.name.removesuffix("-wal"))
    with database.open("rb") as file:
        page_size = int.from_bytes(file.read(18)[16:18], "big") or 1
        page_size = 65536 if page_size == 1 else page_size
        for page, data in _committed_pages(wal, page_size).items():
            file.seek((page - 1) * page_size)
            if file.read(page_size) != data:
                raise _damaged("the header of the log is bad, and commits that are not in the database follow it", wal)


def _committed_pages(wal: Path, page_size: int) -> dict[int, bytes]:
    """The newest version of each page up to the last commit, in the run of frames that follow from the second one."""
    committed: dict[int, bytes] = {}
    written: dict[int, bytes] = {}
    with wal.open("rb") as file:
        file.seek(WAL_HEADER_BYTES + FRAME_HEADER_BYTES + page_size)
        before: tuple[int, ...] | None = None
        while len(raw := file.read(FRAME_HEADER_BYTES + page_size)) == FRAME_HEADER_BYTES + page_size:
            page, size, *salts_and_sums = struct.unpack(">6I", raw[:24])
            if before is not None and not _follows(raw, before):
                break
            before = tuple(salts_and_sums)
            written[page] = raw[24:]
            if size:
                committed.update(written)
    return committed


def _follows(raw: bytes, before: tuple[int, ...]) -> bool:
    """Has the frame the salts of the one before, and a checksum that goes on from its?"""
    salts, sums = struct.unpack(">2I", raw[8:16]), struct.unpack(">2I", raw[16:24])
    return salts == before[:2] and any(
        sums == checksum(raw[24:], order, *checksum(raw[:8], order, *before[2:])) for order in "<>"
    )


def _is_unflushed(frame: Frame, ended: Frame) -> bool:
    """The frame that pads a whole commit, torn behind the sector's end: SQLite writes that rest after its flush, so
    until the next commit is flushed it may be lost; the commit is there, and one more may stand behind."""
    start = WAL_HEADER_BYTES + (frame.number - 1) * (FRAME_HEADER_BYTES + len(frame.data))
    flushed = -start % SECTOR_BYTES - FRAME_HEADER_BYTES
    return (
        flushed >= 0
        and frame.commit
        and frame.page == ended.page
        and frame.data[:flushed] == ended.data[:flushed]
        and frame.is_whole_with(ended.data)
    )


def _is_padding(frame: Frame, ended: Frame) -> bool:
    """The same page again, as it was or torn; a later commit of the page would follow from the frame before it."""
    return (
        frame.commit
        and frame.page == ended.page
        and (frame.data == ended.data or not frame.intact or ended.is_whole_with(frame.data))
    )


def _damaged(message: str, path: Path) -> JournalDamaged:
    return JournalDamaged(
        message,
        place=str(path),
        hint="Nothing was changed. Keep the directory as evidence, restore a backup, or start with --fresh.",
    )


def _unsuitable(message: str, path: Path, hint: str) -> JournalUnsuitable:
    return JournalUnsuitable(message, place=str(path), hint=hint)
