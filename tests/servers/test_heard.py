"""For how long nothing has come from a source: MySQL's receiver tells, MariaDB's does not."""

from __future__ import annotations

from pathlib import Path

from interlock.bootstrap import RealWorld, read_topology
from interlock.clock import SystemClock
from interlock.hosts.secrets import Secrets
from interlock.model.facts import ChannelFacts
from interlock.sandbox import members
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from interlock.simulated.store import MemoryStore

CLOCK = SystemClock()


def channel_of_west(sandbox: Sandbox) -> ChannelFacts:
    world = RealWorld(read_topology(Path(sandbox.topology)), CLOCK, Secrets(CLOCK), MemoryStore(CLOCK))
    try:
        (channel,) = world.server("west").channels()
        return channel
    finally:
        world.close()


def test_mysql_tells_when_something_last_came_and_that_it_is_ever_longer_ago(fresh_mysql_pair: Sandbox) -> None:
    query(fresh_mysql_pair, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('last', @@server_id)")
    CLOCK.sleep(0.3)
    heard = channel_of_west(fresh_mysql_pair)
    assert heard.silent_s is not None
    assert 0.0 <= heard.silent_s < 600.0
    members.stop(Path(fresh_mysql_pair.directory), "east", kill=True)
    silent = channel_of_west(fresh_mysql_pair)
    CLOCK.sleep(1.2)
    later = channel_of_west(fresh_mysql_pair)
    assert silent.silent_s is not None
    assert later.silent_s is not None
    assert later.silent_s >= silent.silent_s + 1.2


def test_a_server_that_does_not_tell_is_not_guessed_for(fresh_pair: Sandbox) -> None:
    assert channel_of_west(fresh_pair).silent_s is None
