"""The live screen: a picture of the run at the bottom of the terminal, drawn over itself; no flicker, no other screen.

The deciding thread only takes a Glance; a thread of its own draws. Each picture is one write that overwrites every line
and erases nothing first. The cursor is never hidden and the terminal never switched, so that nothing needs repair after
a kill -9: the last picture stays where it was.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from engine.market import Market
from engine.runner import Runner
from engine.state import Recorded, State
from tools.glance import Glance, Witness, glance_of
from tools.panels import Size, frame
from tools.start import Found
from tools.telling import finding_lines, opening_lines, summary_lines

LOOK_NS = 250_000_000
JOIN_SECONDS = 2.0


class Screen:
    """A watcher of a run on a terminal. Every method but `update` is called by the deciding thread."""

    def __init__(self, name: str, console: Console | None = None) -> None:
        self._name = name
        self._console = console or Console(file=sys.stdout, highlight=False)
        self._region = Region(self._console)
        self._witness = Witness()
        self._found: Found | None = None
        self._look_ns = 0
        self._last: Glance | None = None
        self._told_finding = False
        self._waiting = threading.Condition()
        self._next: Glance | None = None
        self._above: list[Text] = []
        self._closing = False
        self._thread = threading.Thread(target=self._draw_all, name="screen", daemon=True)

    def begin(self, found: Found) -> None:
        """Say what the journal held, and start drawing."""
        self._found = found
        for line in opening_lines(self._name, found):
            self._console.print(line)
        self._thread.start()

    def events(self, state: State, recorded: Sequence[Recorded]) -> None:
        """See a committed batch."""
        self._witness.take(state, recorded)
        if self._witness.finding is not None and not self._told_finding:
            self._told_finding = True
            assert self._found is not None
            self._say(finding_lines(self._witness.finding, self._found))

    def tick(self, state: State, market: Market, runner: Runner) -> None:
        """Take a look, four times a second."""
        now_ns = time.monotonic_ns()
        if now_ns >= self._look_ns:
            self._look_ns = now_ns + LOOK_NS
            self._last = glance_of(state, market, runner.figures, self._witness, runner.clock.now_ns())
            self.update(self._last)

    def update(self, glance: Glance) -> None:
        """Show this; if the drawing is slower than the looking, the newest counts."""
        with self._waiting:
            self._next = glance
            self._waiting.notify()

    def close(self, state: State, code: int) -> None:
        """Take the picture away and say what happened."""
        with self._waiting:
            self._closing = True
            self._waiting.notify()
        if self._thread.is_alive():
            self._thread.join(JOIN_SECONDS)
        self._region.erase()
        for line in summary_lines(self._name, state, self._witness, self._last, code):
            self._console.print(line)

    def _say(self, lines: Sequence[Text]) -> None:
        with self._waiting:
            self._above += lines
            self._waiting.notify()

    def _draw_all(self) -> None:
        try:
            while self._draw_next():
                pass
        except Exception:  # noqa: BLE001 (a picture is never worth the run: said once, and the run goes on)
            traceback.print_exc()

    def _draw_next(self) -> bool:
        with self._waiting:
            self._waiting.wait_for(lambda: self._closing or self._next is not None or self._above)
            glance, above, closing = self._next, self._above, self._closing
            self._next, self._above = None, []
        if above:
            self._region.say(above)
        if glance is not None and not closing:
            self._region.draw(glance)
        return not closing


class Region:
    """The lines of the terminal that are drawn over."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._height = 0
        self._size = Size(0, 0)
        self._shown: Glance | None = None

    def draw(self, glance: Glance) -> None:
        """Put a picture where the last one was."""
        size = Size(self._console.width, self._console.height)
        if size != self._size and self._height:
            # Lines have been wrapped anew by the terminal: nobody knows where the old picture is.
            self._console.file.write("\x1b[2J\x1b[H")
            self._height = 0
        self._size, self._shown = size, glance
        lines = self._rendered(frame(glance, Size(size.width, size.height - 1)))
        self._write("".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J", len(lines))

    def say(self, lines: Sequence[Text]) -> None:
        """Write lines that stay, above the picture."""
        text = "".join(f"{line}\x1b[K\n" for line in self._rendered(lines, wrap=True))
        self._write(text + "\x1b[J", 0)
        if self._shown is not None:
            self.draw(self._shown)

    def erase(self) -> None:
        """Take the picture away."""
        self._write("\x1b[J", 0)

    def _write(self, text: str, height: int) -> None:
        up = f"\x1b[{self._height}A" if self._height else ""
        self._console.file.write(f"\r{up}{text}")
        self._console.file.flush()
        self._height = height

    def _rendered(self, lines: Sequence[Text], wrap: bool = False) -> list[str]:
        with self._console.capture() as captured:
            for line in lines:
                self._console.print(line, no_wrap=not wrap, overflow="fold" if wrap else "crop", crop=True)
        return captured.get().splitlines()
