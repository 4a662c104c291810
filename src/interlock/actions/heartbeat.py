"""`replication.heartbeat`: before clients wait, a mark goes through a channel that a replicator of its own keeps."""

from __future__ import annotations

from interlock.actions.action import describe, param
from interlock.actions.check import NoOutputs
from interlock.dataclass import dataclass
from interlock.decisions.replication import is_channel_healthy
from interlock.documents.fields import Kind
from interlock.model.effects import Effect, SendHeartbeat
from interlock.model.facts import ChannelFacts
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done, Verdict
from interlock.playbook.catalogue import Verb
from interlock.ports import World

_BY_A_REPLICATOR = "tungsten"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenInto:
    channels: tuple[ChannelFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat(NoOutputs):
    """See a heartbeat of Tungsten Replicator applied on the standby; nothing is sent where servers replicate by themselves.

    It writes on the source, so it stands before the fence. What it leaves there is the replicator's own, and is not taken back.
    """

    server: ServerName = param(Kind.SERVER, "the standby")
    source: ServerName = param(Kind.SERVER, "the writer that it replicates from")
    within_s: float = param(Kind.DURATION, "how long it may take; each command of the replicator starts a program", default=10.0)

    def look(self, world: World, /) -> SeenInto:
        return SeenInto(channels=world.server(self.server).channels())

    def decide(self, seen: SeenInto, /) -> Verdict:
        if not any(channel.using == _BY_A_REPLICATOR for channel in seen.channels):
            return Done(f"{self.server} replicates by itself: no heartbeat is needed")
        match is_channel_healthy(self.server, self.source, seen.channels, None):
            case Done():
                return Act(f"a heartbeat of {self.source} for {self.server} to apply", once=True)
            case unhealthy:
                return unhealthy

    def effects(self, seen: SeenInto, /) -> tuple[Effect, ...]:
        names = [channel.name for channel in seen.channels if channel.source == self.source]
        return tuple(SendHeartbeat(server=self.server, channel=name, within_s=self.within_s) for name in names)

    def undo(self, before: SeenInto, now: SeenInto | None, /) -> tuple[Effect, ...]:
        del before, now
        return ()


SPECS = (describe(Heartbeat, "replication.heartbeat", Verb.DO),)
