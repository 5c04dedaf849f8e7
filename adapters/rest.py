"""HTTP requests of the adapters: one attempt each, and an outcome that says what is known of it.

Nothing is repeated, no redirect is followed, and neither proxies nor credentials are taken from the surroundings.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import requests
from attrs import Factory, field, frozen
from requests.adapters import HTTPAdapter

from engine.values import SECOND_NS

BODY_MOST_BYTES = 32 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
REDIRECTS = range(300, 400)

_NEVER_CONNECTED = ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError")
"""Errors of the library below `requests`, by name: no connection came up, so nothing can have been written."""


@frozen
class HttpRequest:
    """One request: a whole URL with its query, headers, and a form body where there is one."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False, factory=dict)
    body: str | None = field(repr=False, default=None)


@frozen
class Answered:
    """The whole answer, whatever it says. `sent_ns` and `received_ns` are monotonic."""

    status: int
    text: str
    headers: Mapping[str, str] = Factory(dict)
    sent_ns: int = 0
    received_ns: int = 0

    @property
    def round_trip_ns(self) -> int:
        """From before the request to after the answer."""
        return self.received_ns - self.sent_ns


@frozen
class Unsent:
    """No byte of the request left: it surely had no effect."""

    cause: str


@frozen
class Unanswered:
    """The request left, or may have, and there is no whole answer: its effect is unknown."""

    cause: str


Outcome = Answered | Unsent | Unanswered


class HttpLine:
    """One session, for one lane; used by one thread at a time. Connections are kept for the next request."""

    def __init__(self, connect_limit_ns: int, answer_limit_ns: int) -> None:
        self._connect_limit_ns, self._answer_limit_ns = connect_limit_ns, answer_limit_ns
        self._session = requests.Session()
        self._session.trust_env = False
        plain = HTTPAdapter(max_retries=0, pool_maxsize=1)
        self._session.mount("http://", plain)
        self._session.mount("https://", plain)

    def ask(self, request: HttpRequest) -> Outcome:
        """One attempt. Never raises for what the network or the other side does."""
        sent_ns = time.monotonic_ns()
        try:
            with self._session.request(
                request.method, request.url, data=request.body, headers=dict(request.headers),
                timeout=(self._connect_limit_ns / SECOND_NS, self._answer_limit_ns / SECOND_NS),
                allow_redirects=False, stream=True,
            ) as response:  # fmt: skip
                return self._read(response, sent_ns)
        except (requests.RequestException, OSError) as error:
            cause = _cause(error)
            return Unsent(cause) if _is_unsent(error) else Unanswered(cause)

    def close(self) -> None:
        """End the connections. Idempotent."""
        self._session.close()

    def _read(self, response: requests.Response, sent_ns: int) -> Outcome:
        if response.status_code in REDIRECTS:
            return Unanswered(f"redirected ({response.status_code})")
        body = bytearray()
        for chunk in response.iter_content(CHUNK_BYTES):
            body += chunk
            if len(body) > BODY_MOST_BYTES:
                return Unanswered("the answer is too long")
            if time.monotonic_ns() - sent_ns > self._connect_limit_ns + self._answer_limit_ns:
                return Unanswered("timeout")
        text = body.decode(errors="replace")
        return Answered(response.status_code, text, response.headers, sent_ns, time.monotonic_ns())


def _is_unsent(error: BaseException) -> bool:
    """Did the connection not even come up? A kept one that breaks is another matter: what was written may have been
    read."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    if not isinstance(error, requests.ConnectionError) or not error.args:
        return False
    reason = getattr(error.args[0], "reason", error.args[0])
    return type(reason).__name__ in _NEVER_CONNECTED


def _cause(error: BaseException) -> str:
    """What happened, in a few words: texts of these errors hold the URL, and with it a signature."""
    if isinstance(error, requests.Timeout):
        return "timeout"
    return f"disconnect ({type(error).__name__})"
