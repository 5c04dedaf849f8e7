"""The last resort: cancels that no journal remembers, when the process that holds the journal can't be ended."""

from __future__ import annotations

import time

from adapters.registry import VenueSettings
from engine.inputs import Input
from engine.outbox import CancelOrder, Request
from engine.ports import Venue, VenueUnreachable
from engine.state import State
from engine.values import SECOND_NS, VenueName
from tools.config import Configuration
from tools.guard import check_bound_environments, check_environments
from tools.start import log_opener
from tools.view import read_state

SENDING_SECONDS = 3.0
EXPIRY_NS = 60 * SECOND_NS


def cancel_unjournaled(configuration: Configuration) -> int:
    """Send a cancel for each order that the journal shows as open; returns how many. Nothing is proven by it.

    Raises `LiveRefused` and `ConfigurationConflict` where the configuration is not that of the journal.
    """
    state = read_state(configuration.journal)
    check_environments(configuration)
    check_bound_environments(configuration, state)
    sent = 0
    for name, venue in configuration.venues.items():
        settings = VenueSettings(
            name=name, options=venue.options, symbols=venue.symbols, directory=str(configuration.directory),
            open_log=log_opener(configuration.journal),
        )  # fmt: skip
        try:
            sent += _cancel_at(venue.adapter.connect(settings), name, state)
        except VenueUnreachable:
            continue  # the caller says that nothing is proven
    return sent


def _cancel_at(client: Venue, name: VenueName, state: State) -> int:
    now_ns = time.time_ns()
    cancels = [
        CancelOrder(
            seq=state.seq,
            at_ns=now_ns,
            expires_ns=now_ns + EXPIRY_NS,
            venue=name,
            order_id=order.order_id,
            client_order_id=order.client_order_id,
            venue_order_id=order.venue_order_id,
            instrument=order.instrument,
        )
        for order in state.open_orders()
        if order.venue == name and order.client_order_id
    ]
    client.open(_ignore, _CancelsOnly())
    try:
        for cancel in cancels:
            client.release(cancel)
        time.sleep(SENDING_SECONDS)
    finally:
        client.close()
    return len(cancels)


def _ignore(seen: Input) -> None:
    """Nobody is there to decide on answers."""


class _CancelsOnly:
    """A gate for the one case in which nothing is journaled."""

    def allows(self, request: Request) -> bool:
        """Cancels pass."""
        return isinstance(request, CancelOrder)
