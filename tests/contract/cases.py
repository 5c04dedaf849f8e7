"""The cases that every adapter is brought into, by name: each is a test of that name."""

from __future__ import annotations

CASES = (
    "place",
    "ack_lost",
    "ack_late",
    "reject",
    "duplicate_id",
    "fill_before_ack",
    "fill_crossing_cancel",
    "partial_fills",
    "replace",
    "unknown_outcome_it_exists",
    "unknown_outcome_it_does_not",
    "stream_gap",
    "reconnect",
    "stale_snapshot",
    "rate_limit",
    "clock_skew",
    "restart_in_the_middle",
    "kill_of_the_exchange",
    "kill_of_the_engine",
    "credentials_expire_or_are_revoked",
)

ABOUT_WAYS = ("place", "ack_lost", "reject", "duplicate_id", "replace", "unknown_outcome_it_exists", "reconnect",
              "rate_limit")  # fmt: skip
"""Cases in which it matters by which way an order leaves."""
