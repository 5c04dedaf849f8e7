"""The whole system in virtual time, from one seed: the real engine, the real exchange, and all that can go wrong."""
