"""Who watches a run: the live screen on a terminal, plain lines anywhere else."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tools.config import Configuration
from tools.plain import PlainLines
from tools.run import Watcher
from tools.screen import Screen


def watcher(configuration: Configuration) -> Watcher:
    """The watcher that fits stdout."""
    name = shown_path(configuration.path)
    is_terminal = sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
    return Screen(name) if is_terminal else PlainLines(name)


def shown_path(path: Path) -> str:
    """A path as short as it can be written from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
