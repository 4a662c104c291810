"""MySQL's binary JSON as text, in the one form that values are compared in: no blanks, keys in order.

Written anew because the library's reader makes texts of what is none: decimals, dates and bytes within a document. Those are shown here,
and said to be odd. Source: MySQL's sql-common/json_binary.h.
"""

from __future__ import annotations

import json
import struct
from dataclasses import field

from interlock.dataclass import dataclass
from interlock.model.losses import Odd

_SMALL_OBJECT, _LARGE_OBJECT, _SMALL_ARRAY, _LARGE_ARRAY, _LITERAL = range(5)
_NUMBERS = {5: ("<h", 2), 6: ("<H", 2), 7: ("<i", 4), 8: ("<I", 4), 9: ("<q", 8), 10: ("<Q", 8), 11: ("<d", 8)}
_STRING, _OPAQUE = 12, 15
_LITERALS = {0: None, 1: True, 2: False}


def canonical(document: object) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def json_text(data: bytes) -> str | Odd:
    """ValueError if it is no such document. An empty value stands for JSON null, as the server reads it."""
    if not data:
        return "null"
    reader = _Reader()
    try:
        text = canonical(reader.value(data[0], data[1:]))
    except (IndexError, struct.error, UnicodeDecodeError, KeyError) as error:
        raise ValueError(f"a JSON value that can't be read: {error}") from error
    return Odd(text, "JSON with a value that is not of JSON (a decimal, a date, bytes)") if reader.opaque else text


@dataclass(slots=True)
class _Reader:
    opaque: list[int] = field(default_factory=list)

    def value(self, kind: int, data: bytes) -> object:
        if kind in {_SMALL_OBJECT, _LARGE_OBJECT, _SMALL_ARRAY, _LARGE_ARRAY}:
            return self._container(kind, data)
        if kind == _LITERAL:
            return _LITERALS[data[0]]
        if kind in _NUMBERS:
            form, _ = _NUMBERS[kind]
            return struct.unpack_from(form, data)[0]
        if kind == _STRING:
            length, start = _length(data)
            return data[start : start + length].decode()
        if kind == _OPAQUE:
            self.opaque.append(data[0])
            length, start = _length(data[1:])
            return f"type {data[0]}: 0x{data[1 + start : 1 + start + length].hex()}"
        raise ValueError(f"a JSON value of type {kind}")

    def _container(self, kind: int, data: bytes) -> object:
        wide = 4 if kind in {_LARGE_OBJECT, _LARGE_ARRAY} else 2
        has_keys = kind in {_SMALL_OBJECT, _LARGE_OBJECT}
        count = int.from_bytes(data[:wide], "little")
        at = 2 * wide
        keys = []
        if has_keys:
            for _ in range(count):
                place, length = int.from_bytes(data[at : at + wide], "little"), int.from_bytes(data[at + wide : at + wide + 2], "little")
                keys.append(data[place : place + length].decode())
                at += wide + 2
        values = []
        for _ in range(count):
            inner, inline = data[at], data[at + 1 : at + 1 + wide]
            is_inline = inner in {_LITERAL, 5, 6} or (inner in {7, 8} and wide == 4)
            values.append(self.value(inner, inline if is_inline else data[int.from_bytes(inline, "little") :]))
            at += 1 + wide
        return dict(zip(keys, values, strict=True)) if has_keys else values


def _length(data: bytes) -> tuple[int, int]:
    """Seven bits a byte, the lowest first; and how many bytes it took."""
    length = 0
    for index in range(5):
        length |= (data[index] & 0x7F) << (7 * index)
        if not data[index] & 0x80:
            return length, index + 1
    raise ValueError("a length of more than five bytes")
