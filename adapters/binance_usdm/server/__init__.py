"""The local exchange: the wire protocol of USD-M futures, spoken for the simulated exchange and its contracts."""
