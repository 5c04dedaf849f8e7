"""Some seeds of layers 1 to 4 find nothing in this build; and each broken build is noticed, by the layer that is said
to notice it."""

from __future__ import annotations

from importlib import import_module

import pytest

from tools.proof.disk.broken import BUILDS
from tools.proof.disk.children import has_apsw
from tools.proof.outcome import Outcome

pytestmark = pytest.mark.skipif(not has_apsw(), reason="apsw is not installed")

WHOLE = (("images", 0, 1), ("errors", 0, 1), ("compound", 1, 3), ("damage", 2, 1), ("compound", 884660, 9))


def tried(layer: str, seed: int, steps: int, broken: str = "") -> Outcome:
    """One seed of one layer."""
    outcome = import_module(f"tools.proof.disk.{layer}").try_seed(seed, broken, steps)
    assert isinstance(outcome, Outcome)
    assert (outcome.layer, outcome.seed, outcome.skipped) == (layer, seed, "")
    assert outcome.cases > 300
    return outcome


@pytest.mark.parametrize(("layer", "seed", "steps"), WHOLE)
def test_this_build_is_whole(layer: str, seed: int, steps: int) -> None:
    outcome = tried(layer, seed, steps)
    assert outcome.problems == ()
    assert outcome.faults >= outcome.cases


@pytest.mark.parametrize("name", sorted(BUILDS))
def test_a_broken_build_is_noticed(name: str) -> None:
    build = BUILDS[name]
    problems = tried(build.layer, build.seed, build.steps, name).problems
    assert any(build.says in problem for problem in problems), problems[:3]
