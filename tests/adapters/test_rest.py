"""One attempt over HTTP: what surely did not leave, what may have, and that nothing is repeated or followed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from adapters.rest import Answered, HttpLine, HttpRequest, Unanswered, Unsent
from engine.values import SECOND_NS


class Peer:
    """Takes connections, counts requests, and answers each with the same bytes; None: it hangs up."""

    def __init__(self, answer: bytes | None) -> None:
        self.requests: list[bytes] = []
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.requests.append(_read(connection))
                if self._answer is not None:
                    connection.sendall(self._answer)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


def _read(connection: socket.socket) -> bytes:
    """A request with its body of three bytes, where it has one."""
    read = connection.recv(65_536)
    while read.startswith(b"POST") and not read.endswith(b"b=1"):
        read += connection.recv(65_536)
    return read


@contextmanager
def peer(answer: bytes | None) -> Iterator[Peer]:
    held = Peer(answer)
    try:
        yield held
    finally:
        held.close()


@pytest.fixture
def line() -> Iterator[HttpLine]:
    line = HttpLine(SECOND_NS, SECOND_NS // 4)
    yield line
    line.close()


def test_an_answer_is_one_whatever_it_says(line: HttpLine) -> None:
    with peer(b"HTTP/1.1 503 No\r\nRetry-After: 3\r\nContent-Length: 4\r\n\r\nbusy") as held:
        outcome = line.ask(HttpRequest("POST", held.url, {"X-Key": "a"}, "b=1"))
        assert isinstance(outcome, Answered)
        assert (outcome.status, outcome.text, outcome.headers["retry-after"]) == (503, "busy", "3")
        assert held.requests[0].endswith(b"b=1")
        assert len(held.requests) == 1


def test_a_refused_connection_was_surely_not_used(line: HttpLine) -> None:
    assert isinstance(line.ask(HttpRequest("GET", "http://127.0.0.1:1")), Unsent)
    assert isinstance(line.ask(HttpRequest("GET", "http://no-such-host.invalid")), Unsent)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbroken off",
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_left_and_was_not_answered_in_full_is_unknown(line: HttpLine, answer: bytes | None) -> None:
    with peer(answer) as held:
        outcome = line.ask(HttpRequest("POST", f"{held.url}/?signature=abc", {}, "b=1"))
        assert isinstance(outcome, Unanswered)
        assert "abc" not in repr(outcome)
        assert len(held.requests) == 1


def test_silence_ends(line: HttpLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outcome = line.ask(HttpRequest("GET", f"http://127.0.0.1:{silent.getsockname()[1]}"))
    assert outcome == Unanswered("timeout")


def test_nothing_is_taken_from_the_surroundings(line: HttpLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with peer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as held:
        assert isinstance(line.ask(HttpRequest("GET", held.url)), Answered)


def test_a_request_shows_neither_url_nor_headers_nor_body() -> None:
    shown = repr(HttpRequest("GET", "http://x/?signature=abc", {"X-MBX-APIKEY": "abc"}, "abc"))
    assert "abc" not in shown
