"""A receiver's view: what the survivor, or a replica, still hears from the server.

A receiver that is told of the end of its connection tries at once to make another, and says so. One that is told nothing (its source hangs,
the link is cut) says `Yes` until slave_net_timeout, 60 s by default: so only what arrives while it is looked at counts as a word. A lost
connection is tried again every Connect_Retry seconds (60 by default), so `can't connect` may be as old as that. MySQL gives up after
SOURCE_RETRY_COUNT tries (10 in 9.7): from then on it may be of any age.
"""

from __future__ import annotations

from collections.abc import Callable

from interlock.clock import Clock, Deadline
from interlock.decisions.liveness import without_tries
from interlock.model.facts import ChannelFacts, channel_from
from interlock.model.liveness import View
from interlock.model.topology import ServerName
from interlock.vantages.point import Sight

_NO_CONNECTION = frozenset({2002, 2003, 2006, 2013, 2055})
"""Of a connection that could not be made or was lost. With any other number its source had said something; but with 2005, which says of the
source's name that it can't be looked up, and of the source nothing.
"""

_CONNECTS = frozenset({"connecting", "preparing"})
_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 0.1


def overhear(channels: Callable[[], tuple[ChannelFacts, ...]], source: ServerName, clock: Clock) -> Callable[[float], Sight]:
    """How to look at `source` by the channels of a server that may replicate from it."""

    def see(within_s: float) -> Sight:
        """Until something comes, or the receiver says that it can't connect, or the time is over."""
        deadline = Deadline.after(clock, within_s)
        first = now = channel_from(source, channels())
        pause_s = _PAUSE_S
        while True:
            sight = judged(first, now, within_s)
            if sight.view is not View.STALE or deadline.left_s() <= pause_s:
                return sight
            clock.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            now = channel_from(source, channels())

    return see


def judged(first: ChannelFacts | None, now: ChannelFacts | None, within_s: float) -> Sight:
    """By two looks at one channel, `within_s` apart at the most."""
    if now is None or first is None:
        return Sight(View.UNKNOWN, "it does not replicate from there")
    word = now.receiver.lower()
    if word == "yes" and first.receiver.lower() != "yes":
        return Sight(View.CONNECTED, "it has just connected")
    if word == "yes" and now.heard != first.heard:
        return Sight(View.CONNECTED, "something came while it was looked at")
    if word == "yes":
        return Sight(View.STALE, f"it counts as connected, and nothing came within {within_s:g}s")
    if word in _CONNECTS and now.receiver_error in _NO_CONNECTION:
        return Sight(View.CUT, without_tries(now.error))
    if word in _CONNECTS:
        return Sight(View.STALE, f"it connects; {now.error or 'to no avail so far'}")
    if word == "no" and now.receiver_error in _NO_CONNECTION:
        return Sight(View.GAVE_UP, without_tries(now.error))
    return Sight(View.UNKNOWN, f"its receiver does not run{f': {now.error}' if now.error else ''}")
