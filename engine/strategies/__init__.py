"""Reference strategies: small, readable, and run by the demo."""
