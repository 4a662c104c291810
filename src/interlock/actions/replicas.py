"""`replicas.*`: what is behind the pair is named before, and follows the writer afterwards where the topology wants that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from interlock.actions.action import describe, param
from interlock.dataclass import dataclass
from interlock.decisions.following import Meeting, Wanted, channel_of, is_broken, next_move, way_back
from interlock.documents.fields import Kind
from interlock.errors import DriverError
from interlock.model.effects import Effect, Repoint
from interlock.model.facts import ReplicaFacts, channel_from
from interlock.model.position import FilePosition, Position
from interlock.model.topology import Follow, ServerName, ServerSpec
from interlock.model.verdict import Act, Done, Refuse, Verdict, Wait
from interlock.playbook.catalogue import Role, Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenReplicas:
    """`followers` are those that the topology wants behind the writer."""

    replicas: tuple[ReplicaFacts, ...]
    followers: tuple[ServerName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NameReplicas:
    """Name the replicas that are broken before anything is changed; they refuse nothing. Says whether any is to follow the writer."""

    def look(self, world: World, /) -> SeenReplicas:
        specs = world.topology.replicas()
        return SeenReplicas(replicas=_look_at(world, specs), followers=tuple(spec.name for spec in specs if spec.follow is Follow.WRITER))

    def decide(self, seen: SeenReplicas, /) -> Verdict:
        broken = tuple(why for replica in seen.replicas if (why := is_broken(replica)))
        count = len(seen.replicas)
        return Done(f"{count - len(broken)} of {count} replicas replicate" if count else "the topology names no replica", broken)

    def outputs(self, seen: SeenReplicas, /) -> Mapping[str, object]:
        ways = {
            channel.using for replica in seen.replicas if replica.server in seen.followers and (channel := channel_of(replica)) is not None
        }
        return {"follow": bool(seen.followers), "by_position": "position" in ways}


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterPlace:
    """Where a master is, and what it holds, None where it did not say."""

    host: str
    port: int
    holds: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFollowers:
    """`meeting` is there while the old writer's applier is stopped, and its positions are files and offsets."""

    replicas: tuple[ReplicaFacts, ...]
    masters: Mapping[ServerName, MasterPlace]
    meeting: Meeting | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowWriter:
    """Let the replicas of which the topology says `follow: writer` follow the writer, all at the same time.

    By GTID wherever they were; by file and offset from `via`, once both stand at the same place. What does not come in time, or can't be
    moved without losing something, stays where it is, is named, and fails nothing.
    """

    writer: ServerName = param(Kind.SERVER, "the writer that they follow")
    within_s: float = param(Kind.DURATION, "how long it may take", default=10.0)
    via: ServerName | None = param(Kind.SERVER, "the old writer, its applier stopped, for replicas that use no GTIDs", default=None)
    gone: ServerName | None = param(Kind.SERVER, "a master that is dead: it is not asked, and nobody is led back to it", default=None)

    def look(self, world: World, /) -> SeenFollowers:
        """The replicas first: what they hold by now, their source must hold at any later moment."""
        replicas = _look_at(world, [spec for spec in world.topology.replicas() if spec.follow is Follow.WRITER])
        masters = [master for master in world.topology.masters() if master.name != self.gone] if replicas else []
        held = world.gather([_held(world, master.name) for master in masters])
        places = {m.name: MasterPlace(host=m.host, port=m.port, holds=its) for m, its in zip(masters, held, strict=True)}
        by_position = any((channel := channel_of(replica)) is not None and channel.using == "position" for replica in replicas)
        meeting = _meeting(world, self.via, self.writer) if self.via is not None and by_position else None
        return SeenFollowers(replicas=replicas, masters=places, meeting=meeting)

    def decide(self, seen: SeenFollowers, /) -> Verdict:
        wanted = self._wanted(seen)
        found = {replica.server: next_move(replica, wanted) for replica in seen.replicas}
        moving = [name for name, move in found.items() if isinstance(move, Repoint)]
        waiting = [move for move in found.values() if isinstance(move, Wait)]
        left = tuple(f"{move.why}; {move.hint}" for move in found.values() if isinstance(move, Refuse))
        follow = len(found) - len(moving) - len(waiting) - len(left)
        late = (*(f"{name} was not moved in time" for name in moving), *(move.why for move in waiting))
        otherwise = Done(f"{follow} of {len(found)} replicas follow {self.writer}", (*left, *late))
        if moving:
            return Act(f"{', '.join(moving)} shall follow {self.writer}", otherwise=otherwise)
        if waiting:
            return Wait("; ".join(move.why for move in waiting), otherwise=otherwise)
        return Done(f"{follow} of {len(found)} replicas follow {self.writer}", left)

    def effects(self, seen: SeenFollowers, /) -> tuple[Effect, ...]:
        moves = (next_move(replica, self._wanted(seen)) for replica in seen.replicas)
        return tuple(move for move in moves if isinstance(move, Repoint))

    def undo(self, before: SeenFollowers, now: SeenFollowers | None, /) -> tuple[Effect, ...]:
        fresh = {replica.server: replica for replica in now.replicas} if now is not None else {}
        backs: list[Effect] = []
        for replica in before.replicas:
            channel = channel_of(replica)
            if channel is None or channel.source is None or channel.source not in before.masters or channel.source == self.writer:
                continue
            wanted = _wanted(now or before, channel.source, meeting=before.meeting)
            back = way_back(replica, fresh.get(replica.server), wanted)
            backs += [back] if back is not None else []
        return tuple(backs)

    def outputs(self, seen: SeenFollowers, /) -> Mapping[str, object]:
        moves = {replica.server: next_move(replica, self._wanted(seen)) for replica in seen.replicas}
        follow = [name for name, move in moves.items() if isinstance(move, Done)]
        return {"follow": follow, "left": [name for name in moves if name not in follow]}

    def _wanted(self, seen: SeenFollowers) -> Wanted:
        return replace(_wanted(seen, self.writer), gone=self.gone)


def _look_at(world: World, specs: Sequence[ServerSpec]) -> tuple[ReplicaFacts, ...]:
    """All at the same time. One that does not answer is seen as such: it fails nothing."""
    return tuple(world.gather([_replica(world, spec) for spec in specs]))


def _replica(world: World, spec: ServerSpec) -> Callable[[], ReplicaFacts]:
    def look() -> ReplicaFacts:
        server = world.server(spec.name)
        try:
            return ReplicaFacts(server=spec.name, position=server.write_facts().position, channels=server.channels())
        except DriverError as error:
            return ReplicaFacts(server=spec.name, error=error.message)

    return look


def _held(world: World, name: ServerName) -> Callable[[], Position | None]:
    def look() -> Position | None:
        try:
            return world.server(name).write_facts().position
        except DriverError:
            return None

    return look


def _meeting(world: World, via: ServerName, writer: ServerName) -> Meeting | None:
    """One moment of `via`: the end of its own log, and how far it has applied the writer's. They belong together only while it applies
    nothing.
    """
    try:
        seen, channels = world.server(via).write_facts().position, world.server(via).channels()
    except DriverError:
        return None
    channel = channel_from(writer, channels)
    if not isinstance(seen, FilePosition) or channel is None or channel.applier:
        return None
    own, applied = seen.of_server(via), seen.of_server(writer)
    return Meeting(source=via, of_source=own, of_writer=applied) if own is not None and applied is not None else None


def _wanted(seen: SeenFollowers, name: ServerName, *, meeting: Meeting | None = None) -> Wanted:
    place = seen.masters.get(name, MasterPlace(host="", port=0, holds=None))
    return Wanted(source=name, host=place.host, port=place.port, holds=place.holds, meeting=meeting or seen.meeting)


SPECS = (
    describe(NameReplicas, "replicas.named", Verb.CHECK, outputs={"follow": Kind.FLAG, "by_position": Kind.FLAG}),
    describe(FollowWriter, "replicas.follow", Verb.DO, outputs={"follow": Kind.TEXTS, "left": Kind.TEXTS}, role=Role.FOLLOWS),
)
