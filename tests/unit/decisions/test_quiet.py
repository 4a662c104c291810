"""What a certificate of the quiet may say of a route: where it leads, or that it can't be read back, and never the one for the other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from interlock.decisions.quiet import certificate, is_quiet
from interlock.model.facts import ChannelFacts, FenceProof, RouteFacts, WriteFacts
from interlock.model.position import MariaDBPosition
from interlock.model.topology import ClusterName, RouteName, ServerName
from interlock.model.verdict import Done, Refuse

EAST, WEST = ClusterName("east"), ClusterName("west")
AT = MariaDBPosition.parse("1-1-9")
PROOF = FenceProof(server=ServerName("east"), position=AT, own=AT, canary="refused")
FENCED = WriteFacts(server=ServerName("east"), read_only=True, position=AT, event_scheduler="OFF")


def route(*leads_to: ClusterName, provable: bool = True) -> RouteFacts:
    return RouteFacts(route=RouteName("writes"), leads_to=leads_to, holding=False, hold_s=None, provable=provable)


STOPPED = ChannelFacts(
    server=ServerName("east"), name="", source=ServerName("west"), source_address="", receiver="Yes", applier=False, lag_s=None, error=""
)


def told(of: RouteFacts, channel: ChannelFacts | None = None) -> str:
    return certificate(
        cluster=EAST,
        survivor=ServerName("west"),
        at=datetime(2025, 3, 1, tzinfo=UTC),
        proof=PROOF,
        state=FENCED,
        flavor="mariadb",
        channel=channel,
        other=WriteFacts(server=ServerName("west"), read_only=False, position=AT, event_scheduler="OFF"),
        routes=[of],
        sessions=(),
        events=(),
        mark=None,
    )


def test_a_route_is_told_by_where_it_leads_only_if_it_can_be_read_back() -> None:
    assert "  route writes leads to west\n" in told(route(WEST))
    assert "  route writes leads to nowhere\n" in told(route())
    assert "  not proved: where route writes leads can't be read back\n" in told(route(provable=False))
    assert "leads to" not in told(route(provable=False))


@pytest.mark.parametrize(("error", "mends"), [("1062 Duplicate entry", True), ("", False)], ids=["broken", "stopped"])
def test_what_lets_a_broken_applier_go_on_is_told_and_a_stopped_one_waits_for_the_rejoin(error: str, mends: bool) -> None:  # noqa: FBT001 - a table's column
    said = told(route(WEST), replace(STOPPED, error=error))
    assert ("`interlock repair --channel east` shows the row that stopped it" in said, "what ends it: `interlock rejoin east`" in said) == (
        mends,
        True,
    )


def test_a_route_that_can_not_be_read_back_is_warned_of_and_one_that_leads_there_refuses() -> None:
    quiet = is_quiet(EAST, AT, PROOF, FENCED, [route(provable=False)])
    assert isinstance(quiet, Done)
    assert quiet.warnings == ("where route writes leads can't be read back: see that it does not lead to east",)
    assert is_quiet(EAST, AT, PROOF, FENCED, [route(WEST)]) == Done(f"east is quiet at {AT}")
    assert isinstance(is_quiet(EAST, AT, PROOF, FENCED, [route(EAST, WEST)]), Refuse)
