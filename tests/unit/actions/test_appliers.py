"""Whether an applier is started again, by what its channel tells."""

from __future__ import annotations

import pytest

from interlock.actions.appliers import ContinueApplier, SeenChannel
from interlock.model.facts import ChannelFacts
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done

EAST, WEST = ServerName("east"), ServerName("west")


def seen(*, applier: bool, error: str = "", receiver_error: int = 0, until: bool = False) -> SeenChannel:
    channel = ChannelFacts(
        server=WEST,
        name="",
        source=EAST,
        source_address="east.example:3306",
        receiver="Yes",
        applier=applier,
        lag_s=None,
        error=error,
        receiver_error=receiver_error,
        until=until,
    )
    return SeenChannel(channel=channel)


CASES = {
    "it runs": (seen(applier=True), Done, "west applies what east writes"),
    "somebody stopped it": (seen(applier=False), Act, "is stopped"),
    "only its receiver has an error": (seen(applier=False, error="2003 no route", receiver_error=2003), Act, "is stopped"),
    "it was told to stop at a point": (seen(applier=True, until=True), Act, "at a point that it was told"),
    "it stopped on an error of its own": (seen(applier=False, error="1062 duplicate entry"), Done, "is left so: 1062 duplicate entry"),
}


@pytest.mark.parametrize(("facts", "kind", "why"), CASES.values(), ids=CASES)
def test_what_was_stopped_is_started_and_what_failed_is_not_taken_for_well(facts: SeenChannel, kind: type[Act | Done], why: str) -> None:
    verdict = ContinueApplier(server=WEST, source=EAST).decide(facts)
    assert isinstance(verdict, kind)
    assert why in verdict.why
