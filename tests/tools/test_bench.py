"""Every benchmark runs, prints its table and tells programs the same; no figure is judged."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.decision import ARCHIVED_AT_ONCE
from engine.order import FILLED, INTENT, NEW, PENDING_NEW
from tools.bench import __main__ as bench
from tools.bench import ground, history, hour, scene, transition
from tools.bench.sheet import Scale, Sheet, ratio
from tools.bench.timing import Times, take_turns
from tools.start import open_journal


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the temporary directory were on a disk, wherever the tests run."""
    monkeypatch.setattr(ground, "file_system", lambda _directory: "ext4")
    monkeypatch.setattr(ground, "FLUSHES", 3)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose path is short: an engine that is measured as a process has a control socket in it."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        yield Path(directory)


@pytest.mark.usefixtures("on_disk")
@pytest.mark.parametrize("name", bench.BENCHMARKS)
def test_a_benchmark_runs_and_prints_its_table(name: str, place: Path) -> None:
    result = CliRunner().invoke(bench.main, [name, "--quick", "--directory", str(place)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "fdatasync" in result.output.splitlines()[1]
    assert list(place.iterdir()) == []


@pytest.mark.usefixtures("on_disk")
def test_programs_are_told_the_same(tmp_path: Path) -> None:
    arguments = ["transition", "decision", "--quick", "--json", "--directory", str(tmp_path)]
    document = json.loads(CliRunner().invoke(bench.main, arguments, catch_exceptions=False).output)
    assert document["ground"]["file_system"] == "ext4"
    assert [sheet["name"] for sheet in document["sheets"]] == ["decision", "transition"]
    first = document["sheets"][0]["lines"]
    assert first[0][""] == "holdfast"
    assert all(line["p99 µs"] >= line["p50 µs"] > 0 for line in first)


def test_nothing_about_a_disk_is_compared_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ground, "file_system", lambda _directory: "tmpfs")
    arguments = ["decision", "transition", "--quick", "--json", "--directory", str(tmp_path)]
    result = CliRunner().invoke(bench.main, arguments)
    assert result.exit_code == 69
    assert "not compared on tmpfs" in result.output
    document = json.loads(result.output[: result.output.rindex("}") + 1])
    assert document["refused"] == ["decision"]
    assert [sheet["name"] for sheet in document["sheets"]] == ["transition"]


def test_a_workplace_on_a_disk_is_preferred(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    in_memory, on_disk = tmp_path / "memory", tmp_path / "disk"
    in_memory.mkdir()
    on_disk.mkdir()
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(in_memory))
    monkeypatch.chdir(on_disk)
    monkeypatch.setattr(ground, "file_system", lambda path: "ext4" if path == on_disk else "tmpfs")
    with ground.workplace(None) as place:
        assert place.parent == on_disk
    assert not place.exists()


def test_a_written_history_is_folded_to_the_same_state(tmp_path: Path) -> None:
    state = history.write_history(tmp_path, 400, snapshot_at=300)
    opened = open_journal(scene.configuration(tmp_path))
    opened.journal.close()
    assert opened.state == state
    assert opened.found.folded < 110
    assert len(list(state.open_orders())) >= 1
    assert {order.filled for order in state.orders.values()} == {0, Decimal(scene.QUANTITY)}


def test_the_hour_trades_and_keeps_little(tmp_path: Path) -> None:
    samples = hour.live(tmp_path / "hour", rate=1, seconds=120, samples=2)
    assert samples[-1].ticks == 120 * hour.TICKS_A_SECOND
    assert samples[-1].executions > 0
    assert samples[-1].orders <= hour.KEPT.closed_kept_most + ARCHIVED_AT_ONCE


def test_table_and_library_walk_the_same_way() -> None:
    steps, machine, model = transition._steps(), transition._machine(), transition.Model()
    machine.add_model(model)
    assert transition._walk_table(INTENT, steps) == transition._walk_machine(model, INTENT, steps) == FILLED
    assert [step.destination for step in steps[:2]] == [PENDING_NEW, NEW]


def test_turns_are_taken() -> None:
    order: list[str] = []
    take_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=2, warm_up=1)
    assert order == ["a", "b", "b", "a", "a", "b"]


def test_figures() -> None:
    times = Times(tuple(range(1_000, 101_000, 1_000)))
    assert (times.p50_us, times.p99_us, times.per_second(50_500)) == (50.5, 100.0, 1e9)
    assert ratio(3, 2) == 1.5
    assert ratio(3, 0) is None
    with pytest.raises(ValueError, match="1 cells under 2 columns"):
        Sheet("s", "S", ("", "n")).add("one")
    assert Scale("quick") is Scale.QUICK
