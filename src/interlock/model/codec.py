"""Facts to JSON and back, for the journal and for `--json`. The one place that knows how a position or a time is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum
from typing import TypeVar

from interlock.model.position import Position, parse_position

T = TypeVar("T")

DAMAGED = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading kept JSON may raise that was cut off, changed by hand, or written by another version."""


def to_plain(value: object) -> object:
    """Dicts, lists, texts, numbers: what `json` can write. Positions become their text, times ISO 8601. TypeError for anything else."""
    match value:
        case None | bool() | int() | float():
            return value
        case Enum():
            return value.value
        case str():
            return str(value)
        case Position():
            return str(value)
        case date():  # a datetime is one, too
            return value.isoformat()
        case Mapping():
            return {str(key): to_plain(item) for key, item in value.items()}
        case Sequence():
            return [to_plain(item) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {part.name.rstrip("_"): to_plain(getattr(value, part.name)) for part in fields(value)}
        case _:
            raise TypeError(f"no JSON form for {type(value).__name__}")


def fields_of(facts: object) -> dict[str, object]:
    """The fields of a dataclass as JSON can write them. TypeError for anything else."""
    plain = to_plain(facts)
    if not isinstance(plain, dict):
        raise TypeError(f"{type(facts).__name__} has no fields")
    return plain


def from_plain(value: object, kind: type[T]) -> T:
    """The facts of type `kind` that `to_plain` wrote. ValueError names the place that does not fit."""
    import msgspec  # noqa: PLC0415 - a run that begins reads nothing back

    try:
        return msgspec.convert(value, kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error


def _decode(kind: type, value: object) -> object:
    if kind is object:  # settings of a topology: whatever JSON can hold
        return value
    if issubclass(kind, Position) and isinstance(value, str):
        return parse_position(value)
    raise NotImplementedError(f"no way to read {kind.__name__} from JSON")
