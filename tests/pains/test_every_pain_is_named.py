"""Each of the pains that users of other engines report has a test by its number and words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house.source import ROOT, Source, assert_none, source, sources

PAINS = {
    1: "the journal can not be written: locked, full, I/O error",
    2: "a submit timed out and was accepted",
    3: "an outage longer than every budget",
    4: "a cancel timed out and the order is live",
    5: "an unreachable venue is counted as not found",
    6: "the stream drops in a submit",
    7: "a fill frame that never comes",
    8: "fills that are replayed",
    9: "a fill that was inferred",
    10: "restarts create something",
    11: "reconciling twice gives two results",
    12: "a restart flattens or doubles a position",
    13: "trading begins although reconciling failed",
    14: "a venue's ids are given out again",
    15: "an acknowledgement between timeout and retry",
    16: "cancelled here, filled there",
    17: "not found, hence cancelled",
    18: "a late acknowledgement re-opens an order",
    19: "the kill switch fails",
    20: "decimals",
}
FURTHER = {
    1: "a restart loses which strategy an order belongs to",
    2: "a fill while nobody ran goes to a sibling",
    3: "a mismatch is logged and ignored",
    4: "a fill while a replacement is under way",
    5: "a cancel's report under the cancel's own id",
    6: "a liquidation by the broker is not booked",
    7: "an order of another session can not be cancelled and blocks the strategy",
    8: "a storm of recovery",
    9: "a zombie connection",
    10: "timestamps are refused in a loop",
    11: "a look-up by client id does not know filled orders",
    12: "one trade id on several orders",
    13: "maps that grow without end",
    14: "an order is dropped in a reconnect",
    15: "a duplicate that is shown nowhere",
    16: "an id that is only a tag",
}
NAME = re.compile(r"test_(pain|further)_(\d\d)_[a-z0-9_]{8,}")
PLACES = ("tests/engine/test_pains.py", "tests/pains/")


def named_tests(files: tuple[Source, ...]) -> Iterator[tuple[str, int, ast.FunctionDef, Source]]:
    """The tests that carry a number: which list, which number, the function, its file."""
    for file in files:
        for node in file.tree.body:
            found = NAME.fullmatch(node.name) if isinstance(node, ast.FunctionDef) else None
            if found is not None and isinstance(node, ast.FunctionDef):
                yield found[1], int(found[2]), node, file


def _files() -> tuple[Source, ...]:
    return tuple(file for file in sources("tests") if str(file.path).startswith(PLACES))


@pytest.mark.parametrize(("kind", "pains"), [("pain", PAINS), ("further", FURTHER)])
def test_each_has_a_test_and_no_number_is_made_up(kind: str, pains: dict[int, str]) -> None:
    numbers = {number for found, number, _node, _file in named_tests(_files()) if found == kind}
    assert_none(f"nothing shows {kind} {number}: {pains[number]}" for number in sorted(set(pains) - numbers))
    assert_none(f"there is no {kind} {number}" for number in sorted(numbers - set(pains)))


def test_each_of_the_twenty_is_shown_in_full() -> None:
    """In one process next to the engine, and against the exchange that ships, its ledger or real files here."""
    here = {
        number for kind, number, _node, file in named_tests(_files()) if kind == "pain" and "pains/" in str(file.path)
    }
    assert here == set(PAINS)


def test_each_says_what_happened_to_people() -> None:
    """The first test of each further pain tells the story and where it was told."""
    stories: dict[int, str] = {}
    for kind, number, node, _file in named_tests(_files()):
        if kind == "further":
            stories[number] = stories.get(number, "") + (ast.get_docstring(node) or "")
    assert_none(f"further {n} names no source" for n, story in sorted(stories.items()) if "(" not in story)
    assert sorted(stories) == sorted(FURTHER)


def test_a_missing_test_is_seen() -> None:
    one = source("tests/pains/x.py", "def test_pain_03_an_outage_is_long(): ...\ndef test_pain_4_short(): ...")
    assert [(kind, number) for kind, number, _node, _file in named_tests((one,))] == [("pain", 3)]
    assert (ROOT / PLACES[0]).is_file()
