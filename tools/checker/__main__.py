"""`python -m tools.checker`, or `python FOLDER` wherever the folder was copied."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

if __package__:
    from .command import main

    sys.exit(main())
else:  # run as a folder: it is a package first
    folder = Path(__file__).resolve().parent
    sys.path[0] = str(folder.parent)
    runpy.run_module(folder.name, run_name="__main__", alter_sys=True)
