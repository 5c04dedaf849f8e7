"""What Binance knows of an order beyond the simulated exchange's own: kept as a note in the same ledger."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

import msgspec
from attrs import evolve, frozen

from adapters.simulated.admission import OPEN_ORDERS_MOST
from adapters.simulated.exchange import Exchange
from adapters.simulated.ledger import Noted
from adapters.simulated.state import CLOSED_MOST, Order, State
from adapters.simulated.wire import canonical
from engine.values import ZERO, ClientOrderId, VenueOrderId

LIST = "list:"
"""A note's subject is an order's id, or this and a list's."""

IDS_MOST = 2 * CLOSED_MOST + OPEN_ORDERS_MOST
"""Client ids that are indexed before those of forgotten orders are sorted out."""

_DECODED_MOST = 2_000


@frozen(kw_only=True)
class Amendment:
    """One reduction of an order in place."""

    execution_id: int
    old_id: str
    new_id: str
    old_quantity: Decimal
    new_quantity: Decimal
    at_ms: int


@frozen(kw_only=True)
class Terms:
    """`client_id` is the order's present client id: a cancel's own once it was canceled, and then `first_id` is the one
    that it had. `sent_stop` is the stop price that was sent with a trailing delta in BIPS."""

    client_id: str
    type: str
    time_in_force: str
    created_ms: int
    first_id: str = ""
    quote_quantity: Decimal = ZERO
    list_id: int = -1
    strategy_id: int | None = None
    strategy_type: int | None = None
    self_trade: str = "NONE"
    iceberg: Decimal = ZERO
    trailing_delta: int | None = None
    sent_stop: Decimal | None = None
    working_ms: int | None = None
    amendments: tuple[Amendment, ...] = ()
    reduce_only: bool = False
    good_till_ms: int = 0


@frozen(kw_only=True)
class ListTerms:
    """An order list: its legs by the venue's ids, `pending` those that wait for the first one's last fill."""

    list_id: int
    client_id: str
    contingency: str
    symbol: str
    created_ms: int
    legs: tuple[str, ...]
    is_done: bool = False
    pending: tuple[str, ...] = ()


@lru_cache(maxsize=_DECODED_MOST)
def _terms(text: str) -> Terms:
    return msgspec.json.decode(text, type=Terms)


@lru_cache(maxsize=_DECODED_MOST)
def _list(text: str) -> ListTerms:
    return msgspec.json.decode(text, type=ListTerms)


class Register:
    """Orders and lists by Binance's ids. Used in the exchange's thread alone; what it says is in the ledger."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._by_id: dict[str, VenueOrderId] = {}
        self._list_by_id: dict[str, int] = {}
        self._last_list = 0
        self._last_execution = 0
        self._queries: dict[VenueOrderId, int] = {}
        self._history: dict[str, list[tuple[int, int]]] = {}
        self._index_all()

    @property
    def state(self) -> State:
        """The ledger's."""
        return self.exchange.state

    def _index_all(self) -> None:
        """From what the ledger remembers; what it has forgotten goes."""
        self._by_id, self._list_by_id, self._queries, self._history = {}, {}, {}, {}
        for subject in sorted(self.state.notes, key=int):
            self._index(subject, self.state.notes[subject])
        for mark, text in self.state.marks.items():
            self._index(mark, text)

    def _index(self, subject: str, text: str) -> None:
        if len(self._by_id) > IDS_MOST:
            self._index_all()
        if subject.startswith(LIST):
            found = _list(text)
            self._list_by_id[found.client_id] = found.list_id
            self._last_list = max(self._last_list, found.list_id)
            return
        if not subject.isdigit():
            return  # another product's note
        terms, named = _terms(text), VenueOrderId(subject)
        self._by_id[terms.client_id] = named
        order = self.state.find(named, None)
        assert order is not None, "a note is about an order that is remembered"
        rows = self._history.setdefault(order.accepted.symbol, [])
        if not rows or rows[-1][0] < int(named):
            rows.append((int(named), terms.created_ms))

    # --- orders -------------------------------------------------------------------------------------------------

    def of(self, order: Order) -> Terms:
        """An order's terms; one that was placed otherwise gets those that follow from it."""
        text = self.state.notes.get(order.venue_order_id)
        if text is not None:
            return _terms(text)
        accepted = order.accepted
        return Terms(
            client_id=accepted.client_order_id, type=accepted.order_type.upper(),
            time_in_force=accepted.time_in_force.upper(), created_ms=0,
        )  # fmt: skip

    def write(self, venue_order_id: VenueOrderId, terms: Terms) -> None:
        """Note an order's terms in the ledger, in the commit that is being made."""
        text = canonical(terms)
        self.exchange.scribe.write(self.exchange.now_ns, Noted(subject=venue_order_id, text=text))
        self._index(venue_order_id, text)

    def find(self, order_id: int | None, client_id: str | None, finds_old_ids: bool = False) -> Order | None:
        """By the venue's id, else by the present client id; by a first id too where that is asked for."""
        if order_id is not None:
            return self.state.find(VenueOrderId(str(order_id)), None)
        assert client_id is not None
        order = self.state.find(self._by_id.get(client_id), None) if client_id in self._by_id else None
        if order is not None and self.of(order).client_id == client_id:
            return order
        return self.state.find(None, ClientOrderId(client_id)) if finds_old_ids else None

    def history(self, symbol: str) -> Sequence[tuple[int, int]]:
        """The ids of a symbol's orders, ascending, each with the millisecond of its beginning; some of the oldest may
        be forgotten."""
        return self._history.get(symbol, ())

    def rename(self, order: Order, new_id: str) -> Terms:
        """A cancel gives the order its own id."""
        terms = self.of(order)
        renamed = evolve(terms, client_id=new_id, first_id=terms.client_id)
        self.write(order.venue_order_id, renamed)
        return renamed

    def count_query(self, order: Order) -> int:
        """How often an order was asked for, this time included."""
        self._queries[order.venue_order_id] = count = self._queries.get(order.venue_order_id, 0) + 1
        return count

    def next_execution(self) -> int:
        """An execution id `I`: higher than all before, those before a restart too."""
        self._last_execution = max(self._last_execution + 1, self.state.seq * 16)
        return self._last_execution

    # --- lists --------------------------------------------------------------------------------------------------

    def next_list(self) -> int:
        """The id of a new list."""
        return self._last_list + 1

    def write_list(self, terms: ListTerms) -> None:
        """Note a list in the ledger, in the commit that is being made."""
        text = canonical(terms)
        self.exchange.scribe.write(self.exchange.now_ns, Noted(subject=f"{LIST}{terms.list_id}", text=text))
        self._index(f"{LIST}{terms.list_id}", text)

    def list_of(self, list_id: int | None, client_id: str | None) -> ListTerms | None:
        """By its id, or else by the client's."""
        wanted = self._list_by_id.get(client_id or "") if list_id is None else list_id
        text = self.state.marks.get(f"{LIST}{wanted}")
        return None if text is None else _list(text)

    def lists(self) -> list[ListTerms]:
        """All lists, by id."""
        return [_list(text) for subject, text in self.state.marks.items() if subject.startswith(LIST)]

    def legs(self, terms: ListTerms) -> list[Order]:
        """The orders of a list that were placed."""
        found = (self.state.find(VenueOrderId(leg), None) for leg in terms.legs)
        return [order for order in found if order is not None]

    def is_list_open(self, terms: ListTerms) -> bool:
        """Is one of its orders open?"""
        return any(order.status.is_open for order in self.legs(terms))
