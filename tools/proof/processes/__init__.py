"""Layer 7: an engine and its exchange as real processes with a real socket between them, killed, stopped and raced."""
