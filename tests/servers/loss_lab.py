"""An emergency by hand: east writes what west never receives; its log is read by the driver, or from its files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pymysql.connections import Connection
from pymysql.cursors import DictCursor

from interlock.bootstrap import read_topology
from interlock.clock import SystemClock
from interlock.hosts.secrets import Secrets
from interlock.losses.now import Survivor
from interlock.losses.sql import SETTINGS
from interlock.model.losses import LossKind, LostRow, RowChange
from interlock.model.position import MySQLPosition, Position
from interlock.sandbox import sql
from interlock.sandbox.kinds import kind_named
from interlock.sandbox.places import Sandbox
from interlock.servers.registry import make_server
from interlock.servers.server import SqlServer
from interlock.servers.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """While it lasts, west receives nothing from east, and takes writes too. `since` is what west held then."""

    east: Connection[DictCursor]
    west: Connection[DictCursor]
    old: SqlServer
    survivor: SqlServer
    session: Session
    since: Position

    def lose(self, *statements: str) -> None:
        """Each in a transaction of its own on east, unless it opens one."""
        for statement in statements:
            sql.rows(self.east, statement)

    @property
    def rows(self) -> Survivor:
        return Survivor(self.session)


def drivers(sandbox: Sandbox) -> dict[str, SqlServer]:
    """With the sandbox's own accounts, which have what `interlock grants` prints."""
    topology, clock = read_topology(Path(sandbox.topology)), SystemClock()
    secrets = Secrets(clock)
    return {str(one.name): make_server(one, secrets=secrets.read, clock=clock, pair=topology.servers()) for one in topology.masters()}


@contextmanager
def emergency(sandbox: Sandbox, tables: Sequence[str], options: Sequence[str] = ()) -> Iterator[Emergency]:
    """`tables` are statements that each side is given by itself; `options` are set by the connection that loses.

    The first one of a pair ends its replication for good. Each begins as if west had received all that east wrote until then.
    """
    servers = drivers(sandbox)
    east, west = sql.connect(sandbox, "east"), sql.connect(sandbox, "west")
    for side in (east, west):
        sql.rows(side, "STOP REPLICA" if sandbox.kind == "mysql" else "STOP SLAVE")
        sql.rows(side, "SET GLOBAL read_only=0")
        sql.rows(side, "SET sql_mode='ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO', time_zone='+00:00', sql_log_bin=0")
        for statement in tables:
            sql.rows(side, statement)
        sql.rows(side, "SET sql_log_bin=1")
    receive_all(sandbox, east, west)
    session = servers["west"].session(SETTINGS)
    try:
        for option in options:
            sql.rows(east, option)
        since = servers["west"].write_facts().position
        assert since.contains(servers["east"].write_facts().position)
        yield Emergency(east=east, west=west, old=servers["east"], survivor=servers["west"], session=session, since=since)
    finally:
        session.close()
        for side in (east, west):
            sql.rows(side, "SET sql_log_bin=0")
            for row in sql.rows(
                side, "SELECT TABLE_NAME AS t FROM information_schema.TABLES WHERE TABLE_SCHEMA='app' AND TABLE_NAME<>'ledger'"
            ):
                sql.rows(side, f"DROP TABLE app.{row['t']}")
            side.close()
        for server in servers.values():
            server.close()


def receive_all(sandbox: Sandbox, east: Connection[DictCursor], west: Connection[DictCursor]) -> None:
    """West takes all of east's for applied: empty transactions on MySQL, a position on MariaDB."""
    held = str(sql.value(east, kind_named(sandbox.kind).position)).replace("\n", "")
    if sandbox.kind != "mysql":
        own = [one for one in str(sql.value(west, "SELECT @@GLOBAL.gtid_binlog_pos")).split(",") if one.startswith("2-")]
        theirs = [one for one in held.split(",") if not one.startswith("2-")]
        sql.rows(west, "SET GLOBAL gtid_slave_pos=%s", ",".join([*own, *theirs]))
        return
    left = str(sql.value(west, "SELECT GTID_SUBTRACT(%s, @@GLOBAL.gtid_executed)", held)).replace("\n", "")
    for source, intervals in MySQLPosition.parse(left).sets:
        for number in [number for first, last in intervals for number in range(first, last + 1)]:
            sql.rows(west, "SET gtid_next=%s", ":".join(filter(None, [source.uuid, source.tag, str(number)])))
            sql.rows(west, "COMMIT")
    sql.rows(west, "SET gtid_next='AUTOMATIC'")


def as_lost(change: RowChange) -> LostRow:
    """As if it could be put back."""
    image = change.before or change.after or {}
    key = {name: image[name] for name in change.key}
    return LostRow(
        schema=change.schema,
        table=change.table,
        key=key,
        change=change.change,
        before=change.before,
        after=change.after,
        kind=LossKind.REAPPLICABLE,
        why="",
    )
