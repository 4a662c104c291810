"""What is declared on a server, read as statements that declare it again, and run on another one in whatever order they go through.

Nothing here holds a row: `SHOW CREATE` of schemas, sequences, tables, routines, views, triggers and events.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import DictCursor

from interlock.audit.facts import SYSTEM_SCHEMAS
from interlock.audit.objects import kinds
from interlock.audit.reader import Reader
from interlock.dataclass import dataclass
from interlock.decisions.declarations import without_counter
from interlock.sandbox import sql
from interlock.servers.quoting import name, text
from interlock.servers.session import Row, text_of

_OURS = ", ".join(text(schema) for schema in SYSTEM_SCHEMAS)
_ENGINES = frozenset({"innodb", "myisam", "aria", "memory", "csv", "archive", "blackhole", "mrg_myisam", "sequence"})
"""Of tables that are declared again. Others may reach for other servers, or for files of this machine (FEDERATED, CONNECT, SPIDER, S3)."""
_PLAIN_MODE = "NO_DIR_IN_CREATE"
"""Zero dates pass as defaults, and no file goes to a folder that a table of the original names (MySQL manual, "NO_DIR_IN_CREATE")."""
_DEFINER = re.compile(r"CREATE [^'\"]{0,200}?DEFINER\s*=\s*`((?:[^`]|``)*)`@`((?:[^`]|``)+)`")
_OTHERS = {
    "routine": "SELECT ROUTINE_SCHEMA AS s, ROUTINE_NAME AS t, ROUTINE_TYPE AS kind FROM information_schema.ROUTINES "
    f"WHERE ROUTINE_SCHEMA NOT IN ({_OURS}) ORDER BY 1, 3, 2",
    "trigger": "SELECT TRIGGER_SCHEMA AS s, TRIGGER_NAME AS t, 'TRIGGER' AS kind FROM information_schema.TRIGGERS "
    f"WHERE TRIGGER_SCHEMA NOT IN ({_OURS}) ORDER BY EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, ACTION_ORDER",
    "event": "SELECT EVENT_SCHEMA AS s, EVENT_NAME AS t, 'EVENT' AS kind FROM information_schema.EVENTS "
    f"WHERE EVENT_SCHEMA NOT IN ({_OURS}) ORDER BY 1, 2",
}
"""By kind; in the order in which they are to be declared again, where one may rest on another of its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One object and the statement that declares it, to be run with this sql_mode and collation. `definer` is user and host, or None."""

    kind: str
    name: str
    statement: str
    schema: str = ""
    sql_mode: str = _PLAIN_MODE
    collation: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name

    @property
    def definer(self) -> tuple[str, str] | None:
        found = _DEFINER.match(self.statement)
        return (found[1].replace("``", "`"), found[2].replace("``", "`")) if found is not None else None

    @property
    def shape(self) -> str:
        """The statement without what moves by itself."""
        return without_counter(self.statement) if self.kind == "table" else self.statement


def declared(reader: Reader) -> tuple[Declared, ...]:
    """Everything but what is a server's own; what could not be read, or is left out, is among the reader's `missing`."""
    there = kinds(reader)
    others = {what: reader.rows(f"{what}s", query) for what, query in _OTHERS.items()}
    return (
        *_schemas(reader),
        *_all(reader, "sequence", [row for row in there if text_of(row["type"]) == "SEQUENCE"]),
        *_all(reader, "table", _tables(reader, there)),
        *_all(reader, "routine", others["routine"]),
        *_all(reader, "view", [row for row in there if text_of(row["type"]) == "VIEW"]),
        *_all(reader, "trigger", others["trigger"]),
        *_all(reader, "event", others["event"]),
    )


def declare(connection: Connection[DictCursor], wanted: Iterable[Declared]) -> tuple[str, ...]:
    """Run them, and those that fail again once others went through: a view may need another one. A sentence for each that never did."""
    left, mode = list(wanted), ""
    sql.rows(connection, "SET SESSION foreign_key_checks=0")
    while left:
        failed: list[tuple[Declared, pymysql.Error]] = []
        for one in left:
            wish = f"SET SESSION sql_mode={text(one.sql_mode)}" + (f", collation_connection={one.collation}" if one.collation else "")
            try:
                if wish != mode:
                    sql.rows(connection, wish)
                    mode = wish
                if one.schema:
                    sql.rows(connection, f"USE {name(one.schema)}")
                sql.rows(connection, one.statement)
            except (pymysql.err.ProgrammingError, pymysql.err.OperationalError, pymysql.err.InternalError, pymysql.err.DataError) as error:
                if not connection.open:
                    raise
                failed.append((one, error))
        if len(failed) == len(left):
            return tuple(f"{one.kind} {one.full_name} is not there: {error.args[-1]}" for one, error in failed)
        left = [one for one, _ in failed]
    return ()


def _schemas(reader: Reader) -> Iterator[Declared]:
    rows = reader.rows(
        "schemas",
        "SELECT SCHEMA_NAME AS n, DEFAULT_CHARACTER_SET_NAME AS c, DEFAULT_COLLATION_NAME AS o FROM information_schema.SCHEMATA "
        f"WHERE SCHEMA_NAME NOT IN ({_OURS})",
    )
    for row in rows:
        own, words = text_of(row["n"]), f"CHARACTER SET {text_of(row['c'])} COLLATE {text_of(row['o'])}"
        yield Declared(kind="schema", name=own, statement=f"CREATE DATABASE IF NOT EXISTS {name(own)} {words}")
        yield Declared(kind="schema", name=own, statement=f"ALTER DATABASE {name(own)} {words}")


def _tables(reader: Reader, there: Iterable[Row]) -> Iterator[Row]:
    for row in there:
        if text_of(row["type"]) not in {"BASE TABLE", "SYSTEM VERSIONED"}:
            continue
        if text_of(row["e"]).lower() in _ENGINES:
            yield row
        else:
            reader.missing.append(
                f"table {text_of(row['s'])}.{text_of(row['t'])}: its engine, {text_of(row['e']) or 'unknown'}, is left out"
            )


def _all(reader: Reader, what: str, rows: Iterable[Row]) -> Iterator[Declared]:
    for row in rows:
        kind = text_of(row.get("kind")) or what.upper()
        found = _shown(reader, kind, text_of(row["s"]), text_of(row["t"]))
        if found is not None:
            yield found


def _shown(reader: Reader, kind: str, schema: str, own: str) -> Declared | None:
    """None if it may not be seen, or is gone."""
    said = f"the definition of {kind.lower()} {schema}.{own}"
    for row in reader.rows(said, f"SHOW CREATE {kind} {name(schema, own)}"):
        columns = {key.lower(): text_of(value) for key, value in row.items()}
        statement = columns.get("sql original statement") or next((v for k, v in columns.items() if k.startswith("create ")), "")
        if not statement:
            reader.missing.append(f"{said}: it is not shown to this account")
            return None
        return Declared(
            kind=kind.lower(),
            schema=schema,
            name=own,
            statement=statement,
            sql_mode=columns.get("sql_mode", _PLAIN_MODE),
            collation=columns.get("collation_connection", ""),
        )
    return None


def unlike(there: Sequence[Declared], here: Sequence[Declared], *, same_release: bool) -> Iterator[str]:
    """What is declared there and not here; of one release, also what is declared in other words."""
    wanted, found = ({(one.kind, one.full_name): one.shape for one in side} for side in (there, here))
    for (kind, full_name), shape in wanted.items():
        if (kind, full_name) not in found:
            yield f"{kind} {full_name} is not there"
        elif same_release and shape != found[kind, full_name]:
            yield f"{kind} {full_name} is declared otherwise"
