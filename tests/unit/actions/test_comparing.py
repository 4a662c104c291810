"""What a comparison found is judged: what differs refuses, and so does what is not known, unless it may differ."""

from __future__ import annotations

import pytest

from interlock.actions.comparing import CompareSegment, SeenComparing
from interlock.model.comparing import ComparingFacts, Differing
from interlock.model.topology import ClusterName, SegmentSpec
from interlock.model.verdict import Done, Refuse

WEST = ClusterName("west")
SPEC = SegmentSpec(name="eu", schemas=("shop",), accounts=("app@%",), owner=ClusterName("east"), route=None)
LOCKED = Differing(name="shop.a", open=("row id=1: west: Lock wait timeout exceeded", "row id=2: the same"))
JUDGED: dict[str, tuple[tuple[Differing, ...], str, str]] = {
    "rows": (
        (Differing(name="shop.a", rows=2),),
        "",
        "segment eu differs on west from its owner's in shop.a (2 rows)",
    ),
    "what could not be settled": (
        (LOCKED,),
        "",
        f"segment eu is not known to be the same on west in shop.a (not compared: {LOCKED.open[0]} and 1 more)",
    ),
    "both": (
        (Differing(name="shop.b", declared=True), LOCKED),
        "",
        f"segment eu differs on west from its owner's in shop.b (declared otherwise), shop.a (not compared: {LOCKED.open[0]} and 1 more)",
    ),
    "what may differ": ((LOCKED,), "shop.a", ""),
    "rows of other tenants": ((Differing(name="shop.a", others=3),), "", ""),
}


@pytest.mark.parametrize(("differing", "may", "why"), JUDGED.values(), ids=JUDGED)
def test_what_a_comparison_found_is_judged(differing: tuple[Differing, ...], may: str, why: str) -> None:
    seen = SeenComparing(comparing=ComparingFacts(name="c1", rows=9, expected=9, differing=differing, is_over=True), segment=SPEC)
    verdict = CompareSegment(segment="eu", to=WEST, may_differ=may).decide(seen)
    if why:
        assert isinstance(verdict, Refuse)
        assert verdict.why == why
        assert f"-i may_differ={','.join(one.name for one in differing)}" in verdict.hint
    else:
        assert isinstance(verdict, Done)
        assert len(verdict.warnings) == 1
