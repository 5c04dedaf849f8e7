"""One owner at a time, who is named; a fork does not inherit, a death releases."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from journal.errors import JournalLocked, JournalUnsuitable
from journal.lock import Lock, Owner, boot_id, is_locked, read_owner, started_ticks
from tests.journal.drafts import append, begin, check_chain, child, rows

HOLD = """
from pathlib import Path
from tests.journal.drafts import append, begin
journal = begin(Path({directory!r}))
append(journal)
print("held", flush=True)
sys.stdin.read()
"""

FORK = """
import os
from pathlib import Path
from journal.errors import JournalFenced
from tests.journal.drafts import append, begin
journal = begin(Path({directory!r}))
append(journal, 2)
pid = os.fork()
if pid == 0:
    refused = [journal.is_owner()]
    for attempt in (append, lambda journal: journal.claim(5), lambda journal: journal.checkpoint(0)):
        try:
            attempt(journal)
        except JournalFenced as error:
            refused.append("forked child" not in str(error))
    journal.close()
    print("child", refused, flush=True)
    sys.exit(0)  # not os._exit: what Python tears down at its end must not touch the journal either
os.waitpid(pid, 0)
append(journal, 2)
print("parent", journal.is_owner(), journal.verify(), flush=True)
journal.close()
"""

ORPHAN = """
import os
from pathlib import Path
from tests.journal.drafts import append, begin
journal = begin(Path({directory!r}))
append(journal)
if os.fork() == 0:
    print("child", os.getpid(), flush=True)
    sys.stdin.read()
    os._exit(0)
os.kill(os.getpid(), 9)
"""


def hold(directory: Path) -> subprocess.Popen[str]:
    """A process that holds the journal until its input ends."""
    process = subprocess.Popen(
        child(HOLD.format(directory=str(directory))), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    """`kill -9`, and its remains too."""
    process.kill()
    process.communicate()


def test_a_second_owner_is_refused_and_told_who(tmp_path: Path) -> None:
    process = hold(tmp_path)
    lock = tmp_path / "journal.lock"
    with pytest.raises(JournalLocked, match=f"process {process.pid} on {os.uname().nodename}"):
        begin(tmp_path)
    owner = read_owner(lock)
    assert is_locked(lock)
    assert owner
    assert (owner.pid, owner.is_alive()) == (process.pid, True)
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, but not buried
    assert not owner.is_alive()
    assert not is_locked(lock)
    end(process)
    assert not owner.is_alive()
    journal = begin(tmp_path)
    assert journal.seq == 1
    journal.close()


def test_a_second_owner_in_the_same_process_is_refused(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    with pytest.raises(JournalLocked, match=f"process {os.getpid()}"):
        begin(tmp_path)
    append(journal)
    journal.close()
    assert not is_locked(tmp_path / "journal.lock")


def test_waiting_for_the_lock_has_an_end_and_can_succeed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.lock"
    first = Lock(path)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            first.release()

    monkeypatch.setattr("journal.lock.time.sleep", sleep)
    second = Lock(path, 60)
    assert len(slept) == 3
    with pytest.raises(JournalLocked):
        Lock(path, 0)
    second.release()


def test_a_lock_that_was_moved_aside_while_waiting_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--fresh` renames the directory; who waits must not hold the old file and write into the new place."""
    directory = tmp_path / "journal"
    directory.mkdir()
    path = directory / "journal.lock"
    flock = __import__("fcntl").flock
    moved: list[Path] = []

    def move_and_flock(file: int, how: int) -> None:
        if not moved:
            moved.append(directory.rename(tmp_path / "aside"))
            directory.mkdir()
        flock(file, how)

    monkeypatch.setattr("journal.lock.fcntl.flock", move_and_flock)
    lock = Lock(path, 0)
    assert moved
    assert lock.is_held()
    lock.release()


def test_a_forked_child_can_neither_write_nor_harm(tmp_path: Path) -> None:
    done = subprocess.run(
        child(FORK.format(directory=str(tmp_path))), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.splitlines() == ["child [False, False, False, False]", "parent True 4"], done.stderr
    assert check_chain(rows(tmp_path)) == 4


def test_a_forked_child_does_not_keep_the_lock_of_its_dead_parent(tmp_path: Path) -> None:
    process = subprocess.Popen(
        child(ORPHAN.format(directory=str(tmp_path))), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline().startswith("child ")
    assert process.wait(60) == -signal.SIGKILL
    journal = begin(tmp_path)
    assert journal.seq == 1
    append(journal)
    process.communicate("")  # its end of input is the orphan's too
    append(journal)
    journal.close()
    assert check_chain(rows(tmp_path)) == 3


def test_a_program_that_is_started_does_not_keep_the_lock(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    with subprocess.Popen(child("sys.stdin.read()"), stdin=subprocess.PIPE, close_fds=False) as process:
        journal.close()
        again = begin(tmp_path)  # raises JournalLocked if the program held on
        assert again.is_owner()
        again.close()
        process.communicate()


def test_a_pid_that_was_used_again_is_another_process() -> None:
    me = Owner.this_process()
    assert me.is_alive()
    assert not me._replace(started_ticks=me.started_ticks - 1).is_alive()
    assert not me._replace(boot_id="an earlier boot").is_alive()
    assert boot_id() == me.boot_id != ""


def test_an_owner_without_a_start_time_is_asked_by_its_pid() -> None:
    process = subprocess.Popen(child("sys.stdin.read()"), stdin=subprocess.PIPE)
    owner = Owner.this_process()._replace(pid=process.pid, started_ticks=0)
    assert owner.is_alive()
    process.communicate()
    assert not owner.is_alive()
    assert started_ticks(process.pid) == 0
    assert not owner._replace(pid=0).is_alive()


def test_the_start_time_is_read_past_a_name_with_brackets(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path\n"
        "Path('/proc/self/comm').write_text('a) R 1 2')\n"
        "print('x', flush=True)\n"
        "sys.stdin.read()"
    )
    process = subprocess.Popen(child(script), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "x\n"
    assert started_ticks(process.pid) >= started_ticks(os.getpid()) > 0
    process.communicate()


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b'{"pid": 1}', b"\xff"])
def test_an_owner_that_is_not_readable_is_nobody(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "journal.lock"
    path.write_bytes(text)
    assert read_owner(path) is None
    assert not is_locked(path)
    lock = Lock(path, 0)
    owner = read_owner(path)
    assert owner == Owner.this_process()
    lock.release()


def test_a_longer_name_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "journal.lock"
    path.write_bytes(b"x" * 4096)
    Lock(path, 0).release()
    assert read_owner(path) == Owner.this_process()


def test_a_lock_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "journal.lock").mkdir()
    with pytest.raises(JournalUnsuitable, match="directory"):
        begin(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(JournalUnsuitable):
        begin(tmp_path / "file")
    with pytest.raises(JournalUnsuitable):
        begin(tmp_path / "file" / "below")


def test_nobody_locks_what_is_not_there(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "journal.lock")
    assert not (tmp_path / "journal.lock").exists()
