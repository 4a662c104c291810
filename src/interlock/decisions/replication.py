"""Is replication fit for what comes next? Unknown is never healthy."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from interlock.decisions.mixed import mended_by
from interlock.model.facts import ChannelFacts, ServerFacts, channel_from
from interlock.model.position import Position
from interlock.model.topology import ServerName
from interlock.model.verdict import Applied, Done, Refuse, Verdict, Wait


def is_channel_healthy(server: ServerName, source: ServerName, channels: Sequence[ChannelFacts], max_lag_s: float | None) -> Verdict:
    """The channel from `source` into `server` runs without an error, and its lag is known and under the limit."""
    channel = channel_from(source, channels)
    direction = f"replication from {source} to {server}"
    if channel is None:
        return Refuse(f"{direction} is not set up", f"point {server} at {source}, by the address in the topology file")
    if channel.error:
        by_a_row = "; `interlock repair --channel CLUSTER` shows whether one row does it" if not channel.applier else ""
        hint = mended_by(channel.error) or f"mend it on {server}, then start the channel again{by_a_row}"
        return Refuse(f"{direction} has stopped with an error: {channel.error}", hint)
    if not channel.applier:
        return Refuse(f"{direction}: the applier is stopped", f"start its applier on {server}")
    if channel.receiver != "Yes":
        return Refuse(
            f"{direction}: the receiver is not connected ({channel.receiver})",
            f"start its receiver on {server}; the server's log says why it stopped",
        )
    if channel.lag_s is None:
        return Refuse(f"{direction}: the lag is not known", f"look at the channel on {server}")
    if max_lag_s is not None and channel.lag_s > max_lag_s:
        return Refuse(f"{server} is {channel.lag_s}s behind {source}, limit {max_lag_s:g}s", "wait, or raise max_lag")
    return Done(f"{direction} runs, {channel.lag_s}s behind")


def is_caught_up(server: ServerName, position: Position, target: Position, channels: Sequence[ChannelFacts]) -> Verdict:
    """The server holds `target`; while it does not, every applier of it must run, or it would never."""
    if position.contains(target):
        return Done(f"{server} holds {str(target) or 'everything: nothing was written'}")
    if not position.can_be_compared_with(target):
        return two_kinds(server, position, target)
    for channel in channels:
        if channel.error or not channel.applier:
            return Refuse(
                f"{server} is {position.behind(target)} transactions behind and its applier has stopped"
                + (f": {channel.error}" if channel.error else ""),
                mended_by(channel.error) or f"mend the channel from {channel.source or channel.source_address} on {server}",
            )
    if not channels:
        return Refuse(
            f"{server} is {position.behind(target)} transactions behind and replicates from nobody", f"set up its channel on {server}"
        )
    return Wait(f"{server} is {position.behind(target)} transactions behind", Applied(server, target))


def two_kinds(server: ServerName, position: Position, target: Position) -> Refuse:
    """One channel uses GTIDs and the other one files: nothing can be told from such positions."""
    return Refuse(
        f"{server} tells its position as {position}, which can't be compared with {target}: their channels use two kinds of position",
        "let both channels use GTIDs (MASTER_USE_GTID=slave_pos, SOURCE_AUTO_POSITION=1), or both files; was one changed lately?",
    )


def holds_nothing_extra(server: ServerName, position: Position, source: ServerName, of_source: Position) -> Verdict:
    """Nothing on `server` that `source` lacks. Positions of two kinds can't tell."""
    if not of_source.can_be_compared_with(position):
        return Refuse(
            f"two kinds of position can't be compared: {server} at {position}, {source} at {of_source}",
            "let both channels use GTIDs of one flavor, or both of them file and offset; a pair of two flavors: docs/servers/mixed.md",
        )
    if of_source.contains(position):
        return Done(f"{server} holds nothing that {source} lacks")
    if not position.can_be_compared_with(of_source):
        return two_kinds(server, position, of_source)
    return Refuse(
        f"{server} holds {of_source.behind(position)} transactions that {source} lacks ({server} at {position}, {source} at {of_source})",
        f"let {source} catch up, or compare the two: somebody may have written on {server}",
    )


def keys_cannot_collide(first: ServerFacts, second: ServerFacts) -> Verdict:
    """Auto-increment values of two servers never meet.

    Values are offset + n x increment, so two series share a value exactly if the offsets are equal modulo the greatest common divisor of
    the increments.
    """
    step = gcd(first.auto_increment_increment, second.auto_increment_increment)
    seen = ", ".join(
        f"{server.server}: every {server.auto_increment_increment} from {server.auto_increment_offset}" for server in (first, second)
    )
    if step > 1 and first.auto_increment_offset % step != second.auto_increment_offset % step:
        return Done(f"auto-increment values can't collide ({seen})")
    return Refuse(
        f"auto-increment values can collide ({seen})",
        "SET GLOBAL auto_increment_increment=2 on both, auto_increment_offset=1 and 2, and the same in the option files",
    )
