"""Judgements of replication: unknown is never healthy, and containment decides."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.decisions.replication import holds_nothing_extra, is_caught_up, is_channel_healthy, keys_cannot_collide
from interlock.model.facts import ChannelFacts, ServerFacts
from interlock.model.position import MariaDBPosition
from interlock.model.topology import ServerName
from interlock.model.verdict import Applied, Done, Refuse, Wait

EAST, WEST = ServerName("east"), ServerName("west")
GOOD = ChannelFacts(server=WEST, name="", source=EAST, source_address="10.1.0.10:3306", receiver="Yes", applier=True, lag_s=1, error="")
AT = MariaDBPosition.parse


def facts(server: ServerName, increment: int, offset: int) -> ServerFacts:
    return ServerFacts(
        server=server,
        flavor="mariadb",
        version="10.11",
        server_id=1,
        gtid_domain_id=1,
        log_bin=True,
        log_slave_updates=True,
        binlog_format="ROW",
        auto_increment_increment=increment,
        auto_increment_offset=offset,
        clock_offset_s=0.0,
    )


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12), st.integers(1, 12))
def test_keys_collide_exactly_if_two_series_share_a_value(step_a: int, from_a: int, step_b: int, from_b: int) -> None:
    verdict = keys_cannot_collide(facts(EAST, step_a, from_a), facts(WEST, step_b, from_b))
    series_a = {from_a + n * step_a for n in range(200)}
    series_b = {from_b + n * step_b for n in range(200)}
    assert isinstance(verdict, Refuse) == bool(series_a & series_b)


HEALTH = {
    "runs": ((GOOD,), 5.0, None),
    "no channel": ((), 5.0, "not set up"),
    "another source only": ((replace(GOOD, source=None),), 5.0, "not set up"),
    "error": ((replace(GOOD, error="1062"),), 5.0, "error: 1062"),
    "applier stopped": ((replace(GOOD, applier=False),), 5.0, "applier is stopped"),
    "receiver connecting": ((replace(GOOD, receiver="Connecting"),), 5.0, "receiver is not connected .Connecting"),
    "lag unknown": ((replace(GOOD, lag_s=None),), 5.0, "lag is not known"),
    "lag unknown without a limit": ((replace(GOOD, lag_s=None),), None, "lag is not known"),
    "lag over the limit": ((replace(GOOD, lag_s=6),), 5.0, "6s behind east, limit 5s"),
    "lag at the limit": ((replace(GOOD, lag_s=5),), 5.0, None),
    "lag without a limit": ((replace(GOOD, lag_s=900),), None, None),
}


@pytest.mark.parametrize(("channels", "limit", "refused"), HEALTH.values(), ids=HEALTH.keys())
def test_a_channel_is_healthy_only_if_everything_is_known_to_be(
    channels: tuple[ChannelFacts, ...], limit: float | None, refused: str | None
) -> None:
    verdict = is_channel_healthy(WEST, EAST, channels, limit)
    if refused is None:
        assert isinstance(verdict, Done)
    else:
        assert isinstance(verdict, Refuse)
        assert refused.replace(" .", " (") in verdict.why
        assert verdict.hint


CAUGHT_UP = {
    "there": ("1-1-5", "1-1-5", (), Done),
    "there, applier stopped": ("1-1-6", "1-1-5", (replace(GOOD, applier=False),), Done),
    "behind, runs": ("1-1-4", "1-1-5", (GOOD,), Wait),
    "behind, stopped": ("1-1-4", "1-1-5", (replace(GOOD, applier=False),), Refuse),
    "behind, error": ("1-1-4", "1-1-5", (replace(GOOD, error="1032"),), Refuse),
    "behind, one of two stopped": ("1-1-4", "1-1-5", (GOOD, replace(GOOD, name="b", applier=False)), Refuse),
    "behind, replicates from nobody": ("1-1-4", "1-1-5", (), Refuse),
}


@pytest.mark.parametrize(("held", "target", "channels", "kind"), CAUGHT_UP.values(), ids=CAUGHT_UP.keys())
def test_catch_up_is_done_by_containment_and_waits_only_while_it_can_come(
    held: str, target: str, channels: tuple[ChannelFacts, ...], kind: type
) -> None:
    verdict = is_caught_up(WEST, AT(held), AT(target), channels)
    assert isinstance(verdict, kind)
    if isinstance(verdict, Wait):
        assert verdict.until == Applied(WEST, AT(target))


@pytest.mark.parametrize(
    ("standby", "source", "kind"),
    [("1-1-5", "1-1-5", Done), ("1-1-4", "1-1-5", Done), ("1-1-5,2-2-1", "1-1-9", Refuse), ("1-1-6", "1-1-5", Refuse)],
    ids=["same", "behind", "its own domain", "further"],
)
def test_a_standby_holds_nothing_that_the_writer_lacks(standby: str, source: str, kind: type) -> None:
    assert isinstance(holds_nothing_extra(WEST, AT(standby), EAST, AT(source)), kind)
