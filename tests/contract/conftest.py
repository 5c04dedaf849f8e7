"""Each case with each adapter: its exchange in a process of its own, and the engine here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.cases import ABOUT_WAYS, CASES
from tests.contract.counterpart import counterpart, in_all_ways, named
from tests.contract.served import Served
from tests.contract.trading import Trading
from tools.proof.processes.exchanges import LOCAL_KEYS
from tools.proof.processes.nursery import Nursery

Begin = Callable[..., Trading]


@pytest.fixture(autouse=True)
def local_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients find the keys of the exchanges on this machine where the configuration says they are."""
    for name, value in LOCAL_KEYS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Where the exchanges are born quickly."""
    with Nursery() as nursery:
        yield nursery


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each case with each adapter; where it matters how an order leaves, in each of its ways."""
    case = metafunc.function.__name__.removeprefix("test_")
    if case in CASES and "served" in metafunc.fixturenames:
        names = in_all_ways() if case in ABOUT_WAYS else named()
        metafunc.parametrize("served", names, indirect=True)


@pytest.fixture
def served(request: pytest.FixtureRequest, nursery: Nursery, tmp_path: Path) -> Iterator[Served]:
    """An adapter's exchange; the case is skipped, with the reason, where it can't be brought into it."""
    found = counterpart(request.param)
    case = request.function.__name__.removeprefix("test_")
    if case in found.cannot:
        pytest.skip(f"{found.adapter}: {found.cannot[case]}")
    served = Served(nursery, tmp_path, found)
    served.begin()
    yield served
    served.kill()


@pytest.fixture
def begin(served: Served) -> Iterator[Begin]:
    """Starts an engine that trades there."""
    begun: list[Trading] = []

    def start(**given: int) -> Trading:
        trading = Trading(served.connect, **given)
        begun.append(trading)
        trading.start()
        return trading

    yield start
    for trading in begun:
        trading.close()


@pytest.fixture
def trading(begin: Begin) -> Trading:
    """An engine that trades there, with the usual settings."""
    return begin()
