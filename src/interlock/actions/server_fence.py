"""`server.fence`: from here on the server refuses client writes."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.model.effects import Effect, Fence, Open, SetEventScheduler
from interlock.model.facts import WriteFacts
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done, Verdict
from interlock.playbook.catalogue import Role, Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceServer:
    """Make a server refuse client writes, and know its last position.

    It is fenced as closely as it can be: a `read_only` that somebody set on MySQL is not taken for it.
    Its event scheduler is stopped first: an event whose definer passes `read_only` writes through a fence (tried on MariaDB 10.11).
    """

    server: ServerName = param(Kind.SERVER, "the server to fence")
    within_s: float = param(Kind.DURATION, "the server gives up by itself after this time", default=2.0)
    closely: bool = param(Kind.FLAG, "whether it is fenced anew if it only keeps clients out, and a closer fence is possible", default=True)

    def look(self, world: World, /) -> WriteFacts:
        return world.server(self.server).write_facts()

    def decide(self, seen: WriteFacts, /) -> Verdict:
        if not seen.read_only:
            return Act(f"{self.server} takes writes")
        if seen.loose and self.closely:
            return Act(f"{self.server} is read-only, and administrators may still write")
        if seen.fleeting and self.closely:
            return Act(f"{self.server} is fenced, and a restart may open it")
        if seen.lacks:
            return Act(f"{self.server} is fenced, and not as the topology wants it: {seen.lacks}")
        if seen.event_scheduler == "ON":
            return Act(f"the event scheduler of {self.server} runs, and events may write through the fence")
        return Done(f"{self.server} is fenced at {seen.position}")

    def effects(self, seen: WriteFacts, /) -> tuple[Effect, ...]:
        stop_events = (SetEventScheduler(server=self.server, on=False),) if seen.event_scheduler == "ON" else ()
        fence = () if seen.is_fully_fenced else (Fence(server=self.server, within_s=self.within_s),)
        return (*stop_events, *fence)

    def undo(self, before: WriteFacts, now: WriteFacts | None, /) -> tuple[Effect, ...]:
        stopped = now is None or now.event_scheduler == "OFF"
        events = (SetEventScheduler(server=self.server, on=True),) if stopped and before.event_scheduler == "ON" else ()
        return (*self._as_it_was(before, now), *events)

    def _as_it_was(self, before: WriteFacts, now: WriteFacts | None) -> tuple[Effect, ...]:
        """Opened again; or with the less close fence that it had. What somebody opened meanwhile is left as it is."""
        if now is not None and (not now.read_only or (before.read_only and now.fence == before.fence)):
            return ()
        if not before.read_only:
            return (Open(server=self.server, as_was=before.fence),)
        return () if before.is_fully_fenced else (Fence(server=self.server, within_s=self.within_s, as_was=before.fence),)

    def outputs(self, seen: WriteFacts, /) -> Mapping[str, object]:
        return {"position": seen.position}


SPECS = (
    describe(
        FenceServer,
        "server.fence",
        Verb.DO,
        outputs={"position": Kind.POSITION},
        role=Role.FENCES,
        bounds_on_server="within",
    ),
)
