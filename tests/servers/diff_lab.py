"""Comparisons of a sandbox's two servers, and differences that are planted there behind replication's back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

from interlock.clock import SystemClock
from interlock.decisions.pace import Limits
from interlock.diff.compare import Before, Comparing
from interlock.diff.ends import End, both
from interlock.diff.judge import Judge
from interlock.diff.kept import Chunk, DiffLog, Kept, read_kept, unpacked_difference
from interlock.diff.keyless import WholeTable
from interlock.diff.planning import planned
from interlock.diff.proof import Proof
from interlock.diff.ranges import Ranges, Work
from interlock.diff.rows import Finder
from interlock.diff.shapes import Selection, declared
from interlock.engine.runs import run_name
from interlock.model.differences import ComparedTable, Comparison, RowDifference
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


def compared_after(sandbox: Sandbox, before: Before) -> list[RowDifference]:
    """What is found in all that was not compared before."""
    file = StringIO()
    with ends(sandbox) as (east, west):
        comparing = Comparing(writer=east, other=west, log=DiffLog(file, Path()), limits=PATIENT, clock=CLOCK, show=lambda _: None)
        comparing.run(Selection(), before, parallel=1)
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    return [unpacked_difference(one) for line in lines if "chunk" in line for one in line["chunk"]["differences"]]


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


def compared_in_ranges_of(rows: int, sandbox: Sandbox, schema: str = "app", table: str = "t") -> ComparedTable:
    """One table, in ranges of so many rows, by one thread."""
    with ends(sandbox) as (east, west), both(east, west) as pair, closing(Proof(east, west, clock=CLOCK)) as proof:
        selection = Selection(tables=((schema, table),))
        plan = planned(pair.each(), (schema, table), [declared(session, selection, alike=True) for session in pair.each()])
        assert plan.asked is not None
        chunks: list[Chunk] = []
        work = Work(planned=plan, asked=plan.asked, left=[(None, None)], size=rows)
        ranges = Ranges(session=pair.writer, works=[work], tell=lambda _, chunk: chunks.append(chunk))
        parts: dict[str, Any] = {"asked": plan.asked, "both": pair, "writer": east, "other": west}
        judged: dict[str, Any] = {"proof": proof, "at_rest": plan.at_rest}
        judge = Judge(**parts, **judged)
        finder = Finder(**parts, judge=judge, rows=rows, row_bytes=plan.row_bytes, most=10_000)
        while (taken := ranges.next()) is not None:
            whole = not plan.asked.index
            ranges.done(work, WholeTable(**parts, **judged, most=10_000).compare() if whole else finder.compare(taken[1]), 1.0)
            work.size = rows
        assert [one.after for one in chunks[1:]] == [one.upto for one in chunks[:-1]]
        return replace(
            plan.table,
            rows=sum(one.rows for one in chunks),
            differences=tuple(each for one in chunks for each in one.differences),
            not_compared=tuple(each for one in chunks for each in one.not_compared),
        )


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
