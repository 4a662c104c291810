"""May a server be opened that lacks something of another one, because its channel from there is broken and a person gives that up? And may
what moves away from it do so over a channel by which it could not come back?

Only what a broken channel keeps from it, and only by the exact sentence: it names the place in the source's log at which the channel
stands, so that what was given up can't grow to something else.
"""

from __future__ import annotations

from collections.abc import Sequence

from interlock.decisions.replication import is_channel_healthy
from interlock.model.facts import ChannelFacts
from interlock.model.topology import ServerName
from interlock.model.verdict import Done, Refuse, Verdict


def sentence(server: ServerName, channel: ChannelFacts) -> str:
    """What an operator types to go on without what comes after the place where the channel stands."""
    return f"what {server} lacks of {channel.source} after {channel.applied or 'its beginning'} is given up, and I answer for it"


def broken_channel(channels: Sequence[ChannelFacts]) -> ChannelFacts | None:
    """The channel whose applier stopped with an error. One that somebody stopped is not broken: it can be started."""
    return next((one for one in channels if _is_broken(one)), None)


def is_broken_from(source: ServerName, channels: Sequence[ChannelFacts]) -> bool:
    """Whether what is written on `source` does not come, for the applier stopped with an error."""
    return broken_channel([one for one in channels if one.source == source]) is not None


def _is_broken(channel: ChannelFacts) -> bool:
    """An error of the receiver's says nothing of an applier that stands: that one may have been stopped by somebody."""
    only_receivers = channel.receiver_error != 0 and channel.applier_error == 0
    return channel.source is not None and bool(channel.error) and not channel.applier and not only_receivers


def is_given_up(server: ServerName, source: ServerName | None, channels: Sequence[ChannelFacts], accepted: str) -> bool:
    """Blanks apart, word for word, and still as it was when it was said. What comes from another `source` is not given up with it; None:
    from whichever the sentence names.
    """
    said = " ".join(accepted.split())
    return any(said == sentence(server, one) for one in channels if _is_broken(one) and source in {None, one.source})


def can_catch_up(server: ServerName, source: ServerName, channels: Sequence[ChannelFacts], accepted: str) -> Done | Refuse:
    """Before anything is touched: will `server` hold all of `source`, or does a person give up what it lacks?"""
    channel = broken_channel([one for one in channels if one.source == source])
    if channel is None:
        match is_channel_healthy(server, source, channels, None):
            case Done() as healthy:
                return healthy
            case Refuse() as refused:
                return refused
            case other:
                return Refuse(f"replication from {source} to {server} is not known to run: {other}")
    said = sentence(server, channel)
    if is_given_up(server, source, [channel], accepted):
        return Done(
            f"replication from {source} to {server} is broken, and what {server} lacks is given up",
            warnings=(f"given up: {said}. It stays in {source}'s log, and `interlock diff` finds what differs",),
        )
    mistaken = "; the accepted sentence is not the one for it" if accepted else ""
    return Refuse(
        f"replication from {source} to {server} has stopped with an error: {channel.error}{mistaken}",
        f'mend what stops it on {server} and start its applier; or add --accept "{said}"',
    )


def leads_back(server: ServerName, source: ServerName, channels: Sequence[ChannelFacts], max_lag_s: float, *, one_way: bool) -> Verdict:
    """Before what is open on `server` moves to `source`: will it come back from there if the move fails? It need not if it goes `one_way`,
    and the channel is broken; one that runs, or that somebody stopped, is held to the same in either case.
    """
    found = is_channel_healthy(server, source, channels, max_lag_s)
    if not isinstance(found, Refuse) or not is_broken_from(source, channels):
        return found
    if one_way:
        return Done(
            f"{found.why}; it goes one way",
            warnings=(f"{found.why}. {_lost(server, source)}",),
        )
    return Refuse(found.why, f"{found.hint}; or -i one_way=true: what was opened on {source} is then not taken back if a check fails")


def _lost(server: ServerName, source: ServerName) -> str:
    return (
        f"A check that fails before it is open on {source} takes all back. One that fails later can't, for {server} can't have what is"
        f" written on {source}: then the run halts, and it is closed on both"
    )
