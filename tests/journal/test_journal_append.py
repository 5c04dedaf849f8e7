"""What is appended is there, in order, chained, and byte for byte as it was handed in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from journal import chain
from journal.entry import Entry
from journal.errors import JournalDamaged, JournalFenced
from journal.head import read_head
from journal.journal import Journal, Reader
from tests.journal.drafts import ID, Draft, append, begin, check_chain, draft, drafts, rows

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
BODIES = st.dictionaries(st.text(), JSON, max_size=5).map(
    lambda body: json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
)


@st.composite
def batches(draw: st.DrawFn) -> list[Draft]:
    """Drafts whose seq is filled in when they are appended."""
    parts = st.tuples(INT64, st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,20}", fullmatch=True), INT64, st.text(),
                      st.none() | INT64, BODIES)  # fmt: skip
    return [Draft(0, *part) for part in draw(st.lists(parts, min_size=1, max_size=4))]


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    """One journal that all examples extend."""
    journal = begin(tmp_path_factory.mktemp("growing"))
    yield journal
    journal.close()


@given(batches())
def test_what_is_read_is_what_was_appended(growing: Journal, batch: list[Draft]) -> None:
    first = growing.seq + 1
    wanted = [part._replace(seq=first + number) for number, part in enumerate(batch)]
    before = growing.chain
    assert growing.append(wanted) == growing.seq == first + len(wanted) - 1
    found = list(growing.read(first - 1))
    assert [Draft(e.seq, e.at_ns, e.kind, e.version, e.subject, e.cause, e.body) for e in found] == wanted
    assert {entry.batch for entry in found} == {first}
    assert {entry.epoch for entry in found} == {growing.epoch}
    assert (growing.chain, growing.at_ns) == (found[-1].chain, wanted[-1].at_ns)
    assert list(chain.verify(found, journal_id=ID, after_seq=first - 1, after_chain=before)) == found


def test_the_chain_is_what_the_text_says(growing: Journal) -> None:
    append(growing, 3)
    growing.append([Draft(growing.seq + 1, subject='"\\\n\x00\x7f\u2028é😀', cause=1, body='{"é":"\\u0001"}')])
    assert check_chain(rows(growing.directory)) == growing.seq
    assert growing.verify() == growing.seq
    assert growing.verify(growing.seq - 2) == 2


@given(st.text(), INT64, st.none() | INT64)
@example('"', 0, None)
@example("\x00\x1f\x7f\\/\u2028\ud7ff\U0010ffff", -1, -1)
def test_the_head_line_is_canonical_json(subject: str, number: int, cause: int | None) -> None:
    fields = [number, 1, 2, number, "Kind", 3, subject, cause]
    line = json.dumps(fields, separators=(",", ":"), ensure_ascii=False) + "\n"
    assert chain.head_line(number, 1, 2, number, "Kind", 3, subject, cause) == line


def test_a_batch_names_its_first_seq(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    for count in (1, 3, 2):
        append(journal, count)
    assert [(entry.seq, entry.batch) for entry in journal.read()] == [(1, 1), (2, 2), (3, 2), (4, 2), (5, 5), (6, 5)]
    journal.close()


def test_a_journal_goes_on_where_it_ended(tmp_path: Path) -> None:
    chains = []
    for _ in range(3):
        journal = begin(tmp_path)
        append(journal, 2)
        chains.append(journal.chain)
        journal.close()
    with Reader(tmp_path) as reader:
        assert [entry.seq for entry in reader.read()] == [1, 2, 3, 4, 5, 6]
        assert [entry.epoch for entry in reader.read()] == [1, 1, 2, 2, 3, 3]
        assert [entry.chain for entry in reader.read()][1::2] == chains
        assert reader.meta == {"journal_id": ID, "mode": "paper", "created_ns": 7}
    assert check_chain(rows(tmp_path)) == 6


def test_reading_in_pages(growing: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("journal.reader.READ_ROWS", 3)
    append(growing, 7)
    first = growing.seq - 7
    assert [entry.seq for entry in growing.read(first)] == list(range(first + 1, first + 8))
    assert [entry.seq for entry in growing.read(first, 5)] == list(range(first + 1, first + 6))
    assert list(growing.read(first, 0)) == []
    assert list(growing.read(growing.seq)) == []


def test_the_head_file_is_exact_after_each_commit(growing: Journal) -> None:
    for _ in range(3):
        append(growing)
        head = read_head(growing.directory / "head")
        assert head
        assert (head.seq, head.epoch, head.journal_id) == (growing.seq, growing.epoch, ID)
        assert growing.chain.hex().startswith(head.chain)
        assert len(head.chain) == 32


@pytest.mark.parametrize(
    "body",
    [
        '{"a":1.5}', '{"a":-0.0}', '{"a":1e3}', '{"a":1E400}', '{"a":[1,2.0]}', '{"a":{"b":[0.1]}}', '{"a": 1.5}',
        '{"a":\n1.5}', '{"a":[ 1.5]}', '{"a":NaN}', '{"a":Infinity}', '{"a":[-Infinity]}', '{"a": NaN}',
        '{"a":1,"a":2}', '{"a":{"b":1,"b":1}}', '{"b":1,"a":2}', '{"a":[{"d":1,"c":1}]}',
        "", "[]", "1", '"{}"', "{", "{}}", "{}{}", "{garbage}", "{'a':1}", '{"a":1,}', '{"a":"\n"}', " {}", "{} ",
        '{"a":' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"a":"\ud800"}',
    ],
)  # fmt: skip
def test_what_is_not_canonical_is_refused(growing: Journal, body: str) -> None:
    before = growing.seq
    with pytest.raises(ValueError, match=r"."):
        growing.append([draft(before + 1), Draft(before + 2, body=body)])
    assert (growing.seq, growing.is_owner()) == (before, True)
    assert list(growing.read(before)) == []
    append(growing)


@pytest.mark.parametrize(
    "body",
    ['{"a":"1.5"}', '{"a":"NaN","b":"[1.5,-Infinity]"}', '{"a":"x:1.5"}', '{"a":"\\":1e5"}', '{"1.5":"-0.0"}',
     '{"a":true,"b":null,"c":-12}', '{"a":{"b":1},"b":{"b":1}}'],
)  # fmt: skip
def test_text_that_looks_like_a_float_is_taken(growing: Journal, body: str) -> None:
    growing.append([Draft(growing.seq + 1, body=body)])
    assert next(growing.read(growing.seq - 1)).body == body


class Text(str):
    """A str that may print as something else."""

    __slots__ = ()

    def __format__(self, form: str) -> str:
        return "other"


@pytest.mark.parametrize(
    "changed",
    [
        {"version": True}, {"at_ns": True}, {"at_ns": 1.0}, {"at_ns": 1 << 63}, {"version": -(1 << 63) - 1},
        {"cause": 1 << 64}, {"cause": False}, {"subject": Text("a")}, {"subject": None}, {"subject": "\ud800"},
        {"kind": "a b"}, {"kind": ""}, {"kind": 'a"'}, {"kind": "é"},
    ],
    ids=str,
)  # fmt: skip
def test_what_would_be_stored_otherwise_than_hashed_is_refused(growing: Journal, changed: dict[str, Any]) -> None:
    before = growing.seq
    wrong = draft(before + 1)._replace(**changed)
    with pytest.raises(ValueError, match=r"."):
        growing.append([wrong])
    append(growing)
    assert growing.verify(before) == 1


@pytest.mark.parametrize("wrong", [[], [0], [2], [1, 1], [1, 3], [2, 1]])
def test_drafts_out_of_order_are_refused(growing: Journal, wrong: list[int]) -> None:
    before = growing.seq
    with pytest.raises(ValueError, match=r"stands where|nothing to append"):
        growing.append([draft(before + number) for number in wrong])
    assert (growing.seq, growing.is_owner()) == (before, True)


def test_nothing_is_appended_before_the_claim(tmp_path: Path) -> None:
    journal = Journal(tmp_path, identity={"journal_id": ID})
    with pytest.raises(ValueError, match="claim"):
        journal.append(drafts(1, 1))
    journal.claim(1)
    append(journal)
    journal.close()
    assert len(rows(tmp_path)) == 1


def test_nothing_is_taken_after_the_close(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    append(journal)
    journal.close()
    journal.close()
    assert not journal.is_owner()
    with pytest.raises(JournalFenced):
        append(journal)
    with pytest.raises(JournalFenced):
        journal.claim(1)


def test_verify_notices_each_change(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    append(journal, 5)
    entries = list(journal.read())
    journal.close()
    others: dict[str, Any] = {
        "seq": 9, "batch": 2, "epoch": 7, "at_ns": 0, "kind": "Other", "version": 2, "subject": "é", "cause": 1,
        "body": "{}", "chain": bytes(32),
    }  # fmt: skip
    assert set(others) == set(entries[0]._fields)
    wrong_types: list[dict[str, Any]] = [{"body": b"{}"}, {"subject": b"x"}, {"subject": None}, {"chain": None}]
    for change in [*({name: other} for name, other in others.items()), *wrong_types]:
        changed = [*entries[:2], entries[2]._replace(**change), *entries[3:]]
        with pytest.raises(JournalDamaged) as damage:
            list(chain.verify(changed, journal_id=ID))
        assert damage.value.seq == 3, change
    for wrong in (entries[:1] + entries[2:], entries[::-1], entries[:2] + entries[1:], entries[1:]):
        with pytest.raises(JournalDamaged):
            list(chain.verify(wrong, journal_id=ID))
    with pytest.raises(JournalDamaged):
        list(chain.verify(entries, journal_id="another"))


def test_an_epoch_does_not_go_back() -> None:
    """Also where every hash is right: no event of an earlier owner stands behind one of a later."""
    chain_before, entries = chain.genesis(ID), []
    for seq, epoch in ((1, 2), (2, 3), (3, 2)):
        line = chain.head_line(seq, seq, epoch, 0, "Kind", 1, "", None)
        chain_before = chain.next_chain(chain_before, line, "{}")
        entries.append(Entry(seq, seq, epoch, 0, "Kind", 1, "", None, "{}", chain_before))
    assert len(list(chain.verify(entries[:2], journal_id=ID))) == 2
    with pytest.raises(JournalDamaged, match="epoch 2 after epoch 3"):
        list(chain.verify(entries, journal_id=ID))
