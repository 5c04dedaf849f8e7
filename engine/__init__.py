"""The engine decides: pure functions over explicit state, and the small shell that drives them."""
