"""The journal remembers: order, durability, integrity. It knows nothing of trading."""
