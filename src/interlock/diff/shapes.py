"""What a server declares, as a shape (`decisions/shapes.py`): words that are the same on both flavors where they mean the same.

Sources: MySQL manual and MariaDB KB, "INFORMATION_SCHEMA" (COLUMNS, STATISTICS, TRIGGERS, VIEWS, ROUTINES). Display widths of integers are
gone in MySQL 8.0.19 and mean nothing but with ZEROFILL; utf8 is called utf8mb3 by newer servers; defaults are quoted by MariaDB alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from interlock.dataclass import dataclass
from interlock.decisions.shapes import TABLE, Place
from interlock.model.differences import NotCompared
from interlock.servers.quoting import text
from interlock.servers.session import Row, Session, text_of
from interlock.servers.versions import version_of

LOOK_S = 30.0
SYSTEM_SCHEMAS = frozenset({"mysql", "information_schema", "performance_schema", "sys", "ndbinfo", "interlock"})
_WIDTH = re.compile(r"\b(tinyint|smallint|mediumint|int|bigint)\(\d+\)(?! unsigned zerofill| zerofill)")
_YEAR = re.compile(r"\byear\(4\)")
_QUERIES: Mapping[str, str] = {
    "tables": "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, ENGINE AS engine, TABLE_COLLATION AS collation, TABLE_ROWS AS n, "
    "AVG_ROW_LENGTH AS bytes "
    "FROM information_schema.TABLES WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND {which}",
    "columns": "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, COLUMN_NAME AS c, COLUMN_TYPE AS type, COLLATION_NAME AS collation, "
    "IS_NULLABLE AS nullable, COLUMN_DEFAULT AS initial, EXTRA AS extra, GENERATION_EXPRESSION AS made "
    "FROM information_schema.COLUMNS WHERE {which}",
    "keys": "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, INDEX_NAME AS k, NON_UNIQUE AS several, COLUMN_NAME AS c, SUB_PART AS part, "
    "INDEX_TYPE AS type FROM information_schema.STATISTICS WHERE {which} ORDER BY INDEX_NAME, SEQ_IN_INDEX",
    "references": "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, CONSTRAINT_NAME AS k, COLUMN_NAME AS c, REFERENCED_TABLE_SCHEMA AS rs, "
    "REFERENCED_TABLE_NAME AS rt, REFERENCED_COLUMN_NAME AS rc FROM information_schema.KEY_COLUMN_USAGE "
    "WHERE REFERENCED_TABLE_NAME IS NOT NULL AND {which} ORDER BY CONSTRAINT_NAME, ORDINAL_POSITION",
    "triggers": "SELECT TRIGGER_SCHEMA AS s, EVENT_OBJECT_TABLE AS t, TRIGGER_NAME AS k, ACTION_TIMING AS timing, "
    "EVENT_MANIPULATION AS word, ACTION_STATEMENT AS body FROM information_schema.TRIGGERS WHERE {which}",
    "views": "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS k, VIEW_DEFINITION AS body FROM information_schema.VIEWS WHERE {which}",
    "routines": "SELECT ROUTINE_SCHEMA AS s, ROUTINE_NAME AS k, ROUTINE_TYPE AS type, ROUTINE_DEFINITION AS body "
    "FROM information_schema.ROUTINES WHERE {which}",
}
Table = tuple[str, str]
"""Schema and name."""
_MARIADB_CHECKS = (
    "SELECT CONSTRAINT_SCHEMA AS s, TABLE_NAME AS t, CONSTRAINT_NAME AS k, CHECK_CLAUSE AS body FROM information_schema.CHECK_CONSTRAINTS "
    "WHERE {which}"
)
_MYSQL_CHECKS = (
    "SELECT o.CONSTRAINT_SCHEMA AS s, o.TABLE_NAME AS t, o.CONSTRAINT_NAME AS k, CONCAT(c.CHECK_CLAUSE, ' ENFORCED ', o.ENFORCED) AS body "
    "FROM information_schema.TABLE_CONSTRAINTS o JOIN information_schema.CHECK_CONSTRAINTS c USING (CONSTRAINT_SCHEMA, CONSTRAINT_NAME) "
    "WHERE o.CONSTRAINT_TYPE='CHECK' AND {which}"
)
_MYSQL_CHECKS_FROM = (8, 0, 16)
"""MySQL manual, "CHECK Constraints"; older ones take the words and forget them."""
_SHOWN_BY = {"TRIGGER": "triggers", "SHOW VIEW": "definitions of views"}
_SCHEMA_COLUMN = {"triggers": "TRIGGER_SCHEMA", "routines": "ROUTINE_SCHEMA", "checks": "CONSTRAINT_SCHEMA"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is compared: `tables` (schema, name) and whole `schemas`, everything if both are empty, without what is excluded (`schema` or
    `schema.table`). Triggers count with their tables; views and routines with their schemas.
    """

    tables: tuple[tuple[str, str], ...] = ()
    schemas: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def has(self, schema: str, table: str) -> bool:
        if schema.lower() in SYSTEM_SCHEMAS or schema in self.exclude or f"{schema}.{table}" in self.exclude:
            return False
        return not (self.tables or self.schemas) or schema in self.schemas or (bool(table) and (schema, table) in self.tables)

    def where(self, column: str) -> str:
        """SQL that holds for every schema in question."""
        if not (self.tables or self.schemas):
            return f"{column} NOT IN ({', '.join(text(one) for one in sorted(SYSTEM_SCHEMAS))})"
        return f"{column} IN ({', '.join(text(one) for one in sorted({*self.schemas, *(schema for schema, _ in self.tables)}))})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A server's shape; and of each table how many rows it has, and of how many bytes, by the server's estimate, its engine, the types of
    its columns with their collations, which of them may be NULL, and the names of its keys by their columns.
    """

    shape: Mapping[Place, str]
    rows: Mapping[Table, int]
    row_bytes: Mapping[Table, int]
    engines: Mapping[Table, str]
    types: Mapping[Table, Mapping[str, tuple[str, str]]]
    nullable: Mapping[Table, frozenset[str]]
    uniques: Mapping[Table, Mapping[tuple[str, ...], str]]


def declared(session: Session, selection: Selection, *, alike: bool) -> Declared:
    """`alike`: both sides are of one flavor and version, so that defaults, bodies and expressions are written alike, too."""
    queries = {**_QUERIES, **_checks(session, alike=alike)}
    asked = [query.format(which=selection.where(_SCHEMA_COLUMN.get(name, "TABLE_SCHEMA"))) for name, query in queries.items()]
    results = session.run(("SET SESSION group_concat_max_len=1048576", *asked), bound_s=LOOK_S, doing="read what is declared")[1:]
    rows = {
        name: [row for row in result.rows if selection.has(text_of(row["s"]), text_of(row.get("t")))]
        for name, result in zip(queries, results, strict=True)
    }
    shape: dict[Place, str] = {}
    for row in rows["tables"]:
        shape[(*_table(row), TABLE)] = f"{text_of(row['engine'])} {_collation(row['collation'])}"
    base = {(schema, table) for schema, table, _ in shape}
    columns = [row for row in rows["columns"] if _table(row) in base]  # those of views are the view's body
    shape.update(_declare(columns, "column", "c", lambda row: _column(row, alike=alike)))
    shape.update(_grouped(rows["keys"], "key", _key))
    shape.update(_grouped(rows["references"], "foreign key", _reference))
    shape.update(_declare(rows.get("checks", ()), "check", "k", lambda row: text_of(row["body"])))
    shape.update(_declare(rows["triggers"], "trigger", "k", lambda row: f"{row['timing']} {row['word']}{_body(row, alike=alike)}"))
    shape.update(_declare(rows["views"], "view", "k", lambda row: f"view{_body(row, alike=alike)}"))
    shape.update(_declare(rows["routines"], "routine", "k", lambda row: f"{row['type']}{_body(row, alike=alike)}"))
    types: dict[Table, dict[str, tuple[str, str]]] = {}
    nullable: dict[Table, set[str]] = {}
    for row in columns:
        types.setdefault(_table(row), {})[text_of(row["c"])] = _type(row), _collation(row["collation"])
        its = nullable.setdefault(_table(row), set())
        if text_of(row["nullable"]) == "YES":
            its.add(text_of(row["c"]))
    return Declared(
        shape=shape,
        rows={_table(row): int(text_of(row["n"]) or 0) for row in rows["tables"]},
        row_bytes={_table(row): int(text_of(row["bytes"]) or 0) for row in rows["tables"]},
        engines={_table(row): text_of(row["engine"]) for row in rows["tables"]},
        types=types,
        nullable={table: frozenset(its) for table, its in nullable.items()},
        uniques=_uniques(rows["keys"]),
    )


def _checks(session: Session, *, alike: bool) -> Mapping[str, str]:
    """Only where both sides write expressions alike: MariaDB makes one by itself for each JSON column."""
    if not alike:
        return {}
    if "mariadb" in session.version.lower():
        return {"checks": _MARIADB_CHECKS}
    return {"checks": _MYSQL_CHECKS} if version_of(session.version) >= _MYSQL_CHECKS_FROM else {}


def _uniques(rows: Sequence[Row]) -> dict[Table, dict[tuple[str, ...], str]]:
    columns: dict[tuple[Table, str], list[str]] = {}
    for row in rows:
        if not int(text_of(row["several"])):
            columns.setdefault((_table(row), text_of(row["k"])), []).append(text_of(row["c"]))
    found: dict[Table, dict[tuple[str, ...], str]] = {}
    for (table, key), its in columns.items():
        found.setdefault(table, {})[tuple(its)] = key
    return found


def _table(row: Row) -> Table:
    return text_of(row["s"]), text_of(row.get("t"))


def unseen(session: Session) -> tuple[NotCompared, ...]:
    """What the account may not see: servers show no triggers, and no view's definition, without a privilege of their own."""
    mine = "GRANTEE=CONCAT('\\'', REPLACE(CURRENT_USER(), '@', '\\'@\\''), '\\'')"
    asked = f"SELECT PRIVILEGE_TYPE AS p FROM information_schema.USER_PRIVILEGES WHERE {mine}"
    has = {text_of(row["p"]).upper() for row in session.rows(asked, bound_s=LOOK_S)}
    lacks = {what: privilege for privilege, what in _SHOWN_BY.items() if privilege not in has}
    return tuple(NotCompared(what=what, why=f"the account lacks {privilege} on {session.server}") for what, privilege in lacks.items())


def _declare(rows: Collection[Row] | Iterator[Row], word: str, its: str, words: Callable[[Row], str]) -> Iterator[tuple[Place, str]]:
    for row in rows:
        yield (*_table(row), f"{word} {text_of(row[its])}"), words(row)


def _grouped(rows: Sequence[Row], word: str, words: Callable[[Sequence[Row]], str]) -> Iterator[tuple[Place, str]]:
    groups: dict[Place, list[Row]] = {}
    for row in rows:
        groups.setdefault((*_table(row), f"{word} {text_of(row['k'])}"), []).append(row)
    for place, group in groups.items():
        yield place, words(group)


def _column(row: Row, *, alike: bool) -> str:
    """`int unsigned NOT NULL`; with defaults and the like only where both sides write them alike."""
    parts = [_type(row), _collation(row["collation"]), "NULL" if text_of(row["nullable"]) == "YES" else "NOT NULL"]
    made = text_of(row["made"])
    if alike:
        initial = row["initial"]
        parts += [f"DEFAULT {text_of(initial)}" if initial is not None else "", text_of(row["extra"]), made]
    elif made:
        parts.append("GENERATED")
    return " ".join(filter(None, parts))


def _type(row: Row) -> str:
    return _YEAR.sub("year", _WIDTH.sub(r"\1", text_of(row["type"])))


def _key(rows: Sequence[Row]) -> str:
    columns = ", ".join(text_of(row["c"]) + (f"({text_of(row['part'])})" if row["part"] is not None else "") for row in rows)
    unique = "" if int(text_of(rows[0]["several"])) else "UNIQUE "
    return f"{unique}{text_of(rows[0]['type'])} ({columns})"


def _reference(rows: Sequence[Row]) -> str:
    columns, others = (", ".join(text_of(row[its]) for row in rows) for its in ("c", "rc"))
    return f"({columns}) REFERENCES {text_of(rows[0]['rs'])}.{text_of(rows[0]['rt'])} ({others})"


def _body(row: Row, *, alike: bool) -> str:
    return f" {text_of(row['body'])}" if alike else ""


def _collation(value: object) -> str:
    """`utf8_…` is `utf8mb3_…`; MariaDB 11 and MySQL 8 have other defaults, which are other collations."""
    told = text_of(value)
    return f"utf8mb3_{told.removeprefix('utf8_')}" if told.startswith("utf8_") else told
