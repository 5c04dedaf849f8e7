"""`holdfast why`: the causal chain of an order, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from attrs import frozen

from engine.codec import decode
from engine.events import OrderEvent, ReplaceRequested
from engine.order import Order
from engine.state import Recorded
from engine.token import Token, journal_mark, parse_token
from journal.entry import Entry
from journal.errors import JournalMissing
from tools.rows import Row, event_row, order_row, to_json
from tools.sentences import sentence
from tools.tables import LOUD, QUIET, Cell, Paper
from tools.view import Source, read_event
from tools.wording import moment, order_words, status_words


class NothingKnown(Exception):
    """No order, event or id of our form goes by that name (exit 66)."""


@frozen
class Story:
    """What is known: of the id itself, of the order, and each event about it."""

    asked: str
    token: Token | None
    is_of_this_journal: bool
    order: Order | None
    told: tuple[Recorded, ...]
    rows: tuple[Row, ...]


def show_why(directory: Path, asked: str, as_json: bool) -> None:
    """`holdfast why ORDER|SEQ`; raises `NothingKnown`."""
    try:
        with Source(directory) as source:
            story = read_story(source, asked)
    except JournalMissing:
        story = Story(asked, parse_token(asked), False, None, (), ())
    if story.token is None and not story.told:
        raise NothingKnown(f"{asked}: the journal knows no such order, and it is not an id of our form")
    if as_json:
        click.echo(to_json(_story_row(story)))
        return
    _write(Paper(), story)


def read_story(source: Source, asked: str) -> Story:
    """Every event about the order that goes by `asked`: an order id, a client or venue order id, or a seq."""
    token = parse_token(asked)
    numbered = list(source.reader.read(int(asked) - 1, 1)) if asked.isdigit() and int(asked) else []
    order_id = _subject(numbered[0]) if numbered else _order_id(source, asked, token)
    entries = source.reader.about(order_id) if order_id else numbered
    order = next((order for order in source.all_orders() if order.order_id == order_id), None) if order_id else None
    is_ours = token is not None and token.journal == journal_mark(source.reader.journal_id)
    told = tuple(read_event(entry) for entry in entries)
    return Story(asked, token, is_ours, order, told, tuple(event_row(entry) for entry in entries))


def _order_id(source: Source, asked: str, token: Token | None) -> str | None:
    """Which order is meant; by scanning, because the journal has no index."""
    wanted = {asked, asked.partition("-")[0]} if token else {asked}
    for entry in source.reader.read():
        if entry.subject in wanted and entry.kind.startswith(("Order", "External")):
            return entry.subject
        if asked in entry.body and _goes_by(decode(entry), asked):
            return entry.subject
    return None


def _subject(entry: Entry) -> str | None:
    """The order that an event is about, if it is about one."""
    return entry.subject if isinstance(read_event(entry).event, OrderEvent) else None


def _goes_by(recorded: Recorded, asked: str) -> bool:
    """Is one of the ids that the event tells the one that was asked for, with or without its tag?"""
    event = recorded.event
    told = [getattr(event, name, None) for name in ("client_order_id", "venue_order_id")]
    told += [event.new_client_order_id] if isinstance(event, ReplaceRequested) else []
    return any(asked in (found, found.partition("-")[0]) for found in told if found)


def _story_row(story: Story) -> Row:
    token = story.token
    return {
        "asked": story.asked,
        "token": None if token is None else {
            "journal": token.journal, "run": token.run, "seq": token.seq, "tag": token.tag or None,
            "of_this_journal": story.is_of_this_journal,
        },
        "order": order_row(story.order) if story.order else None,
        "events": [row | {"words": sentence(told.event)} for row, told in zip(story.rows, story.told, strict=True)],
    }  # fmt: skip


def _write(paper: Paper, story: Story) -> None:
    if story.token is not None:
        for line in _token_lines(story.token, story.is_of_this_journal):
            paper.line(Cell(line, QUIET))
    if story.order is not None:
        paper.line(Cell(order_words(story.order), LOUD), f"  {status_words(story.order)}")
    elif not story.told:
        paper.line("This journal has no event about it.")
    _write_events(paper, story.told)


def _token_lines(token: Token, is_of_this_journal: bool) -> list[str]:
    which = "this journal" if is_of_this_journal else f"another journal (mark {token.journal})"
    tag = f", strategy tag {token.tag}" if token.tag else ""
    return [f"An id of our form: {which}, run {token.run}, requested at seq {token.seq:,}{tag}."]


def _write_events(paper: Paper, told: Sequence[Recorded]) -> None:
    before_ns = told[0].at_ns if told else 0
    for recorded in told:
        since = recorded.at_ns - before_ns
        later = f"+{since // 1_000_000:,} ms" if since else ""
        paper.line(Cell(f"{recorded.seq:>7}  {moment(recorded.at_ns)}  {later:>11}  ", QUIET), sentence(recorded.event))
        before_ns = recorded.at_ns
