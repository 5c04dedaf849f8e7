"""A strategy that leaks, for the tests of the soak: what it is told it never lets go."""

from __future__ import annotations

from engine.inputs import Quote
from engine.strategy import Answers, Context, Strategy

HOARD: list[bytes] = []
BYTES_A_QUOTE = 400_000


class Hoarding(Strategy):
    """Wants nothing."""

    def on_quote(self, context: Context, quote: Quote) -> Answers:
        HOARD.append(bytes(BYTES_A_QUOTE))
        return None
