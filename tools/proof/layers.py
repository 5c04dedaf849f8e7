"""The layers of the proof, as data: where each is, what it does, and how many seeds make a quick look."""

from __future__ import annotations

import time
import traceback
from importlib import import_module

from attrs import evolve, frozen

from tools.proof.outcome import Outcome


@frozen
class Layer:
    """One layer: `module` has its `try_seed`; `quick` seeds are a quick look: some minutes of one core altogether."""

    name: str
    module: str
    does: str
    quick: int


LAYERS = (
    Layer("images", "tools.proof.disk.images", "every crash point of the disk", 4),
    Layer("errors", "tools.proof.disk.errors", "every I/O error, once and for ever", 2),
    Layer("compound", "tools.proof.disk.compound", "a crash in the recovery from a crash", 2),
    Layer("damage", "tools.proof.disk.damage", "damaged bytes and files", 4),
    Layer("worlds", "tools.proof.worlds", "the whole system in virtual time", 40),
    Layer("machines", "tools.harness.layer", "Hypothesis machines that shrink", 4),
    Layer("processes", "tools.proof.processes.campaign", "kill -9 of real processes over sockets", 4),
    Layer("old_journals", "tools.proof.old_journals", "journals of earlier releases", 3),
)
BY_NAME = {layer.name: layer for layer in LAYERS}


@frozen
class Timed:
    """An outcome, and how long it took."""

    outcome: Outcome
    seconds: float


def try_one(name: str, seed: int) -> Timed:
    """One seed of one layer. Whatever it raises is its verdict: a problem, with the place."""
    began = time.monotonic()
    try:
        outcome: Outcome = import_module(BY_NAME[name].module).try_seed(seed)
    except Exception as error:  # noqa: BLE001 (an assertion of the engine's, a fault of the harness: told as a problem)
        where = traceback.format_exc(limit=-3).strip().replace("\n", " | ")
        outcome = Outcome(layer=name, seed=seed, cases=1, problems=(f"raised {error!r}: {where}",))
    return Timed(evolve(outcome, layer=name), time.monotonic() - began)
