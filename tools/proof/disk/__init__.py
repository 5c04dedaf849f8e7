"""Layers 1 to 4 of the proof: power cuts, I/O errors, crashes during recovery, and damaged bytes, on real files."""
