"""Where keys stand: any TOML text, and each key found on the line that spells it."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tools.toml_place import Key, lines_of

TEXT = '''\
# a comment = "with [brackets]"
top = 1
[a] # the table
b.c = { d = [1, { e = 2 }], "f g" = """x
]}""" }
"quoted # key" = 'lit"eral' # behind
[[many]]
one = 1
[[many]]
two = [
  "x", # here
  "y",
]
[many.deep]
three = 3
'''


def keys_of(value: Any, at: Key = ()) -> list[Key]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in items for found in [(*at, key), *keys_of(item, (*at, key))]]


def test_each_key_has_its_line() -> None:
    assert lines_of(TEXT) == {
        ("top",): 2,
        ("a",): 3,
        ("a", "b"): 4,
        ("a", "b", "c"): 4,
        ("a", "b", "c", "d"): 4,
        ("a", "b", "c", "d", 0): 4,
        ("a", "b", "c", "d", 1): 4,
        ("a", "b", "c", "d", 1, "e"): 4,
        ("a", "b", "c", "f g"): 4,
        ("a", "quoted # key"): 6,
        ("many", 0): 7,
        ("many", 0, "one"): 8,
        ("many", 1): 9,
        ("many", 1, "two"): 10,
        ("many", 1, "two", 0): 11,
        ("many", 1, "two", 1): 12,
        ("many", 1, "deep"): 14,
        ("many", 1, "deep", "three"): 15,
    }


names = st.text('abc-_1 .#=[]"é', min_size=1, max_size=5)
scalars = st.one_of(
    st.integers(-9, 9).map(str),
    st.booleans().map(lambda value: str(value).lower()),
    st.sampled_from(["1.5", "inf", "2024-01-01", "07:32:00", '"a]#\\"b"', "'c}\\'", '"""m\nn"""', "'''o\n\"p'''"]),
)


def quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[" + ", # x]\n ".join([*items, ""]) + "]"),
        st.dictionaries(names, inner, max_size=3).map(
            lambda table: "{" + ", ".join(f"{quoted(key)} = {value}" for key, value in table.items()) + "}"
        ),
    ),
    max_leaves=6,
)


@given(st.dictionaries(names, st.dictionaries(names, values, max_size=3), max_size=4))
def test_every_key_of_any_document_is_found_where_it_is_written(tables: dict[str, dict[str, str]]) -> None:
    lines: list[str] = []
    written: dict[Key, int] = {}
    for table, pairs in tables.items():
        lines += ["", f"[{quoted(table)}]  # ]"]
        written[(table,)] = len(lines)
        for key, value in pairs.items():
            written[(table, key)] = len(lines) + 1
            lines += f"{quoted(key)} = {value}".split("\n")
    text = "\n".join(lines)
    found = lines_of(text)
    assert set(found) == set(keys_of(tomllib.loads(text)))
    assert {key: found[key] for key in written} == written
