"""`segment.fence`: from here on the accounts of a segment are kept out of a server."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.model.effects import CloseSegment, Effect, OpenSegment
from interlock.model.segments import SegmentFacts
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done, Refuse, Verdict
from interlock.playbook.catalogue import Role, Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceSegment:
    """Keep the accounts of a segment out of a server, take their rights to write it, end their sessions, and know the last position.

    Other segments are not touched. What could not be given back exactly is not taken. What was let through and has not ended is waited for,
    XA transactions that are prepared as well: whoever knows such a one's name can commit it later.
    """

    segment: str = param(Kind.SEGMENT, "the segment")
    server: ServerName = param(Kind.SERVER, "where nobody is to write it any more")
    within_s: float = param(Kind.DURATION, "how long it may take until the last session is gone", default=5.0)
    stays: bool = param(Kind.FLAG, "true: it stays closed when the run goes back, for it was never to be open here", default=False)

    def look(self, world: World, /) -> SegmentFacts:
        return world.server(self.server).segments.facts(world.topology.segments[self.segment])

    def decide(self, seen: SegmentFacts, /) -> Verdict:
        if seen.is_closed and not seen.prepared:
            return Done(f"segment {self.segment} is closed on {self.server} at {seen.position}")
        if seen.unclear:
            return Refuse("; ".join(seen.unclear), "give the accounts of a segment rights on its own schemas alone")
        if seen.is_closed:
            return Act(f"prepared XA transactions on {self.server} may be of segment {self.segment}: {', '.join(seen.prepared)}")
        return Act(f"segment {self.segment} can be written on {self.server}: {seen.open_by}")

    def effects(self, seen: SegmentFacts, /) -> tuple[Effect, ...]:
        if seen.is_closed and not seen.prepared:
            return ()
        return (CloseSegment(server=self.server, segment=self.segment, accounts=seen.accounts, within_s=self.within_s),)

    def undo(self, before: SegmentFacts, now: SegmentFacts | None, /) -> tuple[Effect, ...]:
        """Who could log in before can again, with the rights of then."""
        if self.stays or before.is_closed or (now is not None and now.accounts == before.accounts):
            return ()
        return (OpenSegment(server=self.server, segment=self.segment, accounts=before.accounts, within_s=self.within_s, as_was=True),)

    def outputs(self, seen: SegmentFacts, /) -> Mapping[str, object]:
        return {"position": seen.position}


SPECS = (
    describe(
        FenceSegment,
        "segment.fence",
        Verb.DO,
        outputs={"position": Kind.POSITION},
        role=Role.CLOSES_SEGMENT,
        bounds_on_server="within",
    ),
)
