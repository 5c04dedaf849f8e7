"""Results add up, can be gone on with and merged; seeds are handed out in turns, a failure says what repeats it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.proof import __main__ as proof
from tools.proof import layers, results
from tools.proof.layers import LAYERS, Timed, try_one
from tools.proof.mutants.catalog import MUTANTS
from tools.proof.outcome import Outcome
from tools.proof.results import Results, commit_of


def timed(seed: int, layer: str = "worlds", *problems: str, skipped: str = "") -> Timed:
    cases = 0 if skipped else 2
    return Timed(
        Outcome(layer=layer, seed=seed, cases=cases, faults=5 * cases, problems=problems, skipped=skipped), 1.5
    )


def test_what_is_kept_is_summed_up(tmp_path: Path) -> None:
    kept = Results(tmp_path / "proof.db")
    for seed in (1, 2, 2):
        kept.keep("abc", timed(seed))
    kept.keep("abc", timed(3, "worlds", "O1: lost", "O2: twice"))
    kept.keep("another", timed(9))
    found = kept.sum_up("abc", "worlds")
    assert (found.seeds, found.cases, found.faults, found.seconds, found.problems) == (3, 6, 30, 4.5, 2)
    assert kept.done("abc", "worlds") == {1, 2, 3}
    assert [one.outcome.problems for one in kept.outcomes("abc", "worlds")][2] == ("O1: lost", "O2: twice")
    kept.close()


def test_files_are_merged_and_a_row_is_counted_once(tmp_path: Path) -> None:
    here, there = Results(tmp_path / "here.db"), Results(tmp_path / "there.db")
    here.keep("abc", timed(1))
    for seed in (1, 2):
        there.keep("abc", timed(seed))
    there.close()
    assert here.merge(tmp_path / "there.db") == 2
    assert here.sum_up("abc", "worlds").seeds == 2
    here.close()


def test_what_was_skipped_says_why_and_is_tried_again(tmp_path: Path) -> None:
    kept = Results(tmp_path / "proof.db")
    kept.keep("abc", timed(1, skipped="apsw is not installed"))
    assert kept.sum_up("abc", "worlds").skipped == "apsw is not installed"
    assert kept.done("abc", "worlds") == set()
    kept.close()


def test_a_campaign_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[str, int]] = []

    def tell(units: list[tuple[layers.Layer, int]], jobs: int, seconds: int | None) -> list[Timed]:
        tried.extend((layer.name, seed) for layer, seed in units)
        return [timed(seed, layer.name) for layer, seed in units]

    monkeypatch.setattr(proof, "_tried", tell)
    place = str(tmp_path / "proof.db")
    for seeds in ("2", "3"):
        options = ["--layer", "worlds", "--layer", "images", "--first", "7", "--seeds", seeds, "--results", place]
        assert CliRunner().invoke(proof.main, options).exit_code == 0
    assert tried == [("images", 7), ("worlds", 7), ("images", 8), ("worlds", 8), ("images", 9), ("worlds", 9)]


def test_a_violation_ends_with_1_and_the_line_that_repeats_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "_tried", lambda units, jobs, seconds: [timed(4, "worlds", "O2: twice")])
    done = CliRunner().invoke(proof.main, ["--layer", "worlds", "--results", str(tmp_path / "proof.db")])
    assert done.exit_code == 1
    assert "O2: twice" in done.output
    assert "again: python -m tools.proof --layer worlds --first 4 --seeds 1" in done.output


def test_whatever_a_layer_raises_is_its_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(layers.BY_NAME, "worlds", layers.Layer("worlds", "tools.proof.nowhere", "", 1))
    outcome = try_one("worlds", 3).outcome
    assert (outcome.seed, outcome.cases) == (3, 1)
    assert "ModuleNotFoundError" in outcome.problems[0]


def test_a_commit_with_changes_is_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"rev-parse": "0123456789ab", "diff": "", "ls-files": ""}
    monkeypatch.setattr(results, "_git", lambda place, *arguments: said[arguments[0]])
    clean = commit_of(tmp_path)
    said["diff"] = "+ one line"
    changed = commit_of(tmp_path)
    said["rev-parse"] = ""
    assert (clean, changed.partition("+")[0]) == ("0123456789ab", clean)
    assert changed != clean
    assert commit_of(tmp_path).startswith("release ")


def test_every_layer_is_there() -> None:
    assert [layer.name for layer in LAYERS] == [
        "images", "errors", "compound", "damage", "worlds", "machines", "processes", "old_journals",
    ]  # fmt: skip


def test_there_are_mutants_enough_and_the_four_areas_have_two_layers_each() -> None:
    assert len(MUTANTS) >= 16
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    for area in ("journal.append", "outbox", "reconciliation", "tables"):
        most = max(len({each.layer for each in mutant.catchers}) for mutant in MUTANTS if mutant.area == area)
        assert most >= 2, f"a bug in {area} is found by one layer only"
