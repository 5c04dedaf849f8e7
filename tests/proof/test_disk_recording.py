"""The recording is what the standard library does, it explains every byte, and a seed makes the same one each time."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from journal import preflight
from tools.proof.disk import compound, damage, errors, images
from tools.proof.disk.children import has_apsw, run_child
from tools.proof.disk.opening import Look, Opener
from tools.proof.disk.operations import Recording, Task
from tools.proof.disk.power import Platter
from tools.proof.disk.promise import Promise

LAYERS = (images, errors, compound, damage)
needs_apsw = pytest.mark.skipif(not has_apsw(), reason="apsw is not installed")


def recorded(seed: int, directory: Path, steps: int = 6, broken: str = "") -> Recording:
    """A recording, made in a child process."""
    task = Task(kind="record", seed=seed, steps=steps, broken=broken, directory=str(directory / "recorded"))
    return run_child(task).recordings[0]


@needs_apsw
@pytest.mark.parametrize("seed", [0, 1])
def test_a_recording_is_what_the_standard_library_does(tmp_path: Path, seed: int) -> None:
    ours = run_child(Task(kind="faithful", seed=seed, steps=9, directory=str(tmp_path / "a")))
    (tmp_path / "b").mkdir()
    theirs = run_child(Task(kind="plain", seed=seed, steps=9, directory=str(tmp_path / "b")))
    assert len(ours.digests) > 15
    assert ours.digests == theirs.digests
    assert ours.entries == theirs.entries
    assert all(ours.whole)
    assert "_sqlite3" not in sys.modules or "apsw" not in sys.modules


@needs_apsw
def test_a_seed_makes_the_same_recording_each_time(tmp_path: Path) -> None:
    assert recorded(3, tmp_path) == recorded(3, tmp_path)
    assert recorded(3, tmp_path) != recorded(4, tmp_path)


def padded(recording: Recording, directory: Path) -> list[bool]:
    """For each commit in the log of the end: does its last frame stand twice?"""
    platter = Platter({})
    for operation in recording.operations:
        platter.take(operation)
    (directory / "log").write_bytes(platter.image(platter.pending)["journal.db-wal"])
    frames = list(preflight.frames(directory / "log"))
    pairs = zip(frames, [*frames[1:], None], strict=True)
    return [after is not None and after.commit and after.data == frame.data for frame, after in pairs if frame.commit]


@needs_apsw
def test_the_recorded_log_is_padded_to_the_sector(tmp_path: Path) -> None:
    assert padded(recorded(1, tmp_path, 0), tmp_path)[::2] == [True, True, True]
    assert True not in padded(recorded(1, tmp_path, 0, "psow"), tmp_path)


@needs_apsw
def test_each_append_is_flushed_before_it_is_acknowledged(tmp_path: Path) -> None:
    whole, broken = recorded(1, tmp_path), recorded(1, tmp_path, broken="no-fsync")
    for recording, wanted in ((whole, True), (broken, False)):
        for before, mark in zip(recording.marks, recording.marks[1:], strict=False):
            if mark.kind == "acknowledged":
                between = recording.operations[before.after : mark.after]
                assert any(o.kind == "sync" and o.name == "journal.db-wal" for o in between) is wanted


@needs_apsw
def test_the_end_of_a_recording_opens(tmp_path: Path) -> None:
    recording = recorded(2, tmp_path)
    platter = Platter({})
    for operation in recording.operations:
        platter.take(operation)
    look = Opener(tmp_path / "images", recording.entries, recording.snapshots).look(platter.image(platter.pending))
    count = len(recording.entries)
    assert (look.count, look.head_seq, look.refused, look.surprise, look.wrong) == (count, count, "", "", "")
    assert look.epoch > 1


@pytest.mark.parametrize(
    ("look", "says"),
    [
        (Look(count=4, epoch=3), "I1 seq 5"),
        (Look(count=6, epoch=3), "I3 a part"),
        (Look(count=8, epoch=3), "I2 entries that nobody asked for"),
        (Look(count=-1, epoch=3), "I2 entries that nobody wrote"),
        (Look(count=5, epoch=2), "I4"),
        (Look(count=5, epoch=3, head_seq=6), "S2 the head"),
        (Look(count=5, epoch=3, is_stranger=True), "S2 the head"),
        (Look(count=5, epoch=3, snapshots=(5, -1)), "I6"),
        (Look(count=5, epoch=3, wrong="meta"), "I2 the journal"),
        (Look(refused="JournalDamaged", stage="open"), "S2 what was left"),
        (Look(count=5, refused="CommitUnknown", stage="append"), "S1 the journal"),
        (Look(surprise="KeyError", stage="open"), "S2 an error without a type"),
        (Look(count=5, epoch=3), ""),
        (Look(count=7, epoch=3, head_seq=5), ""),
    ],
)
def test_a_look_is_held_against_the_promise(look: Look, says: str) -> None:
    fault = Promise(acknowledged=5, attempted=7, epoch=2).fault_of(look)
    assert fault.startswith(says)
    assert bool(fault) is bool(says)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.LAYER)
def test_without_apsw_nothing_is_tried(layer: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer, "has_apsw", lambda: False)
    outcome = layer.try_seed(1)  # type: ignore[attr-defined]
    assert (outcome.skipped, outcome.cases, outcome.problems) == ("apsw is not installed", 0, ())
