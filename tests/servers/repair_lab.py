"""Differences by hand: rows of one side are changed unlogged behind its fence, and a comparison of both is kept as `diff` keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pymysql.connections import Connection
from pymysql.cursors import DictCursor

from interlock.clock import SystemClock
from interlock.diff.kept import Chunk, DiffLog
from interlock.engine.runs import run_name
from interlock.losses.sql import SETTINGS, looks, seen
from interlock.losses.tables import table_of
from interlock.model.differences import ComparedTable, Comparison, DifferenceKind, RowDifference
from interlock.model.losses import Cell, Image
from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from interlock.servers.server import SqlServer
from scenarios.command_line import Ended, environment, interlock
from servers.loss_lab import drivers

PLANTING = "SET sql_mode='ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO', time_zone='+00:00', foreign_key_checks=0, sql_log_bin=0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """East is the writer, west its fenced standby; what the command keeps goes into `folder`."""

    sandbox: Sandbox
    folder: Path

    @property
    def is_mysql(self) -> bool:
        return self.sandbox.kind == "mysql"

    @property
    def env(self) -> dict[str, str]:
        return environment(self.sandbox, self.folder)

    def repair(self, *words: str) -> Ended:
        return interlock("repair", *words, env=self.env)

    def on(self, side: str) -> Connection[DictCursor]:
        """Closed by the caller. It writes unlogged."""
        connection = sql.connect(self.sandbox, side)
        sql.rows(connection, PLANTING)
        return connection

    def as_admin(self, side: str, *statements: str) -> None:
        """As anybody writes: logged."""
        self._write(side, PLANTING.replace("sql_log_bin=0", "sql_log_bin=1"), statements)

    def logged(self, *statements: str) -> None:
        """On the writer, and applied on the other side."""
        self.as_admin("east", *statements)
        self.caught_up()

    def plant(self, side: str, *statements: str) -> None:
        """Not in any log; on a fenced server, too."""
        self._write(side, PLANTING, statements)

    def _write(self, side: str, settings: str, statements: Sequence[str]) -> None:
        """Through the fence, if there is one."""
        with closing(sql.connect(self.sandbox, side)) as connection:
            sql.rows(connection, settings)
            fenced = self.is_mysql and bool(sql.value(connection, "SELECT @@GLOBAL.super_read_only"))
            if fenced:
                sql.rows(connection, "SET GLOBAL super_read_only=0")
            for statement in statements:
                sql.rows(connection, statement)
            if fenced:
                sql.rows(connection, "SET GLOBAL super_read_only=1")

    def rows(self, side: str, table: str, columns: str = "*", order: str = "1") -> list[dict[str, Any]]:
        with closing(self.on(side)) as connection:
            return sql.rows(connection, f"SELECT {columns} FROM app.{table} ORDER BY {order}")

    def caught_up(self, source: str = "east") -> None:
        """The other side holds all that `source` wrote."""
        servers = drivers(self.sandbox)
        other = servers["west" if source == "east" else "east"]
        caught_up = other.wait_applied(servers[source].write_facts().position, 60)
        assert caught_up, [one.error for one in other.channels()]
        for server in servers.values():
            server.close()

    def log_ends(self) -> tuple[str, ...]:
        """Where each side's log ends: nothing that is unlogged moves it."""
        servers = drivers(self.sandbox)
        found = tuple(str(servers[side].write_facts().position) for side in ("east", "west"))
        for server in servers.values():
            server.close()
        return found

    def drop(self, *tables: str) -> None:
        for side in ("east", "west"):
            self.plant(side, *(f"DROP TABLE IF EXISTS app.{table}" for table in tables))

    def compare(self, *tables: str) -> Comparison:
        """As both sides are now; kept under a name of its own, for the notes of a repair stay on the servers."""
        self.caught_up()
        servers = drivers(self.sandbox)
        position = str(servers["east"].write_facts().position)
        compared = tuple(_compared(servers, table, position) for table in tables)
        for server in servers.values():
            server.close()
        at = datetime(2026, 3, 1, tzinfo=UTC)
        name = run_name(SystemClock())
        comparison = Comparison(name=name, topology="sandbox", writer="east", other="west", position=position, began_at=at)
        with DiffLog.begin(self.folder, comparison, {}) as log:
            for table in compared:
                log.table(table)
                log.chunk((table.schema, table.name), Chunk(after=None, upto=None, rows=table.rows, differences=table.differences))
            log.ended(at, 1.0)
        return comparison


def _compared(servers: Mapping[str, SqlServer], table: str, position: str) -> ComparedTable:
    key, ours = _rows_of(servers["east"], table)
    _, theirs = _rows_of(servers["west"], table)
    differences = _by_key(table, key, ours, theirs, position) if key else _by_copies(table, ours, theirs, position)
    return ComparedTable(schema="app", name=table, key=key, columns={}, rows=len(ours), differences=tuple(differences))


def _rows_of(server: SqlServer, table: str) -> tuple[tuple[str, ...], list[dict[str, Cell]]]:
    session = server.session(SETTINGS)
    try:
        its = table_of(session, "app", table)
        assert its is not None
        return its.key, [seen(row, its) for row in session.rows(f"SELECT {looks(its.columns)} FROM app.{table}")]
    finally:
        session.close()


def _by_key(table: str, key: Sequence[str], ours: Sequence[Image], theirs: Sequence[Image], position: str) -> list[RowDifference]:
    here, there = ({tuple(row[name] for name in key): row for row in rows} for rows in (ours, theirs))
    return [
        _difference(table, {name: (here.get(at) or there[at])[name] for name in key}, here.get(at), there.get(at), position)
        for at in dict.fromkeys([*here, *there])
        if repr(here.get(at)) != repr(there.get(at))
    ]


def _by_copies(table: str, ours: Sequence[Image], theirs: Sequence[Image], position: str) -> list[RowDifference]:
    found = []
    for row in {repr(row): row for row in (*ours, *theirs)}.values():
        more = sum(1 for one in ours if one == row) - sum(1 for one in theirs if one == row)
        if more:
            found.append(_difference(table, {}, row if more > 0 else None, row if more < 0 else None, position, copies=abs(more)))
    return found


def _difference(table: str, key: Image, ours: Image | None, theirs: Image | None, position: str, *, copies: int = 1) -> RowDifference:
    return RowDifference(
        schema="app",
        table=table,
        kind=DifferenceKind.CHANGED if ours is not None and theirs is not None else DifferenceKind.MISSING_ON,
        cluster="east" if ours is None else "west",
        key=key,
        writer=ours,
        other=theirs,
        columns=tuple(name for name in ours or {} if theirs is not None and ours is not None and repr(ours[name]) != repr(theirs[name])),
        position=position,
        copies=copies,
    )
