"""The README's table of what venues can do, from the adapters' data. `python -m tests.house.abilities` writes it."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module

from adapters.registry import GROUP, Adapter
from tests.house.source import ROOT
from tools.doctor.abilities import table

INTRODUCTION = """\
### What each venue can do

By its adapter's own data; `holdfast doctor` shows it for yours. What a venue can't do is denied with a reason, or done
by the engine where that is possible (stops, trailing stops, linked orders, ends in time). An environment in bold trades
real money: it needs `mode = "live"` and `--live`.

"""

BLOCK = re.compile(r"<!-- capabilities -->\n(.*?)<!-- end of capabilities -->", re.DOTALL)


def shipped() -> dict[str, Adapter]:
    """The adapters that the project itself names, whatever else is installed."""
    named: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][GROUP]
    places = {name: place.partition(":") for name, place in named.items()}
    return {name: getattr(import_module(module), attribute) for name, (module, _, attribute) in places.items()}


def filled(text: str) -> str:
    """The text with the table as the adapters have it."""
    block = f"<!-- capabilities -->\n{INTRODUCTION}{table(shipped())}\n<!-- end of capabilities -->"
    return BLOCK.sub(lambda _: block, text)


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(filled(path.read_text()))
