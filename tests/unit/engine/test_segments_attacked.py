"""What could write a segment though its accounts or its guard are closed, in memory: found by attack."""

from __future__ import annotations

import pytest

from interlock.actions.segment_fence import FenceSegment
from interlock.engine.marks import take_mark_away
from interlock.model.position import MySQLPosition
from interlock.model.segments import AccountState, SegmentFacts
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done
from unit.engine.test_segments import ONTO_WEST, QUIESCE, Shop, owned_by_west

EAST = ServerName("east")


def closed(*prepared: str) -> SegmentFacts:
    guard = AccountState(account="the guard of s.t", locked=True, guard=True)
    return SegmentFacts(server=EAST, segment="eu", position=MySQLPosition(), accounts=(guard,), prepared=prepared)


def test_an_xa_transaction_that_was_prepared_before_the_fence_takes_the_move_back() -> None:
    shop = Shop()
    shop.stage.when(
        lambda event: getattr(event, "step", "").endswith("server.open_beside"),
        lambda: shop.pair.east.settings.update(xa_prepared="x1"),
    )
    report = shop.move()
    assert (report.outcome, "x1" in report.problems[0].what) == ("rolled_back", True), report.problems
    shop.assert_owned("eu", "east")


def test_a_closed_segment_is_closed_again_while_an_xa_transaction_is_prepared_there() -> None:
    """A run that was killed right after it closed the segment had not waited for it."""
    fence = FenceSegment(segment="eu", server=EAST)
    assert isinstance(fence.decide(closed()), Done)
    assert isinstance(fence.decide(closed("x1")), Act)
    assert [len(fence.effects(seen)) for seen in (closed(), closed("x1"))] == [0, 1]


@pytest.mark.parametrize("somebody_opened_it", [False, True], ids=["fenced", "opened by hand since"])
def test_a_cluster_that_was_quiesced_with_another_store_gets_no_segment(*, somebody_opened_it: bool) -> None:
    """Its applier goes on, so nothing else would keep a move away."""
    shop = owned_by_west()
    assert shop.stage.run(QUIESCE, {**ONTO_WEST, "applier": "running"}).outcome == "succeeded"
    for mark in shop.stage.store.marks("shop"):
        take_mark_away(shop.stage.store, mark)
    if somebody_opened_it:
        shop.pair.east.set_read_only(on=False)
    report = shop.move(to="east")
    assert (report.outcome, shop.pair.east.read_only) == ("refused", not somebody_opened_it), report.problems
    assert "by a note on west: east is quiesced" in report.problems[0].what
    shop.assert_owned("eu", "west")
