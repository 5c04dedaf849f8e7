"""The command: what was found, for people or as JSON, and an exit code."""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from pathlib import Path

from . import Findings, examine
from .reading import find, read_rows

EXIT_OK, EXIT_NOT_OK, EXIT_MISSING = 0, 65, 66


def main(arguments: list[str] | None = None) -> int:
    """Check what the arguments name; gives the exit code (2, for wrong arguments, is argparse's)."""
    parser = argparse.ArgumentParser(prog="checker", description="Check a journal by its documents alone.")
    parser.add_argument("journal", type=Path, help="a directory, a journal.db or exported rows")
    parser.add_argument("--ledger", type=Path, help="the simulated exchange's ledger, in the same forms")
    parser.add_argument("--venue", default="", help="whose ledger it is, where its account does not tell")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    asked = parser.parse_args(arguments)
    journal, ledger = find(asked.journal, "journal"), find(asked.ledger, "ledger") if asked.ledger else None
    for path in (journal, ledger):
        if path is not None and not path.is_file():
            sys.stderr.write(f"checker: {path} is missing\n")
            return EXIT_MISSING
    try:
        found = examine(read_rows(journal), read_rows(ledger) if ledger else None, asked.venue)
    except (OSError, sqlite3.Error, ValueError) as error:
        found = Findings([f"I2: it can't be read: {error}"], [], {})
    _show(journal, found, asked.json)
    return EXIT_NOT_OK if found.problems else EXIT_OK


def _show(journal: Path, found: Findings, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps({"ok": not found.problems, **found._asdict()}, ensure_ascii=False) + "\n")
        return
    counts = [f"{found.books[name]} {name}" for name in ("events", "orders", "fills") if name in found.books]
    sys.stdout.write(f"{'NOT OK' if found.problems else 'OK'}  {journal}: {', '.join(counts)}\n")
    sys.stdout.writelines(f"problem: {problem}\n" for problem in found.problems)
    sys.stdout.writelines(f"note: {note}\n" for note in found.notes)
