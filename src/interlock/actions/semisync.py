"""`semisync.*`: commits of the new writer wait for an acknowledgement as those of the old one did, and never for one that nobody gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from interlock.actions.action import describe, param
from interlock.actions.check import NoOutputs
from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.errors import DriverError
from interlock.model.effects import Effect, SetSemiSync
from interlock.model.facts import ChannelFacts, SemiSyncFacts, channel_from
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done, Refuse, Verdict, Wait
from interlock.playbook.catalogue import Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSides:
    """`channel` is the one from the source into the server that acknowledges, None if it has none."""

    source: SemiSyncFacts
    server: SemiSyncFacts
    channel: ChannelFacts | None = None


def _look(world: World, source: ServerName, server: ServerName) -> SeenSides:
    """The channel first: a receiver that was connected by then has told the settings of it, which are read later, and not the reverse."""
    channels = world.server(server).channels()
    seen = _look_at_settings(world, source, server)
    return replace(seen, channel=channel_from(source, channels))


def _look_at_settings(world: World, source: ServerName, server: ServerName) -> SeenSides:
    first, second = world.gather([world.server(source).semi_sync, world.server(server).semi_sync])
    return SeenSides(source=first, server=second)


def _who_waits(seen: SeenSides) -> str:
    waits = [side.server for side in (seen.server, seen.source) if side.waits]
    return f"commits wait for an acknowledgement on {' and '.join(waits)}" if waits else "no commit waits for an acknowledgement"


def _shall_hand_over(old: SemiSyncFacts, new: SemiSyncFacts) -> bool:
    return bool(old.words) and bool(new.words) and old.waits and not new.waits


@dataclass(frozen=True, slots=True, kw_only=True)
class NameSemiSync:
    """Say whether semi-synchronous replication is to be turned over to the new writer, and what is to be done for that."""

    from_: ServerName = param(Kind.SERVER, "the writer")
    to: ServerName = param(Kind.SERVER, "the standby")

    def look(self, world: World, /) -> SeenSides:
        return _look_at_settings(world, self.to, self.from_)

    def decide(self, seen: SeenSides, /) -> Verdict:
        new, old = seen.source, seen.server
        if not old.words and not new.words:
            return Done("no semi-synchronous replication")
        if old.waits and not new.words:
            return Done(f"{self.to} has no semi-synchronous replication", (f"commits on {self.to} will wait for no acknowledgement",))
        if _shall_hand_over(old, new):
            return Done(f"commits wait for an acknowledgement on {self.from_}, and shall on {self.to}")
        return Done(_who_waits(seen))

    def outputs(self, seen: SeenSides, /) -> Mapping[str, object]:
        new, old = seen.source, seen.server
        hands_over = _shall_hand_over(old, new)
        missing = not old.acknowledges or new.clients == 0
        return {
            "hand_over": hands_over,
            "acknowledge": bool(old.words) and (hands_over or new.waits) and missing,
            "release": hands_over and new.acknowledges and not old.acknowledges,
        }


def _stands_still(channel: ChannelFacts) -> bool:
    """Whether nothing comes of this receiver by itself. One that connects (`Connecting`, MariaDB's `Preparing`) does, and to start it anew
    would cut it off. It is `active` from early on, while it still connects (seen on MariaDB 10.11 and 11.8, MySQL 9.7), but START may have
    returned before.
    """
    return channel.receiver == "Yes" or (channel.receiver == "No" and not channel.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge(NoOutputs):
    """Let a server acknowledge what another one commits, and see that one count it, before commits there may wait for it.

    Its receiver connects anew, for only then does it say so. The old writer's receiver brings nothing while it is the writer.
    """

    server: ServerName = param(Kind.SERVER, "the server that shall acknowledge: the old writer")
    source: ServerName = param(Kind.SERVER, "the server whose commits it shall acknowledge: the new writer")
    within_s: float = param(Kind.DURATION, "how long it may take", default=5.0)

    def look(self, world: World, /) -> SeenSides:
        return _look(world, self.source, self.server)

    def decide(self, seen: SeenSides, /) -> Verdict:
        if seen.channel is None:
            return Refuse(f"{self.server} does not replicate from {self.source}", f"point {self.server} at {self.source}")
        if not seen.server.acknowledges:
            return Act(f"{self.server} acknowledges nothing")
        if seen.source.clients > 0:
            return Done(f"{seen.source.clients} servers acknowledge what {self.source} commits")
        if not seen.server.active and _stands_still(seen.channel):
            return Act(f"{self.server} connected before it was to acknowledge")
        error = f", {seen.channel.error}" if seen.channel.error else ""
        return Wait(f"{self.source} does not count {self.server} yet (receiver: {seen.channel.receiver}{error})")

    def effects(self, seen: SeenSides, /) -> tuple[Effect, ...]:
        return (self._set(seen, on=True),) if seen.channel is not None else ()

    def undo(self, before: SeenSides, now: SeenSides | None, /) -> tuple[Effect, ...]:
        changed = now is None or now.server.acknowledges
        return (self._set(before, on=False),) if changed and not before.server.acknowledges and before.channel is not None else ()

    def _set(self, seen: SeenSides, *, on: bool) -> SetSemiSync:
        channels = (seen.channel.name,) if seen.channel is not None else ()
        return SetSemiSync(server=self.server, words=seen.server.words, acknowledges=on, channels=channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOverSemiSync(NoOutputs):
    """Let commits wait for an acknowledgement on the new writer, and no more on the old one; their settings change places.

    First on the new one, and only once a server that acknowledges is connected there: without one the first commit waits for the whole
    time-out (rpl_semi_sync_master_timeout, ten seconds by default). Then off on the old one, before the new one stops to acknowledge.
    """

    from_: ServerName = param(Kind.SERVER, "the old writer")
    to: ServerName = param(Kind.SERVER, "the new writer")
    release: bool = param(Kind.FLAG, "the new writer acknowledges nothing any more, as the old one did not", default=False)
    within_s: float = param(Kind.DURATION, "how long it may take", default=5.0)

    def look(self, world: World, /) -> SeenSides:
        return _look(world, self.from_, self.to)

    def decide(self, seen: SeenSides, /) -> Verdict:
        old, new = seen.source, seen.server
        if not new.waits and new.clients == 0:
            warning = f"commits on {self.to} wait for no acknowledgement: no server that gives one is connected to it"
            return Wait(f"no server that acknowledges is connected to {self.to}", otherwise=Done("not handed over", (warning,)))
        if not new.waits or old.waits or (self.release and new.acknowledges):
            return Act(_who_waits(seen))
        return Done(f"commits on {self.to} wait for an acknowledgement, and {new.clients} servers give it")

    def effects(self, seen: SeenSides, /) -> tuple[Effect, ...]:
        old, new = seen.source, seen.server
        steps: list[Effect] = []
        if not new.waits:
            steps.append(SetSemiSync(server=self.to, words=new.words, waits=True))
        if old.waits:
            steps.append(SetSemiSync(server=self.from_, words=old.words, waits=False))
        if self.release and new.acknowledges:
            steps.append(self._acknowledge(seen, on=False))
        return tuple(steps)

    def undo(self, before: SeenSides, now: SeenSides | None, /) -> tuple[Effect, ...]:
        """In reverse: the new writer acknowledges again before commits on the old one wait for it."""
        steps: list[Effect] = []
        if before.server.acknowledges and self.release and (now is None or not now.server.acknowledges):
            steps.append(self._acknowledge(before, on=True))
        if before.source.waits and (now is None or not now.source.waits):
            steps.append(SetSemiSync(server=self.from_, words=before.source.words, waits=True))
        if not before.server.waits and (now is None or now.server.waits):
            steps.append(SetSemiSync(server=self.to, words=before.server.words, waits=False))
        return tuple(steps)

    def _acknowledge(self, seen: SeenSides, *, on: bool) -> SetSemiSync:
        channels = (seen.channel.name,) if seen.channel is not None else ()
        return SetSemiSync(server=self.to, words=seen.server.words, acknowledges=on, channels=channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenAlone:
    """`others` are the replicas that acknowledge the server's commits, looked at only if it counts anybody."""

    server: SemiSyncFacts
    others: tuple[ServerName, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StandAlone(NoOutputs):
    """Let a server's commits wait for no acknowledgement, if only one that is gone gave it: each would wait for the whole time-out, the
    applier's too.

    A replica of the topology that acknowledges is enough for it to stay as it is. The one that is gone may be counted for a while still.
    """

    server: ServerName = param(Kind.SERVER, "the server that is to take the writes")
    gone: ServerName = param(Kind.SERVER, "the master that is dead")
    within_s: float = param(Kind.DURATION, "how long it may take", default=2.0)

    def look(self, world: World, /) -> SeenAlone:
        facts = world.server(self.server).semi_sync()
        if not facts.waits or not facts.clients:
            return SeenAlone(server=facts)
        names = [replica.name for replica in world.topology.replicas()]
        found = world.gather([partial(_acknowledges, world, name, self.server) for name in names])
        return SeenAlone(server=facts, others=tuple(name for name, does in zip(names, found, strict=True) if does))

    def decide(self, seen: SeenAlone, /) -> Verdict:
        setting = f"rpl_semi_sync_{seen.server.words.partition('/')[0]}_enabled"
        if not seen.server.waits:
            later = f"commits on {self.server} wait for no acknowledgement: SET GLOBAL {setting}=1 there, once {self.gone} gives it again"
            return Done(f"commits on {self.server} wait for no acknowledgement", (later,) if seen.server.acknowledges else ())
        if seen.others:
            return Done(f"commits on {self.server} are acknowledged by {', '.join(seen.others)}")
        longest = f"{seen.server.timeout_ms / 1000:g}s"
        return Act(
            f"commits on {self.server} wait {longest} for an acknowledgement that {self.gone} does not give",
            otherwise=Done(
                f"commits on {self.server} go on waiting for an acknowledgement",
                (f"clients wait up to {longest} for nobody: SET GLOBAL {setting}=0 on {self.server} ends that",),
            ),
        )

    def effects(self, seen: SeenAlone, /) -> tuple[Effect, ...]:
        return (SetSemiSync(server=self.server, words=seen.server.words, waits=False),) if seen.server.waits else ()

    def undo(self, before: SeenAlone, now: SeenAlone | None, /) -> tuple[Effect, ...]:
        if not before.server.waits or (now is not None and now.server.waits):
            return ()
        return (SetSemiSync(server=self.server, words=before.server.words, waits=True),)


def _acknowledges(world: World, name: ServerName, source: ServerName) -> bool:
    """Whether a replica does, as it says itself; one that does not answer is not counted on."""
    try:
        channel = channel_from(source, world.server(name).channels())
        return channel is not None and channel.receiver == "Yes" and world.server(name).semi_sync().active
    except DriverError:
        return False


SPECS = (
    describe(
        NameSemiSync,
        "semisync.named",
        Verb.CHECK,
        outputs={"hand_over": Kind.FLAG, "acknowledge": Kind.FLAG, "release": Kind.FLAG},
    ),
    describe(Acknowledge, "semisync.acknowledge", Verb.DO),
    describe(HandOverSemiSync, "semisync.hand_over", Verb.DO),
    describe(StandAlone, "semisync.stand_alone", Verb.DO),
)
