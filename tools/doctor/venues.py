"""Each venue of a configuration: where it is, whether its keys can be read, and what it says when it is asked.

Asked is what a start asks too: the description, the streams, the clock. No order leaves, because the gate is shut.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import asdict, define

from adapters.cleansing import cleansed
from adapters.keys import KeyMissing, KeySource
from adapters.registry import VenueSettings
from adapters.rights import PolicyRefused, faults_of_rights
from engine.capabilities import AccountRights, VenueDescription
from engine.inputs import ClockMeasured, CredentialsRefused, Input
from engine.outbox import Request
from engine.ports import Venue, VenueUnreachable
from engine.state import State
from engine.values import MILLISECOND_NS, VenueName
from journal.errors import JournalError
from tools.config import Configuration, ConfigurationConflict, VenueConfiguration
from tools.doctor.abilities import capabilities_row
from tools.doctor.finding import Finding, Verdict, fault
from tools.guard import check_account, key_sources
from tools.start import log_opener
from tools.view import read_state

CLOCK_SECONDS = 5
"""How long a venue has to say what time it is there."""

CODE_PLACE, CODE_UNREACHED, CODE_POLICY, CODE_CONFIGURATION = 65, 69, 77, 78


@define
class Examined:
    """One venue, as it was found; what could not be asked is None."""

    name: VenueName
    venue: VenueConfiguration
    findings: list[Finding]
    description: VenueDescription | None = None
    clock: ClockMeasured | None = None

    def is_well(self, what: str) -> bool:
        """Is there no fault of that name?"""
        return not any(each.what == what and each.verdict is Verdict.FAULT for each in self.findings)

    def row(self) -> dict[str, Any]:
        """One of the venues of `doctor --json`; the keys themselves are nowhere in it."""
        described = self.description
        can = described.capabilities if described else self.venue.adapter.capabilities
        environment = self.venue.environment
        return {
            "adapter": self.venue.adapter.name,
            "environment": environment.name,
            "is_live": environment.is_live,
            "keys": [
                {"key": key, "source": source.kind, "place": source.place, "readable": self.is_well(key)}
                for key, source in key_sources(self.venue)
            ],
            "account": described.account if described and self.venue.adapter.environments else None,
            "rights": _rights_row(described.rights) if described and described.rights else None,
            "instruments": [str(each.name) for each in described.instruments] if described else None,
            "clock_offset_ns": self.clock.offset_ns if self.clock else None,
            "round_trip_ns": self.clock.round_trip_ns if self.clock else None,
            "capabilities": capabilities_row(can) if can else None,
        }


def examine_venues(configuration: Configuration) -> Iterator[Examined]:
    """Every venue, one after the other."""
    state = _known(configuration.journal)
    for name, venue in configuration.venues.items():
        yield _examine(configuration, name, venue, state)


def _known(journal: Path) -> State:
    """What the journal is bound to; nothing where it can't be read, which is told elsewhere."""
    try:
        return read_state(journal)
    except JournalError:
        return State()


def _examine(configuration: Configuration, name: VenueName, venue: VenueConfiguration, state: State) -> Examined:
    money = "real money" if venue.environment.is_live else "no real money"
    words = f"{venue.adapter.name}, {venue.environment.name}: {money}"
    found = Examined(name, venue, [Finding(what="venue", words=words)])
    keys = [_key(configuration, key, source) for key, source in key_sources(venue)]
    found.findings += keys
    if any(key.verdict is Verdict.FAULT for key in keys):
        return found
    known = state.venues.get(name)
    bound = known.description if known is not None else None
    try:
        if bound is not None:
            check_account(configuration, name, venue, bound, "the journal is bound to")
        _ask(configuration, found)
        if found.description is not None:
            check_account(configuration, name, venue, found.description, "the venue says that this is")
    except ConfigurationConflict as error:
        found.findings.append(fault("binding", str(error), CODE_CONFIGURATION))
        return found
    if found.description is not None:
        found.findings += _told(found, found.description, bound)
    if found.clock is not None:
        found.findings.append(_clock(found.clock, configuration.settings.orders.expiry_ns // 2))
    return found


def _key(configuration: Configuration, key: str, source: KeySource) -> Finding:
    try:
        source.read(configuration.directory)
    except KeyMissing as error:
        return fault(key, str(error), CODE_CONFIGURATION)
    return Finding(what=key, words=f"can be read from {source.place}")


def _ask(configuration: Configuration, found: Examined) -> None:
    """Describe, and the clock; what goes wrong is a finding. An exchange of our own begins anew, on books that are
    thrown away: those of a run may be in use."""
    with tempfile.TemporaryDirectory(prefix="doctor.") as directory:
        settings = VenueSettings(
            name=found.name, options=found.venue.options, symbols=found.venue.symbols,
            directory=str(configuration.directory), open_log=log_opener(Path(directory)),
        )  # fmt: skip
        try:
            client = found.venue.adapter.connect(settings)
        except (ValueError, KeyMissing) as error:
            found.findings.append(fault("options", str(error), CODE_CONFIGURATION))
            return
        try:
            found.description = client.describe()
            found.findings += _measure(client, found)
        except VenueUnreachable as error:
            found.findings.append(fault("reached", str(error), CODE_UNREACHED))
        except PolicyRefused as error:
            found.findings.append(fault("reached", str(error), CODE_POLICY))
        except JournalError as error:
            found.findings.append(fault("reached", f"the exchange of our own has no place: {error}", CODE_PLACE))
        finally:
            client.close()


def _measure(client: Venue, found: Examined) -> Iterator[Finding]:
    """Open the streams with the gate shut, and wait for the first measure of the venue's clock."""
    measured = threading.Event()
    refused: list[str] = []

    def hear(seen: Input) -> None:
        if isinstance(seen, ClockMeasured):
            found.clock = seen
            measured.set()
        if isinstance(seen, CredentialsRefused):
            refused.append(seen.detail)
            measured.set()

    client.open(cleansed(hear), _ShutGate())
    measured.wait(CLOCK_SECONDS)
    if refused:
        yield fault("reached", f"the venue does not take the key: {refused[0]}", CODE_POLICY)
    elif found.clock is None:
        yield fault("clock", f"the venue did not tell the time within {CLOCK_SECONDS} s", CODE_UNREACHED)


class _ShutGate:
    """Nothing that trades may leave."""

    def allows(self, request: Request) -> bool:
        return False


def _told(found: Examined, described: VenueDescription, bound: VenueDescription | None) -> Iterator[Finding]:
    account = _account(found, described, bound)
    if account is not None:
        yield account
    yield from _rights(found, described)
    yield from _symbols(found, described)


def _account(found: Examined, described: VenueDescription, bound: VenueDescription | None) -> Finding | None:
    """Whose it is; an exchange of our own has said it of books that are thrown away."""
    if not found.venue.adapter.environments:
        return None if bound is None else Finding(what="account", words=f"{bound.account}, by the journal")
    if bound is None:
        return Finding(what="account", words=described.account)
    if bound.account != described.account:
        words = f"this is {described.account}, and the journal is bound to {bound.account}"
        return fault("account", words, CODE_CONFIGURATION)
    return Finding(what="account", words=f"{described.account}, to which the journal is bound")


def _rights(found: Examined, described: VenueDescription) -> Iterator[Finding]:
    if described.rights is None:
        yield Finding(what="rights", words="the venue does not tell them", verdict=Verdict.INFO)
        return
    allowed = bool(found.venue.adapter.environments) and bool(found.venue.options.allow_withdrawal_rights)
    faults = list(faults_of_rights(described, set(found.venue.symbols), allow_withdrawal=allowed))
    words = rights_words(described.rights)
    if described.rights.may_withdraw and allowed:
        hint = "allowed by allow_withdrawal_rights = true; a key without that right is safer"
        yield Finding(what="rights", words=words, verdict=Verdict.WARNING, hint=hint)
    else:
        yield Finding(what="rights", words=words)
    yield from (fault("rights", each, CODE_POLICY) for each in faults)


def rights_words(rights: AccountRights) -> str:
    """What the account may do, in words; what the venue does not tell is not said."""
    told = {"trade": rights.may_trade, "withdraw": rights.may_withdraw}
    words = [f"may {'' if may else 'not '}{what}" for what, may in told.items() if may is not None]
    words += [f"trades {', '.join(rights.asset_classes).lower()}"] if rights.asset_classes else []
    if rights.is_restricted_to_addresses is not None:
        words.append("from listed addresses only" if rights.is_restricted_to_addresses else "from any address")
    words += [f"position mode {rights.position_mode}"] if rights.position_mode else []
    return "; ".join(words) or "the venue tells none"


def _symbols(found: Examined, described: VenueDescription) -> Iterator[Finding]:
    listed = {each.name for each in described.instruments}
    missing = [f"{name} ({symbol})" for name, symbol in found.venue.symbols.items() if name not in listed]
    if missing:
        yield fault("symbols", f"the venue does not list {', '.join(missing)}", CODE_CONFIGURATION)
    halted = [each.name for each in described.instruments if each.is_halted]
    if halted:
        words = f"the venue has halted {', '.join(halted)}"
        yield Finding(what="symbols", words=words, verdict=Verdict.WARNING)
    elif not missing and listed:
        yield Finding(what="symbols", words=", ".join(sorted(listed)))


def _clock(measured: ClockMeasured, limit_ns: int) -> Finding:
    offset, way = abs(measured.offset_ns), "ahead of" if measured.offset_ns >= 0 else "behind"
    words = f"{_millis(offset)} {way} ours, asked in {_millis(measured.round_trip_ns)}"
    if offset > limit_ns:
        hint = f"beyond {_millis(limit_ns)} the venue is not used: see to the clock of this machine"
        return Finding(what="clock", words=words, verdict=Verdict.WARNING, hint=hint)
    return Finding(what="clock", words=words)


def _millis(ns: int) -> str:
    return f"{ns // MILLISECOND_NS}.{ns % MILLISECOND_NS // 100_000} ms"


def _rights_row(rights: AccountRights) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(rights).items()}
