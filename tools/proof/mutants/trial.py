"""One mutant and one layer, in this process: the first of the layer's seeds that notices."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from tools.proof import worlds
from tools.proof.layers import BY_NAME as LAYERS
from tools.proof.layers import try_one
from tools.proof.mutants import engine_builds
from tools.proof.mutants.catalog import Catcher, Mutant
from tools.proof.outcome import Outcome

DISK_LAYERS = ("images", "errors", "compound", "damage")


def try_mutant(mutant: Mutant, catcher: Catcher) -> dict[str, Any]:
    """`seed` and `said` of the first that notices, `seed` None if nobody does; `skipped` where it can't be tried."""
    attempt = _attempt(mutant, catcher.layer)
    skipped = ""
    for seed in catcher.seeds:
        outcome = attempt(seed)
        skipped = outcome.skipped
        if outcome.problems:
            return {"seed": seed, "said": outcome.problems[0], "skipped": ""}
    return {"seed": None, "said": "", "skipped": skipped}


def _attempt(mutant: Mutant, layer: str) -> Callable[[int], Outcome]:
    if layer in DISK_LAYERS:
        from tools.proof.disk.broken import BUILDS

        module, steps = import_module(LAYERS[layer].module), BUILDS[mutant.name].steps
        return lambda seed: module.try_seed(seed, broken=mutant.name, steps=steps)
    if layer == "processes":
        return lambda seed: _kill(mutant.name, seed)
    worlds.SHRINKING_MOST = 0
    getattr(engine_builds, mutant.name)()
    return lambda seed: try_one(layer, seed).outcome


def _kill(name: str, seed: int) -> Outcome:
    """Broken in the children; those of the layer's own table under the deaths that show them."""
    from tools.proof.processes.broken import BROKEN
    from tools.proof.processes.campaign import try_kinds, try_seed

    if name in BROKEN:
        return try_kinds(seed, BROKEN[name].kinds, broken=name)
    return try_seed(seed, broken=name)
