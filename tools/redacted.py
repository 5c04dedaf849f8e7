"""What a process says on stderr, without what is secret: tracebacks of every thread, warnings and last words."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any, TextIO

from adapters.redaction import redact

PENDING_MOST = 64 * 1024
"""Characters of a line that is not ended which are held back, so that a secret written in two pieces is seen whole."""


class RedactedStream:
    """A text stream for several threads: whole lines pass, each redacted; what has no end yet goes on at a flush."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._pending, self._lock = stream, "", threading.RLock()

    @property
    def encoding(self) -> str:
        """Of the stream behind it."""
        return self._stream.encoding

    @property
    def errors(self) -> str | None:
        """Of the stream behind it."""
        return self._stream.errors

    def write(self, text: str) -> int:
        """Take a text; whole lines go on."""
        with self._lock:
            whole, end, self._pending = (self._pending + text).rpartition("\n")
            if end:
                self._stream.write(redact(whole + end))
            if len(self._pending) > PENDING_MOST:
                self.flush()
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Take several."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Pass on what is there."""
        with self._lock:
            pending, self._pending = self._pending, ""
            if pending:
                self._stream.write(redact(pending))
            self._stream.flush()

    def isatty(self) -> bool:
        """Is it a terminal?"""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The handle: for questions about the terminal, not to write to."""
        return self._stream.fileno()

    def writable(self) -> bool:
        """It is."""
        return True


@contextmanager
def redacted_stderr() -> Iterator[None]:
    """Everything that this process says on stderr meanwhile is redacted, other threads' words among it."""
    stream: Any = RedactedStream(sys.stderr)
    with redirect_stderr(stream):
        try:
            yield
        finally:
            stream.flush()
