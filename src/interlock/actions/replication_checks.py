"""`replication.*` checks: does replication run, and lead back, can the standby catch up, does it hold nothing of its own?"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.actions.check import NoOutputs
from interlock.dataclass import dataclass
from interlock.decisions.giving_up import can_catch_up, is_broken_from, is_given_up, leads_back
from interlock.decisions.replication import holds_nothing_extra, is_channel_healthy
from interlock.documents.fields import Kind
from interlock.model.facts import ChannelFacts, channel_from
from interlock.model.position import FilePosition, MySQLPosition, Position
from interlock.model.topology import ServerName
from interlock.model.verdict import Done, Refuse, Verdict, Wait
from interlock.playbook.catalogue import Role, Verb
from interlock.ports import World

_ECHO_S = 1.0
"""Without GTIDs the writer is told from its own log what the standby's log holds: how long its own writes may take to come back to it. And
a MySQL writer sends a transaction off before it counts it as executed: the standby may hold it first (seen under load on 9.7).
"""


_SLICE_S = 1.0
"""How long a standby blocks at a time before its applier is looked at again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenChannels:
    into: Mapping[ServerName, tuple[ChannelFacts, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationHealthy(NoOutputs):
    """The channels between the masters run without an error, their lag known and under the limit."""

    both_ways: bool = param(Kind.FLAG, "look at both directions, or only at the one into `into`", default=True)
    max_lag_s: float = param(Kind.DURATION, "the largest lag allowed, as the server itself says it", default=5.0)
    into: ServerName | None = param(Kind.SERVER, "the receiving server, when only one direction counts", default=None)

    def look(self, world: World, /) -> SeenChannels:
        names = [master.name for master in world.topology.masters()]
        found = world.gather([world.server(name).channels for name in names])
        return SeenChannels(into=dict(zip(names, found, strict=True)))

    def decide(self, seen: SeenChannels, /) -> Verdict:
        passed: list[str] = []
        for server, channels in seen.into.items():
            if not self.both_ways and self.into is not None and server != self.into:
                continue
            for source in (other for other in seen.into if other != server):
                match is_channel_healthy(server, source, channels, self.max_lag_s):
                    case Done(why):
                        passed.append(why)
                    case verdict:
                        return verdict
        return Done("; ".join(passed))


@dataclass(frozen=True, slots=True, kw_only=True)
class CanCatchUp:
    """A server's channel runs, or it is broken and the operator gives up by its sentence what the server lacks."""

    server: ServerName = param(Kind.SERVER, "the server that is to catch up")
    source: ServerName = param(Kind.SERVER, "the one that it replicates from")
    accept: str = param(Kind.TEXT, "the sentence that gives up what can't come, as `plan` prints it", default="")

    def look(self, world: World, /) -> SeenChannels:
        return SeenChannels(into={self.server: world.server(self.server).channels()})

    def decide(self, seen: SeenChannels, /) -> Verdict:
        return can_catch_up(self.server, self.source, seen.into[self.server], self.accept)

    def outputs(self, seen: SeenChannels, /) -> Mapping[str, object]:
        """`runs`: false if what the server lacks is given up, for its channel is broken."""
        return {"runs": not is_given_up(self.server, self.source, seen.into[self.server], self.accept)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadsBack:
    """What is written on the other server comes to this one, so that what moves there can come back; or it goes one way, by name."""

    server: ServerName = param(Kind.SERVER, "the server from which something moves away")
    source: ServerName = param(Kind.SERVER, "where it goes to")
    one_way: bool = param(Kind.FLAG, "true: the channel may be broken; what was opened there is then not taken back", default=False)
    max_lag_s: float = param(Kind.DURATION, "the largest lag allowed, as the server itself says it", default=5.0)

    def look(self, world: World, /) -> SeenChannels:
        return SeenChannels(into={self.server: world.server(self.server).channels()})

    def decide(self, seen: SeenChannels, /) -> Verdict:
        return leads_back(self.server, self.source, seen.into[self.server], self.max_lag_s, one_way=self.one_way)

    def outputs(self, seen: SeenChannels, /) -> Mapping[str, object]:
        """`runs`: false if it is broken, and goes one way."""
        return {"runs": not is_broken_from(self.source, seen.into[self.server])}


@dataclass(frozen=True, slots=True, kw_only=True)
class CatchUpTrial:
    reached: bool
    target: Position
    source: ServerName
    channels: tuple[ChannelFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationReaches(NoOutputs):
    """The standby reaches a position that is taken now, under load, within the time that the outage may last."""

    from_: ServerName = param(Kind.SERVER, "the writer")
    to: ServerName = param(Kind.SERVER, "the standby")
    within_s: float = param(Kind.DURATION, "how long it may take")

    def look(self, world: World, /) -> CatchUpTrial:
        """In slices: an applier that stops does not end the wait by itself, and it may last for minutes."""
        target = world.server(self.from_).write_facts().position
        standby, left_s = world.server(self.to), self.within_s
        channels: tuple[ChannelFacts, ...] = ()
        reached = False
        while not reached and left_s > 0 and not self._has_stopped(channels):
            reached = standby.wait_applied(target, min(_SLICE_S, left_s))
            left_s -= _SLICE_S
            channels = () if reached else standby.channels()
        return CatchUpTrial(reached=reached, target=target, source=self.from_, channels=channels)

    def _has_stopped(self, channels: tuple[ChannelFacts, ...]) -> bool:
        channel = channel_from(self.from_, channels)
        return channel is not None and not channel.applier

    def decide(self, seen: CatchUpTrial, /) -> Verdict:
        if seen.reached:
            return Done(f"{self.to} reached {self.from_}'s position of this moment in time")
        match is_channel_healthy(self.to, seen.source, seen.channels, None):
            case Refuse() as broken:
                return broken
            case _:
                return Refuse(
                    f"{self.to} did not reach {seen.target} within {self.within_s:g}s, and nothing can be moved faster than it applies",
                    "wait for a quieter time (`interlock status` shows the lag), or raise max_outage",
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoPositions:
    standby: Position
    source: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingExtra:
    """Nothing is on the standby that the writer lacks."""

    from_: ServerName = param(Kind.SERVER, "the writer")
    to: ServerName = param(Kind.SERVER, "the standby")

    def look(self, world: World, /) -> TwoPositions:
        # The standby first: what it holds by now, the writer must hold at any later moment.
        standby = world.server(self.to).write_facts().position
        source = world.server(self.from_)
        if isinstance(standby, FilePosition | MySQLPosition) and source.write_facts().position.can_be_compared_with(standby):
            source.wait_applied(standby, _ECHO_S)
        return TwoPositions(standby=standby, source=source.write_facts().position)

    def decide(self, seen: TwoPositions, /) -> Verdict:
        return holds_nothing_extra(self.to, seen.standby, self.from_, seen.source)

    def outputs(self, seen: TwoPositions, /) -> Mapping[str, object]:
        return {"position": seen.standby}


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryArrival:
    """`channels` are the receiving server's, if it had to be waited for."""

    arrived: bool
    channels: tuple[ChannelFacts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationCanary(NoOutputs):
    """A row written on one server arrives on the other."""

    from_: ServerName = param(Kind.SERVER, "where the row is written")
    to: ServerName = param(Kind.SERVER, "where it must arrive")
    within_s: float = param(Kind.DURATION, "how long it may take", default=5.0)

    def look(self, world: World, /) -> CanaryArrival:
        token = f"replication {uuid.uuid4().hex}"
        source, target = world.server(self.from_), world.server(self.to)
        source.write_canary(token)
        position, left_s = source.write_facts().position, self.within_s
        channels: tuple[ChannelFacts, ...] = ()
        while left_s > 0 and not is_broken_from(self.from_, channels) and not target.wait_applied(position, min(_SLICE_S, left_s)):
            left_s -= _SLICE_S
            channels = target.channels()
        return CanaryArrival(arrived=target.sees_canary(token), channels=channels)

    def decide(self, seen: CanaryArrival, /) -> Verdict:
        if seen.arrived:
            return Done(f"a row written on {self.from_} arrived on {self.to}")
        if is_broken_from(self.from_, seen.channels):
            return is_channel_healthy(self.to, self.from_, seen.channels, None)
        return Wait(f"a row written on {self.from_} did not arrive on {self.to} within {self.within_s:g}s")


SPECS = (
    describe(ReplicationHealthy, "replication.healthy", Verb.CHECK),
    describe(CanCatchUp, "replication.can_catch_up", Verb.CHECK, outputs={"runs": Kind.FLAG}),
    describe(LeadsBack, "replication.leads_back", Verb.CHECK, outputs={"runs": Kind.FLAG}, role=Role.LEADS_BACK),
    describe(ReplicationReaches, "replication.reaches", Verb.CHECK),
    describe(NothingExtra, "replication.nothing_extra", Verb.CHECK, outputs={"position": Kind.POSITION}),
    describe(ReplicationCanary, "replication.canary", Verb.CHECK),
)
