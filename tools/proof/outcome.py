"""What one seed of one layer came to. Every layer is a function `try_seed(seed) -> Outcome`, the same each time."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen


@frozen(kw_only=True)
class Outcome:
    """The verdict on one seed of one layer.

    `cases` is how many cases were tried, `faults` how many faults were injected (survived, where nothing is in
    `problems`), `counts` further figures by name. `skipped` says why nothing could be tried here.
    """

    layer: str
    seed: int
    cases: int = 0
    faults: int = 0
    problems: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(factory=dict)
    skipped: str = ""

    @property
    def again(self) -> str:
        """The one line that repeats it."""
        return f"python -m tools.proof --layer {self.layer} --first {self.seed} --seeds 1"
