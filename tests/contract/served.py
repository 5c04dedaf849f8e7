"""An adapter's own exchange in a process of its own, and clients of it."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapters.registry import VenueSettings
from adapters.simulated.state import State as ExchangeState
from adapters.simulated.state import fold
from engine.ports import EventLog, Venue
from engine.state import State
from engine.values import SECOND_NS, InstrumentName, VenueName
from journal.entry import Entry
from tests.contract.counterpart import Counterpart
from tests.contract.trading import INSTRUMENT
from tools.config import read_configuration
from tools.proof.processes.books import read_rows
from tools.proof.processes.exchanges import EXCHANGES, port_in
from tools.proof.processes.ground import toml
from tools.proof.processes.nursery import Asked, Child, Nursery

VENUE = VenueName("venue")
SYMBOL = "BTCUSDT"
PATIENCE_SECONDS = 30
POLL_SECONDS = 0.005


class Served:
    """The exchange of one case: it can be killed, and begins again on its books and its port."""

    def __init__(self, nursery: Nursery, directory: Path, counterpart: Counterpart) -> None:
        self.counterpart, self.directory = counterpart, directory
        self.exchange = EXCHANGES[counterpart.adapter]
        self.port = 0
        self._nursery = nursery
        self._process: Child | None = None
        self._begun = 0

    # --- the exchange ---------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start it, and wait until it listens."""
        self._begun += 1
        said = self.directory / f"exchange-{self._begun}"
        config = self._write("exchange.toml", self.counterpart.served)
        arguments = (
            "venue", self.counterpart.adapter, "-c", str(config), "--state", str(self.directory / "books"),
            "--port", str(self.port),
        )  # fmt: skip
        self._process = self._nursery.begin(Asked(arguments, f"{said}.out", f"{said}.err"))
        end = time.monotonic() + PATIENCE_SECONDS
        while (port := port_in(self._process.written())) is None:
            assert self._process.poll() is None, self._process.told()
            assert time.monotonic() < end, "the exchange does not listen"
            time.sleep(POLL_SECONDS)
        self.port = port

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.signal(signal.SIGKILL)
        self._process.wait(PATIENCE_SECONDS)

    def set_faults(self, table: Mapping[str, Any]) -> None:
        """What goes wrong from now on; counting begins anew."""
        self.exchange.set_faults(self.port, table)

    def look(self) -> None:
        """Wait until it has done all that it was sent before."""
        self.exchange.look(self.port)

    def ledger(self) -> list[Entry]:
        """What it has written down itself, its chain checked."""
        rows, problems = read_rows(self.directory / "books" / "exchange", "ledger")
        assert problems == []
        return rows

    def books(self) -> ExchangeState:
        """What its ledger amounts to."""
        return fold(self.ledger())

    # --- clients --------------------------------------------------------------------------------------------------

    def options(self) -> dict[str, Any]:
        """`[venues.venue]` of an engine that trades there."""
        return {**self.counterpart.options, **self.exchange.reach(self.port)}

    @property
    def absence_ns(self) -> int:
        """Within this long its silence about an order that never arrived is proof, generously."""
        return (self.counterpart.absence_seconds + PATIENCE_SECONDS) * SECOND_NS

    def connect(self, state: State) -> Venue:
        """A client, as a new process of the engine makes it; it is not opened yet."""
        found = read_configuration(self._write("engine.toml", self.options()), load=False)
        options = found.venues[VENUE].options
        symbols = {InstrumentName(INSTRUMENT): SYMBOL}
        until_ns = state.venues[VENUE].throttled_until_ns if VENUE in state.venues else 0
        settings = VenueSettings(VENUE, options, symbols, str(self.directory), _no_log, throttled_until_ns=until_ns)
        return found.venues[VENUE].adapter.connect(settings)

    def _write(self, name: str, options: Mapping[str, Any]) -> Path:
        document = {
            "mode": "paper",
            "venues": {VENUE: {"adapter": self.counterpart.adapter, **options}},
            "instruments": {INSTRUMENT: {"venue": VENUE, "symbol": SYMBOL}},
        }
        path = self.directory / name
        path.write_text(toml(document))
        return path


def _no_log(name: str) -> EventLog:
    raise AssertionError(f"a client of an exchange elsewhere opens no log, but this one wants {name}")
