"""The README's diagrams, drawn from the tables. `python -m tests.house.diagrams` writes them."""

from __future__ import annotations

import re

from engine.order import CANCEL, CLOSED, HALTED, LIFE, REPLACE
from engine.system import SYSTEM, VENUE
from tests.house.source import ROOT

GROUPS = (
    dict.fromkeys(("new", "partially_filled"), "working")
    | dict.fromkeys(map(str, HALTED), "halted")
    | dict.fromkeys(map(str, CLOSED), "closed")
)
DIAGRAMS = {
    table.name: table.diagram(GROUPS if table is LIFE else None) for table in (LIFE, CANCEL, REPLACE, SYSTEM, VENUE)
}
BLOCK = re.compile(r"<!-- diagram: (\w+) -->\n```mermaid\n(.*?)```", re.DOTALL)


def drawn(text: str) -> str:
    """The text with every diagram as the tables have it."""
    return BLOCK.sub(lambda found: f"<!-- diagram: {found[1]} -->\n```mermaid\n{DIAGRAMS[found[1]]}\n```", text)


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(drawn(path.read_text()))
