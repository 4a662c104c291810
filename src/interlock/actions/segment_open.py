"""`segment.open`: the one action that lets a segment be written somewhere, and only through the interlock."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.model.codec import from_plain, to_plain
from interlock.model.effects import CloseSegment, Effect, OpenSegment
from interlock.model.segments import AccountState, SegmentFacts
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done, Verdict
from interlock.playbook.catalogue import Role, Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOneSegment:
    """Let the accounts of a segment write it on a server, if it is proved closed elsewhere, all of it is here, and this side owns it."""

    segment: str = param(Kind.SEGMENT, "the segment")
    server: ServerName = param(Kind.SERVER, "where it is to be written")
    accounts: object = param(Kind.ANY, "who may write it, and with which rights: ${ready.accounts} of segment.ready")
    within_s: float = param(Kind.DURATION, "the server gives up by itself after this time", default=5.0)

    def look(self, world: World, /) -> SegmentFacts:
        return world.server(self.server).segments.facts(world.topology.segments[self.segment])

    def decide(self, seen: SegmentFacts, /) -> Verdict:
        if seen.accounts == wanted(self.accounts):
            return Done(f"segment {self.segment} is open on {self.server} from {seen.position} on")
        return Act(f"segment {self.segment} is closed on {self.server}")

    def effects(self, seen: SegmentFacts, /) -> tuple[Effect, ...]:
        if seen.accounts == wanted(self.accounts):
            return ()
        return (OpenSegment(server=self.server, segment=self.segment, accounts=wanted(self.accounts), within_s=self.within_s),)

    def undo(self, before: SegmentFacts, now: SegmentFacts | None, /) -> tuple[Effect, ...]:
        """Closed again, unless it was open like this before: the way back opens the old owner next."""
        if before.accounts == wanted(self.accounts) or (now is not None and now.is_closed):
            return ()
        accounts = wanted(self.accounts) if now is None else now.accounts
        return (CloseSegment(server=self.server, segment=self.segment, accounts=accounts, within_s=self.within_s),)

    def outputs(self, seen: SegmentFacts, /) -> Mapping[str, object]:
        return {"position": seen.position}


def wanted(accounts: object) -> tuple[AccountState, ...]:
    """What a step was given of another one: as that gave it, or as the journal kept it."""
    return from_plain(to_plain(accounts), tuple[AccountState, ...])


SPECS = (
    describe(
        OpenOneSegment,
        "segment.open",
        Verb.DO,
        outputs={"position": Kind.POSITION},
        role=Role.OPENS_SEGMENT,
        bounds_on_server="within",
    ),
)
