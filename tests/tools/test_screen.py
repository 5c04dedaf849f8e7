"""The live screen: it fits every terminal, draws over itself and nothing else, and says what happened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from engine import events
from engine.inputs import Quote, Scope
from engine.market import Market
from engine.runner import Figures
from engine.settings import Change
from tests.tools.journals import BTC, CROSS, SIM, START_NS, Author, tell
from tools.glance import Glance, Witness, glance_of
from tools.panels import Size, frame
from tools.screen import Region, Screen
from tools.start import Found
from tools.telling import opening_lines


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Author]:
    found = Author(tmp_path_factory.mktemp("screen") / "run")
    yield found
    found.close()


@pytest.fixture(scope="module")
def witness(author: Author) -> Witness:
    """What a run saw that did everything."""
    seen = Witness()
    add = author.add

    def listen(*events: Any, **options: int) -> Any:
        recorded = add(*events, **options)
        seen.take(author.state, recorded)
        return recorded

    author.add = listen  # type: ignore[method-assign]
    tell(author)
    return seen


@pytest.fixture(scope="module")
def glance(author: Author, witness: Witness) -> Glance:
    return glance_of(
        author.state, market(author.now_ns), Figures(commits=9, commit_ns=1_250_000), witness, author.now_ns
    )


def market(now_ns: int) -> Market:
    found = Market()
    found.quotes[BTC] = Quote(BTC, Decimal("60000.5"), Decimal(1), Decimal("60001.5"), Decimal(2), now_ns)
    found.last_data_ns[SIM] = now_ns
    return found


def found_at(seq: int, clean: bool) -> Found:
    return Found(
        journal=Path("run"), journal_id="j", seq=seq, clean=clean, folded=seq, from_snapshot=0, verified=seq,
        seconds=0.25, state_digest="",
    )  # fmt: skip


def test_a_strategy_that_changed_under_its_version_is_told_at_the_start() -> None:
    changed = evolve(found_at(12, True), changed=(Change(CROSS, "1", "0" * 16, "f" * 16),))
    told = "strategy cross has changed under the same version 1: 0000000000000000 is now ffffffffffffffff"
    assert any(told in line for line in plain(opening_lines("x.toml", changed)))
    assert not any("has changed" in line for line in plain(opening_lines("x.toml", found_at(12, True))))


# --- the picture ------------------------------------------------------------------------------------------------


def plain(lines: list[Text]) -> list[str]:
    return [line.plain.rstrip() for line in lines]


def test_the_picture_at_80_by_24(glance: Glance) -> None:
    shown = plain(frame(glance, Size(80, 23)))
    head = shown[0]
    assert head.startswith("● TRADING  reconciled")
    assert re.search(r"paper, start 1, pid \d+, up \d", head)
    assert shown[1] == "─" * 80
    text = "\n".join(shown)
    for words in (
        "journal    seq",
        "the last took 1.2 ms",
        "sim        ready, data live, compared",
        "BTC-USDT   60000.5 / 60001.5",
        "strategies cross\n",
        "POSITIONS  quantity",
        "all: +3.70 USDT",
        "ORDERS     3 open, 1 in doubt; sent 5, canceled 1, rejected 1, denied 1",
        "buy   0.01  BTC-USDT  at 60000  100 ms  in doubt\n",
        "sell  0.01  BTC-USDT  at 61000   1.1 s  filled 0.004, cancel",
        "FILLS      3 in this run, realized +3.70 USDT after fees",
        "sold    0.004  BTC-USDT  at 61000",
        "in doubt",
        "last word",
        "Ctrl-C stops cleanly",
    ):
        assert words in text, text


def test_doubt_comes_first(glance: Glance) -> None:
    shown = plain(frame(glance, Size(100, 40)))
    first = shown[next(number for number, line in enumerate(shown) if line.startswith("ORDERS")) + 1]
    assert "in doubt" in first


def test_a_strategy_that_is_paused_is_marked(tmp_path: Path) -> None:
    other = Author(tmp_path / "run")
    other.begin()
    other.add(events.TradingPaused(scope=Scope.STRATEGY, subject_name="cross", reason="strategy_failed", latched=True))
    text = "\n".join(plain(frame(glance_of(other.state, Market(), Figures(), Witness(), other.now_ns), Size(80, 23))))
    assert "strategies cross paused\n" in text
    assert "paused     strategy cross: strategy_failed, until `holdfast resume`\n" in text
    other.close()


def test_old_data_is_said(author: Author, witness: Witness) -> None:
    later_ns = author.now_ns + 60_000_000_000
    old = glance_of(author.state, market(author.now_ns), Figures(), witness, later_ns)
    text = "\n".join(plain(frame(old, Size(80, 30))))
    assert "sim        ready, data 1 m 0 s old" in text
    assert "BTC-USDT   60000.5 / 60001.5  1 m 0 s old" in text


@settings(max_examples=60)
@given(width=st.integers(20, 250), height=st.integers(8, 80))
def test_it_fits_every_terminal(glance: Glance, width: int, height: int) -> None:
    lines = frame(glance, Size(width, height))
    assert len(lines) <= height
    assert all(line.cell_len <= width for line in lines)
    assert not any("\n" in line.plain for line in lines)
    assert lines[0].plain.startswith("● TRADING")
    assert "Ctrl-C" in lines[-1].plain


def test_a_run_that_has_just_begun_can_be_shown(tmp_path: Path) -> None:
    author = Author(tmp_path / "run")
    author.begin()
    begun = glance_of(author.state, Market(), Figures(), Witness(), author.now_ns)
    text = "\n".join(plain(frame(begun, Size(80, 23))))
    assert "● RECONCILING  start" in text
    assert "POSITIONS  none yet" in text
    author.close()


# --- drawing ----------------------------------------------------------------------------------------------------


class Terminal:
    """As much of a terminal as the region needs: lines without end, a cursor, and three erasing codes."""

    def __init__(self, written: str) -> None:
        self.lines: list[list[str]] = [[]]
        self.row = self.column = 0
        for code in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|.", written, re.DOTALL):
            self.take(code)

    def take(self, code: str) -> None:
        if code == "\r":
            self.column = 0
        elif code == "\n":
            self.row, self.column = self.row + 1, 0
            self.lines += [[]] if self.row == len(self.lines) else []
        elif not code.startswith("\x1b"):
            line = self.lines[self.row]
            line += [" "] * (self.column - len(line))
            line[self.column : self.column + 1] = [code]
            self.column += 1
        elif code.endswith("A"):
            self.row -= int(code[2:-1])
            assert self.row >= 0
        elif code.endswith("K"):
            del self.lines[self.row][self.column :]
        elif code.endswith("J"):
            assert code == "\x1b[J"
            del self.lines[self.row][self.column :]
            del self.lines[self.row + 1 :]
        else:
            assert code.endswith("m"), code

    def text(self) -> list[str]:
        return ["".join(line).rstrip() for line in self.lines]


def console(width: int = 80, height: int = 24) -> Console:
    return Console(file=StringIO(), force_terminal=True, width=width, height=height, highlight=False)


def written(place: Console) -> str:
    assert isinstance(place.file, StringIO)
    return place.file.getvalue()


def test_a_picture_is_drawn_over_the_last_one(glance: Glance) -> None:
    place = console()
    place.file.write("above\n")
    region = Region(place)
    for _ in range(3):
        region.draw(glance)
    assert Terminal(written(place)).text() == ["above", *plain(frame(glance, Size(80, 23))), ""]


@given(st.lists(st.sampled_from(["draw", "say", "erase"]), max_size=8))
def test_what_is_said_stays_above(glance: Glance, steps: list[str]) -> None:
    place = console()
    region = Region(place)
    said: list[str] = []
    is_drawn = False
    for number, step in enumerate(steps):
        if step == "draw":
            region.draw(glance)
            is_drawn = True
        elif step == "say":
            region.say([Text(f"line {number}")])
            said.append(f"line {number}")
        else:
            region.erase()
            is_drawn = False
    picture = plain(frame(glance, Size(80, 23)))
    shown = Terminal(written(place)).text()
    assert shown[: len(said)] == said
    if is_drawn:
        assert shown[len(said) :] == [*picture, ""]


def test_nothing_is_erased_before_it_is_drawn_again(glance: Glance) -> None:
    """No flicker: an empty line is never on the screen, and the cursor is never hidden."""
    place = console()
    region = Region(place)
    region.draw(glance)
    before = len(written(place))
    region.draw(glance)
    again = written(place)[before:]
    assert again.startswith("\r\x1b[")
    assert "\x1b[2K" not in again
    assert "?25l" not in written(place)
    assert "?1049h" not in written(place)


def test_a_terminal_of_another_size_is_begun_anew(glance: Glance) -> None:
    place = console()
    region = Region(place)
    region.draw(glance)
    place.size = (100, 30)
    region.draw(glance)
    assert written(place).count("\x1b[2J\x1b[H") == 1


# --- the watcher ------------------------------------------------------------------------------------------------


def test_the_screen_from_beginning_to_end(tmp_path: Path) -> None:
    author = Author(tmp_path / "run")
    place = console(100, 30)
    screen = Screen("holdfast.toml", place)
    screen.begin(found_at(0, True))
    add = author.add

    def listen(*events: Any, **options: int) -> Any:
        recorded = add(*events, **options)
        screen.events(author.state, recorded)
        return recorded

    author.add = listen  # type: ignore[method-assign]
    tell(author)
    runner: Any = SimpleNamespace(figures=Figures(), clock=SimpleNamespace(now_ns=lambda: author.now_ns))
    screen.tick(author.state, market(author.now_ns), runner)
    author.stop()
    screen.close(author.state, 0)
    author.close()
    shown = "\n".join(Terminal(written(place)).text())
    for words in (
        "new journal run",
        "stopped (signal) after",
        "5 orders sent, 3 fills, 1 canceled, 1 rejected, 1 denied",
        "+3.70 USDT realized in this run, +3.70 since the journal began, after fees; 0.016 BTC-USDT open",
        "3 orders still open at the venue (on_stop = keep); the next start asks about them",
        "go on:       holdfast run",
    ):
        assert words in shown, shown
    assert "● TRADING" not in shown


def test_what_a_restart_found_is_said(tmp_path: Path) -> None:
    author = Author(tmp_path / "run")
    named = tell(author)
    seq = author.state.seq
    place = console(200)
    screen = Screen("holdfast.toml", place)
    screen.begin(found_at(seq, False))
    add = author.add

    def listen(*events: Any, **options: int) -> Any:
        recorded = add(*events, **options)
        screen.events(author.state, recorded)
        return recorded

    author.add = listen  # type: ignore[method-assign]
    author.begin(clean=False)
    author.doubt(author.order())
    author.fill(named["open"], "0.001", "61000")
    author.fill(named["open"], "0.001", "61000")
    author.reconcile(open_orders=3, executions=5, executions_booked=2)
    author.trade()
    screen.close(author.state, 0)
    author.close()
    shown = "\n".join(Terminal(written(place)).text())
    assert f"continued journal run at seq {seq}, after a crash" in shown
    assert f"{seq} events verified, {seq} folded, in 250 ms" in shown
    assert (
        "the venues show 3 open orders, 5 executions: 1 order asked about, 2 fills booked that happened meanwhile, "
        "2 orders still in doubt; ready after"
    ) in shown


def test_a_clean_start_is_said_to_be_one() -> None:
    assert "after a clean stop" in "\n".join(plain(opening_lines("x.toml", found_at(12, True))))


def test_a_picture_that_fails_does_not_end_the_run(
    glance: Glance, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError("a bug in the picture")

    monkeypatch.setattr("tools.screen.frame", fail)
    screen = Screen("holdfast.toml", console())
    screen.begin(found_at(0, True))
    screen.update(glance)
    screen._thread.join(5)
    assert not screen._thread.is_alive()
    assert "a bug in the picture" in capsys.readouterr().err


def test_commits_are_counted_by_the_minute() -> None:
    seen = Witness()
    second = 1_000_000_000
    assert [seen.rate(START_NS + number * second, number * 2) for number in range(4)] == [0, 120, 120, 120]
    assert seen.rate(START_NS + 60 * second, 6) == 0
