"""Rows from a directory, a database or an export. Reads only: nothing beside the file is touched either."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from .form import COLUMNS, Row


def find(path: Path, name: str) -> Path:
    """The file that is meant: in a directory its `name.db`, of an exchange also below `exchange`."""
    if not path.is_dir():
        return path
    return next((p for p in (path / f"{name}.db", path / "exchange" / f"{name}.db") if p.exists()), path / f"{name}.db")


def read_rows(path: Path) -> Iterator[Row]:
    """The line with the `journal_id`, then the events. Raises `OSError`, `sqlite3.Error` or `ValueError`."""
    with path.open("rb") as file:
        if file.read(16) != b"SQLite format 3\0":
            file.seek(0)
            for line in file:
                row = json.loads(line)
                if type(row) is not dict:
                    raise ValueError(f"a line that is not an object: {row!r}")
                yield row
            return
    # Without a log beside it nobody writes; immutable then keeps SQLite from making one.
    query = "mode=ro" if Path(f"{path}-wal").exists() else "mode=ro&immutable=1"
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{query}", uri=True)) as database:
        database.execute("PRAGMA query_only=1")
        found = database.execute("SELECT value FROM meta WHERE key='journal_id'").fetchone()
        yield {"journal_id": found[0] if found else ""}
        for row in database.execute(f"SELECT {', '.join(COLUMNS[:-1])}, lower(hex(chain)) FROM event ORDER BY seq"):
            yield dict(zip(COLUMNS, row, strict=True))
