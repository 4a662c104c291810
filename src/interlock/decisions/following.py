"""May a replica be led from another server, and how? It loses nothing, and repeats nothing, or it stays where it is."""

from __future__ import annotations

from interlock.dataclass import dataclass
from interlock.model.effects import Repoint
from interlock.model.facts import ChannelFacts, ReplicaFacts
from interlock.model.position import LogPoint, Position
from interlock.model.topology import ServerName
from interlock.model.verdict import Done, Refuse, Wait

_BY_POSITION = "position"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """Two points that are one place: the end of `source`'s own log, and how far it has applied the writer's."""

    source: ServerName
    of_source: LogPoint
    of_writer: LogPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whom a replica shall follow, and what that server holds, None if it is not known. `meeting` is for channels without GTIDs. What a
    receiver says of a source that is `gone` does not count.
    """

    source: ServerName
    host: str
    port: int
    holds: Position | None
    meeting: Meeting | None = None
    gone: ServerName | None = None


def channel_of(replica: ReplicaFacts) -> ChannelFacts | None:
    """The one channel from a server of the pair; None if it has none of them, or several."""
    found = [channel for channel in replica.channels if channel.source is not None and channel.source != replica.server]
    return found[0] if len(found) == 1 else None


def is_broken(replica: ReplicaFacts, gone: ServerName | None = None) -> str:
    """What is wrong with it, as a sentence; empty if it replicates, or is about to. That it receives nothing from `gone` is not."""
    channel = channel_of(replica)
    if replica.error:
        return replica.error
    if channel is None:
        return f"{replica.server} does not follow one server of this pair"
    orphaned = channel.source == gone
    if channel.error and not (orphaned and channel.applier):
        return f"{replica.server} has stopped with an error: {channel.error}"
    if not channel.applier:
        return f"the applier of {replica.server} is stopped"
    if channel.receiver == "No" and not orphaned:
        return f"the receiver of {replica.server} is stopped"
    return ""


def next_move(replica: ReplicaFacts, wanted: Wanted) -> Repoint | Done | Wait | Refuse:
    """Done: it follows. Wait: it will, or can be moved a little later. Refuse: it stays where it is, and why."""
    source = wanted.source
    channel = channel_of(replica)
    if broken := is_broken(replica, wanted.gone):
        return Refuse(broken, f"mend it, then point it at {source}")
    if channel is None or replica.position is None:
        return Refuse(f"{replica.server} is not known", f"look at it, then point it at {source}")
    if channel.source == source:
        if channel.receiver != "Yes":
            return Wait(f"{replica.server} connects to {source} ({channel.receiver})")
        return Done(f"{replica.server} follows {source}")
    if channel.using == _BY_POSITION:
        return _by_position(replica.server, channel, wanted)
    if wanted.holds is None:
        return Wait(f"what {source} holds is not known")
    if not wanted.holds.contains(replica.position):
        return Wait(f"{replica.server} holds {wanted.holds.behind(replica.position)} transactions that {source} lacks")
    if channel.source == wanted.gone and (received := channel.received) is not None and not wanted.holds.contains(received):
        # Led elsewhere, it would throw away what it has not applied: the only copy, perhaps.
        return Wait(f"{replica.server} has received {wanted.holds.behind(received)} transactions of {wanted.gone} that {source} lacks")
    return _repoint(replica.server, channel, wanted)


def _by_position(server: ServerName, channel: ChannelFacts, wanted: Wanted) -> Repoint | Wait | Refuse:
    """Its place in the log of its source says nothing of the writer's log, unless both are seen to stand at the same one."""
    meeting = wanted.meeting
    if meeting is None or meeting.source != channel.source or channel.applied is None:
        return Refuse(
            f"{server} follows {channel.source} by file and offset, which are not known in the log of {wanted.source}",
            f"let it use GTIDs, or point it at {wanted.source} by hand",
        )
    if channel.applied == meeting.of_source:
        return _repoint(server, channel, wanted, at=meeting.of_writer)
    if meeting.of_source.reaches(channel.applied):
        return Wait(f"{server} has not applied the log of {channel.source} to its end")
    return Refuse(f"{server} is further in the log of {channel.source} than that server itself", "compare the two before it is moved")


def _repoint(server: ServerName, channel: ChannelFacts, to: Wanted, *, at: LogPoint | None = None) -> Repoint:
    return Repoint(server=server, channel=channel.name, source=to.source, host=to.host, port=to.port, using=channel.using, at=at)


def way_back(before: ReplicaFacts, now: ReplicaFacts | None, wanted: Wanted) -> Repoint | None:
    """What puts a replica back under `wanted`, which it followed before; None if it is there, or can't go there without losing something.

    `now` None supposes that it was moved; of one that does not answer the same is supposed. By file and offset there is a way back only
    while it has applied nothing from the new source.
    """
    old, new = channel_of(before), channel_of(now) if now is not None else None
    if old is None or old.source != wanted.source or (new is not None and new.source == old.source):
        return None
    supposed = now is None or bool(now.error)
    if old.using == _BY_POSITION:
        meeting = wanted.meeting
        stands_there = meeting is not None and (now is None or (new is not None and new.applied == meeting.of_writer))
        return _repoint(before.server, old, wanted, at=meeting.of_source) if meeting is not None and stands_there else None
    holds = now is not None and now.position is not None and wanted.holds is not None and wanted.holds.contains(now.position)
    return _repoint(before.server, old, wanted) if supposed or holds else None
