"""Everything of one pair that an audit looks at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol

from interlock.audit.facts import PairSeen, PastComparison, Rehearsal, RouteSeen, ServerSeen
from interlock.audit.hosts import look_at_host
from interlock.audit.look import definitions, look
from interlock.audit.objects import differing
from interlock.audit.sql_checks import carried_out
from interlock.clock import Clock
from interlock.decisions.segments import is_fit_to_move, owner_of
from interlock.engine.segment_status import segments_now
from interlock.errors import DriverError
from interlock.model.audit import SqlCheck
from interlock.model.conflicts import Turn
from interlock.model.verdict import Refuse
from interlock.ports import RunHeader, World
from interlock.servers.server import SqlServer

DEFINED_AT_MOST = 60
"""Objects that differ, whose definitions are fetched from both sides."""


class Place(World, Protocol):
    """The world, with connections of an audit's own."""

    def sql_server(self, name: str, /) -> SqlServer: ...


def collect(
    world: Place,
    clock: Clock,
    *,
    runs: Sequence[RunHeader] = (),
    comparisons: Sequence[PastComparison] = (),
    rehearsals: Sequence[Rehearsal] = (),
    refusals: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    checks: Sequence[SqlCheck] = (),
    turns: Sequence[Turn] = (),
) -> PairSeen:
    """`checks` are the team's own that are carried out. DriverError if a master does not answer; a replica or a route that does not is told
    as such.
    """
    topology = world.topology
    first, second = (world.sql_server(one.name) for one in topology.masters())
    east, west = world.gather([lambda: look(first, clock), lambda: look(second, clock)])
    wanted = tuple(_to_define(east, west))
    if wanted:
        told = world.gather([lambda: definitions(first, clock, wanted), lambda: definitions(second, clock, wanted)])
        east, west = (replace(one, definitions=its) for one, its in zip((east, west), told, strict=True))
    pair = PairSeen(
        topology=topology,
        at=clock.wall(),
        masters=(east, west),
        routes=_routes(world),
        hosts=tuple(look_at_host(world.outside, name, host=name) for name, one in topology.clusters.items() if one.ssh is not None),
        runs=tuple(runs),
        comparisons=tuple(comparisons),
        rehearsals=tuple(rehearsals),
        refusals=refusals,
        turns=tuple(turns),
    )
    return replace(
        _with_replicas(pair, world, clock),
        segments=segments_now(world) if topology.segments else (),
        unmovable=dict(_unmovable(world)),
        checked=carried_out(pair, checks, world, clock),
    )


def _to_define(east: ServerSeen, west: ServerSeen) -> Iterator[tuple[str, str]]:
    """Kinds and names of what is not alike. A server of another flavor declares everything in other words."""
    if east.facts.flavor != west.facts.flavor:
        return
    found = [("table", name) for name in sorted(east.tables.keys() ^ west.tables.keys())]
    found += [("table", name) for name in differing(east.tables, west.tables, alike=True)]
    found += [("table", name) for name, its in east.tables.items() if not its.has_key]
    found += [(kind, name) for kind, name, _ in sorted(_stored(east) ^ _stored(west))]
    found += [("table", key.table) for one in (east, west) for key in one.foreign_keys if key.acts]
    privileges = [{one.name: one.digest for one in server.accounts} for server in (east, west)]
    found += [("account", name) for name in privileges[0] if privileges[0][name] != privileges[1].get(name, privileges[0][name])]
    yield from dict.fromkeys(found[:DEFINED_AT_MOST])


def _stored(server: ServerSeen) -> set[tuple[str, str, str]]:
    return {(one.kind, one.name, one.digest) for one in server.stored}


def _with_replicas(pair: PairSeen, world: Place, clock: Clock) -> PairSeen:
    seen, unreached = [], {}
    for spec in pair.topology.replicas():
        try:
            seen.append(look(world.sql_server(spec.name), clock))
        except DriverError as error:
            unreached[str(spec.name)] = error.message
    return replace(pair, replicas=tuple(seen), unreached=unreached)


def _unmovable(world: World) -> Iterator[tuple[str, Refuse]]:
    """By the checks of a move, but for the rights of the account that moves: an audit may have another one."""
    masters = {name: cluster.master.name for name, cluster in world.topology.clusters.items()}
    for name, spec in world.topology.segments.items():
        try:
            seen = {cluster: world.server(server).segments.facts(spec) for cluster, server in masters.items()}
            around = [replace(world.server(server).segments.surroundings(spec), lacks=()) for server in masters.values()]
        except DriverError as error:
            yield name, Refuse(error.message, error.hint)
            continue
        owner = owner_of(spec, tuple(seen.values()))
        verdict = is_fit_to_move(spec, next(one for one in masters if one != owner), seen, around)
        if isinstance(verdict, Refuse):
            yield name, verdict


def _routes(world: Place) -> tuple[RouteSeen, ...]:
    return tuple(_route(world, str(name)) for name in world.topology.routes)


def _route(world: Place, name: str) -> RouteSeen:
    try:
        return RouteSeen(name=name, facts=world.route(name).facts())
    except DriverError as error:
        return RouteSeen(name=name, error=error.message)
