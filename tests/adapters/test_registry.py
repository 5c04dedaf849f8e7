"""How adapters are found: by name, each for itself."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from adapters.registry import GROUP, Installed, adapters


def test_those_that_ship_are_found() -> None:
    assert set(adapters()) >= {"simulated", "binance", "binance_usdm"}
    assert adapters()["binance"].name == "binance"


def test_one_that_can_not_be_loaded_concerns_nobody_else() -> None:
    broken = EntryPoint("broken", "adapters.nowhere:ADAPTER", GROUP)
    found = Installed([broken, EntryPoint("simulated", "adapters.simulated:ADAPTER", GROUP)])
    assert list(found) == ["broken", "simulated"]
    assert found["simulated"].name == "simulated"
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        found["broken"]
