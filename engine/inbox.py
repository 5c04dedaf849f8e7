"""The inbox: where inputs wait for the deciding thread. Bounded; what may not be lost is never dropped silently.

Quotes wait in one slot per instrument (the newest wins), trades in a bounded queue of their own; reports, commands and
timers in a bounded queue. When that is full its venue is reported as lost once and must reconcile: executions come by
snapshot, so nothing is lost.
"""

from __future__ import annotations

import threading
from collections import deque

from engine.inputs import BookDelta, BookSnapshot, Candle, DataDropped, Input, Quote, TradeTick, VenueLost
from engine.values import SECOND_NS, InstrumentName, VenueName

REPORTS_LIMIT = 50_000
TRADES_LIMIT = 10_000
INBOX_FULL = "inbox full"


class Inbox:
    """Many threads deliver, one takes."""

    def __init__(self, reports_limit: int = REPORTS_LIMIT, trades_limit: int = TRADES_LIMIT) -> None:
        self.quotes_replaced = 0
        self.trades_dropped = 0
        self.reports_refused = 0
        self._reports_limit, self._trades_limit = reports_limit, trades_limit
        self._quotes: dict[InstrumentName, Quote] = {}
        self._reports: deque[Input] = deque()
        self._trades: deque[TradeTick | BookDelta | BookSnapshot | Candle] = deque()
        self._dropped: dict[InstrumentName, int] = {}
        self._overflowed: dict[VenueName, None] = {}
        self._ready = threading.Condition()

    def deliver(self, seen: Input) -> None:
        """Put an input in; never blocks."""
        with self._ready:
            if isinstance(seen, Quote):
                self.quotes_replaced += seen.instrument in self._quotes
                self._quotes[seen.instrument] = seen
            elif isinstance(seen, (TradeTick, BookDelta, BookSnapshot, Candle)):
                self._put_trade(seen)
            else:
                self._put_report(seen)
            self._ready.notify()

    def take(self, limit: int, timeout_ns: int) -> list[Input]:
        """Up to `limit` inputs, reports first; waits at most so long for the first."""
        with self._ready:
            if not self._has_any():
                self._ready.wait(timeout_ns / SECOND_NS)
            return self._take_now(limit)

    def depth(self) -> int:
        """How many inputs wait; without the lock, because the answer is old as soon as it is given."""
        return len(self._reports) + len(self._trades) + len(self._quotes)

    def _has_any(self) -> bool:
        return bool(self._reports or self._trades or self._quotes or self._overflowed)

    def _take_now(self, limit: int) -> list[Input]:
        taken: list[Input] = [VenueLost(venue, INBOX_FULL) for venue in self._overflowed]
        taken += [DataDropped(instrument, count) for instrument, count in self._dropped.items()]
        self._overflowed.clear()
        self._dropped.clear()
        while self._reports and len(taken) < limit:
            taken.append(self._reports.popleft())
        while self._trades and len(taken) < limit:
            seen = self._trades.popleft()
            if isinstance(seen, Candle) and seen.instrument in self._quotes:
                taken.append(
                    self._quotes.pop(seen.instrument)
                )  # the quote of its close: who is asked on the bar sees it
            taken.append(seen)
        while self._quotes and len(taken) < limit:
            taken.append(self._quotes.pop(next(iter(self._quotes))))
        return taken

    def _put_report(self, seen: Input) -> None:
        venue = getattr(seen, "venue", None)
        if venue is not None and len(self._reports) >= self._reports_limit:
            self.reports_refused += 1
            self._overflowed[venue] = None
            return
        self._reports.append(seen)

    def _put_trade(self, seen: TradeTick | BookDelta | BookSnapshot | Candle) -> None:
        if len(self._trades) >= self._trades_limit:
            dropped = self._trades.popleft().instrument
            self._dropped[dropped] = self._dropped.get(dropped, 0) + 1
            self.trades_dropped += 1
        self._trades.append(seen)
