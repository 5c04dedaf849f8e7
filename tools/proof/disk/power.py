"""What a power cut can leave of a directory: which of the unsynced changes arrived, torn, or took a sector with them.

Until a file is flushed, each block of 512 bytes of it may have arrived or not, whatever came later: as it was at some
moment since the last flush, because a block reaches the device with all that had been written into it by then. Names
are flushed with their folder, and a log's name with its first flush, because SQLite does that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random

from attrs import evolve, frozen

from tools.proof.disk.operations import BLOCK_BYTES, SECTOR_BYTES, Files, Operation

ABOUT_BYTES = frozenset({"write", "truncate", "destroy"})


class Platter:
    """What is there for sure, and in `pending` what is on its way, oldest first."""

    def __init__(self, files: Files) -> None:
        self._names = {name: number for number, name in enumerate(files, start=1)}
        self._contents = dict(enumerate(files.values(), start=1))
        self._folders = {name.rpartition("/")[0] for name in files} | {""}
        self.pending: list[Operation] = []

    def take(self, operation: Operation) -> None:
        """One change more; a flush makes those durable that it covers."""
        if operation.kind == "sync":
            if operation.name.endswith(("-wal", "-journal")) and self._is_nameless(operation.file):
                self._flush_names(_folder(operation.name))
            self._flush(lambda other: other.kind in ABOUT_BYTES and other.file == operation.file)
        elif operation.kind == "sync_directory":
            self._flush_names("" if operation.name == "." else operation.name)
        else:
            self.pending.append(operation)

    def _is_nameless(self, file: int) -> bool:
        return any(other.kind == "create" and other.file == file for other in self.pending)

    def _flush_names(self, folder: str) -> None:
        self._flush(lambda other: other.kind not in ABOUT_BYTES and _folder(other.name) == folder)

    def image(self, chosen: Iterable[Operation]) -> Files:
        """The files where exactly these changes arrived."""
        names, contents, folders = dict(self._names), dict(self._contents), set(self._folders)
        for operation in chosen:
            _apply(operation, names, contents, folders)
        return {name: contents[file] for name, file in sorted(names.items()) if _folder(name) in folders}

    def _flush(self, is_covered: Callable[[Operation], bool]) -> None:
        left: list[Operation] = []
        for operation in self.pending:
            if is_covered(operation):
                _apply(operation, self._names, self._contents, self._folders)
            else:
                left.append(operation)
        self.pending = left


def only(pending: Sequence[Operation], kept: Sequence[Operation]) -> list[Operation]:
    """What arrives where these arrive: also what had been written before into the blocks that they touch."""
    arrived: list[Operation] = []
    for number, operation in enumerate(pending):
        if any(operation is other for other in kept):
            arrived.append(operation)
        elif operation.kind == "write":
            later = [other for other in pending[number + 1 :] if any(other is one for one in kept)]
            touched = set().union(*(blocks_of(other) for other in later if other.file == operation.file))
            arrived += _within(operation, touched)
    return arrived


def without(pending: Sequence[Operation], lost: Operation) -> list[Operation]:
    """What arrives where this does not: also what was written later into the blocks that it touches is lost."""
    arrived: list[Operation] = []
    is_lost = False
    for operation in pending:
        if operation is lost:
            is_lost = True
        elif is_lost and operation.kind == "write" and operation.file == lost.file:
            arrived += _within(operation, blocks_of(operation) - blocks_of(lost))
        else:
            arrived.append(operation)
    return arrived


def blocks_of(operation: Operation) -> set[int]:
    """The numbers of the blocks that a write touches."""
    if operation.kind != "write" or not operation.content:
        return set()
    last = (operation.offset + len(operation.content) - 1) // BLOCK_BYTES
    return set(range(operation.offset // BLOCK_BYTES, last + 1))


def _within(write: Operation, blocks: set[int]) -> list[Operation]:
    """The parts of a write that lie in these blocks."""
    parts: list[Operation] = []
    for block in sorted(blocks_of(write) & blocks):
        first = max(block * BLOCK_BYTES, write.offset) - write.offset
        end = (block + 1) * BLOCK_BYTES - write.offset
        parts.append(evolve(write, offset=write.offset + first, content=write.content[first:end]))
    return parts


def _apply(operation: Operation, names: dict[str, int], contents: dict[int, bytes], folders: set[str]) -> None:
    kind, file = operation.kind, operation.file
    if kind == "write":
        contents[file] = overwritten(contents.get(file, b""), operation.offset, operation.content)
    elif kind == "destroy":
        content = contents.get(file, b"")
        lost = operation.content[: max(0, len(content) - operation.offset)]
        contents[file] = overwritten(content, operation.offset, lost) if lost else content
    elif kind == "truncate":
        contents[file] = contents.get(file, b"")[: operation.offset].ljust(operation.offset, b"\0")
    elif kind == "create":
        names[operation.name] = file
        contents.setdefault(file, b"")
    elif kind == "rename" and operation.name in names:
        names[operation.target] = names.pop(operation.name)
    elif kind == "delete":
        names.pop(operation.name, None)
    elif kind == "make_directory":
        folders.add(operation.name)


def overwritten(content: bytes, offset: int, part: bytes) -> bytes:
    """The content with a part written at an offset; a hole before it reads as zeros."""
    return content[:offset].ljust(offset, b"\0") + part + content[offset + len(part) :]


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


@frozen
class Cut:
    """One image: `how` in words; `is_inside` where the last operation did not end; `is_destroyed` where bytes that
    had been flushed were wiped out."""

    how: str
    files: Files
    is_inside: bool = False
    is_destroyed: bool = False


def cuts_at(platter: Platter, last: Operation, chance: Random) -> Iterator[Cut]:
    """Every image that a power cut just behind, or inside, the last operation can leave."""
    pending = platter.pending
    yield Cut("all kept", platter.image(pending))
    yield Cut("none kept", platter.image(()))
    for one in pending:
        yield Cut(f"all but {one}", platter.image(without(pending, one)))
        yield Cut(f"only {one}", platter.image(only(pending, [one])))
    for _ in range(2 if len(pending) > 2 else 0):
        some = [operation for operation in pending if chance.random() < 0.5]
        yield Cut(f"only {len(some)} of {len(pending)}", platter.image(only(pending, some)))
    for number, earlier in enumerate(pending[:-1]):
        if torn := list(_torn(earlier)):
            how, part, lost = chance.choice(torn)
            parts = [*pending[:number], part, lost, *pending[number + 1 :]]
            yield Cut(f"{how} of {earlier}", platter.image(without(parts, lost)))
    if last.kind == "write" and pending and pending[-1] is last:
        yield from _inside(platter, last, chance)


def _inside(platter: Platter, last: Operation, chance: Random) -> Iterator[Cut]:
    before = platter.pending[:-1]
    for how, part, _ in _torn(last):
        yield Cut(f"{how} of {last}", platter.image([*before, part]), is_inside=True)
        if before:
            alone = only([*before, part], [part])
            yield Cut(f"{how} of {last}, nothing else", platter.image(alone), is_inside=True)
    for how, wiped in _destroyed(last, chance):
        for kept in [before, only([*before, last], [last])[:-1]] if before else [[]]:
            files = platter.image([*kept, last, wiped])
            yield Cut(f"{how} under {last}, {len(kept)} others kept", files, is_inside=True, is_destroyed=True)


def _torn(write: Operation) -> Iterator[tuple[str, Operation, Operation]]:
    """At each boundary of a block inside the write: the part that arrived, and the other one."""
    if write.kind != "write":
        return
    start = (write.offset // BLOCK_BYTES + 1) * BLOCK_BYTES - write.offset
    for size in range(start, len(write.content), BLOCK_BYTES):
        first = evolve(write, content=write.content[:size])
        rest = evolve(write, offset=write.offset + size, content=write.content[size:])
        yield f"the first {size} bytes", first, rest
        yield f"all but the first {size} bytes", rest, first


def _destroyed(write: Operation, chance: Random) -> Iterator[tuple[str, Operation]]:
    """Each sector under the write, as zeros and as garbage."""
    first = write.offset // SECTOR_BYTES * SECTOR_BYTES
    for offset in range(first, write.offset + len(write.content), SECTOR_BYTES):
        for how, content in (("zeros", bytes(SECTOR_BYTES)), ("garbage", chance.randbytes(SECTOR_BYTES))):
            yield f"{how} in sector {offset}", evolve(write, kind="destroy", offset=offset, content=content)
