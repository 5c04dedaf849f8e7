"""Recorded market data: readers of captures, LEAN files and CSV."""

from adapters.tape.reading import read_tape
from adapters.tape.record import BadLine, TapeUnreadable

__all__ = ["BadLine", "TapeUnreadable", "read_tape"]
