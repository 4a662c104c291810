"""`applier.*`: a standby that applies nothing for a moment, so that its own log's end and its place in the writer's log are one place."""

from __future__ import annotations

from interlock.actions.action import describe, param
from interlock.actions.check import NoOutputs
from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.model.effects import Effect, StartApplier, StopApplier
from interlock.model.facts import ChannelFacts, channel_from
from interlock.model.position import Position
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done, Refuse, Verdict
from interlock.playbook.catalogue import Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenChannel:
    channel: ChannelFacts | None


def look_at_channel(world: World, server: ServerName, source: ServerName) -> SeenChannel:
    return SeenChannel(channel=channel_from(source, world.server(server).channels()))


def no_channel(server: ServerName, source: ServerName) -> Refuse:
    return Refuse(f"{server} does not replicate from {source}", f"point {server} at {source}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseApplier(NoOutputs):
    """Let a standby apply nothing from the writer for a moment; its receiver goes on, so nothing is lost meanwhile."""

    server: ServerName = param(Kind.SERVER, "the standby")
    source: ServerName = param(Kind.SERVER, "the writer that it replicates from")

    def look(self, world: World, /) -> SeenChannel:
        return look_at_channel(world, self.server, self.source)

    def decide(self, seen: SeenChannel, /) -> Verdict:
        if seen.channel is None:
            return no_channel(self.server, self.source)
        if seen.channel.applier:
            return Act(f"{self.server} applies what {self.source} writes")
        return Done(f"the applier of {self.server} is stopped")

    def effects(self, seen: SeenChannel, /) -> tuple[Effect, ...]:
        return (StopApplier(server=self.server, channel=seen.channel.name),) if seen.channel is not None and seen.channel.applier else ()

    def undo(self, before: SeenChannel, now: SeenChannel | None, /) -> tuple[Effect, ...]:
        stopped = now is None or (now.channel is not None and not now.channel.applier)
        if before.channel is None or not before.channel.applier or not stopped:
            return ()
        return (StartApplier(server=self.server, channel=before.channel.name),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinueApplier(NoOutputs):
    """Let a standby apply again what the writer wrote meanwhile."""

    server: ServerName = param(Kind.SERVER, "the standby")
    source: ServerName = param(Kind.SERVER, "the writer that it replicates from")

    def look(self, world: World, /) -> SeenChannel:
        return look_at_channel(world, self.server, self.source)

    def decide(self, seen: SeenChannel, /) -> Verdict:
        if seen.channel is None:
            return no_channel(self.server, self.source)
        its_own_error = seen.channel.error and not seen.channel.receiver_error
        if not seen.channel.applier and not its_own_error:
            return Act(f"the applier of {self.server} is stopped")
        if seen.channel.until:
            return Act(f"the applier of {self.server} stops by itself at a point that it was told")
        if not seen.channel.applier:
            return Done(f"the applier of {self.server} has stopped by itself and is left so: {seen.channel.error}")
        return Done(f"{self.server} applies what {self.source} writes")

    def effects(self, seen: SeenChannel, /) -> tuple[Effect, ...]:
        if seen.channel is None:
            return ()
        start = StartApplier(server=self.server, channel=seen.channel.name)
        return (StopApplier(server=self.server, channel=seen.channel.name), start) if seen.channel.applier else (start,)

    def undo(self, before: SeenChannel, now: SeenChannel | None, /) -> tuple[Effect, ...]:
        """Where the same run had paused it, the pause is undone after this, and starts it again."""
        started = now is None or (now.channel is not None and now.channel.applier)
        if before.channel is None or before.channel.applier or not started:
            return ()
        return (StopApplier(server=self.server, channel=before.channel.name),)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPosition:
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvePaused(NoOutputs):
    """See that a server took nothing since its applier was paused, which its restart ends. No check: once seen, it is over."""

    server: ServerName = param(Kind.SERVER, "the server whose applier was paused")
    since: Position = param(Kind.POSITION, "where it stood then, such as ${fenced.position}")

    def look(self, world: World, /) -> SeenPosition:
        return SeenPosition(position=world.server(self.server).write_facts().position)

    def decide(self, seen: SeenPosition, /) -> Verdict:
        if self.since.contains(seen.position):
            return Done(f"{self.server} took nothing since {self.since}")
        return Refuse(
            f"{self.server} took {self.since.behind(seen.position)} transactions since {self.since}, while its applier was to be paused",
            "find what started it: a server that restarts does, unless it has skip_slave_start; so do other managers of the pair",
        )

    def effects(self, seen: SeenPosition, /) -> tuple[Effect, ...]:
        del seen
        return ()

    def undo(self, before: SeenPosition, now: SeenPosition | None, /) -> tuple[Effect, ...]:
        del before, now
        return ()


SPECS = (
    describe(PauseApplier, "applier.pause", Verb.DO),
    describe(ContinueApplier, "applier.continue", Verb.DO),
    describe(ProvePaused, "applier.prove_paused", Verb.DO),
)
