"""The local exchange: Binance Spot's wire protocol, spoken for the simulated exchange."""
