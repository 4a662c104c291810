"""What the survivor says of a table: its columns, its key, and which of its values are unique."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from interlock.dataclass import dataclass
from interlock.servers.quoting import name, text
from interlock.servers.session import Row, Session, text_of

LOOK_S = 10.0
_MADE = re.compile(r"\b(VIRTUAL|STORED|PERSISTENT) GENERATED\b", re.IGNORECASE)
_MEMBER = re.compile(r"'((?:[^']|'')*)'")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumn:
    """`kind` is information_schema's DATA_TYPE, `length` the most characters (bytes) it takes. `charset` empty: bytes. `members` of an ENUM
    or SET. `made`: generated from others, so it is neither compared nor written. `moves`: ON UPDATE CURRENT_TIMESTAMP.
    """

    name: str
    kind: str
    charset: str = ""
    length: int = 0
    unsigned: bool = False
    members: tuple[str, ...] = ()
    made: bool = False
    moves: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`key` is the primary key, or the first unique one without NULLs; empty if it has neither. `uniques` are the other unique ones, whole
    columns only. `triggers` are the words (INSERT, UPDATE, DELETE) on which one fires, as far as the account may see them. `engine` is as
    information_schema has it; `cascades`: a change of it changes rows of another table by a foreign key.
    """

    schema: str
    name: str
    columns: tuple[TableColumn, ...]
    key: tuple[str, ...] = ()
    uniques: tuple[tuple[str, ...], ...] = ()
    triggers: frozenset[str] = frozenset()
    engine: str = ""
    cascades: bool = False

    @property
    def written(self) -> str:
        return name(self.schema, self.name)

    def column(self, wanted: str) -> TableColumn:
        return next(one for one in self.columns if one.name == wanted)


def misfit(images: Iterable[Mapping[str, object] | None], key: Sequence[str], table: Table | None) -> str:
    """Why these are no rows of the table as it is now, told apart by `key`; empty if they are."""
    if table is None:
        return "there is no such table now"
    columns = {column.name for column in table.columns if not column.made}
    unknown = sorted({name for image in images if image is not None for name in image} - columns)
    if unknown:
        return f"the table has no column {', '.join(unknown)} now"
    return "the table's key is another one now" if tuple(key) != table.key else ""


def table_of(session: Session, schema: str, table: str) -> Table | None:
    """None if there is no such table."""
    where = f"TABLE_SCHEMA={text(schema)} AND TABLE_NAME={text(table)}"
    columns, indexes, triggers, engines, cascades = (
        result.rows
        for result in session.run(
            (
                (
                    "SELECT COLUMN_NAME AS n, DATA_TYPE AS kind, COLUMN_TYPE AS whole, CHARACTER_SET_NAME AS charset, "
                    "CHARACTER_MAXIMUM_LENGTH AS length, IS_NULLABLE AS nullable, EXTRA AS extra "
                    f"FROM information_schema.COLUMNS WHERE {where} ORDER BY ORDINAL_POSITION"
                ),
                (
                    "SELECT INDEX_NAME AS i, COLUMN_NAME AS n, SUB_PART AS part "
                    f"FROM information_schema.STATISTICS WHERE {where} AND NON_UNIQUE=0 ORDER BY INDEX_NAME, SEQ_IN_INDEX"
                ),
                (
                    "SELECT EVENT_MANIPULATION AS word FROM information_schema.TRIGGERS "
                    f"WHERE EVENT_OBJECT_SCHEMA={text(schema)} AND EVENT_OBJECT_TABLE={text(table)}"
                ),
                f"SELECT ENGINE AS engine FROM information_schema.TABLES WHERE {where}",
                (
                    "SELECT 1 AS one FROM information_schema.REFERENTIAL_CONSTRAINTS "
                    f"WHERE UNIQUE_CONSTRAINT_SCHEMA={text(schema)} AND REFERENCED_TABLE_NAME={text(table)} "
                    "AND NOT (DELETE_RULE IN ('RESTRICT', 'NO ACTION') AND UPDATE_RULE IN ('RESTRICT', 'NO ACTION')) LIMIT 1"
                ),
            ),
            bound_s=LOOK_S,
            doing=f"look at {schema}.{table}",
        )
    )
    if not columns:
        return None
    nullable = {text_of(row["n"]) for row in columns if text_of(row["nullable"]) == "YES"}
    key, uniques = _keys(indexes, nullable)
    return Table(
        schema=schema,
        name=table,
        columns=tuple(_column(row) for row in columns),
        key=key,
        uniques=uniques,
        triggers=frozenset(text_of(row["word"]) for row in triggers),
        engine=text_of(engines[0]["engine"]) if engines else "",
        cascades=bool(cascades),
    )


def _column(row: Row) -> TableColumn:
    kind, whole, extra = (text_of(row[key]) for key in ("kind", "whole", "extra"))
    members = tuple(one.replace("''", "'") for one in _MEMBER.findall(whole)) if kind in {"enum", "set"} else ()
    return TableColumn(
        name=text_of(row["n"]),
        kind=kind.lower(),
        charset=text_of(row["charset"]),
        length=int(text_of(row["length"]) or 0),
        unsigned="unsigned" in whole.lower() and not members,
        members=members,
        made=_MADE.search(extra) is not None,
        moves="on update" in extra.lower(),
    )


def _keys(rows: Sequence[Row], nullable: set[str]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """An index on a part of a column or on an expression can't tell whether two rows collide; the server will."""
    indexes: dict[str, list[str]] = {}
    partial = set[str]()
    for row in rows:
        index, column = text_of(row["i"]), text_of(row["n"])
        indexes.setdefault(index, []).append(column)
        if not column or row["part"] is not None:
            partial.add(index)
    primary = tuple(indexes.pop("PRIMARY", ()))
    whole = {index: tuple(columns) for index, columns in indexes.items() if index not in partial}
    if not primary:
        first = next((index for index, columns in whole.items() if not nullable & set(columns)), None)
        primary = whole.pop(first) if first is not None else ()
    return primary, tuple(whole.values())
