"""`segment.guard`: the tables that tenants share have the triggers by which one segment of them can be closed."""

from __future__ import annotations

from interlock.actions.action import describe, param
from interlock.actions.check import NoOutputs
from interlock.actions.segment_checks import OneSegment
from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.model.effects import Effect, GuardTables
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done, Verdict
from interlock.playbook.catalogue import Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSegment(NoOutputs):
    """Guard the tables of a segment's tenants on a server. A segment of schemas and accounts needs no guard.

    It stays when the run goes back: an open guard hinders nobody, and where the segment was never to be open it keeps its clients out.
    """

    segment: str = param(Kind.SEGMENT, "the segment")
    server: ServerName = param(Kind.SERVER, "the server on which its tables are guarded")
    closed: bool = param(Kind.FLAG, "true: a guard that is not there is closed from its beginning", default=False)

    def look(self, world: World, /) -> OneSegment:
        spec = world.topology.segments[self.segment]
        return OneSegment(spec=spec, facts=world.server(self.server).segments.facts(spec))

    def decide(self, seen: OneSegment, /) -> Verdict:
        if not seen.facts.unguarded:
            return Done(f"segment {self.segment} can be closed on {self.server}")
        return Act(f"no trigger guards {', '.join(seen.facts.unguarded)} on {self.server}")

    def effects(self, seen: OneSegment, /) -> tuple[Effect, ...]:
        tables = seen.facts.unguarded
        if seen.spec.tenants is None or not tables:
            return ()
        return (GuardTables(server=self.server, segment=self.segment, tenants=seen.spec.tenants, tables=tables, closed=self.closed),)

    def undo(self, before: OneSegment, now: OneSegment | None, /) -> tuple[Effect, ...]:
        """A table told to be unguarded may have had the guard of other tenants, of before the topology was changed: none is taken away."""
        del before, now
        return ()


SPECS = (describe(GuardSegment, "segment.guard", Verb.DO),)
