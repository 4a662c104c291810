"""The tables of a cluster, in SQLite's memory, and its transactions.

A transaction's writes wait in its session until it commits, and then happen at once. Each was tried when it was sent, so that its client
had its count, or its error.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence

from interlock.dataclass import dataclass
from interlock.sandbox.xpand.errors import Refusal, syntax
from interlock.sandbox.xpand.rewriting import Rewritten

_SYSTEM = {
    "information_schema": "CREATE TABLE information_schema.processlist (id, user, host, db, command, time, state, info)",
    "system": "CREATE TABLE system.sessions (nodeid, session_id, source_ip, user, trx_state, statement_state, xid, last_statement, "
    "time_in_state_s, trx_age, trx_counter_insert, trx_counter_update, trx_counter_delete, trx_is_writer)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Without names it is no result set, but a count."""

    names: tuple[str, ...] = ()
    rows: tuple[tuple[object, ...], ...] = ()
    affected: int = 0


class Data:
    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        for schema, table in _SYSTEM.items():
            self._db.execute(f"ATTACH ':memory:' AS {schema}")
            self._db.execute(table)
        self.function("left_of", 2, lambda text, length: None if text is None else str(text)[:length])
        self.function("concat_all", -1, lambda *parts: "".join(map(str, parts)))
        self.function("substring_index", 3, lambda text, mark, count: str(mark).join(str(text).split(str(mark))[:count]))

    def function(self, name: str, arguments: int, what: Callable[..., str | int | float | None]) -> None:
        self._db.create_function(name, arguments, what)

    def databases(self) -> frozenset[str]:
        return frozenset(str(row[1]) for row in self._db.execute("PRAGMA database_list"))

    def create_database(self, name: str) -> None:
        self._db.execute(f"ATTACH ':memory:' AS \"{name}\"")

    def fill(self, table: str, rows: Iterable[Mapping[str, object]]) -> None:
        """One of the system's own tables, anew."""
        self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - the names are our own, here and below
        for row in rows:
            marks = ", ".join("?" * len(row))
            self._db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))  # noqa: S608

    def run(self, statement: Rewritten) -> Answer:
        """Refusal in the words of Xpand."""
        try:
            cursor = self._db.execute(statement.sql, statement.values)
            names = tuple(column[0] for column in cursor.description or ())
            return Answer(names=names, rows=tuple(cursor.fetchall()), affected=max(0, cursor.rowcount))
        except sqlite3.Error as error:
            raise _refusal(error, statement.sql) from error

    def tried(self, before: Sequence[Rewritten], statement: Rewritten) -> Answer:
        """What it would give after those `before` it; nothing is changed."""
        self._db.execute("BEGIN")
        try:
            for one in before:
                self.run(one)
            return self.run(statement)
        finally:
            self._db.execute("ROLLBACK")

    def together(self, statements: Sequence[Rewritten]) -> None:
        """All or none."""
        self._db.execute("BEGIN")
        try:
            for statement in statements:
                self.run(statement)
        except Refusal:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _refusal(error: sqlite3.Error, sql: str) -> Refusal:
    words = str(error)
    if "no such table" in words:
        return Refusal(f"[13313] Relation not found: {words.rpartition(':')[2].strip()}")
    if "unknown database" in words:
        return Refusal(f"[13314] No such database: {words.rpartition(' ')[2]}")
    if isinstance(error, sqlite3.IntegrityError):
        return Refusal(f"[40960] Duplicate key or null: {words}", 1062)
    return syntax(f"{words}: {sql}")
