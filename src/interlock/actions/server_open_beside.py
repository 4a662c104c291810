"""`server.open_beside`: a server of a pair with segments takes writes again while the other one does."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.dataclass import dataclass
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
    """`segments` are all of the topology's, as they are on the server. They are not looked at while it takes writes."""

    writes: WriteFacts
    segments: tuple[SegmentFacts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenServerBeside:
    """Let a server take writes while the other one does, if every segment is closed there: its clients are let in segment by segment."""

    server: ServerName = param(Kind.SERVER, "the server that is fenced, after a quiesce or a restart")
    within_s: float = param(Kind.DURATION, "the server gives up by itself after this time", default=2.0)

    def look(self, world: World, /) -> SeenBeside:
        server = world.server(self.server)
        writes = server.write_facts()
        specs = world.topology.segments.values() if writes.read_only else ()
        return SeenBeside(writes=writes, segments=tuple(server.segments.facts(spec) for spec in specs))

    def decide(self, seen: SeenBeside, /) -> Verdict:
        if not seen.writes.read_only:
            return Done(f"{self.server} takes writes from {seen.writes.position} on")
        judged = may_open_beside(self.server, seen.segments)
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
