"""Journals of every released version: still whole, still telling the same, and gone on with by today's engine."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from adapters.simulated.opening import LEDGER, open_gateway
from adapters.simulated.options import SimulatedOptions
from engine import events
from engine.appliers import APPLIERS
from engine.codec import KINDS, decode, encode
from engine.runner import Runner
from tests.house.source import ROOT
from tools.checker import check
from tools.exported import read_journal, read_lines
from tools.proof import old_journals
from tools.proof.old_journals import (
    EXPECTED,
    KEPT,
    ROWS,
    Findings,
    entry_of,
    kept,
    make,
    rebuild,
    relink,
    shown,
    shown_faults,
    try_journal,
    try_seed,
    unknown_events,
)
from tools.rows import Row
from tools.start import log_opener
from tools.verify import verify

HOLDFAST = Path(sys.executable).with_name("holdfast")
SIZE_MOST = 300 * 1024
NAMES = [f"{place.parent.name}/{place.name}" for place in kept()]
CONFIGURATION = """
mode = "paper"
journal = "run"
[venues.north]
adapter = "simulated"
[instruments."BTC-USDT"]
venue = "north"
symbol = "BTCUSDT"
[strategies.one]
class = "tools.proof.stage:Told"
instruments = ["BTC-USDT"]
[reconcile]
on_position_drift = "adopt"
every = "500ms"
retry = "200ms"
"""


def rows_of_place(name: str) -> list[Row]:
    return list(read_lines(KEPT / name / ROWS))


# --- what is kept -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(len(NAMES)), ids=NAMES)
def test_an_old_journal_is_verified_replayed_and_gone_on_with(seed: int) -> None:
    outcome = try_seed(seed)
    assert outcome.problems == ()
    assert outcome.faults == 2
    assert outcome.cases == 9
    assert outcome.counts["went_on"] > 10


def test_there_is_nothing_behind_the_last() -> None:
    outcome = try_seed(len(NAMES))
    assert (outcome.skipped, outcome.cases) == ("there is no such fixture", 0)
    assert try_seed(-1).skipped


def test_what_is_kept_is_small_and_of_a_release() -> None:
    assert [name for name in NAMES if name.startswith("0.1.0/")] == ["0.1.0/a_day", "0.1.0/a_week", "0.1.0/surprises"]
    for place in kept():
        assert json.loads((place / EXPECTED).read_text("utf-8"))["release"] == place.parent.name
        assert sum(path.stat().st_size for path in place.iterdir()) <= SIZE_MOST


def met() -> dict[tuple[str, int], list[Row]]:
    """The events of all kept journals by kind and version."""
    found: dict[tuple[str, int], list[Row]] = {}
    for name in NAMES:
        for row in rows_of_place(name)[1:]:
            found.setdefault((row["kind"], row["version"]), []).append(row)
    return found


def test_every_kind_of_the_first_release_is_met() -> None:
    """It had 54; one that is new at a later release may come without a journal, none that was released may go."""
    kinds = {kind for kind, _version in met()}
    assert len(kinds) == 54
    assert kinds <= set(KINDS)


def shape_faults(rows: list[Row]) -> list[str]:
    """Bodies that today's release, under the same version, writes in another way than it was done then."""
    return [
        f"{row['kind']} version {row['version']}: {row['body']}"
        for row in rows
        if encode(decode(entry_of(row))).body != row["body"]
    ]


def test_a_body_of_an_old_version_is_written_as_it_was() -> None:
    """A field that is added, removed or renamed needs a new version, and a way from the old one to the new."""
    for (kind, version), rows in met().items():
        if version == KINDS[kind].VERSION:
            assert shape_faults(rows) == []
        else:
            assert [decode(entry_of(row)) for row in rows]


def test_a_changed_shape_is_seen() -> None:
    row = next(row for row in met()["OrderDenied", 1])
    body = json.loads(row["body"])
    del body["repeats"]  # as if the field had been added since, under the same version
    assert len(shape_faults([row | {"body": json.dumps(body, separators=(",", ":"))}])) == 1


def test_this_release_can_make_its_own(tmp_path: Path) -> None:
    places = make(tmp_path)
    assert sorted(place.name for place in places) == ["a_day", "a_week", "surprises"]
    for number, place in enumerate(places):
        (tmp_path / str(number)).mkdir()
        assert try_journal(place, tmp_path / str(number)).problems == []
    with pytest.raises(FileExistsError):
        make(tmp_path)


# --- each check speaks ------------------------------------------------------------------------------------------


def tried(tmp_path: Path, rows: list[Row], expected: dict[str, Any]) -> Findings:
    """The verdict on a kept journal that was changed."""
    place, copy = tmp_path / "0.1.0" / "changed", tmp_path / "copy"
    place.mkdir(parents=True)
    copy.mkdir()
    (place / ROWS).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    (place / EXPECTED).write_text(json.dumps(expected), "utf-8")
    return try_journal(place, copy)


@pytest.fixture
def day() -> tuple[list[Row], dict[str, Any]]:
    name = "0.1.0/a_day"
    return rows_of_place(name), json.loads((KEPT / name / EXPECTED).read_text("utf-8"))


def test_a_changed_byte_is_found(tmp_path: Path, day: tuple[list[Row], dict[str, Any]]) -> None:
    rows, expected = day
    rows[20]["body"] = rows[20]["body"].replace('"0.2"', '"0.3"')
    rows[30]["at_ns"] += 1
    problems = "\n".join(try_journal_or_error(tmp_path, rows, expected))
    assert "the stored bytes do not match the chain" in problems


def try_journal_or_error(tmp_path: Path, rows: list[Row], expected: dict[str, Any]) -> list[str]:
    return tried(tmp_path, rows, expected).problems


@pytest.mark.parametrize(
    ("what", "key", "value"),
    [("orders", "filled", "9"), ("fills", "price", "9"), ("positions", "realized", "9"), ("orders", "status", "new")],
)
def test_what_was_shown_is_compared(
    tmp_path: Path, day: tuple[list[Row], dict[str, Any]], what: str, key: str, value: str
) -> None:
    rows, expected = day
    expected[what][0][key] = value
    journal = rebuild(rows, tmp_path / "run")
    assert [problem for problem in shown_faults(journal, expected) if f"I5: {what}: " in problem and key in problem]
    expected[what].pop()
    assert [problem for problem in shown_faults(journal, expected) if f"I5: {what} were" in problem]


def test_a_field_that_was_added_since_is_no_difference(tmp_path: Path, day: tuple[list[Row], dict[str, Any]]) -> None:
    rows, expected = day
    del expected["orders"][0]["evidence"]
    assert list(shown_faults(rebuild(rows, tmp_path / "run"), expected)) == []
    expected["orders"][0]["gone"] = "1"
    assert len(list(shown_faults(rebuild(rows, tmp_path / "run2"), expected))) == 1


def test_another_digest_is_found_under_the_same_fold(tmp_path: Path, day: tuple[list[Row], dict[str, Any]]) -> None:
    rows, expected = day
    expected["state_digest"] = "f" * 64
    assert any("I5: the state digest was" in problem for problem in tried(tmp_path, rows, expected).problems)


def test_another_digest_is_taken_under_another_fold(tmp_path: Path, day: tuple[list[Row], dict[str, Any]]) -> None:
    rows, expected = day
    expected |= {"state_digest": "f" * 64, "fold_version": 0}
    assert tried(tmp_path, rows, expected).problems == []


def test_a_fold_that_books_otherwise_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = APPLIERS[events.FeeBooked]
    monkeypatch.setitem(APPLIERS, events.FeeBooked, lambda state, at, event: None)
    assert book is not APPLIERS[events.FeeBooked]
    problems = try_journal(KEPT / "0.1.0" / "surprises", tmp_path).problems
    assert any(problem.startswith(("I5: fills", "I5: positions")) for problem in problems)


def test_an_engine_that_can_not_go_on_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Runner, "stop", lambda self, reason: "")
    problems = try_journal(KEPT / "0.1.0" / "a_day", tmp_path).problems
    assert any("S1: the run that went on has no beginning or no end" in problem for problem in problems)


def test_an_engine_that_takes_what_it_does_not_know_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_journals, "_fold", list)
    problems = list(old_journals.refusal_faults(rebuild(altered("0.1.0/a_day")[0], tmp_path / "run")))
    assert any("S2: an event that this release does not know is taken" in problem for problem in problems)


def altered(name: str) -> list[list[Row]]:
    return [rows for _what, rows in unknown_events(rows_of_place(name))]


def test_relinking_changes_nothing_that_fits() -> None:
    rows = rows_of_place("0.1.0/a_week")
    assert relink(rows) == rows


# --- the real command ---------------------------------------------------------------------------------------------


def run_for(directory: Path, seconds: int) -> subprocess.CompletedProcess[str]:
    (directory / "holdfast.toml").write_text(CONFIGURATION, "utf-8")
    return subprocess.run(
        [str(HOLDFAST), "run", "-c", str(directory / "holdfast.toml"), "--for", f"{seconds}s"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def open_exchange(directory: Path) -> None:
    """An exchange that begins now, with the account that the old journals are bound to."""
    log = log_opener(directory / "run")(LEDGER)
    open_gateway(SimulatedOptions(), ["BTCUSDT"], str(directory), log, time.time_ns(), identity="north")
    log.close()


@pytest.mark.parametrize("name", ["0.1.0/a_day", "0.1.0/surprises"])
def test_a_real_run_goes_on_with_it(tmp_path: Path, name: str) -> None:
    rows = rows_of_place(name)
    rebuild(rows, tmp_path / "run")
    open_exchange(tmp_path)
    done = run_for(tmp_path, 4)
    assert done.returncode == 0, done.stdout + done.stderr
    after = list(read_journal(tmp_path / "run"))
    assert after[: len(rows)] == rows
    assert after[len(rows)]["kind"] == "ProcessStarted"
    assert after[-1]["kind"] == "ProcessStopped"
    assert any(row["kind"] == "SystemChanged" and '"trading"' in row["body"] for row in after[len(rows) :])
    assert verify(tmp_path / "run", 2).problems == []
    assert check(after) == []
    assert not any(order["in_doubt"] for order in shown(tmp_path / "run")["orders"])


@pytest.mark.parametrize("number", [0, 1], ids=["kind", "version"])
def test_a_real_run_refuses_what_it_does_not_know(tmp_path: Path, number: int) -> None:
    rows = altered("0.1.0/a_day")[number]
    rebuild(rows, tmp_path / "run")
    open_exchange(tmp_path)
    done = run_for(tmp_path, 2)
    assert done.returncode not in (0, 74), done.stdout + done.stderr
    assert list(read_journal(tmp_path / "run")) == rows
