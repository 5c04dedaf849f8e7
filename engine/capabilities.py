"""What a venue can do, and when its silence is proof, as data that the adapter states and the engine reads."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen

from engine.instrument import Instrument
from engine.values import SECOND_NS, OrderType, TimeInForce, VenueName


class ClientIds(StrEnum):
    """What the venue makes of our client order id when it sees the same one again."""

    DEDUP = "dedup"
    UNIQUE_OPEN = "unique_open"
    ECHOED = "echoed"
    NONE = "none"


class Source(StrEnum):
    """A question whose negative answer is part of a proof of absence."""

    ORDER_QUERY = "order_query"
    OPEN_ORDERS = "open_orders"
    EXECUTIONS = "executions"


@frozen
class Capabilities:
    """What may be asked of a venue; an intent beyond it is denied with a reason."""

    order_types: tuple[OrderType, ...]
    times_in_force: tuple[TimeInForce, ...]
    post_only: bool
    replace: bool
    client_ids: ClientIds
    client_id_length: int
    reduce_only: bool = False
    """Does the venue itself refuse what would open or grow a position?"""
    links: bool = False
    """Does the venue itself take from the others of a group what one of it executes?"""


@frozen
class AbsencePolicy:
    """When "not found" settles an order in doubt (ORDERS: proof of absence).

    An order is absent once `after_ns` have passed since its request was journaled (the send limit and the request's
    expiry at the venue are in it), every one of `sources` was then asked, and each was complete and negative.
    """

    after_ns: int
    sources: tuple[Source, ...]
    probe_every_ns: int = SECOND_NS


@frozen
class VenueDescription:
    """All that the engine knows of a venue; journaled when it differs from what State holds."""

    venue: VenueName
    adapter: str
    account: str
    capabilities: Capabilities
    absence: AbsencePolicy
    instruments: tuple[Instrument, ...]
