"""`segment.*` checks: is a segment fit to be moved, is it closed here, is it open here as it was there?"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from interlock.actions.action import describe, param
from interlock.actions.check import NoOutputs
from interlock.actions.segment_facts import facts_on_masters
from interlock.actions.segment_open import wanted
from interlock.dataclass import dataclass
from interlock.decisions.segments import are_all_owned, as_open_as, can_be_moved_exactly, is_closed, is_fit_to_move, owner_of
from interlock.documents.fields import Kind
from interlock.model.facts import RouteFacts, WriteFacts
from interlock.model.segments import SegmentFacts, SegmentSurroundings
from interlock.model.topology import ClusterName, SegmentSpec, ServerName
from interlock.model.verdict import Done, Refuse, Verdict
from interlock.playbook.catalogue import Role, Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSegment:
    """A segment on each cluster's master. `sharing` are other segments that its route is for."""

    spec: SegmentSpec
    clusters: Mapping[ClusterName, SegmentFacts]
    around: tuple[SegmentSurroundings, ...]
    routes: tuple[RouteFacts, ...] = ()
    sharing: tuple[str, ...] = ()


def _look_at(world: World, name: str) -> SeenSegment:
    """On all masters at the same time."""
    spec = world.topology.segments[name]
    facts = facts_on_masters(world, spec)
    around = world.gather([_around(world, server, spec) for server in (each.server for each in facts)])
    routes = (world.route(spec.route).facts(),) if spec.route is not None else ()
    sharing = [each.name for each in world.topology.segments.values() if each.name != name and each.route == spec.route]
    return SeenSegment(
        spec=spec,
        clusters={world.topology.server(each.server).cluster: each for each in facts},
        around=tuple(around),
        routes=routes,
        sharing=tuple(sharing) if spec.route is not None else (),
    )


def _around(world: World, server: ServerName, spec: SegmentSpec) -> Callable[[], SegmentSurroundings]:
    return lambda: world.server(server).segments.surroundings(spec)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentReady:
    """A segment can be moved: another cluster owns it, nobody can write it where it goes to, nobody else can write it where it is."""

    segment: str = param(Kind.SEGMENT, "the segment")
    to: ClusterName = param(Kind.CLUSTER, "the cluster that is to own it")

    def look(self, world: World, /) -> SeenSegment:
        return _look_at(world, self.segment)

    def decide(self, seen: SeenSegment, /) -> Verdict:
        return is_fit_to_move(seen.spec, self.to, seen.clusters, seen.around, routes=seen.routes, sharing=seen.sharing)

    def outputs(self, seen: SeenSegment, /) -> Mapping[str, object]:
        """`accounts` as they are where they may write now: so they will be at the new owner."""
        owner = owner_of(seen.spec, tuple(seen.clusters.values()))
        routes = (seen.spec.route,) if seen.spec.route is not None else ()
        return {"owner": owner, "accounts": seen.clusters[owner].accounts, "routes": routes}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenToAdopt:
    """`shut` are the masters whose fence keeps Interlock's own account out, too (`WriteFacts.lesser`)."""

    segment: SeenSegment
    shut: frozenset[ServerName]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentAdoptable:
    """A segment can be closed wherever it has no owner: nothing uses it there, and nobody else can write it."""

    segment: str = param(Kind.SEGMENT, "the segment")
    owner: ClusterName = param(Kind.CLUSTER, "the cluster that is to be its only owner")

    def look(self, world: World, /) -> SeenToAdopt:
        masters = [master.name for master in world.topology.masters()]
        writes = world.gather([world.server(name).write_facts for name in masters])
        return SeenToAdopt(segment=_look_at(world, self.segment), shut=frozenset(each.server for each in writes if each.lesser))

    def decide(self, seen: SeenToAdopt, /) -> Verdict:
        spec, clusters = seen.segment.spec, seen.segment.clusters
        owner = owner_of(spec, tuple(clusters.values()))
        if owner != self.owner:
            return Refuse(
                f"segment {self.segment} is owned by {owner}, not by {self.owner}",
                f"`interlock segment move {self.segment} --to {self.owner}`, or correct `owner` in the topology",
            )
        are_noted = len({facts.note for facts in clusters.values()}) == 1 and clusters[owner].note is not None
        for cluster, facts, around in zip(clusters, clusters.values(), seen.segment.around, strict=True):
            refused = can_be_moved_exactly(spec, facts, around)
            if refused is not None:
                return refused
            if cluster != owner and facts.sessions:
                return Refuse(
                    f"{len(facts.sessions)} sessions of segment {self.segment} are on {facts.server}, and {owner} is its owner",
                    f"let its clients go to {owner} first",
                )
            is_done = are_noted and not facts.unguarded and (cluster == owner or facts.is_closed)
            if facts.server in seen.shut and not is_done:
                return Refuse(
                    f"{facts.server} is fenced so closely that segment {self.segment} can't be closed or noted there",
                    f"SET GLOBAL super_read_only=0 on {facts.server}: it stays read-only to all clients",
                )
        return Done(f"segment {self.segment} is used on {owner} alone")

    def outputs(self, seen: SeenToAdopt, /) -> Mapping[str, object]:
        return {"owner": owner_of(seen.segment.spec, tuple(seen.segment.clusters.values()))}


@dataclass(frozen=True, slots=True, kw_only=True)
class OneSegment:
    """A segment on one server."""

    spec: SegmentSpec
    facts: SegmentFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentClosed(NoOutputs):
    """Nobody can write a segment on a server: its accounts are locked, have no right to, and no session."""

    segment: str = param(Kind.SEGMENT, "the segment")
    server: ServerName = param(Kind.SERVER, "where it must be closed")

    def look(self, world: World, /) -> OneSegment:
        spec = world.topology.segments[self.segment]
        return OneSegment(spec=spec, facts=world.server(self.server).segments.facts(spec))

    def decide(self, seen: OneSegment, /) -> Verdict:
        return is_closed(seen.spec, seen.facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentOpen(NoOutputs):
    """A segment can be written on a server by the same accounts, and with the same rights, as before where it came from."""

    segment: str = param(Kind.SEGMENT, "the segment")
    server: ServerName = param(Kind.SERVER, "where it must be open")
    accounts: object = param(Kind.ANY, "who may write it, and with which rights: ${ready.accounts}")

    def look(self, world: World, /) -> OneSegment:
        spec = world.topology.segments[self.segment]
        return OneSegment(spec=spec, facts=world.server(self.server).segments.facts(spec))

    def decide(self, seen: OneSegment, /) -> Verdict:
        return as_open_as(seen.spec, seen.facts, wanted(self.accounts))


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenOwners:
    """Every segment on each cluster's master."""

    specs: tuple[SegmentSpec, ...]
    segments: tuple[Mapping[ClusterName, SegmentFacts], ...]
    writes: WriteFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class AllOwned(NoOutputs):
    """One cluster owns every segment, and each is closed on the other one: that one can be fenced whole. Also true without segments."""

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster that must own them")

    def look(self, world: World, /) -> SeenOwners:
        specs, cluster_of = tuple(world.topology.segments.values()), world.topology.server
        seen = ({cluster_of(each.server).cluster: each for each in facts_on_masters(world, spec)} for spec in specs)
        return SeenOwners(specs=specs, segments=tuple(seen), writes=world.server(self.cluster).write_facts())

    def decide(self, seen: SeenOwners, /) -> Verdict:
        return are_all_owned(self.cluster, seen.writes, seen.specs, seen.segments)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenNames:
    """`owned` are the segments that the cluster owns by now."""

    owned: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentsNamed:
    """Name the segments that a cluster owns, of a pair that has segments."""

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster that may own some")

    def look(self, world: World, /) -> SeenNames:
        specs = world.topology.segments.values()
        return SeenNames(owned=tuple(spec.name for spec in specs if owner_of(spec, facts_on_masters(world, spec)) == self.cluster))

    def decide(self, seen: SeenNames, /) -> Verdict:
        return Done(f"{self.cluster} owns {', '.join(seen.owned) or 'no segment'}")

    def outputs(self, seen: SeenNames, /) -> Mapping[str, object]:
        return {"any": bool(seen.owned)}


SPECS = (
    describe(
        SegmentReady,
        "segment.ready",
        Verb.CHECK,
        outputs={"owner": Kind.CLUSTER, "accounts": Kind.ANY, "routes": Kind.ROUTES},
    ),
    describe(SegmentAdoptable, "segment.adoptable", Verb.CHECK, outputs={"owner": Kind.CLUSTER}),
    describe(SegmentClosed, "segment.closed", Verb.CHECK),
    describe(SegmentOpen, "segment.is_open", Verb.CHECK),
    describe(AllOwned, "segment.all_owned", Verb.CHECK, role=Role.OWNS_ALL),
    describe(SegmentsNamed, "segment.named", Verb.CHECK, outputs={"any": Kind.FLAG}),
)
