"""Has a server applied all that it ever received from a source that is gone?"""

from __future__ import annotations

from collections.abc import Sequence

from interlock.decisions.giving_up import broken_channel
from interlock.decisions.replication import two_kinds
from interlock.model.facts import ChannelFacts, WriteFacts, channel_from
from interlock.model.position import FilePosition, MariaDBPosition, Position
from interlock.model.topology import ServerName
from interlock.model.verdict import Applied, Done, Refuse, Verdict, Wait


def is_all_applied(
    server: ServerName, source: ServerName, position: Position, channels: Sequence[ChannelFacts], *, so_far: bool = False
) -> Verdict:
    """Done only once nothing more can come (its receiver is stopped) and all that came is applied; with `so_far` also while more may come.
    An applier that has stopped is told apart from a slow one: that the receiver finds nobody there is the dead one's doing, and no error of
    the applier's.
    """
    channel = channel_from(source, channels)
    direction = f"replication from {source} to {server}"
    if channel is None:
        return Refuse(f"{direction} is not set up: what {server} lacks can't be told", f"see SHOW REPLICA STATUS on {server}")
    if channel.receiver != "No" and not so_far:
        return Wait(f"{direction}: the receiver still runs ({channel.receiver}), so what it received is not final")
    if channel.received is None:
        return Refuse(f"{direction}: {server} does not tell what it received", f"see SHOW REPLICA STATUS on {server}")
    if not position.can_be_compared_with(channel.received):
        return two_kinds(server, position, channel.received)
    if position.contains(channel.received):
        return Done(f"{server} has applied all that it received from {source} ({str(channel.received) or 'nothing'})")
    if isinstance(channel.received, FilePosition) and channel.idle:
        return Done(f"{server} has applied all whole transactions that it received from {source} ({channel.received})")
    behind = position.behind(channel.received)
    if not channel.applier:
        return Refuse(
            f"{server} has {behind} transactions of {source} that it did not apply, and its applier has stopped"
            + (f": {broken.error}" if (broken := broken_channel([channel])) else ""),
            f"mend what stops it on {server} and start its applier, then try again: opened now, {server} would lose them",
        )
    return Wait(f"{server} still applies what it received from {source}: {behind} transactions left", Applied(server, channel.received))


def can_take_over(server: ServerName, source: ServerName, facts: WriteFacts, channels: Sequence[ChannelFacts]) -> Verdict:
    """Before anything is touched: is it a standby that has what `source` sent, or can still apply it?"""
    channel = channel_from(source, channels)
    if not facts.read_only:
        return Refuse(f"{server} takes writes already", f"`interlock status`: if {server} is the writer, there is nothing to take over")
    if channel is None:
        return Refuse(f"{server} does not replicate from {source}, so it holds nothing of it", "see whether another server does")
    if channel.received is None:
        return Refuse(f"{server} does not tell what it received from {source}", f"see SHOW REPLICA STATUS on {server}")
    if broken_channel([channel]) is not None:
        return Refuse(f"the applier of {server} has stopped: {channel.error}", f"mend what stops it, then {_start_it(server, channel)}")
    if not channel.applier:
        return Refuse(f"the applier of {server} is stopped", _start_it(server, channel))
    behind = facts.position.behind(channel.received)
    if behind and channel.delay_s:
        return Refuse(
            f"{server} applies {channel.delay_s}s late what {source} wrote, as it was told, and {behind} transactions wait for that",
            _without_delay(server, channel),
        )
    left = f", {behind} transactions of it not applied yet" if behind else ""
    return Done(f"{server} is a standby of {source} that received {str(channel.received) or 'nothing'}{left}")


_KEPT = "MASTER_USE_GTID=no, RELAY_LOG_FILE='…', RELAY_LOG_POS=… as SHOW SLAVE STATUS tells them"
"""MariaDB by GTID throws away what it received when a thread is started while neither ran, and so does CHANGE MASTER, by whatever way, that
does not say where in the relay log to begin (tried on 10.11).
"""


def _start_it(server: ServerName, channel: ChannelFacts) -> str:
    if channel.receiver == "No" and isinstance(channel.received, MariaDBPosition):
        return (
            f"start it on {server}, but not as it is: neither of its threads runs, so it would throw away what it received. "
            f"CHANGE MASTER TO {_KEPT}; then START SLAVE SQL_THREAD"
        )
    return f"start it on {server}: what it received and did not apply would be lost"


def _without_delay(server: ServerName, channel: ChannelFacts) -> str:
    if isinstance(channel.received, MariaDBPosition):
        return f"on {server}: STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=0, {_KEPT}; START SLAVE. Else it would throw away what it received"
    return f"on {server}, stop its applier alone, set the delay to 0, and start it again"
