"""`server.open_beside`: a server of a pair with segments takes writes again while the other one does."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.dataclass import dataclass
from interlock.decisions.marks import by_a_note, is_not_held
from interlock.decisions.segments import may_open_beside
from interlock.documents.fields import Kind
from interlock.model.effects import Effect, Fence, Open
from interlock.model.facts import WriteFacts
from interlock.model.segments import SegmentFacts
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done, Refuse, Verdict
from interlock.playbook.catalogue import Role, Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenBeside:
    """`segments` are all of the topology's, as they are on the server; `held` is what the other one, which takes writes, says of a hold.
    Neither is looked at while the server itself takes writes.
    """

    writes: WriteFacts
    segments: tuple[SegmentFacts, ...] = ()
    held: Refuse | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenServerBeside:
    """Let a server take writes while the other one does, if every segment is closed there: its clients are let in segment by segment.

    Not one that was quiesced, though by another store: the servers say so.
    """

    server: ServerName = param(Kind.SERVER, "the server that is fenced, after a quiesce or a restart")
    within_s: float = param(Kind.DURATION, "the server gives up by itself after this time", default=2.0)

    def look(self, world: World, /) -> SeenBeside:
        server = world.server(self.server)
        writes = server.write_facts()
        if not writes.read_only:
            return SeenBeside(writes=writes)
        specs = world.topology.segments.values()
        return SeenBeside(writes=writes, segments=tuple(server.segments.facts(spec) for spec in specs), held=self._held(world))

    def _held(self, world: World) -> Refuse | None:
        """On a fenced server the end of a hold arrives later than where the writes are."""
        for name in world.topology.other_masters(self.server):
            other = world.server(name)
            if not other.write_facts().read_only:
                match is_not_held(other.noted(world.topology.name), world.marks.now()):
                    case Refuse() as held:
                        return by_a_note(name, held)
                    case Done():
                        pass
        return None

    def decide(self, seen: SeenBeside, /) -> Verdict:
        if not seen.writes.read_only:
            return Done(f"{self.server} takes writes from {seen.writes.position} on")
        judged = seen.held or may_open_beside(self.server, seen.segments)
        return judged if isinstance(judged, Refuse) else Act(f"{self.server} is fenced")

    def effects(self, seen: SeenBeside, /) -> tuple[Effect, ...]:
        return (Open(server=self.server, within_s=self.within_s),) if seen.writes.read_only else ()

    def undo(self, before: SeenBeside, now: SeenBeside | None, /) -> tuple[Effect, ...]:
        """The fence that was seen."""
        if not before.writes.read_only or (now is not None and now.writes.read_only):
            return ()
        return (Fence(server=self.server, within_s=self.within_s, as_was=before.writes.fence),)

    def outputs(self, seen: SeenBeside, /) -> Mapping[str, object]:
        return {"position": seen.writes.position}


SPECS = (
    describe(
        OpenServerBeside,
        "server.open_beside",
        Verb.DO,
        outputs={"position": Kind.POSITION},
        role=Role.OPENS_BESIDE,
        bounds_on_server="within",
    ),
)
