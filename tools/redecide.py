"""`holdfast redecide`: recorded inputs through today's code, and whether it decides as the journal says.

Two states go side by side: one follows the journal, on the other today's code decides. As long as both make the same
events they are one; where they differ in more than words, the first difference is named, and that is the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import click
from attrs import asdict, define, evolve, field

from engine import inputs
from engine.codec import canonical, decode, decode_state, encode_state
from engine.decision import decide
from engine.desk import Desk
from engine.fold import apply, cause_of
from engine.input_codec import Taken
from engine.market import Market
from engine.settings import Settings
from engine.state import Recorded, State
from engine.strategy import Strategy
from engine.values import StrategyName, exact_arithmetic
from journal.journal import Reader
from tools.config import load_strategies, read_configuration
from tools.input_tape import read_tape
from tools.rows import Row, to_json
from tools.wording import count, moment, pairs

IN_WORDS = frozenset({"strategy_version", "strategy_hash", "raw", "client_order_id", "new_client_order_id"})
"""Fields that only name: a new version changes them, and ids follow from how many events came before."""

OF_THE_START = (inputs.ProcessBegan, inputs.ConfigurationRead, inputs.VenueDescribed, inputs.VenuesDescribed)
"""What these lead to is taken as the journal says: another release, configuration or venue begins otherwise."""

OF_THE_PROCESS = ("ProcessStopped", "StateDigested")
"""What the shell journals by itself."""


@define
class Redecided:
    """What came of it. `reworded` inputs led to the same decisions in other words (a memory, a version); `gaps` are
    the stretches of the journal without recorded inputs; `difference` is the first one, None where there is none."""

    inputs: int = 0
    events: int = 0
    intents: int = 0
    reworded: int = 0
    gaps: list[tuple[int, int]] = field(factory=list)
    difference: Row | None = None

    @property
    def is_same(self) -> bool:
        """Does today's code decide as the journal says? Of nothing nobody can say that."""
        return self.difference is None and self.inputs > 0

    def row(self) -> Row:
        """`redecide --json`."""
        return {"same": self.is_same, **asdict(self), "gaps": [list(gap) for gap in self.gaps]}


class Redecision:
    """Today's code on a journal's inputs. `settings` are today's: of them only the strategies' count."""

    def __init__(self, directory: Path, settings: Settings, kinds: Mapping[StrategyName, type[Strategy]]) -> None:
        self._directory, self._settings, self._kinds = directory, settings, kinds
        self._told, self._own = State(), State()
        self._market, self._desk = Market(), Desk({})
        self._is_prepared = True
        self.result = Redecided()

    def run(self) -> Redecided:
        """To the first difference, or the end."""
        with Reader(self._directory) as reader, exact_arithmetic():
            entries = _Entries(map(decode, reader.read(0)))
            lines = read_tape(self._directory)
            taken = next(lines, None)
            self._skip(entries, taken.seq if taken is not None else None)
            while taken is not None and self.result.difference is None:
                following = next(lines, None)
                told = entries.until(following.seq if following is not None else None)
                self._decide(taken, told, is_last=following is None or isinstance(following.seen, inputs.ProcessBegan))
                taken = following
        return self.result

    def _skip(self, entries: _Entries, until: int | None) -> None:
        """Events whose inputs were not kept."""
        first = self._told.seq + 1
        for recorded in entries.until(until):
            apply(self._told, recorded)
        if self._told.seq >= first:
            self.result.gaps.append((first, self._told.seq))
            self._follow()

    def _decide(self, taken: Taken, told: list[Recorded], *, is_last: bool) -> None:
        self.result.inputs += 1
        if isinstance(taken.seen, inputs.ProcessBegan):
            self._market, self._desk, self._is_prepared = Market(), Desk({}), False
        elif not self._is_prepared and not isinstance(taken.seen, OF_THE_START):
            self._prepare()
        if isinstance(taken.seen, OF_THE_START):
            self._take(told)
            self._follow()
            return
        own = self._decide_own(taken)
        known = _known(told, own) if is_last else len(told)
        self._take(told[:known])
        self._compare(taken, told[:known], own)
        if known < len(told) and self.result.difference is None:
            self.result.gaps.append((told[known].seq, told[-1].seq))
            self._take(told[known:])
            self._follow()

    def _prepare(self) -> None:
        """A process has begun: its strategies are today's."""
        self._is_prepared = True
        names = [name for name in self._kinds if name in self._own.settings.strategies]
        self._desk = Desk({name: self._kinds[name] for name in names})
        self._desk.prepare(self._own, self._market)

    def _take(self, told: list[Recorded]) -> None:
        for recorded in told:
            apply(self._told, recorded)
        self.result.events += len(told)

    def _follow(self) -> None:
        """The own state is the journal's once more, with today's strategies in its settings."""
        self._own = decode_state(encode_state(self._told))
        named = {
            name: each for name, each in self._settings.strategies.items() if name in self._own.settings.strategies
        }
        strategies = {**self._own.settings.strategies, **named}
        self._own.settings = evolve(self._own.settings, strategies=strategies)

    def _decide_own(self, taken: Taken) -> list[Recorded]:
        own: list[Recorded] = []
        for event in decide(self._own, self._market, self._desk, taken.seen, taken.at_ns):
            recorded = Recorded(self._own.seq + 1, taken.at_ns, event, cause_of(self._own, event))
            apply(self._own, recorded)
            own.append(recorded)
        return own

    def _compare(self, taken: Taken, told: list[Recorded], own: list[Recorded]) -> None:
        if [canonical(one.event) for one in told] == [canonical(one.event) for one in own]:
            self.result.intents += sum(one.event.kind == "OrderIntended" for one in told)
            return
        theirs, ours = _decisions(told), _decisions(own)
        for recorded, mine in zip_longest(theirs, ours):
            said, does = _spoken(recorded, told), _spoken(mine, own)
            if said != does:
                self.result.difference = _difference(taken, self._told.seq, recorded, mine, said, does)
                return
        self.result.intents += sum(one.event.kind == "OrderIntended" for one in theirs)
        self.result.reworded += 1
        self._follow()


class _Entries:
    """The journal's events, a stretch at a time."""

    def __init__(self, recorded: Iterator[Recorded]) -> None:
        self._recorded, self._next = recorded, next(recorded, None)

    def until(self, seq: int | None) -> list[Recorded]:
        """The events up to and with a seq; None: all that are left."""
        found = []
        while self._next is not None and (seq is None or self._next.seq <= seq):
            found.append(self._next)
            self._next = next(self._recorded, None)
        return found


def _known(told: list[Recorded], own: list[Recorded]) -> int:
    """After a process's last input, what a crash tore off may have led to more: how many events are its own."""
    more = _decisions(told[len(own) :])
    return len(own) if more else len(told)


def _decisions(made: list[Recorded]) -> list[Recorded]:
    """What was decided: without how far strategies were told, and what they remember."""
    return [one for one in made if one.event.kind not in ("StrategyAdvanced", *OF_THE_PROCESS)]


def _spoken(recorded: Recorded | None, made: list[Recorded]) -> dict[str, Any] | None:
    """An event as it is compared: without what only names it, ids of this stretch by their place."""
    if recorded is None:
        return None
    ids = {str(one.event.subject): f"order {n}" for n, one in enumerate(made) if one.event.kind == "OrderIntended"}
    fields: dict[str, Any] = json.loads(canonical(recorded.event))
    return {"kind": recorded.event.kind} | {
        name: ids.get(value[:16], value) if isinstance(value, str) else value
        for name, value in fields.items() if name not in IN_WORDS
    }  # fmt: skip


def _difference(taken: Taken, seq: int, theirs: Recorded | None, ours: Recorded | None, said: Any, does: Any) -> Row:
    names = sorted({*(said or {}), *(does or {})})
    fields = [name for name in names if (said or {}).get(name) != (does or {}).get(name)]
    return {
        "at_ns": taken.at_ns,
        "seq": theirs.seq if theirs is not None else seq,
        "input": type(taken.seen).__name__,
        "journal": said,
        "today": does,
        "fields": fields,
    }


def show_redecided(config: Path, as_json: bool) -> bool:
    """The command: is it the same? Raises `ConfigurationWrong`, `JournalMissing` or `TapeDamaged`."""
    configuration = read_configuration(config)
    found = Redecision(configuration.journal, configuration.settings, load_strategies(configuration)).run()
    if as_json:
        click.echo(to_json(found.row()))
    else:
        for line in _lines(found):
            click.echo(line)
    return found.is_same


def _lines(found: Redecided) -> Iterator[str]:
    counted = f"{count(found.inputs, 'input')}, {count(found.events, 'event')}, {count(found.intents, 'intent')}"
    if not found.inputs:
        yield 'nothing to decide again: inputs are kept with [record] quotes = "all"'
        return
    for first, last in found.gaps:
        yield f"seq {first} to {last}: what came in was not kept, so the journal is taken at its word"
    if found.difference is None:
        reworded = f"; {count(found.reworded, 'input')} in other words" if found.reworded else ""
        yield f"the same decisions: {counted}{reworded}"
        return
    difference = found.difference
    yield f"the first difference: seq {difference['seq']}, {moment(difference['at_ns'])}, at a {difference['input']}"
    for name, what in (("journal", "the journal"), ("today", "today's code")):
        yield f"  {what:<13} {_told(difference[name], difference['fields'])}"
    yield f"until there the same: {counted}"


def _told(event: dict[str, Any] | None, fields: list[str]) -> str:
    if event is None:
        return "decides nothing"
    named = {name: event[name] for name in fields if name in event and name != "kind"}
    return f"{event['kind']}: {pairs(named)}" if named else str(event["kind"])
