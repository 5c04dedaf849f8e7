"""Journals as text: one JSON object a line, first the journal's id, then every event with the columns of its table.

What is written here, `tools.checker` reads, and anybody else can: nothing is left out, and the bytes of the bodies are
those that are hashed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from journal.entry import Entry
from journal.journal import Reader

Row = dict[str, Any]


def rows_of(entries: Iterable[Entry], journal_id: str) -> Iterator[Row]:
    """The line with the journal's id, then one row for each entry; the chain in hex."""
    yield {"journal_id": journal_id}
    for entry in entries:
        row = entry._asdict()
        row["chain"] = entry.chain.hex()
        yield row


def read_journal(directory: Path, name: str = "journal") -> Iterator[Row]:
    """The rows of `directory/name.db`, also while its engine runs. Raises what `journal.journal.Reader` raises."""
    with Reader(directory, name) as reader:
        yield from rows_of(reader.read(), reader.journal_id)


def write_rows(directory: Path, name: str, path: Path) -> int:
    """Write the rows of `directory/name.db` to a file; gives the number of events."""
    return write_lines(read_journal(directory, name), path)


def write_lines(rows: Iterable[Row], path: Path) -> int:
    """Write rows to a file, a line each; gives the number of events."""
    count = -1
    with path.open("x", encoding="utf-8", newline="\n") as file:
        for count, row in enumerate(rows):  # noqa: B007 (the first line is not an event)
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return count


def read_lines(path: Path) -> Iterator[Row]:
    """The rows of such a file. Raises `ValueError` for a line that is not JSON."""
    with path.open(encoding="utf-8", newline="\n") as file:
        yield from map(json.loads, file)
