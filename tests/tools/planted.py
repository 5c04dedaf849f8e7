"""Planted secrets: how they are made, and how it is seen that nothing of them was left anywhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from string import ascii_letters, digits
from urllib.parse import quote

from hypothesis import strategies as st

WINDOW = 10
"""So many characters of a secret in a row are a part of it, and no chance."""


def _is_a_key(text: str) -> bool:
    return len(set(text)) >= WINDOW and all(len(set(each)) > WINDOW // 2 for each in windows(text))


KEYS = st.one_of(
    st.text(ascii_letters + digits, min_size=32, max_size=64),
    st.text(ascii_letters + digits + "+/=-_!\"'\\&%<> ", min_size=24, max_size=48).map(str.strip),
    st.binary(min_size=32, max_size=48).map(lambda held: base64.b64encode(held).decode()),
).filter(_is_a_key)


def windows(text: str) -> Iterator[str]:
    """Every part of that length."""
    return (text[at : at + WINDOW] for at in range(len(text) - WINDOW + 1))


def forms(secret: str) -> set[str]:
    """As it may stand somewhere."""
    return {
        secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1],
        json.dumps(json.dumps(secret))[3:-3], base64.b64encode(secret.encode()).decode(), secret.encode().hex(),
    }  # fmt: skip


def parts_found(secret: str, where: bytes) -> list[str]:
    """The parts of a secret that stand in these bytes, however they are written."""
    wanted = {part for form in forms(secret) for part in windows(form)}
    return sorted(part for part in wanted if part.encode() in where)


def left_behind(directory: Path) -> bytes:
    """Every byte of every file below, and the names of them."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    return b"\n".join([*(str(path).encode() for path in paths), *(path.read_bytes() for path in paths)])
