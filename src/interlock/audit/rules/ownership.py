"""Questions 1, 3 and 5: whose data is it, can its owner change, and what do both sides share?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from interlock.audit.facts import PairSeen
from interlock.audit.rule import Chapter, Fault, Rule, command, in_topology, sql
from interlock.model.audit import AuditVerdict, Fix

_UNFIT, _ATTENTION = AuditVerdict.UNFIT, AuditVerdict.NEEDS_ATTENTION
_SHOWN = 5
_CLOCKS_APART = timedelta(minutes=1)
_COMMAND = re.compile(r"`(interlock [^`]+)`")


def owner_of(pair: PairSeen, table: str) -> str | None:
    """The cluster that takes a table's writes: its segment's owner as it is now; without segments the writer; None if it is in none."""
    segments = pair.topology.segments
    if not segments:
        return str(pair.writer.spec.cluster) if pair.has_one_writer else None
    schema = table.partition(".")[0]
    now = {one.segment: one.owner for one in pair.segments}
    return next((now.get(name, str(one.owner)) for name, one in segments.items() if schema in one.schemas), None)


def _two_writers(pair: PairSeen) -> Iterator[Fault]:
    open_ = [one for one in pair.masters if not one.writes.read_only]
    if len(open_) == 2 and not pair.topology.segments:
        yield Fault(
            says=f"{open_[0].name} and {open_[1].name} both take writes, and no segments say which data is whose",
            object="read_only",
            seen={one.name: "read_only=OFF" for one in open_},
            fix=sql(pair.standby, f"SET GLOBAL {'super_read_only' if pair.standby.is_mysql else 'read_only'} = 1"),
        )


def _no_writer(pair: PairSeen) -> Iterator[Fault]:
    if all(one.writes.read_only for one in pair.masters):
        yield Fault(
            says="no master takes writes",
            object="read_only",
            seen={one.name: "read_only=ON" for one in pair.masters},
            fix=command(f"interlock plan switchover --to {pair.masters[0].spec.cluster}"),
        )


def _unowned(pair: PairSeen) -> Iterator[Fault]:
    if not pair.topology.segments:
        return
    segments = pair.topology.segments.values()
    shared = {table for one in segments if one.tenants is not None for table in one.tenants.tables}
    owned = {schema for one in segments for schema in one.schemas}
    for schema in sorted({table.partition(".")[0] for one in pair.masters for table in one.tables.keys() - shared} - owned):
        yield Fault(
            says=f"the schema {schema} is in no segment",
            object=schema,
            fix=in_topology(f"segments:\n  {schema}: {{schemas: [{schema}], owner: {pair.writer.spec.cluster}}}"),
        )


def _foreign_writes(pair: PairSeen) -> Iterator[Fault]:
    """A table of a segment that a master wrote since it does not own it any more, as its own log has it. By the minute, which is enough to
    ask the question; `interlock conflicts` answers it by the order of both logs.
    """
    if not pair.topology.segments:
        return
    for server in pair.masters:
        for table, its in sorted(server.log.writes.items()):
            owner = owner_of(pair, table)
            if owner is None or owner == server.spec.cluster:
                continue
            closed_at = _closed_at(pair, str(server.spec.cluster), table)
            late = [minute for minute in its.minutes if closed_at is None or minute * 60 > (closed_at + _CLOCKS_APART).timestamp()]
            if late:
                last = datetime.fromtimestamp(60 * max(late), UTC)
                yield Fault(
                    says=f"{server.name} wrote {table}, which {owner} owns (in {len(late)} minutes, the last {last:%Y-%m-%d %H:%M} UTC)",
                    server=server.name,
                    object=table,
                    seen={server.name: f"{its.events} row events in its log"},
                    fix=command("interlock conflicts   # which rows, decided by the order of both logs"),
                )


def _closed_at(pair: PairSeen, cluster: str, table: str) -> datetime | None:
    """When the table's segment was closed there for the last time, by the runs of the pair; None if no run says so."""
    schema = table.partition(".")[0]
    names = {name for name, one in pair.topology.segments.items() if schema in one.schemas}
    closed = [turn.at for turn in pair.turns if turn.segment in names and turn.cluster == cluster and not turn.open and turn.at is not None]
    return max(closed, default=None)


def _problems(pair: PairSeen) -> Iterator[Fault]:
    """What `interlock segment list` would say, too."""
    for one in pair.segments:
        for problem in one.problems:
            yield Fault(
                says=problem["what"],
                object=one.segment,
                seen={name: its.open_by or its.error or "closed" for name, its in one.clusters.items()},
                fix=_said(problem["hint"]),
            )


def _unmovable(pair: PairSeen) -> Iterator[Fault]:
    told = {problem["what"] for one in pair.segments for problem in one.problems}
    for name, refused in pair.unmovable.items():
        if not any(problem in refused.why for problem in told):
            yield Fault(says=f"segment {name} could not be moved: {refused.why}", object=name, fix=_said(refused.hint))


def _said(hint: str) -> Fix:
    """The command in a hint, or all of it."""
    found = _COMMAND.search(hint)
    return command(found[1] if found else hint)


def _incomplete(pair: PairSeen) -> Iterator[Fault]:
    own = {one.spec.access.account.user for one in pair.masters} | {link.user for one in pair.masters for link in one.links}
    users = sorted(one.name for one in pair.writer.accounts if one.user not in own and not one.passes and not one.super and one.host == "%")
    account = (users[0] if users else "'app'@'%'").replace("'", "")
    taken = {one.route for one in pair.topology.segments.values()}
    free = next((str(name) for name in pair.topology.routes if name not in taken), None)
    for name, one in pair.topology.segments.items():
        for what, there, example in (
            ("accounts", bool(one.accounts or one.tenants), f"accounts: ['{account}']"),
            ("route", one.route is not None, f"route: {free or name}"),
            ("schemas", bool(one.schemas or one.tenants), f"schemas: [{name}]"),
        ):
            if not there:
                another = f"{_a_route(pair, name)}\n" if what == "route" and free is None else ""
                yield Fault(
                    says=f"the segment {name} names no {what}",
                    object=f"{name}.{what}",
                    fix=in_topology(f"{another}segments:\n  {name}: {{{example}}}"),
                )


def _no_route(pair: PairSeen) -> Iterator[Fault]:
    if not pair.topology.routes:
        yield Fault(
            says="the topology names no route: clients are not led to another server when the writes move",
            object="routes",
            fix=in_topology(_a_route(pair, "writes")),
        )


def _a_route(pair: PairSeen, name: str) -> str:
    servers = ", ".join(f"{one}: {one}" for one in pair.topology.clusters)
    return f"routes:\n  {name}: {{type: haproxy, socket: 'unix:/run/haproxy/admin.sock', backend: {name}, servers: {{{servers}}}}}"


def _no_canary(pair: PairSeen) -> Iterator[Fault]:
    for server in pair.masters:
        if server.spec.access.canary is None:
            yield Fault(
                says=f"the topology names no canary account for {server.name}: a fence can't be proved by a refused write",
                server=server.name,
                object="access.canary",
                fix=in_topology("access:\n  canary: {user: interlock_canary, password: {file: /etc/interlock/canary}}"),
            )


def _routes_lead(pair: PairSeen) -> Iterator[Fault]:
    """To one cluster, which takes writes."""
    writing = {str(one.spec.cluster) for one in pair.masters if not one.writes.read_only}
    owners = {str(one.route): owner for one in pair.segments if (owner := one.owner) and one.route is not None}
    for route in pair.routes:
        leads = route.facts.leads_to if route.facts is not None else ()
        wanted = {owners[route.name]} if route.name in owners else writing
        if route.facts is None:
            yield Fault(says=f"the route {route.name} could not be looked at: {route.error}", object=route.name, verdict=_ATTENTION)
        elif route.facts.provable and (len(leads) != 1 or str(leads[0]) not in wanted):
            yield Fault(
                says=f"the route {route.name} leads to {' and '.join(leads) or 'nobody'}, and {' and '.join(sorted(wanted)) or 'nobody'} "
                "takes its writes",
                object=route.name,
                fix=command("interlock plan switchover --to CLUSTER   # and see interlock status"),
            )


def _tells_segregation(pair: PairSeen) -> Iterator[str]:
    if pair.topology.segments:
        now = {one.segment: one.owner for one in pair.segments}
        for name, one in pair.topology.segments.items():
            its = one.tenants
            rows = (f"{its.column} {' and '.join(its.values)} of {' and '.join(its.tables)}",) if its is not None else ()
            yield f"segment {name}: {', '.join((*one.schemas, *one.accounts, *rows))}, owned by {now.get(name, one.owner)}"
    elif pair.has_one_writer:
        yield f"active/passive: {pair.writer.name} takes the writes of every table, {pair.standby.name} takes none"
    for server in pair.masters:
        if server.log.since is not None and server.log.until is not None:
            most = sorted(server.log.writes.items(), key=lambda item: -item[1].events)[:_SHOWN]
            said = ", ".join(f"{table} ({its.events})" for table, its in most) or "nothing"
            begin, end = (f"{at:%Y-%m-%d %H:%M}" for at in (server.log.since, server.log.until))
            yield f"{server.name} itself wrote, by its log from {begin} to {end} UTC: {said}"


def _tells_move(pair: PairSeen) -> Iterator[str]:
    yield f"routes: {', '.join(f'{name} ({one.kind})' for name, one in pair.topology.routes.items()) or 'none'}"
    if not pair.topology.segments:
        yield "without segments all data moves at once, by a switchover"


SEGREGATION = Chapter(
    question=1,
    title="How is data segregated?",
    tells=_tells_segregation,
    rules=(
        Rule(
            id="segregation.one_writer",
            question=1,
            title="One master takes the writes of each table",
            verdict=_UNFIT,
            why="two servers that take the same writes collide, and replication stops or one side's write is gone",
            source="docs/switchover.md",
            look=_two_writers,
        ),
        Rule(
            id="segregation.a_writer",
            question=1,
            title="Somebody takes the writes",
            verdict=_ATTENTION,
            why="clients can't write",
            source="docs/switchover.md",
            look=_no_writer,
        ),
        Rule(
            id="segregation.segments_hold",
            question=1,
            title="Each segment is open on its owner, closed elsewhere, and both servers know it",
            verdict=_UNFIT,
            why="clients could write it on both sides, or on none",
            source="docs/segments.md",
            look=_problems,
        ),
        Rule(
            id="segregation.every_schema_owned",
            question=1,
            title="Every schema is in a segment",
            verdict=_ATTENTION,
            why="nobody says who may write it, so that both sides may",
            source="docs/audit.md",
            look=_unowned,
        ),
        Rule(
            id="segregation.written_by_owner",
            question=1,
            title="Only its owner wrote a segment",
            verdict=_UNFIT,
            why="what was written on the wrong side may collide with the owner's writes",
            source="docs/audit.md",
            look=_foreign_writes,
        ),
    ),
)
MOVING = Chapter(
    question=3,
    title="What if ownership of data moves?",
    tells=_tells_move,
    rules=(
        Rule(
            id="move.segments_complete",
            question=3,
            title="Each segment has what a move needs",
            verdict=_ATTENTION,
            why="without accounts a segment can't be closed, without a route its clients are not led away",
            source="docs/audit.md",
            look=_incomplete,
        ),
        Rule(
            id="move.segments_fit",
            question=3,
            title="Each segment could be moved now",
            verdict=_ATTENTION,
            why="what keeps it from moving is found out in the hour when it must",
            source="docs/segments.md",
            look=_unmovable,
        ),
        Rule(
            id="move.route",
            question=3,
            title="A route leads clients to the writer",
            verdict=_ATTENTION,
            why="clients that nobody leads stay where they are when the writes move",
            source="docs/routes.md",
            look=_no_route,
        ),
        Rule(
            id="move.routes_lead_to_the_writer",
            question=3,
            title="Every route leads to the writer, and only there",
            verdict=_UNFIT,
            why="clients are sent to a server that refuses them, or to two",
            source="docs/routes.md",
            look=_routes_lead,
        ),
        Rule(
            id="move.canary",
            question=3,
            title="A fence can be proved",
            verdict=_ATTENTION,
            why="Interlock's own account may pass read_only, so it can't try whether clients are refused",
            source="docs/servers.md",
            look=_no_canary,
        ),
    ),
)
