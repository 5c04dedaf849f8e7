"""What all tests share: how hard hypothesis tries, and where shared data is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"

# A busy machine must not turn a test red: no deadline, no complaint about slow data. CI repeats exactly what it did.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", _PATIENT, max_examples=50)
settings.register_profile("ci", _PATIENT, max_examples=100, derandomize=True, database=None, print_blob=True)
settings.register_profile("thorough", _PATIENT, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "quick"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with recorded data next to the repository; without it, the test is skipped."""
    if not SHARED.is_dir():
        pytest.skip(f"no recorded data: {SHARED} is missing")
    return SHARED
