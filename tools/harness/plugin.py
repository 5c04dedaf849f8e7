"""The pytest plugin: options, fixtures, and with `--holdfast` the machines and a summary.

Nothing is imported here before it is needed: where pytest runs without `--holdfast` and without a `holdfast_` fixture,
this costs the reading of one small file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tools.harness.trial import Trial

COLLECTOR = "holdfast machines"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, in a group of their own."""
    group = parser.getgroup("holdfast", "holdfast: your strategy under crashes and faults")
    group.addoption("--holdfast", action="store_true", help="run the state machines, and sum up what was tried")
    group.addoption("--holdfast-seeds", type=int, default=1, metavar="N", help="seeds of `holdfast_seed` (default 1)")
    group.addoption("--holdfast-examples", type=int, default=None, metavar="N", help="schedules of each machine")
    group.addoption("--holdfast-schedule", default="", metavar="TEXT", help="play this one, as a failure printed it")


def pytest_configure(config: pytest.Config) -> None:
    """Only with `--holdfast` anything happens at all."""
    if config.getoption("--holdfast"):
        from tools.harness.collecting import Collector

        config.pluginmanager.register(Collector(config), COLLECTOR)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each seed."""
    if "holdfast_seed" in metafunc.fixturenames:
        metafunc.parametrize("holdfast_seed", range(metafunc.config.getoption("--holdfast-seeds")))


@pytest.fixture
def holdfast_world(request: pytest.FixtureRequest) -> Iterator[Callable[..., Trial]]:
    """Makes a world for a strategy: `holdfast_world(Mine, params={…}, risk={…}, seed=7)`, or for a configuration:
    `holdfast_world(configuration="holdfast.toml")`. What `tools.harness.setting.Subject` takes can be given."""
    from tools.harness.setting import Subject, setting_in, setting_of
    from tools.harness.trial import Trial

    made: list[Trial] = []

    def make(kind: Any = None, *, seed: int = 0, configuration: str = "", **given: Any) -> Trial:
        directory = request.path.parent
        setting = setting_in(directory / configuration) if configuration else setting_of(Subject(kind=kind, **given))
        made.append(Trial(setting, seed, lambda schedule: f"pytest --holdfast '{request.node.nodeid}'"))
        return made[-1]

    yield make
    for trial in made:
        trial.close()
