"""One port for HTTP and websockets: who asks for what, in any order, and who behaves badly."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection

from adapters import door
from adapters.door import BODY_MOST_BYTES, Door, HttpAnswer, HttpRequest

GET = b"GET /a?b=1 HTTP/1.1\r\nHost: here\r\n\r\n"
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def _respond(request: HttpRequest) -> HttpAnswer:
    if request.path == "/hang":
        return HttpAnswer(0, hangs_up=True)
    if request.path == "/half":
        return HttpAnswer(200, b"0123456789", sent=5)
    text = f"{request.method} {request.path} {request.query} {request.body} {request.headers.get('x-key', '')}"
    return HttpAnswer(200, text.encode())


def _echo(connection: ServerConnection, path: str) -> None:
    for text in connection:
        connection.send(f"{path} {text!r}")


@pytest.fixture
def port() -> Iterator[int]:
    opened = Door(0, _respond, _echo)
    opened.start()
    yield opened.port
    opened.close()
    opened.close()


def _url(port: int, path: str) -> str:
    return f"http://127.0.0.1:{port}{path}"


def _read(line: socket.socket, until: bytes) -> bytes:
    received = b""
    while until not in received:
        received += line.recv(4_096)
    return received


def test_a_request_comes_as_it_travelled(port: int) -> None:
    answer = requests.post(_url(port, "/x?a=%20b"), data="c=%2F", headers={"X-Key": "k"}, timeout=5)
    assert answer.text == "POST /x a=%20b c=%2F k"


def test_a_connection_is_kept_and_may_become_a_websocket(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        for _ in range(3):
            line.sendall(GET)
            assert b"GET /a b=1" in _read(line, b"b=1")
        line.sendall(UPGRADE)
        assert _read(line, b"\r\n\r\n").startswith(b"HTTP/1.1 101")


def test_a_head_may_come_in_pieces(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        for part in (UPGRADE[:20], UPGRADE[20:60], UPGRADE[60:]):
            line.sendall(part)
            time.sleep(0.02)
        assert _read(line, b"\r\n\r\n").startswith(b"HTTP/1.1 101")


def test_websockets_talk_about_their_path(port: int) -> None:
    with connect(f"ws://127.0.0.1:{port}/some/path?q=1") as line:
        line.send("hello")
        assert line.recv(timeout=5) == "/some/path?q=1 'hello'"


def test_an_answer_may_break_off_or_never_come(port: int) -> None:
    for path in ("/hang", "/half"):
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            requests.get(_url(port, path), timeout=5)


def test_what_is_too_large_is_refused(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (BODY_MOST_BYTES + 1))
        assert b" 413 " in _read(line, b"\r\n")


def test_who_says_nothing_holds_nobody_up(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as silent, connect(f"ws://127.0.0.1:{port}/") as idle:
        assert requests.get(_url(port, "/a"), timeout=5).status_code == 200
        assert silent.fileno() >= 0
        assert idle.ping().wait(5)


def test_there_are_only_so_many_connections(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "CONNECTIONS_MOST", 2)
    lines = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(3)]
    assert lines[2].recv(1) == b""
    lines[0].sendall(GET)
    assert b"GET /a" in _read(lines[0], b"b=1")
    for line in lines:
        line.close()


def test_closing_ends_every_connection() -> None:
    opened = Door(0, _respond, _echo)
    opened.start()
    before = threading.active_count()
    with connect(f"ws://127.0.0.1:{opened.port}/") as line:
        kept = socket.create_connection(("127.0.0.1", opened.port), timeout=5)
        opened.close()
        with pytest.raises(ConnectionClosed):
            line.recv(timeout=5)
        with kept, suppress(ConnectionResetError):  # both are an end
            assert kept.recv(1) == b""
    assert threading.active_count() <= before
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", opened.port), timeout=1)
