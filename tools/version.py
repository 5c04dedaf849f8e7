"""The release that runs."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def _release() -> str:
    try:
        return version("holdfast")
    except PackageNotFoundError:
        return "0+unknown"


RELEASE = _release()
