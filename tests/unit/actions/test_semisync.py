"""A receiver connects anew once, and then is given the time to: whoever starts it again cuts it off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from interlock.actions.semisync import Acknowledge, SeenAlone, SeenSides, StandAlone
from interlock.model.effects import SetSemiSync
from interlock.model.facts import ChannelFacts, SemiSyncFacts
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done, Refuse, Wait
from interlock.ports import World

EAST, WEST = ServerName("east"), ServerName("west")
ACKNOWLEDGE = Acknowledge(server=EAST, source=WEST)


def channel(receiver: str, error: str = "") -> ChannelFacts:
    return ChannelFacts(
        server=EAST, name="", source=WEST, source_address="west:3306", receiver=receiver, applier=True, lag_s=0, error=error
    )


def sides(receiver: str | None, *, acknowledges: bool = True, active: bool = False, clients: int = 0, error: str = "") -> SeenSides:
    return SeenSides(
        source=SemiSyncFacts(server=WEST, words="master/slave", clients=clients),
        server=SemiSyncFacts(server=EAST, words="master/slave", acknowledges=acknowledges, active=active),
        channel=channel(receiver, error) if receiver is not None else None,
    )


BEFORE = "east connected before it was to acknowledge"


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (sides(None), Refuse("east does not replicate from west", "point east at west")),
        (sides("Yes", acknowledges=False), Act("east acknowledges nothing")),
        (sides("Yes", acknowledges=False, clients=1), Act("east acknowledges nothing")),
        (sides("Yes", active=True, clients=1), Done("1 servers acknowledge what west commits")),
        (sides("Yes"), Act(BEFORE)),
        (sides("No"), Act(BEFORE)),
        (sides("No", error="Error 1236"), Wait("west does not count east yet (receiver: No, Error 1236)")),
        (sides("Connecting"), Wait("west does not count east yet (receiver: Connecting)")),
        (sides("Preparing"), Wait("west does not count east yet (receiver: Preparing)")),
        (sides("Preparing", active=True), Wait("west does not count east yet (receiver: Preparing)")),
        (sides("Yes", active=True), Wait("west does not count east yet (receiver: Yes)")),
    ],
    ids=[
        "no channel", "told nothing", "told nothing, another does", "counted", "connected before", "stopped in between",
        "stopped by an error", "connects", "prepares", "prepares, active already", "connected, not counted",
    ],
)  # fmt: skip
def test_a_receiver_that_connects_is_waited_for_and_not_started_again(seen: SeenSides, verdict: object) -> None:
    assert ACKNOWLEDGE.decide(seen) == verdict


@dataclass
class Reconnecting:
    """East's receiver, started anew a moment ago: it has connected one look later than the first, whatever is asked first."""

    asked: list[str] = field(default_factory=list)

    def server(self, name: str) -> Reconnecting:
        del name
        return self

    def gather(self, calls: Sequence[Callable[[], Any]]) -> list[Any]:
        del calls
        seen = self._seen("settings")
        return [seen.source, seen.server]

    def channels(self) -> tuple[ChannelFacts, ...]:
        seen = self._seen("channels").channel
        return (seen,) if seen is not None else ()

    def semi_sync(self) -> SemiSyncFacts:
        raise NotImplementedError

    def _seen(self, what: str) -> SeenSides:
        self.asked.append(what)
        return sides("Preparing") if len(self.asked) == 1 else sides("Yes", active=True)


def test_one_that_connects_between_two_reads_is_not_taken_for_one_that_connected_before() -> None:
    """Settings of before with a channel of after would read as `connected before`, and start it again."""
    assert isinstance(ACKNOWLEDGE.decide(ACKNOWLEDGE.look(cast("World", Reconnecting()))), Wait)


ALONE = StandAlone(server=WEST, gone=EAST)


def alone(*, waits: bool, acknowledges: bool = True, clients: int = 0, others: Sequence[ServerName] = ()) -> SeenAlone:
    facts = SemiSyncFacts(server=WEST, words="source/replica", waits=waits, acknowledges=acknowledges, clients=clients, timeout_ms=10_000)
    return SeenAlone(server=facts, others=tuple(others))


@pytest.mark.parametrize(
    ("seen", "waits_no_more"),
    [
        (alone(waits=True), True),
        (alone(waits=True, clients=1), True),
        (alone(waits=True, clients=2, others=[ServerName("west-r1")]), False),
        (alone(waits=False), False),
        (alone(waits=False, acknowledges=False), False),
    ],
    ids=["nobody is counted", "the dead one is counted still", "a replica acknowledges", "it waits for nobody", "none of it"],
)
def test_commits_wait_only_for_one_that_is_there(seen: SeenAlone, *, waits_no_more: bool) -> None:
    verdict = ALONE.decide(seen)
    assert isinstance(verdict, Act if waits_no_more else Done)
    if waits_no_more:
        assert ALONE.effects(seen) == (SetSemiSync(server=WEST, words="source/replica", waits=False),)


def test_that_commits_wait_for_nobody_is_told_where_semi_synchronous_replication_is_in_use() -> None:
    (told,) = cast("Done", ALONE.decide(alone(waits=False))).warnings
    assert "SET GLOBAL rpl_semi_sync_source_enabled=1" in told
    assert cast("Done", ALONE.decide(alone(waits=False, acknowledges=False))).warnings == ()
