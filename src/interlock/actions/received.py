"""`replication.can_take_over`, `stop_receiving`, `apply_received`…: what came from a dead server is kept, all of it."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.actions.appliers import SeenChannel, look_at_channel, no_channel
from interlock.actions.check import NoOutputs
from interlock.dataclass import dataclass
from interlock.decisions.received import can_take_over, is_all_applied
from interlock.documents.fields import Kind
from interlock.model.effects import Effect, StartReceiver, StopReceiver
from interlock.model.facts import ChannelFacts, WriteFacts
from interlock.model.position import Position
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done, Verdict
from interlock.playbook.catalogue import Role, Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReceiving(NoOutputs):
    """Let a server receive nothing more from another one, so that what it has received is final. Its applier goes on."""

    server: ServerName = param(Kind.SERVER, "the server that receives")
    source: ServerName = param(Kind.SERVER, "the one that it received from")

    def look(self, world: World, /) -> SeenChannel:
        return look_at_channel(world, self.server, self.source)

    def decide(self, seen: SeenChannel, /) -> Verdict:
        if seen.channel is None:
            return no_channel(self.server, self.source)
        if seen.channel.receiver != "No":
            return Act(f"the receiver of {self.server} is at {self.source} ({seen.channel.receiver})")
        return Done(f"{self.server} receives nothing more from {self.source}")

    def effects(self, seen: SeenChannel, /) -> tuple[Effect, ...]:
        return (StopReceiver(server=self.server, channel=seen.channel.name),) if seen.channel is not None else ()

    def undo(self, before: SeenChannel, now: SeenChannel | None, /) -> tuple[Effect, ...]:
        stopped = now is None or (now.channel is not None and now.channel.receiver == "No")
        if before.channel is None or before.channel.receiver == "No" or not stopped:
            return ()
        return (StartReceiver(server=self.server, channel=before.channel.name),)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartReceiving(NoOutputs):
    """Let a server receive from another one again. Its applier must run already: MariaDB throws away what it received if neither ran."""

    server: ServerName = param(Kind.SERVER, "the server that receives")
    source: ServerName = param(Kind.SERVER, "the one that it receives from")

    def look(self, world: World, /) -> SeenChannel:
        return look_at_channel(world, self.server, self.source)

    def decide(self, seen: SeenChannel, /) -> Verdict:
        if seen.channel is None:
            return no_channel(self.server, self.source)
        if seen.channel.receiver == "No":
            return Act(f"{self.server} receives nothing from {self.source}")
        return Done(f"the receiver of {self.server} is at {self.source} ({seen.channel.receiver})")

    def effects(self, seen: SeenChannel, /) -> tuple[Effect, ...]:
        return (StartReceiver(server=self.server, channel=seen.channel.name),) if seen.channel is not None else ()

    def undo(self, before: SeenChannel, now: SeenChannel | None, /) -> tuple[Effect, ...]:
        started = now is None or (now.channel is not None and now.channel.receiver != "No")
        if before.channel is None or before.channel.receiver != "No" or not started:
            return ()
        return (StopReceiver(server=self.server, channel=before.channel.name),)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedFacts:
    position: Position
    channels: tuple[ChannelFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyReceived:
    """Wait until a server has applied all that it ever received from another one, which is to be opened without asking that one."""

    server: ServerName = param(Kind.SERVER, "the server that applies")
    source: ServerName = param(Kind.SERVER, "the one that it received from")
    within_s: float = param(Kind.DURATION, "how long it may take")
    so_far: bool = param(Kind.FLAG, "more may still come: its receiver need not be stopped", default=False)

    def look(self, world: World, /) -> AppliedFacts:
        """The channel first: what is held a moment later is no less."""
        server = world.server(self.server)
        channels = server.channels()
        return AppliedFacts(position=server.write_facts().position, channels=channels)

    def decide(self, seen: AppliedFacts, /) -> Verdict:
        return is_all_applied(self.server, self.source, seen.position, seen.channels, so_far=self.so_far)

    def effects(self, seen: AppliedFacts, /) -> tuple[Effect, ...]:
        del seen
        return ()

    def undo(self, before: AppliedFacts, now: AppliedFacts | None, /) -> tuple[Effect, ...]:
        del before, now
        return ()

    def outputs(self, seen: AppliedFacts, /) -> Mapping[str, object]:
        return {"position": seen.position}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenStandby:
    facts: WriteFacts
    channels: tuple[ChannelFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CanTakeOver(NoOutputs):
    """The server is a fenced standby that applies what it received from the one that is gone."""

    server: ServerName = param(Kind.SERVER, "the server that is to take the writes")
    source: ServerName = param(Kind.SERVER, "the one that took them")

    def look(self, world: World, /) -> SeenStandby:
        server = world.server(self.server)
        return SeenStandby(facts=server.write_facts(), channels=server.channels())

    def decide(self, seen: SeenStandby, /) -> Verdict:
        return can_take_over(self.server, self.source, seen.facts, seen.channels)


SPECS = (
    describe(CanTakeOver, "replication.can_take_over", Verb.CHECK),
    describe(StopReceiving, "replication.stop_receiving", Verb.DO),
    describe(StartReceiving, "replication.start_receiving", Verb.DO),
    describe(
        ApplyReceived,
        "replication.apply_received",
        Verb.DO,
        outputs={"position": Kind.POSITION},
        role=Role.APPLIES_RECEIVED,
    ),
)
