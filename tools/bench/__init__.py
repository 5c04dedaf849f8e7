"""Benchmarks: what holdfast costs beside the floor under it, both measured in one run. `python -m tools.bench`."""
