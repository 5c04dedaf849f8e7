"""What is said on stderr is redacted, whoever says it and in whatever pieces."""

from __future__ import annotations

import io
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.redaction import REDACTOR
from adapters.secret import MASK, Secret
from tools.redacted import PENDING_MOST, RedactedStream, redacted_stderr
from tools.run import die

SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP"


@pytest.fixture(autouse=True)
def _learned() -> Iterator[None]:
    REDACTOR.learn(Secret(SECRET))
    yield
    REDACTOR.forget()


@given(st.lists(st.integers(0, 60), max_size=9), st.booleans())
def test_pieces_of_a_line_are_seen_as_one(cuts: list[int], is_ended: bool) -> None:
    out = io.StringIO()
    stream = RedactedStream(out)
    text = f"a traceback's words {SECRET} and more" + ("\n" if is_ended else "")
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(text)], strict=True):
        stream.write(text[begin:end])
    stream.flush()
    assert out.getvalue() == text.replace(SECRET, MASK)


def test_a_line_without_an_end_does_not_wait_for_ever() -> None:
    out = io.StringIO()
    RedactedStream(out).write("x" * (PENDING_MOST + 1))
    assert len(out.getvalue()) == PENDING_MOST + 1


def test_tracebacks_threads_warnings_and_echoes(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ValueError(f"GET /order?signature={SECRET}")

    with redacted_stderr():
        click.secho(f"an echo of {SECRET}", err=True, fg="red")
        try:
            fail()
        except ValueError:
            traceback.print_exc()
        sys.stderr.write(warnings.formatwarning(SECRET, UserWarning, "x.py", 1, ""))
        threading.__excepthook__(_arguments())
    said = capsys.readouterr().err
    assert said.count(MASK) == 5
    assert SECRET not in said
    assert "ValueError: GET /order?signature=***" in said


def test_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a process that ends itself go past every stream."""
    written: list[tuple[int, bytes]] = []
    monkeypatch.setattr(os, "write", lambda handle, words: written.append((handle, words)))
    monkeypatch.setattr(os, "_exit", lambda code: written.append((code, b"")))
    die(RuntimeError(f"the disk said {SECRET}"))
    assert [handle for handle, _words in written] == [2, 74]
    assert b"the disk said ***" in written[0][1]
    assert SECRET.encode() not in written[0][1]


def _arguments() -> threading.ExceptHookArgs:
    """What Python hands to its hook for threads; pytest has put a hook of its own in its place."""
    error = ValueError(f"in a thread: {SECRET}")
    return threading.ExceptHookArgs([ValueError, error, None, threading.current_thread()])
