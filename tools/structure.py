"""TOML tables → attrs classes, with every fault and the key it stands at.

A field of type `Duration` is named `X_ns` in a class and written `X = "5s"`; decimals are strings or whole numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import attrs
from attrs import frozen
from cattrs import Converter
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, override

from engine.values import Duration, duration, exact
from tools.toml_place import Key

Check = Callable[[Any], None]
"""Raises `ValueError` for a value that can't be."""

PLAIN = (str, int, bool)
"""What a union may be made of, `None` (a key that is not there) aside."""


class Text(str):
    """A TOML float as it was written: no field is a float, and its digits must not be lost on the way."""

    __slots__ = ()


@frozen
class Wrong:
    """A fault before its line is known."""

    key: Key
    message: str


@frozen
class Spelling:
    """How classes are written in a configuration, as data.

    `names`: another key for a field; `absent`: fields that are not for the user; `checks`: what values of a field
    must pass; `readers`: fields that are read in their own way, `kinds`: types that are; `planned`: keys that this
    release does not have yet, or other adapters have, of one class or (with None) of any.
    """

    names: Mapping[tuple[type, str], str]
    absent: frozenset[tuple[type, str]]
    checks: Mapping[tuple[type, str], Check]
    readers: Mapping[tuple[type, str], Callable[[Any], Any]]
    kinds: Mapping[type, Callable[[Any], Any]]
    planned: Mapping[tuple[type | None, str], str]

    def key(self, kind: type, name: str, of: Any) -> str:
        """The key under which a field is written."""
        written = name.removesuffix("_ns") if _is_duration(of) else name
        return self.names.get((kind, name), written)


class Structure:
    """Makes classes of tables. `read` collects the faults and gives None where there were any."""

    def __init__(self, spelling: Spelling) -> None:
        self.spelling = spelling
        self.converter = Converter(detailed_validation=True, forbid_extra_keys=True)
        register = self.converter.register_structure_hook_func
        plain = ((Decimal, _decimal), (int, _whole), (bool, _truth), (str, _string))
        for kind, read in (*plain, *spelling.kinds.items()):
            self.converter.register_structure_hook(kind, _one_argument(read))
        register(lambda kind: getattr(kind, "__supertype__", None) is str, _one_argument(_string))
        register(lambda kind: kind is Duration, lambda value, _: _duration(value))
        self.converter.register_structure_hook(StrEnum, _choice)
        register(_is_plain_union, _one_of)
        self.converter.register_structure_hook_factory(_is_sequence, self._sequence)
        self.converter.register_structure_hook_factory(_is_mapping, self._mapping)
        self.converter.register_structure_hook_factory(attrs.has, self._class)
        self.written: dict[type, dict[str, str]] = {}

    def read(self, kind: type[Any], value: Any, at: Key, wrong: list[Wrong]) -> Any:
        """An instance of `kind`, or None and the faults in `wrong`."""
        try:
            return self.converter.structure(value, kind)
        except Exception as error:  # noqa: BLE001 (every fault of the file is collected; none is swallowed)
            wrong += self._faults(error, at, value)
            return None

    def _class(self, kind: type) -> Callable[[Any, Any], Any]:
        attrs.resolve_types(kind)
        fields = attrs.fields(kind)
        self.written[kind] = {field.name: self.spelling.key(kind, field.name, field.type) for field in fields}
        overrides = {
            field.name: override(
                rename=self.written[kind][field.name],
                omit=(kind, field.name) in self.spelling.absent or None,
                struct_hook=self._hook(kind, field),
            )
            for field in fields
        }
        make: Any = make_dict_structure_fn
        inner = make(kind, self.converter, **overrides)
        return lambda value, _: inner(_table(value), kind)

    def _hook(self, kind: type, field: Any) -> Callable[[Any, Any], Any] | None:
        """How one field is read, where its type alone does not say it."""
        place = (kind, field.name)
        if place in self.spelling.readers:
            reader = self.spelling.readers[place]
            return lambda value, _: reader(value)
        if field.converter is not None:
            # The class converts again when it is made: what counts here is that a fault gets its place.
            return lambda value, _: (field.converter(value), value)[1]
        check = self.spelling.checks.get(place)
        if check is None:
            return None
        return lambda value, of: _checked(self.converter.structure(value, of), check)

    def _sequence(self, kind: Any) -> Callable[[Any, Any], Any]:
        """A tuple of one type; every element's fault counts."""
        element = get_args(kind)[0]

        def read(value: Any, _: Any) -> Any:
            if not isinstance(value, list):
                raise ValueError(f'a list is wanted, such as ["..."], not {_shown(value)}')
            return tuple(self._each(kind, element, enumerate(value)).values())

        return read

    def _mapping(self, kind: Any) -> Callable[[Any, Any], Any]:
        element = get_args(kind)[1]
        return lambda value, _: self._each(kind, element, _table(value).items())

    def _each(self, kind: Any, element: Any, items: Any) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        errors: list[Exception] = []
        for index, value in items:
            try:
                found[index] = self.converter.structure(value, element)
            except Exception as error:  # noqa: BLE001 (raised below, with the others)
                error.add_note(IterableValidationNote("", index, element))
                errors.append(error)
        if errors:
            raise IterableValidationError("", errors, kind)
        return found

    # --- what cattrs raised → faults with their keys

    def _faults(self, error: BaseException, at: Key, value: Any) -> Iterator[Wrong]:
        if isinstance(error, (ClassValidationError, IterableValidationError)):
            for inner in error.exceptions:
                part = self._part(error.cl, inner)
                yield from self._faults(inner, (*at, *part), _descend(value, part))
        elif isinstance(error, ForbiddenExtraKeysError):
            for key in sorted(error.extra_fields):
                yield Wrong((*at, key), self._unknown(error.cl, key))
        elif isinstance(error, KeyError) and value is None:
            yield Wrong(at, "missing")
        else:
            yield Wrong((*at, *_named(error, value)), str(error))

    def _part(self, kind: Any, error: BaseException) -> Key:
        """The step that led to an error: a field's key, an index or nothing (the class refused its values)."""
        for note in reversed(getattr(error, "__notes__", ())):
            if isinstance(note, AttributeValidationNote):
                return (self.written[kind][note.name],)
            if isinstance(note, IterableValidationNote):
                return (note.index,)
        return ()

    def _unknown(self, kind: type, key: str) -> str:
        planned = self.spelling.planned.get((kind, key)) or self.spelling.planned.get((None, key))
        if planned is not None:
            return planned
        known = {written for name, written in self.written[kind].items() if (kind, name) not in self.spelling.absent}
        return f"unknown key; {nearest(key, known)}"


def nearest(name: str, known: Any, what: str = "it can be") -> str:
    """Names the nearest known name, or all of them.

    >>> nearest("max_opne_orders", ["max_open_orders", "max_position"])
    'did you mean max_open_orders?'
    """
    found = get_close_matches(str(name), [str(name) for name in known], 1, 0.6)
    if found:
        return f"did you mean {found[0]}?"
    return f"{what} {', '.join(sorted(str(name) for name in known))}" if known else "there is none"


def _checked(value: Any, check: Check) -> Any:
    if value is not None:
        check(value)
    return value


def _is_duration(kind: Any) -> bool:
    return kind is Duration or Duration in get_args(kind)


def _one_argument(read: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, _: read(value)


def _is_plain_union(kind: Any) -> bool:
    members = [member for member in get_args(kind) if member is not NoneType]
    return get_origin(kind) in (Union, UnionType) and len(members) > 1 and all(member in PLAIN for member in members)


def _is_sequence(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _is_mapping(kind: Any) -> bool:
    return get_origin(kind) in (dict, Mapping)


def _decimal(value: Any) -> Decimal:
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return exact(value)
    raise ValueError(f'a number is wanted, such as "0.001", not {_shown(value)}')


def _whole(value: Any) -> int:
    if type(value) is int:
        return value
    raise ValueError(f"a whole number is wanted, not {_shown(value)}")


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"true or false is wanted, not {_shown(value)}")


def _string(value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    raise ValueError(f"a text in quotes is wanted, not {_shown(value)}")


def _duration(value: Any) -> Duration:
    if isinstance(value, str):
        return duration(value)
    raise ValueError(f'a duration is wanted, such as "250ms", "5s" or "2m", not {_shown(value)}')


def _choice(value: Any, kind: Any) -> Any:
    known = [str(choice) for choice in kind]
    if value in known:
        return kind(value)
    raise ValueError(f"{_shown(value)} is not one of {', '.join(known)}{_maybe(value, known)}")


def _maybe(value: Any, known: list[str]) -> str:
    found = get_close_matches(str(value), known, 1, 0.6)
    return f"; did you mean {found[0]}?" if found else ""


def _one_of(value: Any, kind: Any) -> Any:
    if type(value) in get_args(kind):
        return value
    raise ValueError(f"a text, a whole number, true or false is wanted, not {_shown(value)}")


def _table(value: Any) -> Any:
    if isinstance(value, Mapping):
        return value
    raise ValueError(f"a table is wanted, such as {{ key = ... }}, not {_shown(value)}")


def _shown(value: Any) -> str:
    """A value as the file spells it, cut to a size that can be read."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 60 else f'"{value[:57]}..."'
    if isinstance(value, Mapping):
        return "a table"
    return "a list" if isinstance(value, list) else str(value)


def _descend(value: Any, part: Key) -> Any:
    for step in part:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step]
    return value


def _named(error: BaseException, table: Any) -> Key:
    """The key of the table that a refusal of the whole table names first, if it names one."""
    if not isinstance(table, Mapping):
        return ()
    words = str(error).replace('"', " ").replace(":", " ").replace(",", " ").split()
    return next(((word,) for word in words if word in table), ())
