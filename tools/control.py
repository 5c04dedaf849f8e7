"""The control socket: an operator's commands, from another process of the same user, into the running engine.

One JSON line in, one JSON line out, over `control.sock` (0600) in the journal directory. The peer's uid and pid come
from the kernel, are checked, and are journaled with the command.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.events import KillVerified, OperatorCommanded
from engine.inputs import Action, OperatorCommand, Resolution, Scope
from engine.state import Recorded
from engine.values import exact

NAME = "control.sock"
LINE_LIMIT = 64 * 1024
PATH_LIMIT = 104
ANSWER_SECONDS = 2.0
KILL_SECONDS = 30.0
BACKLOG = 8


class EngineSilent(Exception):
    """Nobody answers on the control socket: no engine runs, or it hangs. `holdfast kill` can end a hung one."""


class ControlRefused(Exception):
    """The engine, or the socket's rules, refused the command; the message says why."""


def order(journal: Path, command: dict[str, Any], seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
    """Send a command to the engine of this journal directory; its answer.

    `command` has `action` (pause, resume, kill, resolve, status) and what belongs to it. Raises `EngineSilent` or
    `ControlRefused`.
    """
    path = socket_path(journal)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(seconds)
        try:
            line.connect(str(path))
            line.sendall(json.dumps(command).encode() + b"\n")
            answer: dict[str, Any] = json.loads(_read_line(line))
        except (OSError, ValueError) as error:
            raise EngineSilent(f"no engine answers at {path}: {error}") from error
    if "refused" in answer:
        raise ControlRefused(str(answer["refused"]))
    return answer


def socket_path(journal: Path) -> Path:
    """Where the socket of a journal directory is; raises `ControlRefused` where the path is too long for the system."""
    path = journal.absolute() / NAME
    if len(os.fsencode(path)) >= PATH_LIMIT:
        raise ControlRefused(
            f"the path of the control socket has {len(os.fsencode(path))} bytes, fewer than {PATH_LIMIT} are possible: "
            f"{path}. Put the journal in a directory with a shorter path."
        )
    return path


class ControlServer:
    """Serves one peer after the other. `deliver` takes commands, `figures` answers `status`; `watch` must see every
    committed batch, because a command is answered once it is in the journal."""

    def __init__(
        self, journal: Path, deliver: Callable[[OperatorCommand], None], figures: Callable[[], dict[str, Any]]
    ) -> None:
        self._path = socket_path(journal)
        self._deliver, self._figures = deliver, figures
        self._committed = threading.Condition()
        self._commanded: Recorded | None = None
        self._verified_seq = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            self._socket.bind(str(self._path))
        finally:
            os.umask(mask)
        self._socket.listen(BACKLOG)
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    def watch(self, recorded: Sequence[Recorded]) -> None:
        """Notice the commands and verdicts that have become true."""
        for one in recorded:
            if isinstance(one.event, OperatorCommanded | KillVerified):
                with self._committed:
                    if isinstance(one.event, OperatorCommanded):
                        self._commanded = one
                    else:
                        self._verified_seq = one.seq
                    self._committed.notify_all()

    def close(self) -> None:
        """Take the socket away; a peer being answered is answered."""
        self._path.unlink(missing_ok=True)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                peer, _address = self._socket.accept()
            except OSError:
                return  # closed
            with peer:
                peer.settimeout(ANSWER_SECONDS)
                try:
                    peer.sendall(json.dumps(self._answer(peer)).encode() + b"\n")
                except OSError:
                    continue  # the peer went away; what it ordered is in the journal

    def _answer(self, peer: socket.socket) -> dict[str, Any]:
        pid, uid = peer_of(peer)
        if uid not in (os.getuid(), 0):
            return {"refused": f"uid {uid} may not command an engine of uid {os.getuid()}"}
        try:
            asked = json.loads(_read_line(peer))
            if asked.get("action") == "status":
                return self._figures()
            command = command_of(asked, uid, pid)
        except (ValueError, TypeError, AttributeError) as error:
            return {"refused": f"not a command: {error}"}
        return self._obey(command, float(asked.get("wait_seconds", KILL_SECONDS)), peer)

    def _obey(self, command: OperatorCommand, wait_seconds: float, peer: socket.socket) -> dict[str, Any]:
        with self._committed:
            self._commanded = None
            self._deliver(command)
            self._committed.wait_for(lambda: self._commanded is not None, ANSWER_SECONDS * 5)
            commanded = self._last_commanded()
            if commanded is None:
                return {"refused": "the engine has not journaled the command yet; look at `holdfast status`"}
            answer: dict[str, Any] = {"seq": commanded.seq, "action": str(command.action)}
            if command.action is Action.KILL:
                seconds = min(wait_seconds, KILL_SECONDS)
                answer["verified"] = self._committed.wait_for(lambda: self._verified_seq > commanded.seq, seconds)
        return answer

    def _last_commanded(self) -> Recorded | None:
        return self._commanded


def command_of(asked: dict[str, Any], uid: int, pid: int) -> OperatorCommand:
    """The command that a peer asked for; raises `ValueError` for one that can't be."""
    quantity, price = asked.get("quantity"), asked.get("price")
    return OperatorCommand(
        action=Action(asked.get("action", "")),
        uid=uid,
        pid=pid,
        reason=str(asked.get("reason", ""))[:1_000],
        scope=Scope(asked.get("scope", "all")),
        subject=str(asked.get("subject", "")),
        flatten=bool(asked.get("flatten", False)),
        order_id=str(asked.get("order_id", "")),
        resolution=Resolution(asked["resolution"]) if asked.get("resolution") else None,
        quantity=_amount(quantity),
        price=_amount(price),
    )


def peer_of(peer: socket.socket) -> tuple[int, int]:
    """(pid, uid) of the process at the other end, from the kernel."""
    peer_credentials = _peer_option()
    if peer_credentials is None:
        return 0, os.getuid()  # not Linux: the socket's mode alone keeps others out
    pid, uid, _gid = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, peer_credentials, 12))
    return pid, uid


def _peer_option() -> int | None:
    """Linux names it; elsewhere there is none."""
    return socket.SO_PEERCRED if sys.platform == "linux" else None


def _amount(text: Any) -> Decimal | None:
    return None if text is None else exact(text)


def _read_line(line: socket.socket) -> bytes:
    read = b""
    while not read.endswith(b"\n"):
        more = line.recv(4096)
        if not more or len(read) > LINE_LIMIT:
            raise ValueError("no whole line came")
        read += more
    return read
