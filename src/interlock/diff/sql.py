"""What is asked of a table: the hash of a row, of a range of rows, where a range ends, and rows by their keys.

Three rules. A row's text is unambiguous: which columns are NULL and how long each text is stand before the values, so no two different rows
have the same one, nor two different sequences of rows. It is bytes, whatever collation or character set compares them as equal. And it is
hashed by SHA-256: sums of CRC32 under XOR miss the same change made in two rows, for CRC32 is linear. (MySQL 9.7 has neither MD5() nor
SHA1().) A few rows are hashed as one text, which takes half the time; of more, each is hashed, and 64 bits of it are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from interlock.dataclass import dataclass
from interlock.losses.sql import literal, looks, seen, where_key
from interlock.losses.tables import Table, TableColumn
from interlock.model.losses import Cell, Image
from interlock.servers.quoting import name
from interlock.servers.session import Row, text_of

TEXTS = "SET SESSION group_concat_max_len=16777216"
"""What one `few_sql` takes of a server's memory at the most. By themselves servers cut at 1 kB (MySQL) or 1 MB (MariaDB). They count a
warning (number 1260) when they do, with max_error_count=0 too (tried on 9.7 and 10.11)."""

Range = tuple[Image | None, Image | None]
"""After this key, up to that one; None for the table's beginning and end."""

_FLOATS = frozenset({"float", "double"})
_NUMBERED = frozenset({"bit", "enum", "set"})
_INTEGERS = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})
_PLAIN = _INTEGERS | frozenset({"decimal", "year", "date", "time", "datetime", "timestamp"})
_LONG = frozenset({"mediumtext", "longtext", "mediumblob", "longblob", "json", "vector"})
_MIDDLING = frozenset({"text", "blob"})
_TEXTS_AT_MOST = 8
_NOT_IN_RANGES = frozenset({"enum", "set"})
"""Their index is in the order of their numbers, and `>` compares their texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A table as both sides have it: only the columns that are compared. `index` is its key's name, empty without a key."""

    table: Table
    nullable: frozenset[str]
    index: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        return self.table.key if self.index else ()

    @property
    def ranged(self) -> tuple[str, ...]:
        """The columns of the key that ranges are cut by: the first ones whose order is that of `>`."""
        found: list[str] = []
        for column in self.key:
            if self.table.column(column).kind in _NOT_IN_RANGES:
                break
            found.append(column)
        return tuple(found)

    @property
    def is_bulky(self) -> bool:
        """Whether a row may have megabytes."""
        return any(column.kind in _LONG for column in self.table.columns)

    @property
    def source(self) -> str:
        """What stands behind FROM; `r` is the row."""
        forced = f" FORCE INDEX ({name(self.index)})" if self.index else ""
        return f"{self.table.written} AS `r`{forced}"


def row_hash(asked: Asked) -> str:
    """An unsigned number of 64 bits, never NULL."""
    return f"CAST(CONV(LEFT(SHA2({row_text(asked)}, 256), 16), 16, 10) AS UNSIGNED)"


def row_text(asked: Asked) -> str:
    """What says all of a row, and where it ends; never NULL."""
    columns = [column for column in asked.table.columns if not column.made]
    texts = sum(1 for column in columns if column.kind in _MIDDLING)
    wholes, parts, lengths = [], [], []
    for column in columns:
        its = _whole(column, long=texts > _TEXTS_AT_MOST)
        if its.varies:
            lengths.append(f"LENGTH({its.sql})" if its.length is None else its.length)
            parts.append(its.sql)
        else:
            wholes.append(its.sql)
    nulls = [f"ISNULL({name(column.name)})" for column in columns if column.name in asked.nullable]
    flags = [_one_number(nulls[begin : begin + _BITS]) for begin in range(0, len(nulls), _BITS)]
    return f"CONCAT_WS('#', {', '.join([*flags, *wholes, *lengths, *parts, _END])})"


def _one_number(bits: Sequence[str]) -> str:
    """A number is written in less time than each bit."""
    return "+".join(bit if not power else f"{1 << power}*{bit}" for power, bit in enumerate(bits))


_BITS = 32
_END = "''"
"""So that there is always something to put together, and a last `#`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Whole:
    """A column's value as text. `varies`: it may have any characters, so its length has to be told."""

    sql: str
    varies: bool = False
    length: str | None = None


def _whole(column: TableColumn, *, long: bool) -> _Whole:
    its = name(column.name)
    if column.kind in _FLOATS:
        return _Whole(sql=f"{its}*1e0")  # by itself a FLOAT is shown with six digits, a DOUBLE(m,d) with d decimals
    if column.kind in _NUMBERED:
        return _Whole(sql=f"CAST({its} AS UNSIGNED)")
    if column.kind in _PLAIN:
        return _Whole(sql=its)
    if column.kind == "json" and not column.charset:
        return _Whole(sql=f"SHA2(CAST({its} AS CHAR), 256)")
    if column.kind in _LONG or (long and column.kind in _MIDDLING):
        return _Whole(sql=f"SHA2({its}, 256)" if not column.charset else f"SHA2(CAST({its} AS BINARY), 256)")
    if column.charset:
        return _Whole(sql=f"CAST({its} AS BINARY)", varies=True, length=f"LENGTH({its})")
    if column.kind in {"binary", "varbinary", "tinyblob", "blob"}:
        return _Whole(sql=its, varies=True)
    return _Whole(sql=f"SHA2(HEX({its}), 256)")  # spatial types, UUID, INET6 and what comes


def chunk_sql(asked: Asked, range_: Range) -> str:
    """`n` rows, whose hashes together are `x`."""
    return f"SELECT COUNT(*) AS n, BIT_XOR({row_hash(asked)}) AS x FROM {asked.source} WHERE {where_range(asked, range_)}"


def few_sql(asked: Asked, range_: Range) -> str:
    """`n` rows, whose texts one behind the other, as the index has them, hash to `x`, NULL if there is none.

    In a session that was set up by `TEXTS`. If they are more than that holds, `x` is of the first ones alone, and the server warns.
    """
    hashed = f"SHA2(GROUP_CONCAT({row_text(asked)} SEPARATOR ''), 256)"
    return f"SELECT COUNT(*) AS n, {hashed} AS x FROM {asked.source} WHERE {where_range(asked, range_)}"


def end_sql(asked: Asked, range_: Range, rows: int) -> str:
    """The key of the last of the first `rows` in the range; no row if there are fewer."""
    order = ", ".join(f"`r`.{name(column)}" for column in asked.ranged)
    return (
        f"SELECT {looks(_columns(asked, asked.ranged))} FROM {asked.source} WHERE {where_range(asked, range_)} "
        f"ORDER BY {order} LIMIT 1 OFFSET {rows - 1:d}"
    )


def last_sql(asked: Asked) -> str:
    """The greatest `k` of a key that is one number, NULL of an empty table."""
    return f"SELECT MAX({name(number_key(asked))}) AS k FROM {asked.table.written}"


def estimate_sql(asked: Asked, range_: Range) -> str:
    """How many `rows` the optimizer thinks are in the range: it looks at the index in a few places."""
    return f"EXPLAIN SELECT 1 FROM {asked.source} WHERE {where_range(asked, range_)}"


def keys_sql(asked: Asked, range_: Range) -> str:
    """Each row's key and hash (`#h`)."""
    return f"SELECT {looks(_columns(asked, asked.key))}, {row_hash(asked)} AS `#h` FROM {asked.source} WHERE {where_range(asked, range_)}"


def rows_sql(asked: Asked, keys: Sequence[Image]) -> str:
    """Of each key the row, with its number in `keys` (`#`) and its hash (`#h`). A key is found as its collation compares."""
    return _each(asked, keys, f", {looks(asked.table.columns)}")


def hashes_sql(asked: Asked, keys: Sequence[Image]) -> str:
    """The same without the row."""
    return _each(asked, keys, "")


def _each(asked: Asked, keys: Sequence[Image], more: str) -> str:
    return " UNION ALL ".join(
        f"(SELECT {number} AS `#`, {row_hash(asked)} AS `#h`{more} FROM {asked.source} WHERE {where_key(key, asked.table)})"
        for number, key in enumerate(keys)
    )


def key_of(row: Row, asked: Asked, columns: Sequence[str]) -> Image:
    """From `end_sql` or `keys_sql`."""
    return seen(row, replace(asked.table, columns=_columns(asked, columns)))


def image_of(row: Row, asked: Asked) -> Image:
    """From `rows_sql`. A JSON document stays as the server writes it, to the last digit."""
    image: dict[str, Cell] = dict(seen(row, asked.table))
    for column in asked.table.columns:
        if column.kind == "json" and not column.charset and row[column.name] is not None:
            image[column.name] = bytes.fromhex(text_of(row[column.name])).decode()
    return image


# -- ranges -------------------------------------------------------------------------------------------------------------------------------


def where_range(asked: Asked, range_: Range) -> str:
    """Rows whose key is after the first and up to the second one, in words that the optimizer takes as a range of the index."""
    after, upto = range_
    return _between(list(asked.ranged), after, upto, asked.table)


def number_key(asked: Asked) -> str:
    """The column of a key that is one integer: its ranges can be reckoned. Empty for any other key."""
    (column, *more) = asked.ranged or ("",)
    return column if column and not more and asked.table.column(column).kind in _INTEGERS else ""


def parts_by_number(asked: Asked, range_: Range, parts: int) -> list[Range]:
    """The range in parts of about the same width, without asking: if its ends are known and its key is one integer; otherwise none."""
    after, upto = range_
    column = number_key(asked)
    if not column or after is None or upto is None or parts < 2:
        return []
    low, high = after[column], upto[column]
    if not isinstance(low, int) or not isinstance(high, int) or high - low < parts:
        return []
    cuts = [low + (high - low) * number // parts for number in range(parts + 1)]
    return [({column: one}, {column: other}) for one, other in pairwise(cuts)]


def _between(columns: Sequence[str], after: Image | None, upto: Image | None, table: Table) -> str:
    if after is not None and upto is not None and len(columns) > 1 and after[columns[0]] == upto[columns[0]]:
        rest = _between(columns[1:], after, upto, table)
        return f"{_is(columns[0], '=', after, table)} AND {rest}"
    parts = [_after(columns, after, table)] if after is not None else []
    parts += [_upto(columns, upto, table)] if upto is not None else []
    return " AND ".join(parts) or "1"


def _after(columns: Sequence[str], key: Image, table: Table) -> str:
    first, *rest = columns
    if not rest:
        return _is(first, ">", key, table)
    return f"({_is(first, '>', key, table)} OR ({_is(first, '=', key, table)} AND {_after(rest, key, table)}))"


def _upto(columns: Sequence[str], key: Image, table: Table) -> str:
    first, *rest = columns
    if not rest:
        return _is(first, "<=", key, table)
    return f"({_is(first, '<', key, table)} OR ({_is(first, '=', key, table)} AND {_upto(rest, key, table)}))"


def _is(column: str, how: str, key: Mapping[str, Cell], table: Table) -> str:
    return f"{name(column)} {how} {literal(key[column], table.column(column))}"


def _columns(asked: Asked, names: Sequence[str]) -> tuple[TableColumn, ...]:
    return tuple(asked.table.column(one) for one in names)
