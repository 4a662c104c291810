"""What a dead master sent is waited for while it is applied; an applier that stands is told apart from a receiver that finds nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.decisions.received import can_take_over, is_all_applied
from interlock.model.facts import ChannelFacts, WriteFacts
from interlock.model.position import MariaDBPosition
from interlock.model.topology import ServerName
from interlock.model.verdict import Done, Refuse, Verdict, Wait

EAST, WEST = ServerName("east"), ServerName("west")
HALF, ALL = MariaDBPosition.parse("1-1-5"), MariaDBPosition.parse("1-1-9")
NOBODY_THERE = "error reconnecting to master 'repl@east:3306' - message: Can't connect to server on 'east'"
STANDBY = ChannelFacts(
    server=WEST,
    name="",
    source=EAST,
    source_address="east:3306",
    receiver="No",
    applier=True,
    lag_s=None,
    error=NOBODY_THERE,
    receiver_error=2003,
    received=ALL,
)
"""Its receiver was stopped, and keeps the error that it had when its source died."""

STOPPED = replace(STANDBY, applier=False)
BROKEN = replace(STOPPED, error=f"{NOBODY_THERE}; Duplicate entry 'c1'", applier_error=1062)


def all_applied(channel: ChannelFacts, position: MariaDBPosition = HALF, *, so_far: bool = False) -> Verdict:
    return is_all_applied(WEST, EAST, position, [channel], so_far=so_far)


def may_take_over(channel: ChannelFacts, position: MariaDBPosition = HALF) -> Verdict:
    facts = WriteFacts(server=WEST, read_only=True, position=position, event_scheduler="OFF", fence="ON")
    return can_take_over(WEST, EAST, facts, [channel])


@pytest.mark.parametrize(
    ("verdict", "kind", "why"),
    [
        (all_applied(STANDBY), Wait, "west still applies what it received from east: 4 transactions left"),
        (all_applied(STANDBY, ALL), Done, "west has applied all that it received from east (1-1-9)"),
        (all_applied(replace(STANDBY, receiver="Connecting"), ALL), Wait, "so what it received is not final"),
        (all_applied(replace(STANDBY, receiver="Connecting"), ALL, so_far=True), Done, "west has applied all that it received"),
        (all_applied(replace(STANDBY, receiver="Connecting"), so_far=True), Wait, "4 transactions left"),
        (all_applied(STOPPED), Refuse, "4 transactions of east that it did not apply, and its applier has stopped"),
        (all_applied(BROKEN), Refuse, "its applier has stopped: error reconnecting"),
    ],
    ids=["slow", "all applied", "more may come", "so far", "slow, so far", "stopped by somebody", "broken"],
)
def test_only_an_applier_that_stands_ends_the_wait(verdict: Verdict, kind: type[Verdict], why: str) -> None:
    assert isinstance(verdict, kind)
    assert why in verdict.why


def test_of_an_applier_that_somebody_stopped_the_receivers_error_is_not_told() -> None:
    assert may_take_over(replace(STOPPED, receiver="Connecting")) == Refuse(
        "the applier of west is stopped", "start it on west: what it received and did not apply would be lost"
    )
    assert NOBODY_THERE not in all_applied(STOPPED).why


@pytest.mark.parametrize("channel", [STOPPED, BROKEN], ids=["stopped", "broken"])
def test_nobody_is_told_to_start_what_would_throw_away_what_was_received(channel: ChannelFacts) -> None:
    """MariaDB by GTID, where neither thread runs."""
    seen = may_take_over(channel)
    assert isinstance(seen, Refuse)
    assert "start it on west, but not as it is" in seen.hint
    assert "CHANGE MASTER TO MASTER_USE_GTID=no, RELAY_LOG_FILE=" in seen.hint


@pytest.mark.parametrize(("position", "kind"), [(HALF, Refuse), (ALL, Done)], ids=["some wait", "none waits"])
def test_what_is_applied_late_on_purpose_is_not_waited_for_while_clients_wait(position: MariaDBPosition, kind: type[Verdict]) -> None:
    assert isinstance(may_take_over(replace(STANDBY, delay_s=3600), position), kind)
