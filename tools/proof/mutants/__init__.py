"""Mutants: builds that are broken on purpose, so that the proof itself can be seen to notice."""
