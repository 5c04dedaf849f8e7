"""The runs inside the child process: recorded, with a fault, as a recovery, or plainly with the standard library."""

from __future__ import annotations

import shutil
import sqlite3
import struct
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from random import Random

import journal.journal
from journal.journal import Journal
from journal.lock import Owner
from tools.proof.disk.broken import broken_in_child
from tools.proof.disk.calls import Calls
from tools.proof.disk.device import Device, read_files, write_files
from tools.proof.disk.operations import Case, Fault, Files, Recording, Reply, Task
from tools.proof.disk.power import Platter
from tools.proof.disk.workload import SNAPSHOTS, Run, Step, draw_steps

RECOVERY = (Step("append", (60,)), Step("checkpoint"), Step("append", (20, 1_500)))
UNTYPED = (sqlite3.Error, OSError, ValueError, TypeError, AttributeError)
SURPRISE = "surprise "
FRAME_HEADER_BYTES = 24
WAL_HEADER_BYTES = 32
PAGE_BYTES = 4_096


def steps_of(seed: int, count: int) -> list[Step]:
    """The workload of a seed; it begins with one event and ends with a batch, so that there is always one to tear."""
    return [Step("append", (40,)), *draw_steps(Random(f"workload:{seed}"), count), Step("append", (60, 300, 20))]


def perform_recorded(task: Task, calls: Calls, reset_chance: Callable[[], None]) -> Reply:
    """All kinds of tasks but `plain`."""
    _be_the_same_process()
    recorder = _Recorder(Path(task.directory), calls, reset_chance)
    with broken_in_child(task.broken):
        if task.kind == "record":
            return Reply(
                recordings=[recorder.record(steps_of(task.seed, task.steps), {}, is_closed=task.seed % 2 == 0)]
            )
        if task.kind == "faithful":
            return recorder.compare(steps_of(task.seed, task.steps))
        if task.kind == "recover":
            return Reply(recordings=[recorder.record(RECOVERY, files, is_closed=True) for files in task.images])
        steps = RECOVERY if task.images else steps_of(task.seed, task.steps)
        files = task.images[0] if task.images else {}
        whole = recorder.record(steps, files, is_closed=True)
        return Reply(recordings=[whole], cases=list(recorder.try_faults(steps, files, task.faults)))


def run_plainly(task: Task) -> Reply:
    """The same workload by the standard library: the digests of the directory at each mark."""
    _be_the_same_process()
    directory = Path(task.directory)
    notes = _Photographer(directory, None)
    entries = Run(directory, notes, _bury_by_copy).drive(steps_of(task.seed, task.steps))
    return Reply(entries=entries, digests=notes.digests)


class _Recorder:
    def __init__(self, directory: Path, calls: Calls, reset_chance: Callable[[], None]) -> None:
        self._directory = directory
        self._calls = calls
        self._reset_chance = reset_chance

    def record(self, steps: Sequence[Step], files: Files, *, is_closed: bool) -> Recording:
        device = self._begin(files, None)
        entries = Run(device.directory, device, self._bury).drive(steps, is_closed=is_closed)
        return Recording(files, device.operations, device.marks, entries, _snapshots(device))

    def compare(self, steps: Sequence[Step]) -> Reply:
        device = self._begin({}, None)
        notes = _Photographer(device.directory, device)
        entries = Run(device.directory, notes, self._bury).drive(steps)
        return Reply(entries=entries, digests=notes.digests, whole=notes.whole)

    def try_faults(self, steps: Sequence[Step], files: Files, kinds: Sequence[Fault]) -> list[Case]:
        """Each kind at its operation, then at the next one, until none is reached."""
        cases: list[Case] = []
        for kind in kinds:
            number = kind.number
            while (case := self._try_fault(steps, files, Fault(number, kind.code, kind.forever))).fired:
                cases.append(case)
                number += kind.stride
        return cases

    def _try_fault(self, steps: Sequence[Step], files: Files, fault: Fault) -> Case:
        device = self._begin(files, fault)
        run = Run(device.directory, device, self._bury, lambda: len(device.operations))
        try:
            run.drive(steps)
        except UNTYPED as error:
            run.raised.append(f"{SURPRISE}{type(error).__name__}: {error}")
        if not device.fired:
            return Case(fault, "", (), (), (), {})
        device.fault = None
        platter = Platter(files)
        for operation in device.operations:
            platter.take(operation)
        images = {"killed": read_files(device.directory), "cut": platter.image(())}
        return Case(fault, device.fired, run.raised, run.accepted, device.marks, images)

    def _begin(self, files: Files, fault: Fault | None) -> Device:
        """A fresh directory, and the same chance for each run."""
        self._calls.device = Device(Path("/nowhere"))
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir()
        write_files(self._directory, files)
        self._reset_chance()
        self._calls.device = Device(self._directory, files, fault)
        return self._calls.device

    def _bury(self, journal: Journal) -> None:
        """The end of its process: SQLite's close may change nothing any more."""
        device = self._calls.device
        fault, device.fault, device.is_dead = device.fault, None, True
        journal._let_go()
        device.fault, device.is_dead = fault, False


class _Photographer:
    """Takes a digest of the directory at each mark, and sees whether the recording explains every byte of it."""

    def __init__(self, directory: Path, device: Device | None) -> None:
        self.digests: list[str] = []
        self.whole: list[bool] = []
        self._directory = directory
        self._device = device

    def mark(self, kind: str, *, seq: int = 0, epoch: int = 0) -> None:
        device = self._device
        files = _untouched(self._directory, device)
        self.digests.append(f"{kind} {seq} {epoch} {digest_of(files)}")
        if device:
            device.mark(kind, seq=seq, epoch=epoch)
            platter = Platter({})
            for operation in device.operations:
                platter.take(operation)
            self.whole.append(platter.image(platter.pending) == files)


def digest_of(files: Files) -> str:
    """What is stored, without what differs by nature: the log's salts, its checksums, SQLite's version, and the bytes
    of a page that belong to no cell."""
    found = sha256()
    for name, content in sorted(files.items()):
        found.update(f"{name} {len(content)} ".encode() + b"".join(_parts(name, content)))
    return found.hexdigest()


def _parts(name: str, content: bytes) -> list[bytes]:
    if name.endswith(".db"):
        starts = range(0, len(content), PAGE_BYTES)
        return [_plain_page(content[start : start + PAGE_BYTES], start == 0) for start in starts]
    if not name.endswith("-wal"):
        return [content]
    parts: list[bytes] = []
    for start in range(WAL_HEADER_BYTES, len(content), FRAME_HEADER_BYTES + PAGE_BYTES):
        number, size = struct.unpack_from(">2I", content, start)
        page = content[start + FRAME_HEADER_BYTES : start + FRAME_HEADER_BYTES + PAGE_BYTES]
        parts.append(struct.pack(">2I", number, size) + _plain_page(page, number == 1))
    return parts


def _plain_page(page: bytes, is_first: bool) -> bytes:
    """https://www.sqlite.org/fileformat2.html#b_tree_pages: between the cells' places and the cells lies nothing."""
    start = 100 if is_first else 0
    header = {2: 12, 5: 12, 10: 8, 13: 8}.get(page[start], 0)
    if is_first:
        page = page[:96] + bytes(4) + page[100:]
    if not header:
        return page
    cells, content = struct.unpack_from(">2H", page, start + 3)
    first = start + header + 2 * cells
    return page[:first] + bytes(content - first) + page[content:]


def _untouched(directory: Path, device: Device | None) -> Files:
    """The files, read without being noted down."""
    fault, operations = (device.fault, len(device.operations)) if device else (None, 0)
    files = read_files(directory)
    if device and (device.fault is not fault or len(device.operations) != operations):
        raise RuntimeError("reading changed the recording")
    return files


def _snapshots(device: Device) -> list[bytes]:
    """Every one that was ever written: those that went later too."""
    written: dict[int, bytes] = {}
    for operation in device.operations:
        if operation.kind == "write" and operation.name.startswith(f"{SNAPSHOTS}/"):
            written[operation.file] = written.get(operation.file, b"") + operation.content
    lying = [content for name, content in read_files(device.directory).items() if name.endswith(".snapshot")]
    return [*lying, *written.values()]


def _bury_by_copy(journal: Journal) -> None:
    """The standard library can't be kept from its checkpoint at the close; the files are put back behind it."""
    files = read_files(journal.directory)
    journal._let_go()
    for name in read_files(journal.directory).keys() - files.keys():
        (journal.directory / name).unlink()
    write_files(journal.directory, files)
    (journal.directory / "journal.db-shm").unlink(missing_ok=True)


def _be_the_same_process() -> None:
    """What is stored of a process is the same in each run, so that each seed has the same images."""
    owner = Owner(1, "boot", 1, "host")
    Owner.this_process = classmethod(lambda cls: owner)  # type: ignore[method-assign,assignment]
    journal.journal.boot_id = lambda: "boot"  # type: ignore[attr-defined]
