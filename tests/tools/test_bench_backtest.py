"""The backtest beside its peers: one task for all, figures of those that did it, a reason for each absence."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.bench import backtest, environment
from tools.bench.backtest import FLOOR, OURS, PEERS, ROOT, START, Subject, differences, measure_backtest
from tools.bench.environment import PeerMissing, interpreter_of
from tools.bench.peers import holdfast, loop
from tools.bench.peers.crossing import ORDERS, WARM_UP, Told, heard, read_closes, write_bars
from tools.bench.sheet import Scale

WANTED = (510, 540, 600)
BARS = 700
BARE = (sys.executable, "-I", "-S", "-c", START, str(ROOT))
"""A Python without any installed package."""


def told(
    decided: tuple[int, ...] = WANTED, *, bars: int = BARS, fills: int | None = None, taken_ns: int = 10**9
) -> Told:
    """What a run that did the task tells, with orders."""
    return Told("1.0", bars, decided, len(decided) if fills is None else fills, taken_ns, 0, taken_ns, 10**7, 2 * 10**7)


def subject(name: str, *trading: Told, plain: Told | None = None) -> Subject:
    """One that has had its turns."""
    return Subject(name, (), [plain or told(())] * len(trading), list(trading))


# --- the task


def test_the_bars_are_the_same_every_time_and_are_bars(tmp_path: Path) -> None:
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    write_bars(one, 300)
    write_bars(other, 200)
    lines = one.read_text().splitlines()
    assert lines[:201] == other.read_text().splitlines()
    assert len(lines) == 301
    rows = [[float(cell) for cell in row] for row in csv.reader(lines[1:])]
    for number, (time_s, begin, high, low, last, _) in enumerate(rows):
        assert time_s == rows[0][0] + 60 * number
        assert low <= min(begin, last) <= max(begin, last) <= high
    assert [row[4] for row in rows] == list(read_closes(one))
    assert all(row[4] == after[1] for row, after in pairwise(rows))


def test_the_loop_and_holdfast_want_the_same_orders(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    write_bars(path, BARS)
    wanted, found = loop.run(path, True), holdfast.run(path, True)
    assert found[:3] == wanted[:3]
    assert len(wanted.decided) >= 5
    assert min(wanted.decided) >= WARM_UP
    assert found.aside_ns > 0
    assert list(tmp_path.iterdir()) == [path], "the journal was written aside, and nothing is left of it"
    assert holdfast.run(path, False)[:3] == loop.run(path, False)[:3] == (BARS, (), 0)


def test_what_a_peer_is_run_with_needs_no_package(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    write_bars(path, BARS)
    done = subprocess.run(
        [*BARE, "tools.bench.peers.loop", str(path), ORDERS], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    found = heard(done.stdout)
    assert found[1:4] == loop.run(path, True)[:3]
    assert found.taken_ns > 0
    assert found.peak_bytes >= found.start_bytes > 10**6


# --- who did it


@given(st.sets(st.integers(WARM_UP, BARS - 1), max_size=6), st.sets(st.integers(WARM_UP, BARS - 1), max_size=6))
def test_any_other_orders_are_a_difference(one: set[int], other: set[int]) -> None:
    floor, found = subject(FLOOR, told(tuple(sorted(one)))), subject("peer", told(tuple(sorted(other))))
    assert bool(list(differences(floor, found, BARS))) is (one != other)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (subject("peer", told((510, 541, 600))), "3 orders where the loop wants 3; they part at bar 540"),
        (subject("peer", told((510, 540))), "2 orders where the loop wants 3; one ends before the other"),
        (subject("peer", told(), told((511, 540, 600))), "they part at bar 510"),
        (subject("peer", told(fills=2)), "2 executions of 3 orders"),
        (subject("peer", told(bars=699)), "699 of 700 bars, 3 orders where the loop wants 3; the orders are the same"),
        (subject("peer", told(), plain=told((510,))), "without orders: 700 of 700 bars, 1 orders, 1 fills"),
    ],
)
def test_a_difference_is_named(found: Subject, words: str) -> None:
    assert any(words in what for what in differences(subject(FLOOR, told()), found, BARS))


def test_what_an_order_costs_is_the_difference() -> None:
    plain = told((), taken_ns=4_000_000)
    slow = told(taken_ns=9_000_000)
    found = subject("peer", told(taken_ns=4_003_000), slow, told(taken_ns=4_000_000), plain=plain)
    assert found.order_us == 1.0
    assert found.spread == 9_000_000 / 4_003_000
    assert found.waiting == 1


# --- the sheet


def answers(monkeypatch: pytest.MonkeyPatch, peers: dict[str, tuple[int, ...]]) -> None:
    """As if all had run: everyone decided as wanted, but the peers as they are said to."""

    def run(asked: Subject, path: Path, *arguments: str) -> Told:
        if not arguments:
            return told((), bars=20_000)
        seconds = 2 if asked.name == OURS else 4
        return told(peers.get(asked.name, WANTED), bars=20_000, taken_ns=seconds * 10**9)

    monkeypatch.setattr(backtest, "_run", run)
    monkeypatch.setattr(backtest, "interpreter_of", Path)


def test_figures_are_those_of_who_agrees(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers(monkeypatch, {"backtrader": (510, 540)})
    sheet = measure_backtest(tmp_path, Scale.USUAL)
    by_name = {line[""].split(" 1.0")[0]: line for line in sheet.as_document()["lines"]}
    assert by_name["holdfast"]["bars/s, orders"] == 10_000
    assert by_name["nautilus_trader"]["bars/s, orders"] == 5_000
    assert by_name["nautilus_trader"]["× holdfast"] == 0.5
    assert by_name["nautilus_trader"]["µs/order"] == 1_000_000
    assert set(by_name["backtrader"].values()) == {"backtrader 1.0", None}
    assert [note for note in sheet.notes if "not compared" in note] == [
        "backtrader is not compared, it did something else: 20,000 of 20,000 bars, 2 orders where the loop wants 3; "
        "one ends before the other"
    ]


def test_nothing_is_compared_with_us_where_we_differ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers(monkeypatch, {OURS: (510,)})
    sheet = measure_backtest(tmp_path, Scale.USUAL)
    assert {line["× holdfast"] for line in sheet.as_document()["lines"]} == {None}
    assert any(note.startswith("holdfast is not compared, it did something else") for note in sheet.notes)


def test_a_peer_that_fails_is_missing_and_says_why(tmp_path: Path) -> None:
    missing: dict[str, str] = {}
    for peer in PEERS:
        backtest._take_turn(Subject(peer, BARE), tmp_path / "bars.csv", missing)
    assert missing["backtrader"] == "ModuleNotFoundError: No module named 'backtrader'"
    assert set(missing) == set(PEERS)


def test_our_own_failure_is_no_absence(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="loop: FileNotFoundError"):
        backtest._take_turn(Subject(FLOOR, BARE), tmp_path / "nowhere.csv", {})


# --- the environments


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(environment, "ENVIRONMENTS", tmp_path / "environments")
    return tmp_path


def test_where_no_registry_answers_the_reason_is_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(PeerMissing, match="No matching distribution found for backtrader"):
        interpreter_of("backtrader")
    assert not (place / "environments" / "backtrader" / environment.READY).exists()


def test_a_missing_peer_is_in_the_notes(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(directory: Path, python: Path, wanted: Path, limit_s: float) -> None:
        raise PeerMissing("no registry answers")

    monkeypatch.setattr(environment, "_make", refuse)
    subjects: dict[str, Subject] = {}
    assert backtest._add_peers(subjects, Scale.USUAL) == dict.fromkeys(PEERS, "no registry answers")
    assert subjects == {}


def test_an_environment_is_made_once_for_its_pins(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = place / "peer.txt"
    pins.write_text("one==1\n")
    made: list[str] = []

    def make(directory: Path, python: Path, wanted: Path, limit_s: float) -> None:
        made.append(wanted.read_text())
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()

    monkeypatch.setattr(environment, "PEERS", place)
    monkeypatch.setattr(environment, "_make", make)
    assert interpreter_of("peer") == interpreter_of("peer") == place / "environments" / "peer" / "bin" / "python"
    pins.write_text("one==2\n")
    interpreter_of("peer")
    assert made == ["one==1\n", "one==2\n"]


@pytest.mark.parametrize("peer", PEERS)
def test_every_peer_is_pinned_by_hash(peer: str) -> None:
    lines = (environment.PEERS / f"{peer}.txt").read_text().splitlines()
    pinned = [line for line in lines if line and not line.startswith(("#", " "))]
    assert any(line.replace("-", "_").startswith(f"{peer}==") for line in pinned)
    assert all("==" in line and line.endswith("\\") for line in pinned)
    assert sum("--hash=sha256:" in line for line in lines) >= len(pinned)


def test_what_was_told_is_read_back() -> None:
    assert heard(json.dumps(told()._asdict())) == told()
    with pytest.raises(TypeError):
        heard('{"version": "1", "decided": []}')
