"""`events.hand_over`: the event scheduler runs where the writes are."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.model.effects import Effect, SetEventScheduler
from interlock.model.facts import WriteFacts
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done, Verdict
from interlock.playbook.catalogue import Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOverEvents:
    """Start the new writer's event scheduler if the old writer's ran before the fence (`was`: ON, OFF or DISABLED)."""

    server: ServerName = param(Kind.SERVER, "the new writer")
    was: str = param(Kind.TEXT, "the old writer's event scheduler before the fence", choices=("ON", "OFF", "DISABLED"))

    def look(self, world: World, /) -> WriteFacts:
        return world.server(self.server).write_facts()

    def decide(self, seen: WriteFacts, /) -> Verdict:
        match (self.was, seen.event_scheduler):
            case ("ON", "OFF"):
                return Act(f"events ran on the old writer and are stopped on {self.server}")
            case ("ON", "DISABLED"):
                warning = f"events ran on the old writer, and {self.server} was started with event_scheduler=DISABLED"
                return Done(f"events can't run on {self.server}", (warning,))
            case _:
                return Done(f"event scheduler of {self.server}: {seen.event_scheduler}")

    def effects(self, seen: WriteFacts, /) -> tuple[Effect, ...]:
        return (SetEventScheduler(server=self.server, on=True),) if self.was == "ON" and seen.event_scheduler == "OFF" else ()

    def undo(self, before: WriteFacts, now: WriteFacts | None, /) -> tuple[Effect, ...]:
        started = now is None or now.event_scheduler == "ON"
        return (SetEventScheduler(server=self.server, on=False),) if started and before.event_scheduler == "OFF" else ()

    def outputs(self, seen: WriteFacts, /) -> Mapping[str, object]:
        return {"event_scheduler": seen.event_scheduler}


SPECS = (describe(HandOverEvents, "events.hand_over", Verb.DO, outputs={"event_scheduler": Kind.TEXT}),)
