"""Column values out of a row event, exactly.

The events come from python-mysql-replication, which also knows the table's types. Its values are not used: of zero dates and zero months,
negative times with a fraction, the year 0, an empty SET and documents with decimals it makes something else or None, and what is to be
written again must be exact. Sources: MySQL manual, "Data Type Storage Requirements"; sql-common/my_time.c, strings/decimal.c.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from uuid import UUID

from interlock.dataclass import dataclass
from interlock.losses.json_binary import json_text
from interlock.losses.tables import TableColumn
from interlock.model.losses import Cell

Read = Callable[[int], bytes]

_INTEGERS = {1: 1, 2: 2, 9: 3, 3: 4, 8: 8}
FLOAT, DOUBLE, TIMESTAMP, DATE, TIME, DATETIME, YEAR, NEWDATE, VARCHAR, BIT = 4, 5, 7, 10, 11, 12, 13, 14, 15, 16
TIMESTAMP2, DATETIME2, TIME2, JSON, DECIMAL, ENUM, SET, BLOB, STRING, GEOMETRY = 17, 18, 19, 245, 246, 247, 248, 252, 254, 255
_SHAPES = {
    *("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"),
    *("geomcollection", "geometrycollection"),
}
_KINDS: dict[int, set[str]] = {
    1: {"tinyint"},
    2: {"smallint"},
    9: {"mediumint"},
    3: {"int"},
    8: {"bigint"},
    FLOAT: {"float"},
    DOUBLE: {"double"},
    DECIMAL: {"decimal"},
    YEAR: {"year"},
    BIT: {"bit"},
    ENUM: {"enum"},
    SET: {"set"},
    VARCHAR: {"varchar", "varbinary"},
    STRING: {"char", "binary", "uuid", "inet4", "inet6"},
    BLOB: {"tinytext", "text", "mediumtext", "longtext", "tinyblob", "blob", "mediumblob", "longblob", "json"},
    JSON: {"json"},
    GEOMETRY: _SHAPES,
    DATE: {"date"},
    TIME2: {"time"},
    DATETIME2: {"datetime"},
    TIMESTAMP2: {"timestamp"},
}
"""What a log's type may be in information_schema. Temporal types of the form before 5.6 (TIMESTAMP, TIME, DATETIME) are not read."""
LOGGED_AS_BYTES = {"uuid": 16, "inet6": 16, "inet4": 4}
"""MariaDB's types that are logged as so many bytes, without zeros at the end, and shown as a text (tried on 10.11 and 11.8)."""
_CODECS = {"utf8mb4": "utf-8", "utf8mb3": "utf-8", "utf8": "utf-8", "ascii": "ascii", "latin1": "cp1252", "latin2": "iso8859-2"}
_FRACTION_BYTES = (0, 1, 1, 2, 2, 3, 3)
_DIGIT_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogColumn:
    """A column as the log's table map has it; `known` is the survivor's of that place, None if there is none or it is of another type."""

    name: str
    type: int
    unsigned: bool = False
    max_length: int = 0
    size: int = 0
    length_size: int = 0
    fraction: int = 0
    precision: int = 0
    decimals: int = 0
    bits: int = 0
    known: TableColumn | None = None


def is_read(type_: int) -> bool:
    return type_ in _KINDS


def is_of_kind(type_: int, kind: str) -> bool:
    return kind in _KINDS.get(type_, set())


def read_image(read: Read, columns: Sequence[LogColumn], present: bytes) -> dict[str, Cell]:
    """One row image: the columns that `present` (a bitmap) says are in it; generated ones are read and left out."""
    there = [column for index, column in enumerate(columns) if _bit(present, index)]
    nulls = read((len(there) + 7) // 8)
    image: dict[str, Cell] = {}
    for index, column in enumerate(there):
        cell = None if _bit(nulls, index) else read_cell(read, column)
        if column.known is None or not column.known.made:
            image[column.name] = cell
    return image


def read_cell(read: Read, column: LogColumn) -> Cell:
    """ValueError for a type that is not read (the caller sees to that first)."""
    known = column.known
    match column.type:
        case 1 | 2 | 9 | 3 | 8:
            unsigned = known.unsigned if known is not None else column.unsigned
            return int.from_bytes(read(_INTEGERS[column.type]), "little", signed=not unsigned)
        case 4:
            return float(struct.unpack("<f", read(4))[0])
        case 5:
            return float(struct.unpack("<d", read(8))[0])
        case 246:
            return _decimal(read, column.precision, column.decimals)
        case 13:
            year = read(1)[0]
            return 1900 + year if year else 0
        case 16:
            return int.from_bytes(read((column.bits + 7) // 8), "big")
        case 247 | 248:
            return int.from_bytes(read(column.size), "little")
        case 10:
            return _date(int.from_bytes(read(3), "little"))
        case 18:
            return _datetime(read, column.fraction)
        case 17:
            return _timestamp(read, column.fraction)
        case 19:
            return _time(read, column.fraction)
        case 15 | 254:
            return text_cell(read(int.from_bytes(read(2 if column.max_length > 255 else 1), "little")), known)
        case 252:
            return text_cell(read(int.from_bytes(read(column.length_size), "little")), known)
        case 245:
            return json_text(read(int.from_bytes(read(column.length_size), "little")))
        case 255:
            return read(int.from_bytes(read(column.length_size), "little"))
        case _:
            raise ValueError(f"column {column.name} is of type {column.type}, which is not read")


def text_cell(data: bytes, known: TableColumn | None) -> Cell:
    """Bytes, or the text that they are in the column's character set; bytes again where they are none, or would not come back the same."""
    if known is None:
        return _decoded(data, "utf-8")
    if known.kind == "binary":
        return data.ljust(known.length, b"\0")  # the log leaves zero bytes at the end out
    if known.kind in LOGGED_AS_BYTES:
        return _named(data.ljust(LOGGED_AS_BYTES[known.kind], b"\0"), known.kind)
    codec = _CODECS.get(known.charset)
    return data if codec is None else _decoded(data, codec)


def _named(data: bytes, kind: str) -> str:
    return str(UUID(bytes=data)) if kind == "uuid" else str(ip_address(data))


def _decoded(data: bytes, codec: str) -> str | bytes:
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        return data
    return text if text.encode(codec) == data else data


def _bit(bitmap: bytes, index: int) -> bool:
    return bool(bitmap[index // 8] & (1 << (index % 8)))


def _decimal(read: Read, precision: int, decimals: int) -> str:
    """Groups of nine digits in four bytes, the first and the last group shorter; the sign is the first bit, and turns all others."""
    whole, rest = divmod(precision - decimals, 9)
    parts, tail = divmod(decimals, 9)
    sizes = [_DIGIT_BYTES[rest], *([4] * (whole + parts)), _DIGIT_BYTES[tail]]
    data = bytearray(read(sum(sizes)))
    negative = not data[0] & 0x80
    data[0] ^= 0x80
    if negative:
        data = bytearray(byte ^ 0xFF for byte in data)
    digits, at = "", 0
    for size, count in zip(sizes, [rest, *([9] * (whole + parts)), tail], strict=True):
        digits += f"{int.from_bytes(data[at : at + size], 'big'):0{count}d}" if count else ""
        at += size
    left, right = digits[: precision - decimals].lstrip("0") or "0", digits[precision - decimals :]
    text = f"{left}.{right}" if decimals else left
    return f"-{text}" if negative else text


def _date(packed: int) -> str:
    return f"{packed >> 9:04d}-{packed >> 5 & 15:02d}-{packed & 31:02d}"


def _datetime(read: Read, fraction: int) -> str:
    packed = int.from_bytes(read(5), "big") - (1 << 39)
    day, second = packed >> 17, packed & 0x1FFFF
    year, month = divmod(day >> 5, 13)
    text = f"{year:04d}-{month:02d}-{day & 31:02d} {second >> 12:02d}:{second >> 6 & 63:02d}:{second & 63:02d}"
    return text + _fraction(_micros(read, fraction), fraction)


def _timestamp(read: Read, fraction: int) -> str:
    """In UTC. 0 is the zero date; MariaDB 11.5 and newer go beyond 2038, unsigned."""
    seconds, micros = int.from_bytes(read(4), "big"), _micros(read, fraction)
    if not seconds and not micros:
        return "0000-00-00 00:00:00" + _fraction(0, fraction)
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return f"{at:%Y-%m-%d %H:%M:%S}" + _fraction(micros, fraction)


def _time(read: Read, fraction: int) -> str:
    """As one number, whole and fraction together, whose middle is zero."""
    size = _FRACTION_BYTES[fraction]
    packed = int.from_bytes(read(3 + size), "big") - (1 << (23 + 8 * size))
    sign, packed = ("-", -packed) if packed < 0 else ("", packed)
    whole, part = packed >> (8 * size), packed & ((1 << (8 * size)) - 1)
    micros = part * (1, 10_000, 100, 1)[size]
    return f"{sign}{whole >> 12 & 1023:02d}:{whole >> 6 & 63:02d}:{whole & 63:02d}" + _fraction(micros, fraction)


def _micros(read: Read, fraction: int) -> int:
    size = _FRACTION_BYTES[fraction]
    return int.from_bytes(read(size), "big") * (1, 10_000, 100, 1)[size]


def _fraction(micros: int, digits: int) -> str:
    return f".{micros:06d}"[: digits + 1] if digits else ""
