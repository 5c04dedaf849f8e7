"""A websocket that is kept up: opened again when it is lost, and followed by a second one before its life ends, so that
nothing is missed in between. What comes on it is handed to a listener, in the connection's own thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Protocol

from attrs import define, frozen
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from adapters.backoff import Backoff
from engine.values import MILLISECOND_NS, SECOND_NS

FRAME_MOST_BYTES = 32 * 1024 * 1024
LOOK_NS = 250 * MILLISECOND_NS
CLOSE_SECONDS = 1
JOIN_SECONDS = 5


@frozen(kw_only=True)
class LineLimits:
    """How long opening may take, how long until a session must serve, how often it is pinged, how long it lives, and
    how long the one before it still listens; in nanoseconds."""

    open_ns: int = 5 * SECOND_NS
    ready_ns: int = 10 * SECOND_NS
    ping_ns: int = 10 * SECOND_NS
    life_ns: int = 23 * 3600 * SECOND_NS
    grace_ns: int = 2 * SECOND_NS


class LineDown(Exception):
    """There is no connection to send on; nothing was sent."""


class SendUnknown(Exception):
    """The connection broke while sending; whether the text arrived is unknown."""


class Listener(Protocol):
    """Whom a line tells. Sessions are numbered; calls about one come from its own thread, one after the other."""

    def opened(self, session: int) -> None:
        """A connection is up and serves nobody yet: ask for what is wanted, then call `serve`."""
        ...

    def received(self, session: int, text: str) -> None:
        """A frame."""
        ...

    def lost(self, session: int, cause: str, *, was_serving: bool) -> None:
        """The connection is gone; told once for each that was opened."""
        ...


@define(eq=False)
class _Session:
    """One connection and what it is to us."""

    number: int
    socket: ClientConnection
    opened: ExitStack
    opened_ns: int
    retired_ns: int | None = None
    is_gone: bool = False
    thread: threading.Thread | None = None


class Line:
    """Keeps one session serving. `clock` is monotonic, in nanoseconds; `may_open` says whether the venue wants to hear
    from us. A `url` may be made anew for each session, and raises `LineDown` where there is none for now."""

    def __init__(
        self,
        name: str,
        url: str | Callable[[], str],
        listener: Listener,
        backoff: Backoff,
        limits: LineLimits,
        clock: Callable[[], int] = time.monotonic_ns,
        may_open: Callable[[], bool] = lambda: True,
    ) -> None:
        self._name, self._url, self._listener, self._backoff = name, url, listener, backoff
        self._limits, self._clock, self._may_open = limits, clock, may_open
        self._lock = threading.Lock()
        self._wake, self._closing = threading.Event(), threading.Event()
        self._sessions: dict[int, _Session] = {}
        self._last = 0
        self._serving: int | None = None
        self._is_renewing = False
        self._retry_ns = 0
        self._thread: threading.Thread | None = None

    @property
    def serving(self) -> int | None:
        """The number of the session that serves."""
        return self._serving

    def start(self) -> None:
        """Open it, and keep it up until `close`."""
        self._thread = threading.Thread(target=self._run, name=f"{self._name} line", daemon=True)
        self._thread.start()

    def send(self, text: str, session: int | None = None) -> None:
        """Send on a session (the serving one); raises `LineDown` and `SendUnknown`."""
        number = self._serving if session is None else session
        held = self._sessions.get(number) if number is not None else None
        if held is None or held.is_gone:
            raise LineDown(f"{self._name} is not connected")
        try:
            held.socket.send(text)
        except ConnectionClosed:
            raise LineDown(f"{self._name} is closed") from None
        except (WebSocketException, OSError) as error:
            raise SendUnknown(type(error).__name__) from None

    def serve(self, session: int) -> None:
        """All that was wanted of a session is confirmed: it serves from now on, and the one before it ends soon."""
        with self._lock:
            if session not in self._sessions or self._sessions[session].is_gone:
                return
            now_ns = self._clock()
            self._serving, self._is_renewing = session, False
            self._backoff.succeed(now_ns)
            for number, held in self._sessions.items():
                if number < session and held.retired_ns is None:
                    held.retired_ns = now_ns
        self._wake.set()

    def renew(self) -> None:
        """Open another beside the one that serves; that one ends when the new one serves."""
        self._is_renewing = True
        self._wake.set()

    def drop(self, session: int, cause: str) -> None:
        """Give a session up; the line is opened again after the usual while."""
        held = self._sessions.get(session)
        if held is not None:
            self._gone(held, cause)

    def close(self) -> None:
        """End threads and connections. Idempotent."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(JOIN_SECONDS)

    # --- the thread that keeps it up --------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.is_set():
            self._sort_out(self._clock())
            if self._wants_another() and self._clock() >= self._retry_ns and self._may_open():
                self._open()
            self._wake.wait(LOOK_NS / SECOND_NS)
            self._wake.clear()
        for held in list(self._sessions.values()):
            held.is_gone = True
            self._end(held)

    def _wants_another(self) -> bool:
        """Is there none that serves, or will, or is the one that does to be followed by another?"""
        newest = max(self._sessions, default=None)
        if newest is None:
            return True
        return self._is_renewing and newest == self._serving

    def _sort_out(self, now_ns: int) -> None:
        """What is gone or done is ended, what is not ready in time given up, what is old followed by another."""
        for held in list(self._sessions.values()):
            retired = held.retired_ns
            if held.is_gone or (retired is not None and now_ns - retired >= self._limits.grace_ns):
                held.is_gone = True
                self._end(held)
            elif held.number != self._serving and retired is None and now_ns - held.opened_ns > self._limits.ready_ns:
                self._gone(held, "not confirmed in time")
            elif held.number == self._serving and now_ns - held.opened_ns > self._limits.life_ns:
                self._is_renewing = True

    def _open(self) -> None:
        opened = ExitStack()
        try:
            url = self._url() if callable(self._url) else self._url
            socket = opened.enter_context(
                connect(
                    url, proxy=None, compression=None, open_timeout=self._limits.open_ns / SECOND_NS,
                    close_timeout=CLOSE_SECONDS, ping_interval=self._limits.ping_ns / SECOND_NS,
                    ping_timeout=self._limits.ping_ns / SECOND_NS, max_size=FRAME_MOST_BYTES, user_agent_header=None,
                )
            )  # fmt: skip
        except (WebSocketException, OSError, TimeoutError, LineDown):
            self._retry_ns = self._clock() + self._backoff.fail(self._clock())
            return
        self._last += 1
        held = _Session(self._last, socket, opened, self._clock())
        self._sessions = {**self._sessions, held.number: held}
        held.thread = threading.Thread(target=self._read, args=(held,), name=f"{self._name} {held.number}", daemon=True)
        held.thread.start()

    def _end(self, held: _Session) -> None:
        """Close a connection and forget it."""
        self._sessions = {number: other for number, other in self._sessions.items() if number != held.number}
        held.opened.close()
        if held.thread is not None and held.thread is not threading.current_thread():
            held.thread.join(CLOSE_SECONDS)

    # --- a session's own thread -------------------------------------------------------------------------------------

    def _read(self, held: _Session) -> None:
        cause = "closed"
        try:
            self._listener.opened(held.number)
            for frame in held.socket:
                if held.is_gone:
                    return
                self._listener.received(
                    held.number, frame if isinstance(frame, str) else frame.decode(errors="replace")
                )
        except (WebSocketException, OSError, LineDown, SendUnknown) as error:
            cause = type(error).__name__
        finally:
            self._gone(held, cause)

    def _gone(self, held: _Session, cause: str) -> None:
        with self._lock:
            if held.is_gone:
                return
            held.is_gone = True
            was_serving = self._serving == held.number
            if was_serving:
                self._serving = None
            if held.retired_ns is None:
                now_ns = self._clock()
                self._retry_ns = now_ns + self._backoff.fail(now_ns)
        if not self._closing.is_set():
            self._listener.lost(held.number, cause, was_serving=was_serving)
        self._wake.set()
