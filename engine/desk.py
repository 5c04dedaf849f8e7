"""The desk: where strategies sit. Volatile: instances, throttles, memory that is not journaled yet, counters."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

import msgspec
from attrs import Factory, define, frozen

from engine.bars import BarSource
from engine.instructions import Linked, Work, check_style
from engine.looks import Looks
from engine.market import Market
from engine.settings import StrategySettings
from engine.state import State
from engine.strategy import (
    ANSWERS_LIMIT,
    MEMORY_LIMIT_BYTES,
    Answer,
    Context,
    Intent,
    MemoryRefused,
    Strategy,
    keep,
    plain_reason,
    recall,
)
from engine.values import StrategyName, exact_arithmetic

_WRITE = {"style": "Work(…)", "linked": "Bracket(…) or Oco(…)"}
MESSAGE_LIMIT = 1_000
FRAMES_LIMIT = 12
_ENCODER = msgspec.json.Encoder(order="sorted")


@frozen(kw_only=True)
class Failure:
    """What a callback raised, without the caller's frames and at most 4 KB."""

    callback: str
    type: str
    message: str
    frames: tuple[str, ...]


@define
class Seat:
    """One strategy at work. `kept` is its memory as it will be journaled, `kept_bytes` that in canonical form.

    `asked_ns` and `waiting` are of each callback and instrument: when it was last asked on it, and the newest that came
    since, while it may not be asked again. `clock_ns` is the time of the day that was told last.
    """

    name: StrategyName
    kind: type[Strategy]
    strategy: Strategy
    started: bool = False
    asked_ns: dict[tuple[str, str], int] = Factory(dict)
    waiting: dict[tuple[str, str], Any] = Factory(dict)
    timer_ns: int = 0
    clock_ns: int = 0
    hashed: tuple[StrategySettings, str] | None = None
    memory: dict[str, Any] | None = None
    kept: dict[str, Any] = Factory(dict)
    kept_bytes: bytes = b"{}"
    kept_text: str = ""
    unsaved_since_ns: int = 0


class Desk:
    """All seats; `ask` runs one callback and takes nothing of it if it raises."""

    def __init__(self, kinds: Mapping[StrategyName, type[Strategy]]) -> None:
        self.seats = {name: Seat(name, kind, kind()) for name, kind in kinds.items()}
        self.repeats: dict[str, int] = {}
        self.looks = Looks("")

    def prepare(self, state: State, market: Market) -> None:
        """Watch the instruments and bars that the strategies need."""
        for name, settings in state.settings.strategies.items():
            for instrument in settings.instruments:
                if instrument not in state.instruments:
                    continue
                market.watch(state.instruments[instrument])
                for interval_ns in settings.frames_ns if name in self.seats else ():
                    market.watch_bars(instrument, interval_ns, BarSource(settings.bars_from))

    def ask(
        self, seat: Seat, state: State, market: Market, now_ns: int, callback: str, *args: Any
    ) -> list[Answer] | Failure:
        """Run a callback to its end on an unchanged state; its answers, or why it failed."""
        self._recall(seat, state)
        assert seat.memory is not None
        looks = self.looks = Looks(callback, *args)
        context = Context(seat.name, state, market, now_ns, seat.memory, looks)
        try:
            with exact_arithmetic():
                answers = list(getattr(seat.strategy, callback)(context, *args) or ())
            _check_answers(answers)
            self._keep(seat, state, now_ns)
        except Exception as error:  # noqa: BLE001 (whatever user code raises concerns that strategy alone)
            seat.memory = None
            return _failure(seat, callback, error)
        return answers

    def hash_of(self, state: State, name: StrategyName) -> str:
        """The hash of a strategy's source and parameters, computed once for each configuration."""
        settings, seat = state.settings.strategies[name], self.seats.get(name)
        if seat is None:
            return settings.hash
        if seat.hashed is None or seat.hashed[0] is not settings:
            seat.hashed = (settings, settings.hash)
        return seat.hashed[1]

    def unsaved(self, seat: Seat) -> dict[str, Any] | None:
        """The memory that is to be journaled, if it changed; from here on it counts as saved."""
        if not seat.unsaved_since_ns:
            return None
        seat.unsaved_since_ns = 0
        return seat.kept

    def restart(self, seat: Seat) -> None:
        """A new instance, as after a start."""
        seat.asked_ns.clear()
        seat.waiting.clear()
        seat.strategy, seat.started, seat.memory, seat.unsaved_since_ns = seat.kind(), False, None, 0

    def count(self, key: str) -> None:
        """One more of an equal denial that is not journaled."""
        self.repeats[key] = self.repeats.get(key, 0) + 1

    def counted(self, key: str) -> int:
        """How many were counted; from here on none."""
        return self.repeats.pop(key, 0)

    def _recall(self, seat: Seat, state: State) -> None:
        if seat.memory is None:
            if not seat.unsaved_since_ns:
                seat.kept = dict(state.strategies[seat.name].memory)
                seat.kept_bytes = _ENCODER.encode(seat.kept)
            seat.memory, seat.kept_text = recall(seat.kept), ""

    def _keep(self, seat: Seat, state: State, now_ns: int) -> None:
        text = repr(seat.memory)
        if text == seat.kept_text:
            return  # what is shown alike is kept alike; this look costs a tenth of encoding it again
        kept = keep(seat.memory)
        seat.kept_text = text
        encoded = _ENCODER.encode(kept)
        if encoded == seat.kept_bytes:
            return
        if len(encoded) > MEMORY_LIMIT_BYTES:
            raise MemoryRefused(f"the memory has {len(encoded)} bytes; at most {MEMORY_LIMIT_BYTES} are kept")
        seat.kept, seat.kept_bytes = kept, encoded
        seat.unsaved_since_ns = seat.unsaved_since_ns or now_ns


def _check_answers(answers: list[Any]) -> None:
    if len(answers) > ANSWERS_LIMIT:
        raise ValueError(f"{len(answers)} answers to one call; at most {ANSWERS_LIMIT} are taken")
    for answer in answers:
        if not isinstance(answer, Answer):
            raise TypeError(f"{answer!r} is no Intent, Cancel or Replace")
        if isinstance(answer, Intent):
            _check_intent(answer)
        elif not isinstance(answer.order_id, str):
            raise TypeError(f"the order_id {answer.order_id!r} is no str")


def _check_intent(intent: Intent) -> None:
    """What goes into the journal as it is has to be what the journal can give back: annotations bind no strategy."""
    named: tuple[tuple[str, Any, Any], ...] = (
        ("instrument", intent.instrument, str), ("key", intent.key, str | None), ("post_only", intent.post_only, bool),
        ("reason", intent.reason, Mapping), ("expires", intent.expires, int | None),
        ("reduce_only", intent.reduce_only, bool),
    )  # fmt: skip
    for name, value, kind in named:
        if not isinstance(value, kind):
            wanted = getattr(kind, "__name__", "str")
            raise TypeError(f"{name} is {value!r}, a {type(value).__name__}; write a {wanted}")
    plain_reason(intent.reason)
    for name, value, kind in (("style", intent.style, Work), ("linked", intent.linked, Linked)):
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{name} is {value!r}, a {type(value).__name__}; write {_WRITE[name]}")
    if intent.style is not None:
        check_style(intent.style)


def _failure(seat: Seat, callback: str, error: Exception) -> Failure:
    """Type, message and the frames from the strategy's own file on."""
    frames = traceback.extract_tb(error.__traceback__)[1:][-FRAMES_LIMIT:]
    lines = tuple(
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}: {frame.line}"[:200] for frame in frames
    )
    return Failure(callback=callback, type=type(error).__name__, message=str(error)[:MESSAGE_LIMIT], frames=lines)
