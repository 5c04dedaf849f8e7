"""When no engine answers a kill: end the process that holds the journal, and do the work in this one.

That is as safe as any crash: what the owner had committed is true, what it had not has never happened.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from engine.inputs import Action, OperatorCommand
from journal.lock import Owner, is_locked, read_owner
from tools.config import Configuration
from tools.run import run
from tools.view import LOCK

END_SECONDS = 5.0
LOOK_SECONDS = 0.02


class OwnerStays(Exception):
    """The process that holds the journal can't be ended from here; nothing is proven (exit 69)."""


def end_owner(journal: Path) -> Owner | None:
    """SIGKILL the process that holds the journal, if any, once it is certain which one that is; gives who it was.

    Raises `OwnerStays` where the owner is on another machine, of another boot, not certain, or does not end.
    """
    lock = journal / LOCK
    if not is_locked(lock):
        return None
    owner = read_owner(lock)
    if owner is None or owner.pid == os.getpid() or not owner.is_alive():
        raise OwnerStays(_told("it is not certain which process holds the journal", owner))
    try:
        os.kill(owner.pid, signal.SIGKILL)
    except OSError as error:
        raise OwnerStays(_told(f"the owner can't be ended ({error.strerror})", owner)) from error
    end = time.monotonic() + END_SECONDS
    while is_locked(lock):
        if time.monotonic() >= end:
            raise OwnerStays(_told("the owner was sent SIGKILL and still holds the journal", owner))
        time.sleep(LOOK_SECONDS)
    return owner


def kill_without_engine(configuration: Configuration, flatten: bool, reason: str) -> int:
    """Continue the journal, paused, until each venue has shown zero open orders; gives the exit code.

    Raises what a start raises.
    """
    command = OperatorCommand(
        action=Action.KILL, uid=os.getuid(), pid=os.getpid(), reason=reason or "no engine answered", flatten=flatten
    )
    return run(configuration, kill=command)


def _told(message: str, owner: Owner | None) -> str:
    return f"{message} (process {owner.pid} on {owner.host})" if owner else message
