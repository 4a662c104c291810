"""The pair as it is now. Every part is looked at by itself, so that one server that is down hides nothing of the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from interlock.actions.liveness import look_at
from interlock.dataclass import dataclass
from interlock.decisions.following import channel_of, is_broken
from interlock.decisions.liveness import answers_here
from interlock.engine.segment_status import SegmentStatus, segments_now
from interlock.engine.status_problems import (
    Looked,
    channel_problems,
    is_running,
    mark_problems,
    note_problems,
    segment_problems,
    server_problems,
    several_writers,
    unfinished_problem,
)
from interlock.errors import DriverError, NotPermitted
from interlock.model.facts import ChannelFacts, ReplicaFacts, RouteFacts, WriteFacts
from interlock.model.liveness import LivenessFacts
from interlock.model.marks import Mark
from interlock.model.topology import ServerName, ServerSpec
from interlock.ports import Server, World

R = TypeVar("R")

_VERDICT_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceStatus:
    """`loose`: administrators write through it. `fleeting`: a restart undoes it. `lacks`: what the topology wants of it besides."""

    loose: bool
    fleeting: bool
    lacks: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterStatus:
    """None: not known, because the server did not answer. `fence` is None too while it is open. `liveness` is asked for only then."""

    reachable: bool
    flavor: str | None = None
    version: str | None = None
    read_only: bool | None = None
    position: str | None = None
    fence: FenceStatus | None = None
    event_scheduler: str | None = None
    sessions: int | None = None
    open_transactions: int | None = None
    error: str = ""
    liveness: LivenessFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelStatus:
    from_: str | None
    to: str
    running: bool
    lag_s: int | None
    error: str
    source_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaStatus:
    """A server behind the pair. `from_` is the one it follows, None if that is none of the pair, several, or not known."""

    replica: str
    from_: str | None
    running: bool
    lag_s: int | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteStatus:
    """`to` is the one cluster it leads to; None if that is none, several, or not known."""

    route: str
    to: str | None
    leads_to: tuple[str, ...] = ()
    holding: bool | None = None
    hold_s: float | None = None
    provable: bool | None = None
    endpoints: tuple[Mapping[str, object], ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    topology: str
    writer: str | None
    clusters: Mapping[str, ClusterStatus]
    channels: tuple[ChannelStatus, ...]
    routes: tuple[RouteStatus, ...]
    unfinished_runs: tuple[str, ...]
    problems: tuple[Mapping[str, str], ...] = ()
    replicas: tuple[ReplicaStatus, ...] = ()
    segments: tuple[SegmentStatus, ...] = ()
    marks: tuple[Mark, ...] = ()

    @property
    def is_closed(self) -> bool:
        """Every master answers, and says that it is fenced."""
        return all(cluster.read_only is True for cluster in self.clusters.values())

    @property
    def who_writes(self) -> str:
        """In words, of a pair without segments: the writer, several, or that none is seen."""
        if self.writer is not None:
            return f"{self.writer} takes the writes"
        open_now = [name for name, cluster in self.clusters.items() if cluster.read_only is False]
        return f"{' and '.join(open_now)} take writes at the same time" if len(open_now) > 1 else "no single writer is seen"


def status(world: World, verdicts: Mapping[str, LivenessFacts] | None = None) -> StatusReport:
    """Everything at the same time, each look bounded by its driver. `verdicts` on the clusters' masters, if they were asked for already:
    one that did not answer a moment ago is not waited for again.
    """
    topology = world.topology
    masters = [master.name for master in topology.masters()]
    told = {name: verdicts[topology.server(name).cluster] if verdicts is not None else None for name in masters}
    looked = dict(zip(masters, world.gather([_looker(world, name, told[name]) for name in masters]), strict=True))
    for name, seen in looked.items():
        if seen.writes is None:
            seen.liveness = told[name] or look_at(world, topology.server(name).cluster, _VERDICT_S)
    replicas = world.gather([_replica_looker(world, spec) for spec in topology.replicas()])
    routes = world.gather([_route_looker(world, name) for name in topology.routes])
    marks = world.marks.all()
    unfinished = world.unfinished_runs()
    segments = segments_now(world)
    open_now = [name for name, seen in looked.items() if seen.writes is not None and not seen.writes.read_only]
    problems = [*server_problems(topology, looked, marks, unfinished)]
    problems += segment_problems(segments, looked)
    problems += several_writers(topology, open_now, marks) if not segments else ()
    problems += [unfinished_problem(run) for run in unfinished]
    problems += mark_problems(topology, marks, looked, world.marks.now())
    problems += note_problems(looked, marks, world.marks.now())
    problems += channel_problems(topology, looked, marks, unfinished)
    problems += [{"what": f"replica {each.replica}: {each.error}", "hint": ""} for each in replicas if each.error]
    problems += [{"what": f"route {route.route}: {route.error}", "hint": ""} for route in routes if route.error]
    writer = str(topology.server(open_now[0]).cluster) if len(open_now) == 1 and not segments else None
    problems += [
        {"what": f"route {route.route} leads to {' and '.join(route.leads_to) or 'nowhere'}, the writer is {writer}", "hint": ""}
        for route in routes
        if writer and route.provable and route.leads_to != (writer,)
    ]
    return StatusReport(
        topology=topology.name,
        writer=writer,
        clusters={str(topology.server(name).cluster): _cluster(seen) for name, seen in looked.items()},
        channels=tuple(_channel(channel) for seen in looked.values() for channel in seen.channels or ()),
        routes=tuple(routes),
        unfinished_runs=unfinished,
        problems=tuple(problems),
        replicas=tuple(replicas),
        segments=segments,
        marks=marks,
    )


def _looker(world: World, name: ServerName, verdict: LivenessFacts | None) -> Callable[[], Looked]:
    def look() -> Looked:
        seen = Looked()
        if verdict is not None and not answers_here(verdict):
            return seen
        server = world.server(name)
        seen.writes = _try(seen, server.write_facts)
        if seen.writes is None:
            return seen  # it does not answer: three more time-outs would tell nothing more
        seen.facts = _try(seen, server.facts)
        seen.channels = _try(seen, server.channels)
        seen.sessions = _try(seen, server.sessions)
        seen.noted = _try(seen, lambda: _noted(server, world.topology.name))
        return seen

    return look


def _noted(server: Server, topology: str) -> tuple[Mark, ...]:
    """Nothing to an account that only looks, and may not read our own tables."""
    try:
        return server.noted(topology)
    except NotPermitted:
        return ()


def _try(seen: Looked, look: Callable[[], R]) -> R | None:
    try:
        return look()
    except DriverError as error:
        seen.errors.append(error)
        return None


def _cluster(seen: Looked) -> ClusterStatus:
    return ClusterStatus(
        reachable=seen.writes is not None,
        flavor=seen.facts.flavor if seen.facts else None,
        version=seen.facts.version if seen.facts else None,
        read_only=seen.writes.read_only if seen.writes else None,
        position=str(seen.writes.position) if seen.writes else None,
        fence=_fence(seen.writes) if seen.writes else None,
        event_scheduler=seen.writes.event_scheduler if seen.writes else None,
        sessions=len(seen.sessions) if seen.sessions is not None else None,
        open_transactions=sum(s.transaction_s is not None for s in seen.sessions) if seen.sessions is not None else None,
        error=seen.errors[0].message if seen.errors else "",
        liveness=seen.liveness,
    )


def _fence(seen: WriteFacts) -> FenceStatus | None:
    return FenceStatus(loose=seen.loose, fleeting=seen.fleeting, lacks=seen.lacks) if seen.read_only else None


def _channel(channel: ChannelFacts) -> ChannelStatus:
    return ChannelStatus(
        from_=channel.source,
        to=channel.server,
        running=is_running(channel),
        lag_s=channel.lag_s,
        error=channel.error,
        source_address=channel.source_address,
    )


def _replica_looker(world: World, spec: ServerSpec) -> Callable[[], ReplicaStatus]:
    def look() -> ReplicaStatus:
        try:
            seen = ReplicaFacts(server=spec.name, channels=world.server(spec.name).channels())
        except DriverError as error:
            seen = ReplicaFacts(server=spec.name, error=error.message)
        channel, broken = channel_of(seen), is_broken(seen)
        return ReplicaStatus(
            replica=spec.name,
            from_=channel.source if channel is not None else None,
            running=not broken,
            lag_s=channel.lag_s if channel is not None else None,
            error=broken,
        )

    return look


def _route_looker(world: World, name: str) -> Callable[[], RouteStatus]:
    def look() -> RouteStatus:
        try:
            return _route(world.route(name).facts())
        except DriverError as error:
            return RouteStatus(route=name, to=None, error=error.message)

    return look


def _route(seen: RouteFacts) -> RouteStatus:
    return RouteStatus(
        route=seen.route,
        to=seen.leads_to[0] if len(seen.leads_to) == 1 else None,
        leads_to=tuple(seen.leads_to),
        holding=seen.holding,
        hold_s=seen.hold_s,
        provable=seen.provable,
        endpoints=tuple(
            {
                "proxy": e.proxy,
                "endpoint": e.endpoint,
                "cluster": e.cluster,
                "state": e.state.value,
                "healthy": e.healthy,
                "sessions": e.sessions,
                "queued": e.queued,
            }
            for e in seen.endpoints
        ),
    )
