"""What holds and failed marks let pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from interlock.decisions.marks import is_not_held, may_hold, may_release, may_take_writes
from interlock.model.marks import Mark, MarkKind
from interlock.model.topology import ClusterName
from interlock.model.verdict import Act, Done, Refuse

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
EAST, WEST = ClusterName("east"), ClusterName("west")
ANNA, BEN = "anna@ops1", "ben@ops2"


def hold(by: str = ANNA, *, on: str = "", hours: float | None = None, reason: str = "new disk") -> Mark:
    until = None if hours is None else NOW + timedelta(hours=hours)
    at = NOW - timedelta(hours=1)
    return Mark(topology="shop", kind=MarkKind.HOLD, subject=on, by=by, at=at, reason=reason, until=until)


def failed(cluster: str) -> Mark:
    return Mark(topology="shop", kind=MarkKind.FAILED, subject=cluster, by=BEN, at=NOW, reason="it died", run="r1")


HELD = "is held by anna@ops1 since 2025-03-01 11:00:00 UTC"


@pytest.mark.parametrize(
    ("marks", "why"),
    [
        pytest.param([], None, id="nothing is noted"),
        pytest.param([failed("east")], None, id="a failed mark is no hold"),
        pytest.param([hold()], f"the pair {HELD}: new disk", id="without an end"),
        pytest.param([hold(hours=4)], f"the pair {HELD}, until 2025-03-01 16:00:00 UTC: new disk", id="with an end"),
        pytest.param(
            [hold(hours=-0.5)],
            f"the pair {HELD}, which has expired at 2025-03-01 11:30:00 UTC and holds until it is released: new disk",
            id="expired",
        ),
        pytest.param([hold(on="east")], f"east {HELD}: new disk", id="one cluster holds the pair"),
        pytest.param([hold(), hold(BEN, on="west")], f"the pair {HELD}: new disk; west is held by ben@ops2", id="two"),
    ],
)
def test_a_run_begins_only_while_nobody_holds_the_pair(marks: list[Mark], why: str | None) -> None:
    verdict = is_not_held(marks, NOW)
    if why is None:
        assert verdict == Done("nobody holds the pair")
        return
    assert isinstance(verdict, Refuse)
    assert verdict.why.startswith(why)
    assert "`interlock release" in verdict.hint


@pytest.mark.parametrize("cluster", [EAST, WEST])
def test_only_the_cluster_that_failed_is_refused_the_writes(cluster: ClusterName) -> None:
    verdict = may_take_writes(cluster, [hold(), failed("east")])
    if cluster == WEST:
        assert verdict == Done("west is not marked as failed")
    else:
        assert verdict == Refuse(
            "east is marked as failed since 2025-03-01 12:00:00 UTC (run r1), and has not rejoined", "`interlock rejoin east` first"
        )


@pytest.mark.parametrize(
    ("wanted", "standing", "expected"),
    [
        pytest.param(hold(), [], "the pair is held from now on", id="the first"),
        pytest.param(hold(), [failed("east")], "the pair is held from now on", id="beside a failed mark"),
        pytest.param(hold(hours=8), [hold(hours=1)], "the pair is held on", id="one's own goes on"),
        pytest.param(hold(on="east"), [hold()], "east is held from now on", id="one's own on something else"),
        pytest.param(hold(), [hold(BEN)], None, id="another's"),
        pytest.param(hold(on="east"), [hold(BEN, on="west")], None, id="another's on the other cluster"),
        pytest.param(hold(), [hold(BEN, hours=-1)], None, id="another's that has expired"),
    ],
)
def test_a_hold_is_taken_unless_another_persons_stands(wanted: Mark, standing: list[Mark], expected: str | None) -> None:
    verdict = may_hold(wanted, standing, NOW)
    if expected is not None:
        assert verdict == Act(expected)
        return
    assert isinstance(verdict, Refuse)
    assert "is held by ben@ops2 since" in verdict.why
    assert verdict.hint == "ask ben@ops2; or, if nobody works on it any more: `interlock release --of ben@ops2`"


@pytest.mark.parametrize(
    ("cluster", "of", "standing", "released"),
    [
        pytest.param("", None, [], [], id="nothing to release"),
        pytest.param("", None, [hold(), hold(on="east")], [0, 1], id="all of one's own"),
        pytest.param("east", None, [hold(), hold(on="east")], [1], id="one of one's own"),
        pytest.param("", None, [hold(hours=-1)], [0], id="one's own that has expired"),
        pytest.param("", None, [hold(BEN)], None, id="another's"),
        pytest.param("", BEN, [hold(BEN)], [0], id="another's, named with its owner"),
        pytest.param("", "carl@ops3", [hold(BEN)], None, id="another's, named with the wrong owner"),
        pytest.param("west", None, [hold()], None, id="the pair's is not a cluster's"),
    ],
)
def test_anothers_hold_is_released_only_by_naming_its_owner(
    cluster: str, of: str | None, standing: list[Mark], released: list[int] | None
) -> None:
    verdict = may_release(cluster, ANNA, of, standing, NOW)
    if released is None:
        assert isinstance(verdict, Refuse)
        assert "is held by" in verdict.why
        assert "interlock release" in verdict.hint
    else:
        assert verdict == tuple(standing[number] for number in released)
