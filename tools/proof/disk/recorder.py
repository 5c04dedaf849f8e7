"""The child process that records and breaks: `python -m tools.proof.disk.recorder`, a task on its standard input.

The only process in which apsw is loaded; SQLite of the standard library is not loaded there.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.proof.disk.operations import Reply, Task, decode_task, encode


def perform(task: Task) -> Reply:
    """Install what the task needs, and only then import the journal."""
    if task.kind == "plain":
        from tools.proof.disk.running import run_plainly

        return run_plainly(task)
    from tools.proof.disk import standin
    from tools.proof.disk.calls import Calls
    from tools.proof.disk.device import Device

    calls = Calls(Device(Path(task.directory)))
    system = standin.install(calls)
    from tools.proof.disk.running import perform_recorded

    calls.install()
    reply = perform_recorded(task, calls, standin.reset_chance)
    system.unregister()
    if "_sqlite3" in sys.modules:
        raise RuntimeError("two SQLite libraries in one process")
    return reply


if __name__ == "__main__":
    sys.stdout.buffer.write(encode(perform(decode_task(sys.stdin.buffer.read()))))
