"""What a journal does to its directory, one change after another, and what it promised between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from attrs import field, frozen

from journal.entry import Entry

Files = dict[str, bytes]
"""What lies in a directory: contents by name, with `/` before the names in a folder below."""

SECTOR_BYTES = 4_096
BLOCK_BYTES = 512


@frozen
class Operation:
    """One change.

    `create`, `write`, `truncate` and `sync` are about the file with the number `file`, as it was called then;
    `rename`, `delete`, `make_directory` and `sync_directory` about names. `destroy` is no change that a program
    makes: bytes that a power cut wiped out, as far as the file reaches.
    """

    kind: str
    name: str
    file: int = 0
    offset: int = 0
    content: bytes = b""
    target: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}@{self.offset}+{len(self.content)}"


@frozen
class Mark:
    """What the program knew after so many operations.

    `opened`, `claimed`, `appending` (a batch that ends at `seq` is on its way), `acknowledged` (it is durable),
    `snapshot` (one at `seq` was written).
    """

    kind: str
    after: int
    seq: int = 0
    epoch: int = 0


@frozen
class Recording:
    """A run over a directory in which `files` lay durably; `entries` is everything that was ever appended."""

    files: Files
    operations: Sequence[Operation]
    marks: Sequence[Mark]
    entries: Sequence[Entry]
    snapshots: Sequence[bytes] = ()


@frozen
class Fault:
    """The `number`-th operation fails with the system's error `code`, once or from then on.

    As a task it stands for itself and every `stride`-th one after it.
    """

    number: int
    code: int
    forever: bool
    stride: int = 1


@frozen
class Case:
    """What one fault came to: what was raised, what was taken after it, and what it left on the disk."""

    fault: Fault
    fired: str
    raised: Sequence[str]
    accepted: Sequence[str]
    marks: Sequence[Mark]
    images: Mapping[str, Files]


@frozen(kw_only=True)
class Task:
    """What a child process does: `record`, `plain` (the same without recording), `errors`, `recover`."""

    kind: str
    seed: int
    directory: str
    steps: int
    broken: str = ""
    images: Sequence[Files] = ()
    faults: Sequence[Fault] = ()


@frozen(kw_only=True)
class Reply:
    """What a child process answers; `digests` are of the directory at each mark."""

    recordings: Sequence[Recording] = ()
    cases: Sequence[Case] = ()
    entries: Sequence[Entry] = ()
    digests: Sequence[str] = ()
    whole: Sequence[bool] = field(factory=tuple)


def encode(message: Task | Reply) -> bytes:
    """For the way between two processes."""
    return msgspec.msgpack.encode(message)


def decode_task(message: bytes) -> Task:
    """The task that `encode` wrote."""
    return msgspec.msgpack.decode(message, type=Task)


def decode_reply(message: bytes) -> Reply:
    """The reply that `encode` wrote."""
    return msgspec.msgpack.decode(message, type=Reply)
