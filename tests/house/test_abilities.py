"""What the README says that each venue can do is what its adapter states."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve, fields

from adapters import simulated
from adapters.registry import Adapter
from engine.capabilities import Capabilities, ClientIds
from engine.values import OrderType, TimeInForce
from tests.house.abilities import BLOCK, filled, shipped
from tests.house.source import ROOT
from tools.doctor.abilities import CLIENT_IDS, abilities, capabilities_row, table

CAN: Capabilities = simulated.ADAPTER.capabilities  # type: ignore[assignment]


def test_the_table_is_that_of_the_adapters() -> None:
    readme = (ROOT / "README.md").read_text()
    assert len(BLOCK.findall(readme)) == 1
    assert filled(readme) == readme, "write it with: python -m tests.house.abilities"


@pytest.mark.parametrize("adapter", shipped().values(), ids=lambda adapter: adapter.name)
def test_every_adapter_states_its_capabilities(adapter: Adapter) -> None:
    assert adapter.capabilities is not None
    assert f"`{adapter.name}`" in table(shipped())


@pytest.mark.parametrize("name", [field.name for field in fields(Capabilities)])
def test_every_capability_changes_a_row(name: str) -> None:
    """One that no row tells would be stated and never shown."""
    others: dict[str, Any] = {
        "order_types": (OrderType.LIMIT, OrderType.TRAILING_STOP),
        "trails_by": (),
        "times_in_force": (TimeInForce.GTC,),
        "client_ids": ClientIds.NONE,
        "client_id_length": 7,
        "history_ns": 86_400 * 10**9,
    }
    other: Any = others[name] if name in others else not getattr(CAN, name)
    changed = evolve(CAN, **{name: other})
    told = [row for row, before in zip(abilities(changed), abilities(CAN), strict=True) if row != before]
    assert len(told) == 1
    assert capabilities_row(changed)[name] != capabilities_row(CAN)[name]


def test_every_kind_of_client_id_has_words() -> None:
    assert set(CLIENT_IDS) == set(ClientIds)
