"""Event ↔ (kind, version, body), with upcasters for what older releases wrote; and State ↔ bytes for snapshots.

An event is written once. A reader that meets an unknown kind or version refuses: to trade on half a history is worse
than not to trade.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from hashlib import sha256
from typing import Any

import attrs
import msgspec

from engine import events
from engine.events import Event
from engine.order import DIGESTED, Execution, Order
from engine.ports import Draft, Stored
from engine.state import Recorded, State
from engine.values import plain

KINDS: dict[str, type[Event]] = {
    name: kind
    for name, kind in vars(events).items()
    if isinstance(kind, type) and issubclass(kind, Event) and "__attrs_attrs__" in vars(kind)
}

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


def _as_it_was(body: dict[str, Any]) -> dict[str, Any]:
    """The next version only has more fields, and their defaults say what was true before."""
    return body


UPCASTERS: dict[tuple[str, int], Upcaster] = {
    ("AccountOpened", 1): _as_it_was,
    ("AccountSeen", 1): _as_it_was,
    ("ConfigurationAdopted", 1): _as_it_was,
    ("OrderIntended", 1): _as_it_was,
    ("OrderRecalled", 1): _as_it_was,
    ("OrderRejected", 1): _as_it_was,
    ("OrderReplaced", 1): _as_it_was,
    ("OrderTriggered", 1): _as_it_was,
    ("PositionAdjusted", 1): _as_it_was,
    ("Reconciled", 1): _as_it_was,
    ("ReplaceRequested", 1): _as_it_was,
    ("VenueDescribed", 1): _as_it_was,
    ("SubmitRequested", 1): _as_it_was,
}
"""(kind, version) → the body as the next version would have written it. Pure; released ones never change."""

_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODERS = {name: msgspec.json.Decoder(kind) for name, kind in KINDS.items()}
_STATE_DECODER = msgspec.json.Decoder(State)

OLDEST_FIRST = (
    "orders", "open_ids", "closed_ids", "held_ids", "timed_ids", "worked_ids", "crossed_ids", "pauses", "last_intent",
)  # fmt: skip
"""Tables of State whose order is part of what is decided by; sorted keys alone would lose it."""


class _Blob(msgspec.Struct):
    ordered: dict[str, list[str]]
    state: msgspec.Raw


_BLOB_DECODER = msgspec.json.Decoder(_Blob)

NOT_IN_DIGEST = frozenset(
    "seq at_ns run epoch system system_reason starts_without_trading started_ns settings reconciling_since_ns venues "
    "submitted_ns last_intent outcomes unlisted fundings said last_event_seq digested_seq archived_to_seq by_client_id "
    "by_venue_id open_ids closed_ids executions_of instruments pauses held_ids timed_ids worked_ids linked crossed_ids "
    "styled_ns recent fees_day fees_today watermarks venue_errors_ns".split()
)
"""What is not domain: phase, epoch, timers, what follows from the rest, and pauses without a latch."""

NOT_IN_ORDER_DIGEST = frozenset({"queries", "queried_ns", "updated_ns", "is_triggered"})


class UnknownEvent(Exception):
    """The journal holds a kind or version that this release does not know: use the release that wrote it, or newer."""


def encode(recorded: Recorded) -> Draft:
    """The event as it will be stored."""
    event = recorded.event
    return Draft(
        recorded.seq, recorded.at_ns, event.kind, event.VERSION, event.subject, recorded.cause, canonical(event)
    )


def canonical(value: Any) -> str:
    """A value as the one JSON text that is stored: keys sorted, decimals in plain notation however small."""
    text = _ENCODER.encode(value).decode()
    if "E-" not in text:  # neither a decimal with an exponent nor a word like one
        return text
    return _ENCODER.encode(attrs.asdict(value, value_serializer=_written)).decode()


def _written(_owner: Any, _field: Any, value: Any) -> Any:
    return format(value, "f") if isinstance(value, Decimal) else value


def decode(stored: Stored) -> Recorded:
    """The event as it was made; raises `UnknownEvent`."""
    kind = KINDS.get(stored.kind)
    if kind is None:
        raise UnknownEvent(f"seq {stored.seq}: this release knows no event {stored.kind!r}")
    if stored.version == kind.VERSION:
        event = _DECODERS[stored.kind].decode(stored.body)
    else:
        event = msgspec.convert(_upcast(stored, kind.VERSION), kind)
    return Recorded(stored.seq, stored.at_ns, event, stored.cause)


def _upcast(stored: Stored, wanted: int) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(stored.body)
    for version in range(stored.version, wanted):
        upcaster = UPCASTERS.get((stored.kind, version))
        if upcaster is None:
            raise UnknownEvent(f"seq {stored.seq}: no way from {stored.kind} version {version} to {wanted}")
        body = upcaster(body)
    if stored.version > wanted:
        raise UnknownEvent(f"seq {stored.seq}: {stored.kind} version {stored.version} is newer than this release")
    return body


def encode_state(state: State) -> bytes:
    """State as canonical JSON, for a snapshot, and the order of those of its tables in which the oldest comes first."""
    ordered = {name: list(getattr(state, name)) for name in OLDEST_FIRST}
    return _ENCODER.encode(_Blob(ordered=ordered, state=msgspec.Raw(_ENCODER.encode(state))))


def decode_state(blob: bytes) -> State:
    """State from a snapshot's blob; raises `msgspec.DecodeError` for one of another shape."""
    found = _BLOB_DECODER.decode(blob)
    state = _STATE_DECODER.decode(found.state)
    for name in OLDEST_FIRST:
        table, keys = getattr(state, name), found.ordered.get(name, [])
        if table.keys() != set(keys):
            raise msgspec.DecodeError(f"the order of {name} is not that of its keys")
        setattr(state, name, {key: table[key] for key in keys})
    return state


def digest(state: State) -> str:
    """SHA-256 over orders, executions, positions, balances, memory and latches, in hex.

    Fields at their default are left out, so that a field added later does not change the digest of an old journal.
    """
    domain = _bare(state, NOT_IN_DIGEST)
    domain["latches"] = sorted(key for key, pause in state.pauses.items() if pause.latched)
    return sha256(_ENCODER.encode(domain)).hexdigest()


_BARE = frozenset({str, int, bool, type(None)})
_FIELDS: dict[type, tuple[tuple[str, Any], ...]] = {}
"""Of each class that was met: its fields and their defaults."""


def _bare(value: Any, left_out: frozenset[str] = frozenset()) -> Any:
    """A value as JSON can hold it, without fields at their default."""
    if type(value) in _BARE:
        return value
    if isinstance(value, Order | Execution):
        return _remembered(value)
    if attrs.has(type(value)):
        return _bare_fields(value, left_out)
    if isinstance(value, dict):
        return {str(key): _bare(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_bare(item) for item in value]
    return str(plain(value)) if type(value).__name__ == "Decimal" else value


def _remembered(value: Order | Execution) -> msgspec.Raw:
    """An order's or execution's part of the digest, kept with it: there are thousands, and closed ones never change."""
    raw: msgspec.Raw | None = value.__dict__.get(DIGESTED)
    if raw is None:
        left_out = NOT_IN_ORDER_DIGEST if isinstance(value, Order) else frozenset()
        raw = msgspec.Raw(_ENCODER.encode(_bare_fields(value, left_out)))
        value.__dict__[DIGESTED] = raw
    return raw


def _bare_fields(value: Any, left_out: frozenset[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, default in _fields_of(type(value)):
        item = getattr(value, name)
        if item is not default and item != default and name not in left_out:
            found[name] = _bare(item)
    return found


def _fields_of(kind: type) -> tuple[tuple[str, Any], ...]:
    if kind not in _FIELDS:
        _FIELDS[kind] = tuple((field.name, _default(field)) for field in attrs.fields(kind))
    return _FIELDS[kind]


def _default(field: Any) -> Any:
    factory = field.default
    return factory.factory() if isinstance(factory, attrs.Factory) else factory  # type: ignore[arg-type]
