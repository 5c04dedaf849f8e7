"""A strategy with a fault of its own."""

from __future__ import annotations

from engine.inputs import Quote
from engine.strategy import Answers, Context, Strategy


class Failing(Strategy):
    """Divides by what is not there on the third quote, whenever it is asked again."""

    def on_quote(self, context: Context, quote: Quote) -> Answers:
        """Counts, then fails."""
        context.memory["quotes"] = context.memory.get("quotes", 0) + 1
        if context.memory["quotes"] >= 3:
            return self.divide_by(context.memory["quotes"] - 3)
        return None

    def divide_by(self, number: int) -> Answers:
        """The frame that a traceback must show."""
        raise ZeroDivisionError(f"{1 // number} never")
