"""The tape beside a journal: every input of a run, one line each, in a file for each process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from engine.input_codec import Taken, TapeDamaged, read_line, write_line
from engine.inputs import Input

TAPES = "tape"
TAPE_BYTES_MOST = 4 << 30
"""A process's tape ends at this size; what comes after it can't be decided again."""


class InputTape:
    """Takes inputs; `flush` before the events that follow from them are appended, so that none is without its input.

    A tape that can't be written ends, and says so once: it never keeps a run from going on.
    """

    def __init__(self, directory: Path, epoch: int) -> None:
        path = directory / TAPES
        path.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(path / f"{epoch:09}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(handle, "w", encoding="utf-8", buffering=1 << 16)
        self._bytes = 0
        self.ended = ""

    def take(self, at_ns: int, seq: int, seen: Input) -> None:
        """Note an input."""
        if self.ended:
            return
        line = write_line(at_ns, seq, seen)
        self._bytes += len(line) + 1
        if self._bytes > TAPE_BYTES_MOST:
            self._end(f"it has {TAPE_BYTES_MOST} bytes, and takes no more")
            return
        try:
            self._file.write(line + "\n")
        except OSError as error:
            self._end(str(error))

    def flush(self) -> None:
        """Hand what was taken to the system; a crash of the process loses none of it."""
        if not self.ended:
            try:
                self._file.flush()
            except OSError as error:
                self._end(str(error))

    def close(self) -> None:
        """The end. Idempotent."""
        self.flush()
        if not self.ended:
            self._end("closed")

    def _end(self, why: str) -> None:
        self.ended = why
        try:
            self._file.close()
        except OSError as error:
            self.ended = f"{why}; {error}"


def read_tape(directory: Path) -> Iterator[Taken]:
    """All inputs that were kept, in their order. What a crash tore off a file's end is left out; raises `TapeDamaged`
    for any other line that can't be read, naming it."""
    for path in sorted((directory / TAPES).glob("*.jsonl")):
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    yield read_line(line)
                except TapeDamaged as error:
                    raise TapeDamaged(f"{path}:{number} {error}") from None
