"""The parts of `holdfast.toml`, each checked by itself and against the others; faults are collected, never raised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from attrs import Factory, define, evolve, fields, frozen, resolve_types

from adapters.environment import Environment, check_url
from adapters.registry import Adapter, adapters
from engine.limits import Limits, Measures, Risk
from engine.recent import COUNTED_MOST
from engine.settings import (
    Disk,
    Guards,
    InstrumentSettings,
    Marks,
    Mode,
    Orders,
    Reconcile,
    Settings,
    Sharing,
    StrategySettings,
)
from engine.values import InstrumentName, StrategyName, VenueName
from tools.spelling import (
    SPELLING,
    Backtesting,
    Heading,
    Listing,
    Recording,
    check_name,
    default_tag,
    terms_of,
)
from tools.strategy_file import StrategyFile, StrategyMissing, find_strategy
from tools.structure import Structure, Text, Wrong, nearest
from tools.toml_place import Key

SECTIONS = (
    "venues", "instruments", "strategies", "orders", "risk", "reconcile", "record", "disk", "marks", "guards",
    "backtest",
)  # fmt: skip
HEADING = tuple(field.name for field in fields(Heading))
BY_INSTRUMENT = ("max_order_quantity", "max_position")
RATES = ("max_orders_per_second", "max_orders_per_minute")
MEASURES = tuple(SPELLING.key(Measures, field.name, field.type) for field in fields(resolve_types(Measures)))
LIMITS = tuple(SPELLING.key(Limits, field.name, field.type) for field in fields(resolve_types(Limits)))


@frozen
class VenueConfiguration:
    """One `[venues.NAME]`: its adapter, the adapter's own options, and what our instruments are called there."""

    adapter: Adapter
    options: Any
    symbols: dict[InstrumentName, str]

    @property
    def environment(self) -> Environment:
        """Where it trades, and whether with real money."""
        return self.adapter.environment(self.options)


@define
class Document:
    """A parsed file on its way to settings; `wrong` collects the faults of all its parts, `files` the strategies',
    `terms` what it says of the instruments' terms."""

    document: dict[str, Any]
    directory: Path
    wrong: list[Wrong] = Factory(list)
    files: dict[StrategyName, StrategyFile] = Factory(dict)
    structure: Structure = Factory(lambda: Structure(SPELLING))
    listings: dict[InstrumentName, Listing] = Factory(dict)

    def check(self) -> None:
        """Note what is wrong anywhere: numbers with a point, unknown sections."""
        self._check_floats(self.document, ())
        self._check_sections()

    def heading(self) -> Heading:
        """What stands above the first table."""
        value: Heading = self._section(
            Heading, (), {key: self.document[key] for key in HEADING if key in self.document}
        )
        return value

    def backtest(self) -> Backtesting:
        """How a backtest is done."""
        value: Backtesting = self._section(Backtesting, ("backtest",))
        return value

    def settings(self, mode: Mode, venues: dict[VenueName, VenueConfiguration]) -> Settings:
        """What the engine is told."""
        return Settings(
            mode=mode,
            venues={name: venue.adapter.name for name, venue in venues.items()},
            strategies=self._strategies(),
            risk=self._risk(),
            orders=self._orders(),
            reconcile=self._reconcile(),
            disk=self._section(Disk, ("disk",)),
            quotes=self._section(Recording, ("record",)).quotes,
            marks=self._section(Marks, ("marks",)),
            guards=self._section(Guards, ("guards",)),
            instruments=self._instruments(),
        )

    def _check_floats(self, value: Any, at: Key) -> None:
        if isinstance(value, Text):
            self.wrong.append(Wrong(at, f'a number with a point is written in quotes: "{value}"'))
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, item in items:
            self._check_floats(item, (*at, key))

    def _check_sections(self) -> None:
        known = (*HEADING, *SECTIONS)
        for key in self.document:
            if key not in known:
                self.wrong.append(Wrong((key,), f"unknown key; {nearest(key, known)}"))

    def _section(self, kind: type[Any], at: Key, value: Any = None) -> Any:
        """A section that has defaults; those stand in where it is wrong, so that the others can be checked."""
        value = self._raw(at) if value is None else value
        return self.structure.read(kind, value, at, self.wrong) or kind()

    def _raw(self, at: Key) -> Any:
        value: Any = self.document
        for key in at:
            value = value.get(key, {}) if isinstance(value, dict) else {}
        return value

    def _tables(self, section: str) -> Iterator[tuple[str, Any]]:
        """The named tables of a section; a wrong name is noted and left out."""
        value = self._raw((section,))
        if not isinstance(value, dict):
            self.wrong.append(Wrong((section,), f"a table is wanted, such as [{section}.NAME]"))
            return
        for name, table in value.items():
            try:
                check_name(name)
            except ValueError as error:
                self.wrong.append(Wrong((section, name), str(error)))
            yield name, table

    # --- venues and instruments

    def _listings(self) -> dict[InstrumentName, Listing]:
        found: dict[InstrumentName, Listing] = {}
        traded: dict[tuple[str, str], str] = {}
        venues = self._names("venues")
        for name, table in self._tables("instruments"):
            at = ("instruments", name)
            listing: Listing | None = self.structure.read(Listing, table, at, self.wrong)
            if listing is None:
                continue
            if listing.venue not in venues:
                self._no_such((*at, "venue"), "venue", listing.venue, venues)
            first = traded.setdefault((listing.venue, listing.symbol), name)
            if first != name:
                message = f"{listing.symbol} at {listing.venue} is {first} already; one symbol has one name"
                self.wrong.append(Wrong((*at, "symbol"), message))
            found[InstrumentName(name)] = listing
        return found

    def venues(self) -> dict[VenueName, VenueConfiguration]:
        """The venues, each with its instruments."""
        self.listings = listings = self._listings()
        found: dict[VenueName, VenueConfiguration] = {}
        installed = adapters()
        for name, table in self._tables("venues"):
            adapter = self._adapter(name, table, installed)
            if adapter is None:
                continue
            given = {key: value for key, value in table.items() if key != "adapter"}
            options = self.structure.read(adapter.options, given, ("venues", name), self.wrong)
            self._check_environment(name, adapter, options)
            symbols = {key: listing.symbol for key, listing in listings.items() if listing.venue == name}
            found[VenueName(name)] = VenueConfiguration(adapter, options, symbols)
        if not self._names("venues"):
            self.wrong.append(Wrong(("venues",), 'no venue: write [venues.sim] with adapter = "simulated"'))
        return found

    def _check_environment(self, name: str, adapter: Adapter, options: Any) -> None:
        """The environment is one of the adapter's, and every URL leads there."""
        if options is None or not adapter.environments:
            return
        known = {environment.name: environment for environment in adapter.environments}
        environment = known.get(str(options.environment))
        if environment is None:
            self._no_such(("venues", name, "environment"), "environment", options.environment, known)
            return
        urls = {field.name: getattr(options, field.name) for field in fields(adapter.options)}
        for key, url in urls.items():
            if key.endswith("_url") and isinstance(url, str):
                try:
                    check_url(url, environment, adapter.environments)
                except ValueError as error:
                    self.wrong.append(Wrong(("venues", name, key), str(error)))

    def _adapter(self, name: str, table: Any, installed: Mapping[str, Adapter]) -> Adapter | None:
        at = ("venues", name)
        if not isinstance(table, dict):
            self.wrong.append(Wrong(at, f"a table is wanted: [venues.{name}]"))
            return None
        wanted = table.get("adapter")
        misspelt = get_close_matches("adapter", table, 1)
        if wanted is None and misspelt:
            self.wrong.append(Wrong((*at, misspelt[0]), "unknown key; did you mean adapter?"))
        elif wanted is None:
            self.wrong.append(Wrong((*at, "adapter"), f"missing; {nearest('', installed)}"))
        elif not isinstance(wanted, str) or wanted not in installed:
            known = f"{nearest(wanted, installed, 'installed:')}"
            self.wrong.append(Wrong((*at, "adapter"), f'there is no adapter "{wanted}"; {known}'))
        else:
            return installed[wanted]
        return None

    def _instruments(self) -> dict[InstrumentName, InstrumentSettings]:
        """What the engine is told of instruments, of those that are not as any other."""
        found: dict[InstrumentName, InstrumentSettings] = {}
        for name, listing in self.listings.items():
            told = terms_of(listing)
            if told is not None:
                found[name] = told
            if listing.sharing is Sharing.EXCLUSIVE:
                self._check_exclusive(name)
        return found

    def _check_exclusive(self, name: InstrumentName) -> None:
        tables = self._raw(("strategies",))
        traders = [key for key, table in tables.items() if _trades(table, name)] if isinstance(tables, dict) else []
        if len(traders) > 1:
            message = f'{", ".join(traders)} trade it, and it is exclusive; write sharing = "shared", or give it to one'
            self.wrong.append(Wrong(("instruments", name, "sharing"), message))

    # --- strategies

    def _strategies(self) -> dict[StrategyName, StrategySettings]:
        found: dict[StrategyName, StrategySettings] = {}
        tags: dict[str, str] = {}
        for name, table in self._tables("strategies"):
            at = ("strategies", name)
            self._check_instruments(table, at)
            settings = self.structure.read(StrategySettings, table, at, self.wrong)
            file_hash = self._file_hash(StrategyName(name), table, at)
            tag = self._tag(name, settings.tag if settings else "", tags)
            if settings is not None:
                found[StrategyName(name)] = evolve(settings, tag=tag, file_hash=file_hash)
        return found

    def _check_instruments(self, table: Any, at: Key) -> None:
        wanted = table.get("instruments") if isinstance(table, dict) else None
        known = self._names("instruments")
        for number, instrument in enumerate(wanted if isinstance(wanted, list) else ()):
            if isinstance(instrument, str) and instrument not in known:
                self._no_such((*at, "instruments", number), "instrument", instrument, known)

    def _file_hash(self, name: StrategyName, table: Any, at: Key) -> str:
        written = table.get("class") if isinstance(table, dict) else None
        if not isinstance(written, str):
            return ""
        try:
            self.files[name] = find_strategy(written, self.directory)
            return self.files[name].sha256
        except StrategyMissing as error:
            self.wrong.append(Wrong((*at, "class"), str(error)))
            return ""

    def _tag(self, name: str, tag: str, tags: dict[str, str]) -> str:
        tag = tag or default_tag(name)
        first = tags.setdefault(tag, name)
        if not tag or first != name:
            reason = f"it has the tag of {first}, {tag}" if tag else "no tag can be made of the name"
            message = f'{reason}; write tag = "..." (1 to 8 of a-z and 0-9)'
            self.wrong.append(Wrong(("strategies", name, "tag"), message))
        return tag

    # --- risk and orders

    def _risk(self) -> Risk:
        table = self._raw(("risk",))
        if not isinstance(table, dict):
            self.wrong.append(Wrong(("risk",), "a table is wanted: [risk]"))
            return Risk()
        account = {key: value for key, value in table.items() if key not in ("strategies", "instruments", *MEASURES)}
        for key in [key for key in account if key not in LIMITS and _is_nearer_a_measure(key)]:
            self.wrong.append(Wrong(("risk", key), f"unknown key; {nearest(key, MEASURES)}"))
            del account[key]
        self._check_limited(account, ("risk",))
        return Risk(
            measures=self._measures({key: value for key, value in table.items() if key in MEASURES}),
            account=self._section(Limits, ("risk",), account),
            strategies={StrategyName(name): found for name, found in self._narrower("strategies", "strategy")},
            instruments={InstrumentName(name): found for name, found in self._narrower("instruments", "instrument")},
        )

    def _measures(self, table: dict[str, Any]) -> Measures:
        measures: Measures = self._section(Measures, ("risk",), table)
        if measures.conversions and measures.currency is None:
            message = "conversions are into the account's currency: write currency besides"
            self.wrong.append(Wrong(("risk", "conversions"), message))
        return measures

    def _narrower(self, section: str, what: str) -> Iterator[tuple[str, Limits]]:
        tables = self._raw(("risk", section))
        if not isinstance(tables, dict):
            self.wrong.append(Wrong(("risk", section), f"a table is wanted: [risk.{section}.NAME]"))
            return
        for name, table in tables.items():
            at = ("risk", section, name)
            if name not in self._names(section):
                self._no_such(at, what, name, self._names(section))
            limits = _meant_for(name, table) if section == "instruments" else table
            if isinstance(limits, dict):
                self._check_limited(limits, at)
                self._check_account_wide(limits, at)
            yield name, self._section(Limits, at, limits)

    def _check_limited(self, table: dict[str, Any], at: Key) -> None:
        """Instruments that a limit names must exist."""
        known = self._names("instruments")
        for key in BY_INSTRUMENT:
            limited = table.get(key)
            for instrument in limited if isinstance(limited, dict) else ():
                if instrument not in known:
                    self._no_such((*at, key, instrument), "instrument", instrument, known)
        allowed = table.get("allowed_instruments")
        for number, instrument in enumerate(allowed if isinstance(allowed, list) else ()):
            if isinstance(instrument, str) and instrument not in known:
                self._no_such((*at, "allowed_instruments", number), "instrument", instrument, known)

    def _check_account_wide(self, table: dict[str, Any], at: Key) -> None:
        if "duplicate_intent" in table:
            self.wrong.append(Wrong((*at, "duplicate_intent"), "it holds for the whole account: write it in [risk]"))
        for key in RATES:
            if type(table.get(key)) is int and table[key] > COUNTED_MOST:
                message = f"at most {COUNTED_MOST} are counted of a strategy or an instrument; write it in [risk]"
                self.wrong.append(Wrong((*at, key), message))

    def _orders(self) -> Orders:
        orders: Orders = self._section(Orders, ("orders",))
        if orders.expiry_ns <= orders.send_limit_ns:
            message = "it must be above send_limit, or what may still leave would be refused as too old"
            self.wrong.append(Wrong(("orders", "expiry"), message))
        return orders

    def _reconcile(self) -> Reconcile:
        """Tolerances name instruments of the configuration, or assets, which only the venues know."""
        reconcile: Reconcile = self._section(Reconcile, ("reconcile",))
        known = self._names("instruments")
        for name in reconcile.tolerances:
            misspelt = get_close_matches(name, known, 1, 0.8)
            if name not in known and misspelt:
                message = f'there is no instrument "{name}"; did you mean {misspelt[0]}? (an asset is named as it is)'
                self.wrong.append(Wrong(("reconcile", "tolerances", name), message))
        return reconcile

    def _names(self, section: str) -> tuple[str, ...]:
        value = self._raw((section,))
        return tuple(value) if isinstance(value, dict) else ()

    def _no_such(self, at: Key, what: str, name: Any, known: Any) -> None:
        names = sorted(map(str, known))
        self.wrong.append(Wrong(at, f'there is no {what} "{name}"; {nearest(name, names, "there is")}'))


def _trades(table: Any, instrument: str) -> bool:
    """Does this strategy's table name the instrument?"""
    named = table.get("instruments") if isinstance(table, dict) else None
    return isinstance(named, list) and instrument in named


def _is_nearer_a_measure(key: str) -> bool:
    """Is a key that nobody knows more like one that says how risk is measured than like a limit?"""
    return next(iter(get_close_matches(key, (*LIMITS, *MEASURES), 1, 0.6)), "") in MEASURES


def _meant_for(instrument: str, table: Any) -> Any:
    """Below `[risk.instruments."X"]` a number is meant for X."""
    if not isinstance(table, dict):
        return table
    return {
        key: {instrument: value} if key in BY_INSTRUMENT and not isinstance(value, dict) else value
        for key, value in table.items()
    }
