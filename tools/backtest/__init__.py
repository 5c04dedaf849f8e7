"""Backtests: the engine itself over recorded data, with a virtual clock and the exchange that ships with it."""
