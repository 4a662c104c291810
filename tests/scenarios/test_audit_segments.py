"""An audit of an active/active pair: after its segments were adopted, written under load, and moved."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from interlock.clock import SystemClock
from interlock.sandbox import pair as pairs
from scenarios.command_line import interlock
from scenarios.segment_lab import Shop, active_active


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """With a route for each segment, of which the topology names only one yet."""
    folder = Path(tempfile.mkdtemp(prefix="interlock-"))
    try:
        sandbox = pairs.up(folder / "pair", clock=SystemClock(), routes={"writes": "east", "us": "west"})
        try:
            yield active_active(sandbox, folder)
        finally:
            pairs.down(folder / "pair")
    finally:
        shutil.rmtree(folder)


def _audit(shop: Shop) -> dict[int, Any]:
    """Each question by its number."""
    done = interlock("audit", "--json", env=shop.env, within_s=240)
    return {question["question"]: question for question in done.document["questions"]}


def _found(audit: dict[int, Any]) -> list[dict[str, Any]]:
    return [one for question in audit.values() for one in question["findings"] if one["verdict"] != "a_person_must_say"]


def test_after_adoption_only_what_is_amiss_is_found_and_the_printed_lines_mend_it(shop: Shop) -> None:
    (found,) = _found(_audit(shop))
    assert (found["rule"], found["object"]) == ("move.segments_complete", "us.route")
    assert yaml.safe_load(found["fix"]["text"]) == {"segments": {"us": {"route": "us"}}}
    topology = Path(shop.env["INTERLOCK_TOPOLOGY"])
    topology.write_text(topology.read_text().replace("owner: west,", "owner: west, route: us,"))
    with shop.writers() as writers:
        pass
    shop.assert_nothing_lost(writers)
    audit = _audit(shop)
    assert _found(audit) == []
    assert {audit[number]["verdict"] for number in (1, 3, 4, 5, 13)} == {"fits"}
    for side in ("east", "west"):
        assert f"a quiesce onto {side} would succeed now, with the segments moved there first" in audit[13]["seen"]
    (asked,) = audit[15]["findings"]
    assert asked["says"].startswith("was the move of a segment rehearsed")


def test_after_a_move_under_load_its_new_owner_is_told_and_nothing_is_taken_for_a_foreign_write(shop: Shop) -> None:
    with shop.writers() as writers:
        assert shop.move("west")["outcome"] == "succeeded"
    shop.assert_nothing_lost(writers)
    audit = _audit(shop)
    assert _found(audit) == []
    assert "segment eu: shop_eu, app_eu@%, owned by west" in audit[1]["seen"]
    assert (audit[15]["verdict"], audit[15]["findings"]) == ("fits", [])
