"""`replication.heartbeat`: sent through a replicator that runs, never where servers replicate by themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.actions.heartbeat import Heartbeat, SeenInto
from interlock.model.effects import SendHeartbeat
from interlock.model.facts import ChannelFacts
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done, Refuse, Verdict

EAST, WEST = ServerName("east"), ServerName("west")
ONLINE = ChannelFacts(
    server=WEST,
    name="east",
    source=EAST,
    source_address="thl://db1:2112/",
    receiver="Yes",
    applier=True,
    lag_s=0,
    error="",
    using="tungsten",
)
CASES = {
    "a replicator that runs": (ONLINE, Act),
    "a replicator that is off line": (replace(ONLINE, applier=False, receiver="No"), Refuse),
    "a replicator of another source": (replace(ONLINE, source=None), Refuse),
    "replication of the server's own": (replace(ONLINE, using="auto_position"), Done),
}


@pytest.mark.parametrize(("channel", "verdict"), CASES.values(), ids=CASES)
def test_only_a_replicator_that_runs_is_sent_a_heartbeat(channel: ChannelFacts, verdict: type[Verdict]) -> None:
    decided = Heartbeat(server=WEST, source=EAST, within_s=7.0).decide(SeenInto(channels=(channel,)))
    assert isinstance(decided, verdict)
    assert not isinstance(decided, Act) or decided.once


def test_it_is_one_effect_on_the_channel_and_nothing_takes_it_back() -> None:
    action, seen = Heartbeat(server=WEST, source=EAST, within_s=7.0), SeenInto(channels=(ONLINE,))
    assert action.effects(seen) == (SendHeartbeat(server=WEST, channel="east", within_s=7.0),)
    assert action.undo(seen, None) == ()
