"""Recorded market data: readers of captures, LEAN files and CSV."""

from adapters.tape.census import Census
from adapters.tape.reading import read_tape
from adapters.tape.record import BadLine, TapeUnreadable

__all__ = ["BadLine", "Census", "TapeUnreadable", "read_tape"]
