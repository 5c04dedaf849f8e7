"""The way of one tick through the real client of Binance: a prompt exchange, an engine that stamps, and the floor."""
