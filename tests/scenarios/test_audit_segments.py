"""An active/active pair, audited after its segments were adopted, written under load, and moved; and a sandbox like it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pymysql
import pytest
import yaml

from interlock.clock import SystemClock
from interlock.sandbox import pair as pairs
from scenarios.command_line import interlock
from scenarios.likeness_lab import WITHIN_S, like
from scenarios.segment_lab import Shop, active_active

_HOOK = "{side}: fenced from outside by the sandbox's own hook here, by command there"


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
    done = interlock("audit", "--json", env=shop.env, within_s=WITHIN_S)
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


def test_a_sandbox_like_it_has_its_segments_where_they_are_now_and_can_move_them(shop: Shop) -> None:
    if shop.status("eu")["owner"] != "west":
        assert shop.move("west")["outcome"] == "succeeded"
    with like(shop.env["INTERLOCK_TOPOLOGY"], shop.env, Path(shop.pair.directory).parent) as made:
        segments = {one["segment"]: one for one in interlock("segment", "list", "--json", env=made.env).document}
        assert made.document["not_alike"] == [_HOOK.format(side=side) for side in ("east", "west")]
        assert {name: (one["owner"], one["home"], one["problems"]) for name, one in segments.items()} == {
            "eu": ("west", "east", []),
            "us": ("west", "west", []),
        }
        password = Path(made.document["passwords"]["app_eu@%"]).read_text().strip()
        proxy = made.sandbox.proxy
        with closing(pymysql.connect(host=proxy.host, port=proxy.port, user="app_eu", password=password, autocommit=True)) as client:
            client.cursor().execute("INSERT INTO shop_eu.writes VALUES ('k', @@server_id)")
        with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
            pymysql.connect(host=proxy.host, port=proxy.port, user="app_eu", password="only-In-This-Sandbox-1")
        moved = interlock("segment", "move", "eu", "--to", "east", "--json", env=made.env, within_s=WITHIN_S)
        assert (moved.code, moved.outcome) == (0, "succeeded")
    assert shop.status("eu")["owner"] == "west"
    (test_bed,) = interlock("audit", "--question", "16", "--json", env=shop.env, within_s=WITHIN_S).document["questions"]
    assert (test_bed["verdict"], test_bed["findings"]) == ("fits", [])
    assert "a sandbox like it was made" in test_bed["seen"][-1]
