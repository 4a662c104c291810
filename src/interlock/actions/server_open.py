"""`server.open`: the one action that lets a server take client writes, and only through the interlock."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.model.effects import Effect, Fence, Open
from interlock.model.facts import WriteFacts
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done, Verdict
from interlock.playbook.catalogue import Role, Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenServer:
    """Let a server take client writes, if every other master is proved fenced and it holds all that they acknowledged."""

    server: ServerName = param(Kind.SERVER, "the server to open")
    within_s: float = param(Kind.DURATION, "the server gives up by itself after this time", default=2.0)

    def look(self, world: World, /) -> WriteFacts:
        return world.server(self.server).write_facts()

    def decide(self, seen: WriteFacts, /) -> Verdict:
        return Act(f"{self.server} is fenced") if seen.read_only else Done(f"{self.server} takes writes from {seen.position} on")

    def effects(self, seen: WriteFacts, /) -> tuple[Effect, ...]:
        return (Open(server=self.server, within_s=self.within_s),) if seen.read_only else ()

    def undo(self, before: WriteFacts, now: WriteFacts | None, /) -> tuple[Effect, ...]:
        """The fence that was seen, if it stops administrators. One that does not may not stand on a server that took writes: the way back
        opens the old writer next.
        """
        if not before.read_only or (now is not None and now.read_only and not now.loose):
            return ()
        return (Fence(server=self.server, within_s=self.within_s, as_was="" if before.loose else before.fence),)

    def outputs(self, seen: WriteFacts, /) -> Mapping[str, object]:
        return {"position": seen.position}


SPECS = (
    describe(
        OpenServer,
        "server.open",
        Verb.DO,
        outputs={"position": Kind.POSITION},
        role=Role.OPENS,
        bounds_on_server="within",
    ),
)
