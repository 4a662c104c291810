"""`replication.wait`: catch-up, by containment."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.dataclass import dataclass
from interlock.decisions.giving_up import is_given_up
from interlock.decisions.replication import is_caught_up
from interlock.documents.fields import Kind
from interlock.model.effects import Effect
from interlock.model.facts import ChannelFacts
from interlock.model.position import Position
from interlock.model.topology import ServerName
from interlock.model.verdict import Done, Verdict
from interlock.playbook.catalogue import Role, Verb
from interlock.ports import World

_FIRST_WAIT_S = 0.1
"""How long a look blocks before it asks why the position is not there: an applier that stopped does not end the wait by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatchUpFacts:
    """`channels` is empty when the position was reached: nothing else matters then. `given_up`: see `decisions/giving_up.py`."""

    position: Position
    channels: tuple[ChannelFacts, ...]
    given_up: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitForCatchUp:
    """Wait until a server holds a position; ends at once when its applier has stopped. Containment decides, never seconds."""

    server: ServerName = param(Kind.SERVER, "the server that catches up")
    position: Position = param(Kind.POSITION, "what it must hold, such as ${fenced.position}")
    within_s: float = param(Kind.DURATION, "how long it may take")
    accept: str = param(Kind.TEXT, "the sentence that gives up what a broken channel keeps back, as `plan` prints it", default="")

    def look(self, world: World, /) -> CatchUpFacts:
        """One round trip where all goes well: the server itself blocks, shortly, until it holds the position."""
        server = world.server(self.server)
        if server.wait_applied(self.position, min(_FIRST_WAIT_S, self.within_s)):
            return CatchUpFacts(position=self.position, channels=())
        position, channels = server.write_facts().position, server.channels()
        given_up = self.accept if self.accept and is_given_up(self.server, None, channels, self.accept) else ""
        return CatchUpFacts(position=position, channels=channels, given_up=given_up)

    def decide(self, seen: CatchUpFacts, /) -> Verdict:
        if seen.given_up:
            why = f"{self.server} is {seen.position.behind(self.position)} transactions behind, which are given up"
            return Done(why, warnings=(f"{why}: {seen.given_up}",))
        return is_caught_up(self.server, seen.position, self.position, seen.channels)

    def effects(self, seen: CatchUpFacts, /) -> tuple[Effect, ...]:
        del seen
        return ()

    def undo(self, before: CatchUpFacts, now: CatchUpFacts | None, /) -> tuple[Effect, ...]:
        del before, now
        return ()

    def outputs(self, seen: CatchUpFacts, /) -> Mapping[str, object]:
        return {"position": seen.position, "given_up": seen.given_up}


SPECS = (
    describe(
        WaitForCatchUp,
        "replication.wait",
        Verb.DO,
        outputs={"position": Kind.POSITION, "given_up": Kind.TEXT},
        role=Role.CATCHES_UP,
    ),
)
