"""Comparisons of a sandbox's two servers, and differences that are planted there behind replication's back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from interlock.clock import SystemClock
from interlock.decisions.pace import Limits
from interlock.diff.compare import Before, Comparing
from interlock.diff.ends import End
from interlock.diff.kept import DiffLog, Kept, read_kept
from interlock.diff.shapes import Selection
from interlock.engine.runs import run_name
from interlock.model.differences import Comparison, RowDifference
from interlock.model.losses import Image
from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from interlock.servers.server import SqlServer
from servers.loss_lab import drivers

CLOCK = SystemClock()
PATIENT = Limits(threads=1000, lag_s=60.0, latency_s=60.0)
"""A busy machine is no reason to wait in a test."""


@contextmanager
def ends(sandbox: Sandbox) -> Iterator[tuple[End, End]]:
    servers: Mapping[str, SqlServer] = drivers(sandbox)
    try:
        yield End(cluster="east", server=servers["east"]), End(cluster="west", server=servers["west"])
    finally:
        for server in servers.values():
            server.close()


def compared(sandbox: Sandbox, *tables: str, parallel: int = 2) -> Comparison:
    """East, the writer, against west."""
    with ends(sandbox) as (east, west):
        return compare(sandbox, east, west, *tables, parallel=parallel).comparison


def compare(sandbox: Sandbox, east: End, west: End, *tables: str, parallel: int = 2) -> Kept:
    folder, name = Path(sandbox.directory), run_name(CLOCK)
    head = Comparison(name=name, topology=sandbox.name, writer="east", other="west", position="", began_at=CLOCK.wall())
    selection = Selection(tables=tuple((one.partition(".")[0], one.partition(".")[2]) for one in tables))
    with DiffLog.begin(folder, head, {}) as log:
        Comparing(writer=east, other=west, log=log, limits=PATIENT, clock=CLOCK, show=lambda _: None).run(
            selection, Before(), parallel=parallel
        )
        log.ended(CLOCK.wall(), 0.0)
    return read_kept(folder, name)


def plant(sandbox: Sandbox, server: str, *statements: str) -> None:
    """On one side alone: not logged, and past its fence."""
    with closing(sql.connect(sandbox, server)) as admin:
        fenced = bool(sql.value(admin, "SELECT @@GLOBAL.read_only"))
        sql.rows(admin, "SET GLOBAL read_only=0")
        sql.rows(admin, "SET SESSION sql_log_bin=0, foreign_key_checks=0, time_zone='+00:00', sql_mode='ALLOW_INVALID_DATES'")
        try:
            for statement in statements:
                sql.rows(admin, statement)
        finally:
            if fenced:
                sql.rows(admin, "SET GLOBAL super_read_only=1" if sandbox.kind == "mysql" else "SET GLOBAL read_only=1")


def write(sandbox: Sandbox, *statements: str) -> None:
    """On east, and by replication on west: it is there when this returns."""
    with closing(sql.connect(sandbox, "east")) as admin:
        sql.rows(admin, "SET SESSION time_zone='+00:00', sql_mode='ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO'")
        for statement in statements:
            sql.rows(admin, statement)
    caught_up(sandbox)


def caught_up(sandbox: Sandbox) -> None:
    with ends(sandbox) as (east, west):
        assert west.server.wait_applied(east.server.write_facts().position, 20.0)


def keys(differences: Sequence[RowDifference]) -> list[Image]:
    return [one.key for one in differences]
