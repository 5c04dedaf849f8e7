"""`kill -9` of a real writer at any moment: what it was told is there, is there."""

from __future__ import annotations

import random
import subprocess
from itertools import groupby
from pathlib import Path

import pytest

from journal import preflight
from journal.head import read_head
from journal.journal import Journal, Reader
from tests.journal.drafts import begin, check_chain, child, rows

KILLS = 15
LARGEST = 3
WRITER = """
import os
from pathlib import Path
from tests.journal.drafts import append, begin
journal = begin(Path({directory!r}), durable={durable})
os.write(1, b"0\\n")
while True:
    seq = append(journal, 1 + (journal.seq + 1) % {largest}, size=300)
    os.write(1, b"%d\\n" % seq)
    if seq % 7 == 0:
        journal.checkpoint(20)
"""


def kill(directory: Path, durable: bool, lines: int) -> int:
    """Start a writer, end it after so many commits and a bit; returns the last seq that it acknowledged."""
    script = WRITER.format(directory=str(directory), durable=durable, largest=LARGEST)
    with subprocess.Popen(child(script), stdout=subprocess.PIPE) as process:
        assert process.stdout
        heard = [process.stdout.readline() for _ in range(lines + 1)]
        process.kill()
        heard += process.stdout.readlines()
    whole = [int(line) for line in heard if line.endswith(b"\n")]
    assert len(whole) > lines
    return whole[-1]


@pytest.mark.parametrize("durable", [True, False])
def test_every_acknowledged_event_survives(tmp_path: Path, durable: bool) -> None:
    chance = random.Random(durable)
    before = 0
    for _ in range(KILLS):
        acknowledged = max(kill(tmp_path, durable, chance.randrange(25)), before)
        preflight.check_files(tmp_path / "journal.db")
        head = read_head(tmp_path / "head")
        with Reader(tmp_path) as reader:
            last = reader.last()
        seq = last.seq if last else 0
        head_seq = head.seq if head else 0
        # Told to the caller after the head was written, and the head after the commit; one commit may be on its way.
        assert acknowledged <= head_seq <= seq <= acknowledged + LARGEST
        journal = Journal(tmp_path, durable=durable)
        assert (journal.seq, journal.remembered) == (seq, head)
        assert journal.verify() == seq
        if head:
            assert journal.chain_at(head.seq).hex().startswith(head.chain)
        journal.close()
        before = seq
    assert check_chain(rows(tmp_path)) == before > KILLS
    for first, batch in groupby(rows(tmp_path), key=lambda row: row[1]):
        assert isinstance(first, int)
        assert len(list(batch)) == 1 + first % LARGEST  # each commit is there as a whole
    journal = begin(tmp_path)
    assert journal.epoch == KILLS + 1
    journal.close()
