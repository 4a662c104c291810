"""The segments of an active/active pair as they are now: who owns each, by both servers' word, and who can write it where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from interlock.dataclass import dataclass
from interlock.decisions.segments import HOW_IT_OPENS, owner_of
from interlock.errors import DriverError
from interlock.model.segments import SegmentFacts
from interlock.model.topology import ClusterName, SegmentSpec, ServerName
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentOn:
    """A segment at one cluster's master. None: not known. `owner` and `epoch` are its own word, `open_by` what lets clients write."""

    open: bool | None
    sessions: int | None = None
    owner: str | None = None
    epoch: int | None = None
    open_by: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentStatus:
    """`home` is the topology's owner. `problems` are sentences with a hint."""

    segment: str
    owner: str
    epoch: int
    home: str
    route: str | None
    clusters: Mapping[str, SegmentOn]
    problems: tuple[Mapping[str, str], ...] = ()


def segments_now(world: World) -> tuple[SegmentStatus, ...]:
    """Each on every master, all masters at the same time. One that does not answer is waited for once, and hides nothing of the other."""
    specs = tuple(world.topology.segments.values())
    if not specs:
        return ()
    clusters = {cluster.name: cluster.master.name for cluster in world.topology.clusters.values()}
    looked = dict(zip(clusters, world.gather([_looker(world, server, specs) for server in clusters.values()]), strict=True))
    fenced = frozenset(cluster for cluster, (_, is_fenced) in looked.items() if is_fenced)
    told = {cluster: seen for cluster, (seen, _) in looked.items()}
    return tuple(_status(spec, {cluster: seen[number] for cluster, seen in told.items()}, fenced) for number, spec in enumerate(specs))


def _looker(world: World, server: ServerName, specs: Sequence[SegmentSpec]) -> Callable[[], tuple[list[SegmentFacts | DriverError], bool]]:
    """Looks at the segments of one server, and whether all of it is fenced: False as well if it does not answer."""

    def look() -> tuple[list[SegmentFacts | DriverError], bool]:
        seen: list[SegmentFacts | DriverError] = []
        try:
            is_fenced = world.server(server).write_facts().read_only
            seen.extend(world.server(server).segments.facts(spec) for spec in specs)
        except DriverError as error:
            return [*seen, *([error] * (len(specs) - len(seen)))], False
        return seen, is_fenced

    return look


def _status(spec: SegmentSpec, seen: Mapping[ClusterName, SegmentFacts | DriverError], fenced: frozenset[ClusterName]) -> SegmentStatus:
    facts = {cluster: each for cluster, each in seen.items() if isinstance(each, SegmentFacts)}
    owner = owner_of(spec, tuple(facts.values()))
    return SegmentStatus(
        segment=spec.name,
        owner=owner,
        epoch=max((each.epoch for each in facts.values()), default=0),
        home=spec.owner,
        route=spec.route,
        clusters={str(cluster): _on(each) for cluster, each in seen.items()},
        problems=tuple({"what": what, "hint": hint} for what, hint in (*_silent(seen.values()), *_problems(spec, owner, facts, fenced))),
    )


def _on(seen: SegmentFacts | DriverError) -> SegmentOn:
    if isinstance(seen, DriverError):
        return SegmentOn(open=None, error=seen.message)
    return SegmentOn(
        open=not seen.is_closed,
        sessions=len(seen.sessions),
        owner=seen.note.owner if seen.note is not None else None,
        epoch=seen.epoch,
        open_by=seen.open_by,
    )


def _silent(seen: Iterable[SegmentFacts | DriverError]) -> Iterator[tuple[str, str]]:
    """In the same words for every segment, so that each is told once."""
    return ((each.message, each.hint) for each in seen if isinstance(each, DriverError))


def _problems(
    spec: SegmentSpec, owner: ClusterName, facts: Mapping[ClusterName, SegmentFacts], fenced: frozenset[ClusterName]
) -> Iterator[tuple[str, str]]:
    adopt = f"`interlock run adopt-segment -i segment={spec.name} -i owner={owner}`"
    for cluster, seen in facts.items():
        for missing in seen.missing:
            yield f"{seen.server} has no {missing} of segment {spec.name}", "make it there, with the same name"
        if cluster != owner and not seen.is_closed:
            yield f"segment {spec.name} of {owner} can be written on {seen.server}, too: {seen.open_by}", adopt
        if cluster == owner and cluster in fenced and not seen.is_closed:
            yield (
                f"{seen.server} is fenced, and owns segment {spec.name}: nobody can write it",
                f"SET GLOBAL read_only=0 on {seen.server}, if every segment of the other side is closed there",
            )
        if cluster == owner and seen.is_closed and not seen.missing:
            yield (
                f"segment {spec.name} is closed on {seen.server}, which owns it: nobody can write it",
                HOW_IT_OPENS,
            )
    if len({seen.note for seen in facts.values()}) > 1:
        yield f"the servers do not agree on who owns segment {spec.name}", adopt
    elif any(seen.note is None for seen in facts.values()):
        yield f"no server has noted who owns segment {spec.name}: {owner} does by the topology", adopt
