"""What a judge sends over REST, written down on its way to the exchange and passed on as it is."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from adapters.door import Door, HttpAnswer, HttpRequest

PASSED_ON = ("x-mbx-apikey", "content-type", "x-mbx-time-unit")
PASSED_BACK = ("Retry-After",)
ANSWER_SECONDS = 60
RECORDED_MOST = 10_000


class Recorder:
    """Stands before an exchange. Requests come in the threads of their connections."""

    def __init__(self, url: str) -> None:
        self._host = urlsplit(url).netloc
        self._lock = threading.Lock()
        self.requests: list[HttpRequest] = []

    def respond(self, request: HttpRequest) -> HttpAnswer:
        """The exchange's answer; 502 where it gives none, as a proxy would."""
        with self._lock:
            if len(self.requests) < RECORDED_MOST:
                self.requests.append(request)
        connection = http.client.HTTPConnection(self._host, timeout=ANSWER_SECONDS)
        try:
            path = f"{request.path}?{request.query}" if request.query else request.path
            headers = {name: value for name, value in request.headers.items() if name in PASSED_ON}
            connection.request(request.method, path, request.body.encode() or None, headers)
            answer = connection.getresponse()
            kept = {name: value for name, value in answer.getheaders() if _is_passed_back(name)}
            content_type = answer.getheader("Content-Type") or "application/json"
            return HttpAnswer(answer.status, answer.read(), kept, content_type)
        except (OSError, http.client.HTTPException):
            return HttpAnswer(502, b"")
        finally:
            connection.close()


def _is_passed_back(name: str) -> bool:
    return name in PASSED_BACK or name.upper().startswith("X-MBX-")


@contextmanager
def recording(url: str) -> Iterator[tuple[str, Recorder]]:
    """An address that stands for that one, and what comes to it."""
    recorder = Recorder(url)
    door = Door(0, recorder.respond, lambda *_: None)
    door.start()
    try:
        yield f"http://127.0.0.1:{door.port}", recorder
    finally:
        door.close()
