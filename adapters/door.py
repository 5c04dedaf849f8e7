"""One port for HTTP/1.1 and websockets, on this machine only.

Who asks for an upgrade gets a websocket, everyone else an answer. Each connection has a thread."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from http.client import responses
from http.server import BaseHTTPRequestHandler
from typing import Any

from attrs import field, frozen
from websockets.exceptions import ConnectionClosed
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.sync.server import Server, ServerConnection

HOST = "127.0.0.1"
CONNECTIONS_MOST = 256
"""Connections at a time; who comes beyond it is closed at once."""

HEAD_MOST_BYTES = 16_384
HEAD_SECONDS = 10
BODY_MOST_BYTES = 1 << 20
FRAME_MOST_BYTES = 1 << 20
IDLE_SECONDS = 75
CLOSE_SECONDS = 3
_LOOK_SECONDS = 0.002


@frozen
class HttpRequest:
    """A request as it came in: query and body are the text that travelled, header names are in lower case."""

    method: str
    path: str
    query: str
    body: str
    headers: Mapping[str, str]
    address: str


@frozen
class HttpAnswer:
    """What goes back. `sent` is how many bytes of the body really leave (None: all); with `resets` the connection is
    reset behind them, with `hangs_up` it is closed without a word."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(factory=dict)
    content_type: str = "application/json;charset=UTF-8"
    sent: int | None = None
    resets: bool = False
    hangs_up: bool = False


Respond = Callable[[HttpRequest], HttpAnswer]
Talk = Callable[[ServerConnection, str], None]


class Door:
    """Listens until it is closed. `respond` is called in the thread of each request, `talk` with each websocket and the
    path that it asked for; when `talk` returns the websocket is closed."""

    def __init__(
        self, port: int, respond: Respond, talk: Talk, *, ping_seconds: float = 20, pong_seconds: float = 60
    ) -> None:
        """A ping leaves every `ping_seconds`; a websocket that does not answer it within `pong_seconds` is closed.
        Raises `OSError` where the port is taken."""
        self.respond, self._talk = respond, talk
        self._ping_seconds, self._pong_seconds = ping_seconds, pong_seconds
        self._listening = socket.create_server((HOST, port), backlog=CONNECTIONS_MOST)
        self.port = int(self._listening.getsockname()[1])
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._server = Server(self._listening, lambda *_: None)  # what a ServerConnection asks whether it still listens
        self._thread = threading.Thread(target=self._accept, name="door", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Cut every connection and stop listening. Idempotent."""
        if self._closing.is_set():
            return
        self._closing.set()
        _shut(self._listening)
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)
        self._listening.close()
        self._server.shutdown_watcher.close()
        self._server.shutdown_notifier.close()
        self.cut_all()
        until = time.monotonic() + CLOSE_SECONDS
        for thread in self._threads():
            thread.join(max(0.0, until - time.monotonic()))

    def cut_all(self) -> None:
        """End every connection without a word, as a crash of the machine would; new ones are taken."""
        with self._lock:
            left = list(self._open)
        for each in left:
            _shut(each)

    def _threads(self) -> list[threading.Thread]:
        with self._lock:
            return list(self._open.values())

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                accepted, address = self._listening.accept()
            except OSError:
                return  # closed: there is nothing left to accept
            thread = threading.Thread(target=self._serve, args=(accepted, str(address[0])), daemon=True)
            with self._lock:
                is_full = len(self._open) >= CONNECTIONS_MOST or self._closing.is_set()
                if not is_full:
                    self._open[accepted] = thread
            if is_full:
                accepted.close()
            else:
                thread.start()

    def _serve(self, accepted: socket.socket, address: str) -> None:
        try:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if _Handler(accepted, address, self).wants_websocket:
                self._serve_websocket(accepted)
        except OSError:
            pass  # The client is gone; that is all there is to know.
        finally:
            with self._lock:
                self._open.pop(accepted, None)
            _shut(accepted)
            accepted.close()

    def _serve_websocket(self, accepted: socket.socket) -> None:
        connection = ServerConnection(
            accepted, ServerProtocol(max_size=FRAME_MOST_BYTES), self._server, ping_interval=self._ping_seconds,
            ping_timeout=self._pong_seconds, close_timeout=CLOSE_SECONDS,
        )  # fmt: skip
        try:
            connection.handshake(timeout=HEAD_SECONDS)
            if connection.protocol.state is OPEN and connection.request is not None:
                connection.start_keepalive()
                with connection:
                    self._talk(connection, connection.request.path)
        except (ConnectionClosed, TimeoutError):
            pass  # The client is gone, or never said what it wants.
        finally:
            connection.close_socket()


def _shut(opened: socket.socket) -> None:
    try:
        opened.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already


def _wants_upgrade(accepted: socket.socket) -> bool:
    """Looks at the next request's head without taking it; raises `TimeoutError` where none comes."""
    until = time.monotonic() + IDLE_SECONDS
    accepted.settimeout(IDLE_SECONDS)
    head = b""
    while b"\r\n\r\n" not in head and len(head) < HEAD_MOST_BYTES:
        seen = accepted.recv(HEAD_MOST_BYTES, socket.MSG_PEEK)
        if not seen or time.monotonic() > until:
            raise TimeoutError("no more requests came")
        if seen == head:
            time.sleep(_LOOK_SECONDS)
        head = seen
    accepted.settimeout(None)
    return any(
        line.lower().startswith(b"upgrade:") and b"websocket" in line.lower()
        for line in head.split(b"\r\n\r\n")[0].split(b"\r\n")
    )


class _Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 with keep-alive; its constructor serves the connection to its end, or until a request `wants_websocket`:
    that one is left where it is. A client that pipelines its requests is not served."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS

    def __init__(self, accepted: socket.socket, address: str, door: Door) -> None:
        self._door = door
        self.wants_websocket = False
        super().__init__(accepted, (address, 0), door)  # type: ignore[arg-type]  # nothing is asked of the server

    def handle(self) -> None:
        """One request after the other."""
        self.close_connection = False
        while not self.close_connection:
            self.wants_websocket = _wants_upgrade(self.connection)
            if self.wants_websocket:
                return
            self.connection.settimeout(IDLE_SECONDS)
            self.handle_one_request()

    def version_string(self) -> str:
        """What the Server header says."""
        return "holdfast"

    def log_message(self, *args: Any) -> None:
        """Nothing is logged: who asks what is in the ledger."""

    def _respond(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > BODY_MOST_BYTES or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._write(HttpAnswer(413, b""))
            return
        body = self.rfile.read(int(length)).decode(errors="replace")
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = HttpRequest(self.command, path, query, body, headers, self.client_address[0])
        self._write(self._door.respond(request))

    do_GET = do_POST = do_PUT = do_DELETE = _respond  # noqa: N815 - http.server asks for these names

    def _write(self, answer: HttpAnswer) -> None:
        if answer.hangs_up:
            self.close_connection = True
            return
        self.send_response(answer.status, responses.get(answer.status, "Unknown"))
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body[: answer.sent])
        if answer.sent is not None or answer.resets:
            self.wfile.flush()
            self.close_connection = True
        if answer.resets:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
