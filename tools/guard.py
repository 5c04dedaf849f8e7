"""The guard before anything is sent: mode, environments, keys, accounts and their rights must agree.

Who gets one of these wrong is told which, and nothing has left for a venue by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import fields

from adapters.environment import environment_of_account
from adapters.keys import KeyMissing, KeySource
from adapters.rights import PolicyRefused, faults_of_rights
from engine.capabilities import VenueDescription
from engine.settings import Mode
from engine.state import State
from engine.values import VenueName
from tools.config import Configuration, ConfigurationConflict, VenueConfiguration, configuration_wrong
from tools.structure import Wrong


class LiveRefused(Exception):
    """The live guard: real money needs `mode = "live"`, `--live` and an environment of real money (exit 77)."""


def check_live(configuration: Configuration, live: bool) -> None:
    """The guard of `run`: raises `LiveRefused` where money could be at stake without both words."""
    is_live = configuration.settings.mode is Mode.LIVE
    if is_live and not live:
        raise LiveRefused('mode = "live" trades real money and also needs --live on the command line')
    if live and not is_live:
        raise LiveRefused(f'--live was given, but the configuration says mode = "{configuration.settings.mode}"')
    check_environments(configuration)


def check_environments(configuration: Configuration) -> None:
    """Real money in live mode alone, and nothing else there; raises `LiveRefused`."""
    mode = configuration.settings.mode
    for name, venue in configuration.venues.items():
        environment = venue.environment
        if mode is Mode.LIVE and not environment.is_live:
            raise LiveRefused(
                f"[venues.{name}] is no venue for real money ({venue.adapter.name}, {environment.name}); "
                'write mode = "paper", or an environment of real money'
            )
        if mode is not Mode.LIVE and environment.is_live:
            raise LiveRefused(
                f"[venues.{name}] trades real money ({venue.adapter.name}, {environment.name}), "
                f'and the configuration says mode = "{mode}"; write another environment, or mode = "live" and --live'
            )


def check_keys(configuration: Configuration) -> None:
    """Every key can be read; raises `ConfigurationWrong` with all that can't, each with its place in the file."""
    wrong: list[Wrong] = []
    for name, venue in configuration.venues.items():
        for key, source in key_sources(venue):
            try:
                source.read(configuration.directory)
            except KeyMissing as error:
                wrong.append(Wrong(("venues", name, key), str(error)))
    if wrong:
        raise configuration_wrong(configuration.path, wrong)


def key_sources(venue: VenueConfiguration) -> Iterator[tuple[str, KeySource]]:
    """The keys that a venue's options name, with where they come from."""
    for field in fields(type(venue.options)):
        source = getattr(venue.options, field.name)
        if isinstance(source, KeySource):
            yield field.name, source


def check_bound_environments(configuration: Configuration, state: State) -> None:
    """The journal's accounts are of the configured environments: asked before anything is sent with their keys."""
    for name, venue in configuration.venues.items():
        known = state.venues.get(name)
        if known is not None and known.description is not None:
            check_account(configuration, name, venue, known.description, "the journal is bound to")


def check_binding(configuration: Configuration, state: State, descriptions: Sequence[VenueDescription]) -> None:
    """A journal keeps its accounts for life, and may not lose a venue on which something is open."""
    for description in descriptions:
        venue = configuration.venues[description.venue]
        check_account(configuration, description.venue, venue, description, "the venue says that this is")
        known = state.venues.get(description.venue)
        before = known.description.account if known and known.description else description.account
        if before != description.account:
            raise ConfigurationConflict(
                f"[venues.{description.venue}] is account {description.account}, but the journal in "
                f"{configuration.journal} is bound to {before}. Use that account, or another journal directory."
            )
    for order in state.open_orders():
        if order.venue and order.venue not in configuration.venues:
            raise ConfigurationConflict(
                f"order {order.order_id} is open at venue {order.venue}, which the configuration does not name any more"
            )


def check_rights(configuration: Configuration, descriptions: Sequence[VenueDescription]) -> None:
    """What accounts and keys may do fits what is to be done with them; raises `PolicyRefused` with every fault."""
    found: list[str] = []
    for description in descriptions:
        venue = configuration.venues[description.venue]
        allowed = bool(venue.adapter.environments) and bool(venue.options.allow_withdrawal_rights)
        faults = faults_of_rights(description, set(venue.symbols), allow_withdrawal=allowed)
        found += [f"[venues.{description.venue}] {fault}" for fault in faults]
    if found:
        raise PolicyRefused("\n  ".join(found))


def check_account(
    configuration: Configuration, name: VenueName, venue: VenueConfiguration, of: VenueDescription, who: str
) -> None:
    """The account's name says adapter and environment, where it has one: they must be the configured ones."""
    if of.adapter != venue.adapter.name:
        raise ConfigurationConflict(
            f"[venues.{name}] has the adapter {venue.adapter.name}, but {who} {of.account} of {of.adapter}. "
            "Another account needs another journal directory."
        )
    environment = environment_of_account(of.account)
    if venue.adapter.environments and environment != venue.environment.name:
        raise ConfigurationConflict(
            f"[venues.{name}] says environment {venue.environment.name}, but {who} {of.account}"
            f" (journal {configuration.journal}). Another environment needs another journal directory."
        )
