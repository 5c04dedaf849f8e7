"""The ground of a session: a directory with the engine's configuration, and one for each exchange, made of another one.

Whatever is configured, every venue becomes an exchange on this machine in a process of its own: its adapter's, where
that ships one, else the simulated one. Strategies, risk and orders
stay as they are; the comparison with the venues is made more often, so that a session is short.
"""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from engine.settings import Orders
from engine.values import VenueName
from tools.config import read_configuration
from tools.proof.processes.exchanges import EXCHANGES, USUAL_ADAPTER, without

RECONCILE = {"every": "500ms", "retry": "200ms"}
SYMBOLS = {"BTC-USDT": "BTCUSDT", "ETH-USDT": "ETHUSDT", "SOL-USDT": "SOLUSDT", "XRP-USDT": "XRPUSDT"}
FAULT_KINDS = (
    "lose_request", "lose_reply", "delay_reply", "duplicate_reply", "error_reply", "busy", "drop", "duplicate",
    "reorder", "fail",
)  # fmt: skip
"""Message faults that a session draws from; none of them lies about the account (the simulation has those too)."""


@frozen(kw_only=True)
class Ground:
    """Where a session takes place. `venues` are the venues' names, `paths` where a strategy's neighbours lie."""

    directory: Path
    document: Mapping[str, Any]
    venues: tuple[VenueName, ...]
    orders: Orders
    paths: tuple[str, ...] = ()

    @property
    def config(self) -> Path:
        """The engine's configuration."""
        return self.directory / "holdfast.toml"

    @property
    def journal(self) -> Path:
        """The engine's journal directory."""
        return self.directory / "run"

    def adapter(self, venue: VenueName) -> str:
        """Whose exchange takes a venue's place."""
        return str(self.document["venues"][venue]["adapter"])

    def books(self, venue: VenueName) -> Path:
        """The directory of an exchange's ledger."""
        return self.directory / f"books-{venue}" / "exchange"

    def exchange_config(self, venue: VenueName) -> Path:
        """The configuration that an exchange is served with."""
        return self.directory / f"exchange-{venue}.toml"

    def write_exchanges(self) -> None:
        """One configuration for each exchange, with its own instruments alone."""
        for venue in self.venues:
            listed = {name: row for name, row in self.document["instruments"].items() if row["venue"] == venue}
            adapter = self.adapter(venue)
            served = EXCHANGES[adapter].served(without(self.document["venues"][venue], "adapter"))
            document = {"mode": "paper", "venues": {venue: {"adapter": adapter, **served}}, "instruments": listed}
            self.exchange_config(venue).write_text(toml(document))

    def write_engine(self, ports: Mapping[VenueName, int], journal: str = "run", name: str = "holdfast.toml") -> Path:
        """The engine's configuration once the exchanges listen; `journal` and `name` for another one beside it."""
        venues = {
            venue: {**options, **EXCHANGES[self.adapter(venue)].reach(ports[venue])}
            for venue, options in self.document["venues"].items()
        }
        path = self.directory / name
        path.write_text(toml({**self.document, "venues": venues, "journal": journal}))
        return path


def built_in(directory: Path, seed: int, adapter: str = USUAL_ADAPTER) -> Ground:
    """A busy strategy on four instruments of an adapter's exchange."""
    venue = {"adapter": adapter, **EXCHANGES[adapter].drawn(seed)}
    document = {
        "mode": "paper",
        "journal": "run",
        "venues": {"sim": venue},
        "instruments": {name: {"venue": "sim", "symbol": symbol} for name, symbol in SYMBOLS.items()},
        "strategies": {"busy": {"class": "tools.proof.processes.busy:Busy", "instruments": list(SYMBOLS)}},
        "orders": {"send_limit": "300ms", "stop_limit": "5s"},
        "reconcile": RECONCILE,
        "disk": {"min_free_bytes": 0},
    }
    return _ground(directory, document, ())


def of_a_user(directory: Path, configuration: Path) -> Ground:
    """A user's configuration, with the files of its strategies; raises `ConfigurationWrong` with every fault of it."""
    configuration = configuration.absolute()
    read_configuration(configuration)
    document = tomllib.loads(configuration.read_text())
    home = configuration.parent
    document |= {"mode": "paper", "journal": "run", "reconcile": document.get("reconcile", {}) | RECONCILE}
    document["venues"] = {name: _local(options, home) for name, options in document["venues"].items()}
    document["strategies"] = {
        name: {**table, "class": _copied(str(table["class"]), home, directory, name)}
        for name, table in document.get("strategies", {}).items()
    }
    return _ground(directory, document, (str(home),))


def draw_faults(chance: Any) -> dict[str, Any]:
    """Message faults by chance, each now and then."""
    found: dict[str, Any] = {"seed": chance.randrange(1_000_000), "disconnect": {"permille": chance.randrange(6)}}
    for kind in FAULT_KINDS:
        if chance.randrange(100) < 60:
            found[kind] = {"permille": chance.randint(10, 70)}
    return found


def _ground(directory: Path, document: dict[str, Any], paths: tuple[str, ...]) -> Ground:
    """What the engine will be told is read back, so that its limits are known here."""
    path = directory / "holdfast.toml"
    path.write_text(toml(document))
    configuration = read_configuration(path, load=False)
    venues = tuple(configuration.venues)
    return Ground(
        directory=directory, document=document, venues=venues, orders=configuration.settings.orders, paths=paths
    )


def _local(options: Mapping[str, Any], home: Path) -> dict[str, Any]:
    """A venue's options at the exchange of its adapter on this machine; one whose exchange does not ship is replaced by
    the simulated one."""
    adapter = str(options.get("adapter"))
    if adapter not in EXCHANGES:
        return {"adapter": USUAL_ADAPTER}
    kept = {"adapter": adapter, **EXCHANGES[adapter].kept(without(options, "adapter"))}
    if "tape" in kept:
        kept["tape"] = _absolute_tape(kept["tape"], home)
    return kept


def _absolute_tape(tape: Any, home: Path) -> Any:
    if isinstance(tape, str):
        return str(home / tape)
    if isinstance(tape.get("path"), str):
        return {**tape, "path": str(home / tape["path"])}
    return {symbol: _absolute_tape(each, home) for symbol, each in tape.items()}


def _copied(written: str, home: Path, directory: Path, strategy: str) -> str:
    """A strategy's class; its file, where it is named by a path, is copied so that it stays as it is meanwhile."""
    where, _colon, name = written.rpartition(":")
    if not where.endswith(".py"):
        return written
    copy = directory / "strategies" / strategy / Path(where).name
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(home / where, copy)
    return f"{copy.relative_to(directory)}:{name}"


def toml(document: Mapping[str, Any]) -> str:
    """A document as TOML: one table for each table of the second level, everything below it inline.

    >>> print(toml({"mode": "paper", "venues": {"sim": {"seed": 7, "fees": {"maker": "0"}}}}), end="")
    mode = "paper"
    [venues."sim"]
    seed = 7
    fees = {"maker" = "0"}
    """
    return "".join(line + "\n" for line in _lines(document))


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{key} = {_value(value)}" for key, value in document.items() if not isinstance(value, Mapping))
    for section, table in document.items():
        if not isinstance(table, Mapping):
            continue
        if any(not isinstance(value, Mapping) for value in table.values()):
            yield f"[{section}]"
            yield from (f"{_bare(key)} = {_value(value)}" for key, value in table.items())
            continue
        for name, row in table.items():
            yield f"[{section}.{json.dumps(name)}]"
            yield from (f"{_bare(key)} = {_value(value)}" for key, value in row.items())


def _bare(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)


def _value(value: Any) -> str:
    """JSON but for tables: TOML writes `=` there."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
