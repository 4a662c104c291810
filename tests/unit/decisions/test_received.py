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
    facts = WriteFacts(server=WEST, read_only=True, position=HALF, event_scheduler="OFF", fence="ON")
    assert can_take_over(WEST, EAST, facts, [STOPPED]) == Refuse(
        "the applier of west is stopped", "start it on west: what it received and did not apply would be lost"
    )
    assert NOBODY_THERE not in all_applied(STOPPED).why
