"""Results that add up: one row for each seed of each layer of each commit, in a small SQLite file.

A campaign that was interrupted goes on where it was, and files of several machines can be merged.
"""

from __future__ import annotations

import json
import platform
import subprocess
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from attrs import frozen
from sqlite_utils import Database

from tools.proof.layers import Timed
from tools.proof.outcome import Outcome
from tools.version import RELEASE

ROOT = Path(__file__).parents[2]
COLUMNS = {
    "commit_id": str, "layer": str, "seed": int, "cases": int, "faults": int, "seconds": float, "problems": str,
    "counts": str, "skipped": str, "python": str, "at_ns": int,
}  # fmt: skip


@frozen
class Sum:
    """All that a layer came to."""

    layer: str
    seeds: int = 0
    cases: int = 0
    faults: int = 0
    seconds: float = 0
    problems: int = 0
    skipped: str = ""


class Results:
    """The file of results. Keyed by commit, layer and seed: the same three are the same row, wherever it was made."""

    def __init__(self, path: Path | str) -> None:
        self._database = Database(path)
        table = self._database.table("outcome")
        if not table.exists():
            table.create(COLUMNS, pk=("commit_id", "layer", "seed"))

    def keep(self, commit_id: str, timed: Timed) -> None:
        """Add a row, or renew it."""
        outcome = timed.outcome
        row: dict[str, Any] = {
            "commit_id": commit_id, "layer": outcome.layer, "seed": outcome.seed, "cases": outcome.cases,
            "faults": outcome.faults, "seconds": timed.seconds, "problems": json.dumps(list(outcome.problems)),
            "counts": json.dumps(dict(outcome.counts), sort_keys=True), "skipped": outcome.skipped,
            "python": platform.python_version(), "at_ns": time.time_ns(),
        }  # fmt: skip
        self._database.table("outcome").upsert(row, pk=("commit_id", "layer", "seed"))

    def done(self, commit_id: str, layer: str) -> set[int]:
        """The seeds of a layer that this commit has a row for."""
        rows = self._database.execute(
            "SELECT seed FROM outcome WHERE commit_id = ? AND layer = ? AND skipped = ''", (commit_id, layer)
        )
        return {int(seed) for (seed,) in rows}

    def merge(self, other: Path | str) -> int:
        """Take over the rows of another file; how many there were."""
        rows = list(Database(other).table("outcome").rows)
        self._database.table("outcome").upsert_all(rows, pk=("commit_id", "layer", "seed"))
        return len(rows)

    def outcomes(self, commit_id: str, layer: str) -> Iterator[Timed]:
        """The rows of a layer, in the order of their seeds."""
        where = "commit_id = :commit and layer = :layer"
        values = {"commit": commit_id, "layer": layer}
        for row in self._database.table("outcome").rows_where(where, values, order_by="seed"):
            outcome = Outcome(
                layer=row["layer"], seed=row["seed"], cases=row["cases"], faults=row["faults"],
                problems=tuple(json.loads(row["problems"])), counts=json.loads(row["counts"]), skipped=row["skipped"],
            )  # fmt: skip
            yield Timed(outcome, row["seconds"])

    def sum_up(self, commit_id: str, layer: str) -> Sum:
        """What a layer came to at a commit."""
        rows = [timed for timed in self.outcomes(commit_id, layer) if not timed.outcome.skipped]
        skipped = next((t.outcome.skipped for t in self.outcomes(commit_id, layer) if t.outcome.skipped), "")
        return Sum(
            layer, len(rows), sum(t.outcome.cases for t in rows), sum(t.outcome.faults for t in rows),
            sum(t.seconds for t in rows), sum(len(t.outcome.problems) for t in rows), "" if rows else skipped,
        )  # fmt: skip

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def commit_of(place: Path = ROOT) -> str:
    """What is being tested: the commit, with a mark of the changes that are not in it; without git, the release."""
    head = _git(place, "rev-parse", "--short=12", "HEAD")
    if not head:
        return f"release {RELEASE}"
    changes = _git(place, "diff", "HEAD", "--", "engine", "adapters", "journal", "tools")
    return head if not changes else f"{head}+{sha256(changes.encode()).hexdigest()[:8]}"


def _git(place: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=place, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
