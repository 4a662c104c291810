"""Statements that put a row back, or look at it: every value exact, every guard NULL-safe.

They rely on the session that `SETTINGS` makes: UTC, utf8mb4, a strict mode that lets zero dates through and takes 0 for 0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from interlock.losses.cells import LOGGED_AS_BYTES, text_cell
from interlock.losses.json_binary import canonical
from interlock.losses.tables import Table, TableColumn
from interlock.model.losses import Cell, Change, Image, LostRow, Odd, RowChange
from interlock.servers.quoting import name, text

SETTINGS = (
    "SET SESSION time_zone='+00:00', sql_mode='STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', wait_timeout=600, "
    "sql_quote_show_create=1"
)
_INTEGERS = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})
_NUMBERED = frozenset({"bit", "year", "enum", "set"})
"""Compared by their number: as texts they would be compared without regard to case, or be shown as what is not stored."""
_FLOATS = frozenset({"float", "double"})
_TEMPORAL = frozenset({"date", "time", "datetime", "timestamp"})
_BYTES = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector"})
_INVERSE = {Change.INSERT: Change.DELETE, Change.DELETE: Change.INSERT, Change.UPDATE: Change.UPDATE}
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_UNICODE = frozenset({"utf8mb4", "utf8mb3", "utf8", "ascii"})


class NotWritable(ValueError):
    """A value that SQL can't write again exactly."""


def literal(cell: Cell, column: TableColumn) -> str:
    """The value as SQL. NotWritable for an odd one."""
    match cell:
        case None:
            return "NULL"
        case Odd():
            raise NotWritable(f"{column.name}: {cell.why}")
        case int() if column.members:
            return _members(cell, column)
        case int():
            return str(int(cell))
        case float():
            return _float(cell)
        case bytes() if column.charset:
            return f"_{column.charset} X'{cell.hex()}'"
        case bytes():
            return f"X'{cell.hex()}'"
        case str() if column.kind == "decimal":
            if not _DECIMAL.fullmatch(cell):
                raise NotWritable(f"{column.name}: {cell[:40]!r} is no number")
            return cell
        case str() if column.kind == "json" and not column.charset:
            return f"CAST({text(cell)} AS JSON)"
        case str():
            return text(cell)


def guard(cell: Cell, column: TableColumn) -> str:
    """That the column has exactly this value: byte by byte, and as NULL if it is NULL."""
    its = name(column.name)
    if cell is None:
        return f"{its} <=> NULL"
    if isinstance(cell, Odd):
        raise NotWritable(f"{column.name}: {cell.why}")
    if column.kind in _NUMBERED:
        if not isinstance(cell, int):
            raise NotWritable(f"{column.name}: {cell!r:.40} is no number")
        return f"CAST({its} AS UNSIGNED) <=> {cell:d}"
    if column.kind in _FLOATS:
        return f"{its}+0e0 <=> {literal(cell, column)}"
    if column.kind in _TEMPORAL:
        return f"CAST({its} AS CHAR) <=> {literal(cell, column)}"
    if isinstance(cell, bytes) and column.kind not in _BYTES:
        return f"CAST({its} AS BINARY) <=> X'{cell.hex()}'" if column.charset else f"HEX({its}) <=> '{cell.hex().upper()}'"
    if isinstance(cell, str) and column.charset:
        stored = its if column.charset in _UNICODE else f"CONVERT({its} USING utf8mb4)"
        return f"CAST({stored} AS BINARY) <=> _binary{text(cell)}"
    return f"{its} <=> {literal(cell, column)}"


def where_key(key: Image, table: Table) -> str:
    """By the key's own index, that is as its collation compares: a row that collides is found, too."""
    return " AND ".join(f"{name(column)} = {literal(cell, table.column(column))}" for column, cell in key.items())


def statement(row: LostRow, table: Table) -> str:
    """What puts a lost change back, if the row is as the change found it; otherwise it changes nothing. NotWritable for an odd value."""
    return _statement(row.change, row.key, row.before, row.after, table)


def inverse(row: LostRow, table: Table) -> str:
    """What takes it back, if the row is as the change left it."""
    after = row.after or row.key
    return _statement(_INVERSE[row.change], {column: after[column] for column in row.key}, row.after, row.before, table)


def taken_back(row: RowChange, table: Table) -> str:
    """What takes a logged change back on its own server, if the row is as the change left it. Empty if it changed nothing."""
    if row.before == row.after:
        return ""
    image = row.after or row.before or {}
    return _statement(_INVERSE[row.change], {column: image[column] for column in row.key}, row.after, row.before, table)


def between(present: Image | None, wanted: Image | None, key: Sequence[str], table: Table) -> str:
    """What makes of a row that is exactly `present` the one that is `wanted`; None: there is no row. NotWritable for an odd value."""
    change = Change.INSERT if present is None else Change.DELETE if wanted is None else Change.UPDATE
    image = present if present is not None else wanted or {}
    return _statement(change, {column: image[column] for column in key}, present, wanted, table)


def copies_in(image: Image, count: int, table: Table) -> str:
    """What puts so many of a row into a table that has no key to guard them by."""
    names = ", ".join(name(column) for column in image)
    values = ", ".join(literal(cell, table.column(column)) for column, cell in image.items())
    return f"INSERT INTO {table.written} ({names}) VALUES {', '.join([f'({values})'] * count)}"


def copies_out(image: Image, count: int, table: Table) -> str:
    """What takes so many of a row away, if there are so many of exactly it."""
    return f"DELETE FROM {table.written} WHERE {_exactly(image, table)} LIMIT {count:d}"


def count_of(image: Image, table: Table, *, locked: bool = False) -> str:
    """How many of exactly this row there are, as `n`; `locked`: they stay so many until the transaction ends."""
    return f"SELECT COUNT(*) AS n FROM {table.written} WHERE {_exactly(image, table)}{' FOR UPDATE' if locked else ''}"


def _statement(change: Change, key: Image, before: Image | None, after: Image | None, table: Table) -> str:
    match change:
        case Change.INSERT:
            assert after is not None  # noqa: S101 - for the type checker: an insert has one
            names = ", ".join(name(column) for column in after)
            values = ", ".join(literal(cell, table.column(column)) for column, cell in after.items())
            absent = f"NOT EXISTS (SELECT 1 FROM {table.written} AS `present` WHERE {where_key(key, table)})"
            return f"INSERT INTO {table.written} ({names}) SELECT {values} FROM DUAL WHERE {absent}"
        case Change.UPDATE:
            assert before is not None and after is not None  # noqa: S101, PT018 - as above
            changed = {column: cell for column, cell in after.items() if _differ(before.get(column), cell) or table.column(column).moves}
            values = ", ".join(f"{name(column)}={literal(cell, table.column(column))}" for column, cell in changed.items())
            return f"UPDATE {table.written} SET {values} WHERE {_exactly(before, table)}"
        case Change.DELETE:
            assert before is not None  # noqa: S101 - as above
            return f"DELETE FROM {table.written} WHERE {_exactly(before, table)}"


def _differ(one: Cell, other: Cell) -> bool:
    """0.0 and -0.0 are equal, and are not the same."""
    return one != other or (isinstance(one, float) and repr(one) != repr(other))


def _exactly(image: Image, table: Table) -> str:
    """The key first, for its index; zero dates are not compared as dates, which strict modes refuse."""
    by_index = [
        f"{name(column)} = {literal(image[column], table.column(column))}"
        for column in table.key
        if table.column(column).kind not in _TEMPORAL | _NUMBERED | _FLOATS
    ]
    return " AND ".join([*by_index, *(guard(cell, table.column(column)) for column, cell in image.items())])


# -- looking ------------------------------------------------------------------------------------------------------------------------------


def looks(columns: Iterable[TableColumn]) -> str:
    """What to select so that `seen` can tell each value exactly; generated columns are left out."""
    return ", ".join(f"{_look(column)} AS {name(column.name)}" for column in columns if not column.made)


def seen(row: Mapping[str, object], table: Table) -> dict[str, Cell]:
    """A row that was selected by `looks`, as the log would tell it."""
    return {column.name: _seen(row[column.name], column) for column in table.columns if not column.made}


def _look(column: TableColumn) -> str:
    its = name(column.name)
    if column.kind in _INTEGERS | {"decimal", "double"}:
        return its
    if column.kind in _NUMBERED:
        return f"CAST({its} AS UNSIGNED)"
    if column.kind == "float":
        return f"{its}+0e0"  # by itself it is shown with six digits
    if column.kind in _TEMPORAL:
        return f"CAST({its} AS CHAR)"
    if column.kind in LOGGED_AS_BYTES:
        return f"HEX(CAST({its} AS BINARY({LOGGED_AS_BYTES[column.kind]})))"
    if column.kind == "json" and not column.charset:
        return f"HEX(CAST({its} AS CHAR))"
    return f"HEX({its})"


def _seen(value: object, column: TableColumn) -> Cell:
    if value is None:
        return None
    if column.kind in _FLOATS:
        return float(str(value))
    if column.kind == "decimal":
        return format(Decimal(str(value)), "f")
    told = value.decode() if isinstance(value, bytes) else str(value)
    if column.kind in _INTEGERS | _NUMBERED:
        return int(told)
    if column.kind in _TEMPORAL:
        return told
    data = bytes.fromhex(told)
    if column.kind == "json" and not column.charset:
        return canonical(json.loads(data))
    return data if not column.charset and column.kind not in {"binary", *LOGGED_AS_BYTES} else text_cell(data, column)


def _members(number: int, column: TableColumn) -> str:
    """An ENUM counts from 1, and 0 is its error value; a SET has a bit for each member."""
    if column.kind == "set":
        return text(",".join(member for index, member in enumerate(column.members) if number & (1 << index)))
    if not 1 <= number <= len(column.members):
        raise NotWritable(f"{column.name}: an ENUM without a value")
    return text(column.members[number - 1])


def _float(value: float) -> str:
    """The shortest text that is this number again; with an exponent, or it would be a decimal."""
    told = repr(value)
    return told if "e" in told else f"{told}e0"
