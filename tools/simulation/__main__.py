"""`python -m tools.simulation [--first N] [--seeds N]`: worlds by their seeds, and a verdict on each.

A world that ends badly is named with the line that repeats it; the exit code is 1.
"""

from __future__ import annotations

import time
from collections import Counter

import click

from engine.values import SECOND_NS
from tools.simulation.campaign import Verdict, try_seed

HOUR_SECONDS = 3_600


@click.command()
@click.option("--first", default=0, show_default=True, help="The first seed.")
@click.option("--seeds", default=20, show_default=True, help="How many.")
def main(first: int, seeds: int) -> None:
    """Kill whole systems in virtual time, at points and moments that a seed chooses, and look at what is left."""
    began = time.process_time()
    verdicts = []
    for seed in range(first, first + seeds):
        verdict, _world = try_seed(seed)
        verdicts.append(verdict)
        _tell(verdict)
    _sum_up(verdicts, time.process_time() - began)
    raise SystemExit(any(verdict.problems for verdict in verdicts))


def _tell(verdict: Verdict) -> None:
    deaths = sum(verdict.deaths.values())
    what = f"{verdict.starts:2} starts {deaths:3} deaths {verdict.orders:4} orders {verdict.fills:4} fills"
    click.echo(f"seed {verdict.seed:6}  {what}  {'VIOLATED' if verdict.problems else 'ok'}")
    for problem in verdict.problems:
        click.echo(f"    {problem}")
    if verdict.problems:
        click.echo(f"    again: python -m tools.simulation --first {verdict.seed} --seeds 1")


def _sum_up(verdicts: list[Verdict], cpu_seconds: float) -> None:
    deaths: Counter[str] = Counter()
    for verdict in verdicts:
        deaths.update(verdict.deaths)
    hours = sum(verdict.virtual_ns for verdict in verdicts) // SECOND_NS / HOUR_SECONDS
    click.echo()
    for how, count in sorted(deaths.items()):
        click.echo(f"{count:7,}  died {how}" if how != "exchange" else f"{count:7,}  deaths of the exchange")
    click.echo(f"{sum(verdict.fills for verdict in verdicts):7,}  fills, each compared with the exchange's ledger")
    click.echo(f"{hours:7.1f}  virtual hours in {cpu_seconds:.0f} s of CPU")
    click.echo(
        f"{sum(bool(verdict.problems) for verdict in verdicts):7}  of {len(verdicts)} worlds violated an invariant"
    )


if __name__ == "__main__":
    main()
