"""Binance Spot: the client, and a local exchange that speaks its wire protocol."""

from __future__ import annotations
