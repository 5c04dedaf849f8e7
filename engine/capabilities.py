"""What a venue can do, and when its silence is proof, as data that the adapter states and the engine reads."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen

from engine.instrument import Instrument
from engine.instrument import MarginMode as MarginMode  # noqa: PLC0414 (others import it from here)
from engine.values import SECOND_NS, InstrumentName, OrderType, TimeInForce, VenueName


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
    HISTORY = "history"


class TrailBy(StrEnum):
    """How far a trailing stop stays behind the market: by a distance in price, or by a part of the price."""

    PRICE = "price"
    FRACTION = "fraction"


class PositionMode(StrEnum):
    """Whether a contract has one position, or a long and a short one beside each other."""

    ONE_WAY = "one_way"
    HEDGE = "hedge"


@frozen(kw_only=True)
class AccountRights:
    """What the venue lets this account and this key do; what is None it does not tell.

    `asset_classes` are the kinds of instruments that the account may trade, in the venue's own words; `barred` are our
    instruments that it may not trade by the venue's own rules.
    """

    may_trade: bool | None = None
    may_withdraw: bool | None = None
    is_restricted_to_addresses: bool | None = None
    asset_classes: tuple[str, ...] = ()
    barred: tuple[InstrumentName, ...] = ()
    position_mode: PositionMode | None = None


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
    lists: bool = False
    """Does the venue take two orders of a group in one request, and end the other once one of them executes?"""
    trails_by: tuple[TrailBy, ...] = (TrailBy.PRICE,)
    """Of trailing stops, where the venue knows them."""
    amend: bool = False
    """Can an order be made smaller without losing its place in the queue?"""
    id_echo: bool = True
    """Do the venue's messages and lists carry our client order id?"""
    resume: bool = False
    """Can a stream that broke be taken up again where it broke? If not, what was missed comes by snapshot."""
    history_ns: int | None = None
    """How far back closed orders and executions can be asked for; None: without an end."""

    def knows(self, order_type: OrderType, *, trails_by: TrailBy | None = None) -> bool:
        """Does the venue know this type of order, and for a trailing stop how it trails?"""
        is_trailing = order_type is OrderType.TRAILING_STOP
        return order_type in self.order_types and (not is_trailing or trails_by in self.trails_by)


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
    rights: AccountRights | None = None
