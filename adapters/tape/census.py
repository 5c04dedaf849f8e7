"""What a tape is made of, and what is wrong with it: counted while it is played, told afterwards."""

from __future__ import annotations

import re
from collections import Counter

from attrs import Factory, define

from adapters.tape.record import BadLine
from engine.inputs import BookDelta, Candle, MarketData, Quote
from engine.values import SECOND_NS

EXAMPLES_MOST = 5
REASONS_MOST = 50
"""Kinds of bad lines that are told apart; further ones are counted together."""

GAPS_MOST = 10
GAP_NS = 300 * SECOND_NS
"""A silence from which on it is one of the tape's gaps; a bar is no silence, only what lies between two of them is."""

_NUMBERS = re.compile(r"-?\d+(\.\d+)?")


@define
class Census:
    """Of one symbol: `kinds` by class, `bad` by reason (numbers taken out), the longest `gaps` as (ns, from ns)."""

    kinds: Counter[str] = Factory(Counter)
    bad: Counter[str] = Factory(Counter)
    examples: list[str] = Factory(list)
    gaps: list[tuple[int, int]] = Factory(list)
    gap_count: int = 0
    repeated: int = 0
    locked: int = 0
    _last: MarketData | None = None

    def count(self, record: MarketData) -> None:
        """One more record; one that says the same as the one before, at the same time, is repeated."""
        self.kinds[type(record).__name__] += 1
        last, self._last = self._last, record
        if last is None:
            return
        begun_ns = record.start_ns if isinstance(record, Candle) else record.received_ns
        silent_ns = begun_ns - last.received_ns
        if silent_ns >= GAP_NS:
            self._note_gap(silent_ns, last.received_ns)
        elif not silent_ns and not isinstance(record, BookDelta) and record == last:
            self.repeated += 1
        if isinstance(record, Quote) and record.bid == record.ask:
            self.locked += 1

    def count_bad(self, line: BadLine) -> None:
        """One more line that was not believed."""
        reason = _NUMBERS.sub("#", line.reason)
        self.bad[reason if reason in self.bad or len(self.bad) < REASONS_MOST else "other reasons"] += 1
        if len(self.examples) < EXAMPLES_MOST:
            self.examples.append(f"{line.path.name}:{line.number} {line.reason}: {line.text}")

    def _note_gap(self, silent_ns: int, from_ns: int) -> None:
        self.gap_count += 1
        self.gaps.append((silent_ns, from_ns))
        self.gaps.sort(reverse=True)
        del self.gaps[GAPS_MOST:]
