"""`events.*` of a new writer: the event scheduler runs where the writes are, or it is said that it does not."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.actions.check import NoOutputs
from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.model.effects import Effect, SetEventScheduler
from interlock.model.facts import EventFacts, WriteFacts
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done, Verdict
from interlock.playbook.catalogue import Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOverEvents:
    """Start the new writer's event scheduler if the old writer's ran before the fence (`was`: ON, OFF or DISABLED)."""

    server: ServerName = param(Kind.SERVER, "the new writer")
    was: str = param(Kind.TEXT, "the old writer's event scheduler before the fence", choices=("ON", "OFF", "DISABLED"))
    required: bool = param(Kind.FLAG, "whether the step fails if it can't be started; else that is only told", default=True)

    def look(self, world: World, /) -> WriteFacts:
        return world.server(self.server).write_facts()

    def decide(self, seen: WriteFacts, /) -> Verdict:
        match (self.was, seen.event_scheduler):
            case ("ON", "OFF"):
                left = Done(f"events don't run on {self.server}", (f"the event scheduler of {self.server} could not be started",))
                return Act(f"events ran on the old writer and are stopped on {self.server}", otherwise=None if self.required else left)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEvents:
    """`events` are those that are enabled on the server."""

    scheduler: str
    events: tuple[EventFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsLeft(NoOutputs):
    """Name the events that are enabled on a new writer and don't run, where nobody can ask the old one whether its own did."""

    server: ServerName = param(Kind.SERVER, "the new writer")

    def look(self, world: World, /) -> SeenEvents:
        server = world.server(self.server)
        return SeenEvents(scheduler=server.write_facts().event_scheduler, events=server.events())

    def decide(self, seen: SeenEvents, /) -> Verdict:
        if seen.scheduler == "ON" or not seen.events:
            return Done(f"events on {self.server}: {len(seen.events)}, scheduler {seen.scheduler}")
        names = ", ".join(f"{event.schema}.{event.name}" for event in seen.events)
        remedy = "if they ran on the old writer: SET GLOBAL event_scheduler=ON"
        return Done(
            f"{len(seen.events)} events on {self.server} don't run",
            (f"{names} on {self.server} are enabled, and its event scheduler is {seen.scheduler}; {remedy}",),
        )


SPECS = (
    describe(HandOverEvents, "events.hand_over", Verb.DO, outputs={"event_scheduler": Kind.TEXT}),
    describe(EventsLeft, "events.left", Verb.CHECK),
)
