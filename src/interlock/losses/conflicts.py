"""The binary logs of both masters over a window: what each wrote that it does not own, and what both wrote at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Protocol

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.decisions.conflicts import SameTime, was_open
from interlock.decisions.losses import RowId, keys_of
from interlock.errors import StatementFailed
from interlock.losses.files import holds
from interlock.losses.live import PLAIN_SETTINGS, Dumped, before_file, dump, files_of
from interlock.losses.now import Survivor
from interlock.losses.parsing import Parser
from interlock.losses.payload import unpacked
from interlock.losses.raw import RawEvent
from interlock.losses.sql import SETTINGS
from interlock.losses.tenants import TenantRows
from interlock.model.conflicts import Conflict, ConflictReport, LogRead, Turn, Violation, Write
from interlock.model.facts import ServerFacts
from interlock.model.losses import Image, ReadTransaction, RowChange
from interlock.model.position import Position, parse_position
from interlock.model.topology import ClusterName, SegmentSpec

_UNREAD_AT_MOST = 20


class Master(Dumped, Protocol):
    """The part of a master's driver that is needed here."""

    def facts(self) -> ServerFacts: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """The segments, who owns each now, and every turn that is known of."""

    segments: Mapping[str, SegmentSpec]
    owners: Mapping[str, ClusterName]
    turns: tuple[Turn, ...] = ()

    def of_schema(self, schema: str) -> SegmentSpec | None:
        return next((spec for spec in self.segments.values() if schema in spec.schemas), None)

    def of_tenants(self, change: RowChange, rows: TenantRows) -> tuple[SegmentSpec, ...]:
        """Those whose tenant's row it was, or has become."""
        table, images = f"{change.schema}.{change.table}", [one for one in (change.before, change.after) if one is not None]
        shared = [(spec, spec.tenants) for spec in self.segments.values() if spec.tenants is not None and table in spec.tenants.tables]
        return tuple(
            spec
            for spec, its in shared
            if any(rows.has(change.schema, change.table, image, its) for image in images if its.column in image)
        )

    def allows(self, spec: SegmentSpec, write: Write) -> bool:
        owns_now = self.owners[spec.name] == write.cluster
        try:
            at = parse_position(write.position)
        except ValueError:  # its GTID was not understood
            return owns_now
        return was_open(self.turns, spec.name, write.cluster, at, owns_now=owns_now)


@dataclass(slots=True, kw_only=True)
class _Window:
    """One master's log from the beginning of a file on. `began` is all that it held then."""

    cluster: ClusterName
    master: Master
    tables: Survivor
    tenants: TenantRows
    file: str
    began: Position
    server_id: int
    flavor: str
    transactions: int = 0
    rows: int = 0
    unread: dict[str, None] = field(default_factory=dict)

    def read(self, passes: Callable[[str], None], program: str | None) -> Iterator[tuple[Write, ReadTransaction]]:
        """What its own server wrote, in the order of the log. `passes` is told the name of every transaction, also of others'."""

        def wanted(event: RawEvent, name: str) -> bool:
            passes(name)
            return event.server_id == self.server_id

        parser = Parser(self.flavor, self.tables.table, wanted=wanted)
        for one in parser.transactions(unpacked(dump(self.master, self.file, 4), program)):
            self.transactions += 1
            self.rows += len(one.rows)
            if one.unreadable:
                self.not_read(one.unreadable)
            yield Write(cluster=self.cluster, position=one.position, at=one.at), one

    def not_read(self, why: str) -> None:
        if len(self.unread) < _UNREAD_AT_MOST:
            self.unread[why] = None

    def held(self, name: str) -> bool:
        return holds(self.began, name)

    def told(self) -> LogRead:
        return LogRead(cluster=self.cluster, file=self.file, transactions=self.transactions, rows=self.rows, unread=tuple(self.unread))


def find_conflicts(
    topology: str,
    masters: Mapping[ClusterName, Master],
    ownership: Ownership,
    since: datetime | None,
    *,
    clock: Clock,
    program: str | None = None,
) -> ConflictReport:
    """From the file of each log that began last before `since` (the oldest one, if that is None) to its end. `program` takes compressed
    transactions apart (`payload.py`). DriverError if a log can't be read; StatementFailed without GTIDs.
    """
    began_s = clock.monotonic_s()
    sessions = {cluster: master.session(SETTINGS) for cluster, master in masters.items()}
    try:
        first, second = (_window(cluster, master, Survivor(sessions[cluster]), since) for cluster, master in masters.items())
        violations: list[Violation] = []
        conflicts: list[Conflict] = []
        same = SameTime(first_began=first.held, second_began=second.held)
        for write, one in first.read(same.in_first, program):
            violations += _violations(write, one, ownership, first.tenants)
            for change in one.rows:
                same.wrote_first(write, _keys(change, first))
        for write, one in second.read(same.in_second, program):
            violations += _violations(write, one, ownership, second.tenants)
            for change in one.rows:
                conflicts += [
                    Conflict(schema=row[0], table=row[1], key=dict(zip(change.key, row[2], strict=True)), first=other, second=write)
                    for row, other in same.wrote_second(write, _keys(change, second))
                ]
    finally:
        for session in sessions.values():
            session.close()
    return ConflictReport(
        topology=topology,
        since=since,
        seconds=clock.monotonic_s() - began_s,
        logs=(first.told(), second.told()),
        violations=tuple(violations),
        conflicts=tuple(conflicts),
    )


def _window(cluster: ClusterName, master: Master, tables: Survivor, since: datetime | None) -> _Window:
    facts = master.facts()
    session = master.session(PLAIN_SETTINGS)
    try:
        files = files_of(session)
        file = next((one for one in reversed(files[1:]) if since is not None and _began_at(master, one) <= since.timestamp()), files[0])
        began = before_file(session, file)
    finally:
        session.close()
    if began is None:
        raise StatementFailed(
            f"the log of {master.name} says nothing of GTIDs: what its transactions are called on the other side is not known",
            hint="conflicts are found by GTIDs: MASTER_USE_GTID=slave_pos, SOURCE_AUTO_POSITION=1",
            server=master.name,
        )
    return _Window(
        cluster=cluster,
        master=master,
        tables=tables,
        tenants=TenantRows(tables),
        file=file,
        began=began,
        server_id=facts.server_id,
        flavor=facts.flavor,
    )


def _began_at(master: Master, file: str) -> float:
    return next((float(event.at_s) for event in dump(master, file, 4)), 0.0)


def _keys(change: RowChange, window: _Window) -> tuple[RowId, ...]:
    found = keys_of(change)
    if not found:
        window.not_read(f"{change.schema}.{change.table}: {change.problem or 'it has no key'}")
    return found


def _violations(write: Write, one: ReadTransaction, ownership: Ownership, tenants: TenantRows) -> Iterator[Violation]:
    """Of each row, and of each statement that ran in a schema of a segment."""
    schemas = {change.schema for change in one.rows} | {statement.schema for statement in one.statements}
    for schema in sorted(schemas):
        spec = ownership.of_schema(schema)
        if spec is None or ownership.allows(spec, write):
            continue
        whose: Any = {"segment": spec.name, "write": write, "schema": schema}
        for change in one.rows:
            if change.schema == schema:
                yield Violation(**whose, table=change.table, key=_key(change), change=change.change.value)
        for statement in one.statements:
            if statement.schema == schema:
                yield Violation(**whose, table=statement.text, key={}, change="statement")

    for change in one.rows:
        for spec in ownership.of_tenants(change, tenants):
            if not ownership.allows(spec, write):
                its: Any = {"segment": spec.name, "write": write, "schema": change.schema, "table": change.table}
                yield Violation(**its, key=_key(change), change=change.change.value)


def _key(change: RowChange) -> Image:
    image = change.before or change.after or {}
    return {name: image[name] for name in change.key if name in image}
