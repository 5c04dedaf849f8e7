"""What the configuration says of instruments' terms, tolerances, marks and guards; and what a run makes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters import simulated
from engine.instrument import InstrumentKind, MarginMode
from engine.settings import InstrumentSettings, MarkSide
from engine.values import InstrumentName
from tests.house.source import ROOT
from tools import document
from tools.config import ConfigurationWrong, read_configuration

HOLDFAST = Path(sys.executable).with_name("holdfast")
PERP = InstrumentName("BTC-PERP")
GOOD = """
[venues.sim]
adapter = "simulated"

[venues.sim.instruments.BTCPERP]
base = "BTC"
quote = "USDT"
kind = "perpetual"
multiplier = "0.001"
settlement_asset = "USDT"
funding_rate = "0.0001"
funding_every = "8h"
price = 60000

[instruments."BTC-PERP"]
venue = "sim"
symbol = "BTCPERP"
kind = "perpetual"
tick = "0.01"
multiplier = "0.001"
expiry = 2026-12-25T08:00:00Z
leverage = 3
margin_mode = "isolated"

[risk]
max_leverage = "2.5"
max_margin_ratio = "50%"

[reconcile]
tolerances = { "BTC-PERP" = "0.5", USDT = "0.01" }

[marks]
side = "mid"
max_mark_age = "5s"

[guards]
max_reject_rate = "40%"
reject_window = "30s"
min_orders = 4
"""


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "adapters", lambda: {"simulated": simulated.ADAPTER})


def read(tmp_path: Path, text: str) -> Any:
    path = tmp_path / "holdfast.toml"
    path.write_text(text)
    return read_configuration(path)


def test_terms_tolerances_marks_and_guards(tmp_path: Path) -> None:
    configuration = read(tmp_path, GOOD)
    settings = configuration.settings
    assert settings.instruments == {
        PERP: InstrumentSettings(
            kind=InstrumentKind.PERPETUAL, tick=Decimal("0.01"), multiplier=Decimal("0.001"),
            expiry_ns=1_798_185_600 * 10**9, leverage=3, margin_mode=MarginMode.ISOLATED,
        )
    }  # fmt: skip
    assert settings.reconcile.tolerances == {"BTC-PERP": Decimal("0.5"), "USDT": Decimal("0.01")}
    assert (settings.marks.side, settings.marks.max_mark_age_ns) == (MarkSide.MID, 5 * 10**9)
    limits = settings.risk.account
    assert (limits.max_leverage, limits.max_margin_ratio) == (Decimal("2.5"), Decimal("0.5"))
    guards = settings.guards
    assert (guards.max_reject_rate, guards.reject_window_ns, guards.min_orders) == (Decimal("0.4"), 30 * 10**9, 4)
    listed = configuration.venues["sim"].options.instruments["BTCPERP"]
    assert (listed.kind, listed.multiplier) == (InstrumentKind.PERPETUAL, Decimal("0.001"))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('kind = "perpetual"\ntick', 'kind = "perpetua"\ntick', "instruments.BTC-PERP.kind"),
        ('tick = "0.01"', 'tick = "0"', "it must be above zero"),
        ("2026-12-25T08:00:00Z", '"2026-12-25"', "has no zone"),
        ("2026-12-25T08:00:00Z", '"soon"', "is not a time"),
        ('side = "mid"', 'side = "bid"', "is not one of close, mid, last, venue"),
        ('USDT = "0.01"', 'USDT = "-1"', "it can't be below zero"),
        ('"BTC-PERP" = "0.5"', '"BTC-PERB" = "0.5"', "did you mean BTC-PERP?"),
        ('"40%"', '"150%"', "is not between 0 and 100 %"),
        ("leverage = 3", "leverage = 0", "it must be above zero"),
        ('"isolated"', '"crossed"', "is not one of isolated, cross"),
        ("min_orders = 4", "min_orders = 0", "it must be above zero"),
        ("max_mark_age", "max_mark_aeg", "did you mean max_mark_age?"),
    ],
)
def test_a_fault_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigurationWrong) as raised:
        read(tmp_path, GOOD.replace(old, new))
    assert told in str(raised.value)
    assert len(raised.value.faults) == 1


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(HOLDFAST), *arguments, "-c", str(tmp_path / "holdfast.toml")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_a_run_says_what_differs_and_what_the_account_has(tmp_path: Path) -> None:
    """The configuration's tick is not the exchange's: the instrument is paused, and both words are in `status`."""
    (tmp_path / "holdfast.toml").write_text(GOOD.replace('tick = "0.01"', 'tick = "0.5"').replace(
        "expiry = 2026-12-25T08:00:00Z\n", ""))  # fmt: skip
    done = run(tmp_path, "run", "--for", "3s")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["asset"]: row for row in json.loads(run(tmp_path, "balances", "--json").stdout)}
    assert (rows["USDT"]["total"], rows["USDT"]["venue_total"]) == ("100000", "100000")
    assert rows["USDT"]["account"].startswith("simulated:")
    events = run(tmp_path, "events", "--json").stdout
    assert "tick is 0.5 in the configuration and 0.01 at the venue" in events
    assert json.loads(run(tmp_path, "results", "--json").stdout)["results"] == []
