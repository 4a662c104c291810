"""`interlock quiesce` of an active/active pair whose channel towards the survivor is broken: what it keeps back is given up by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from interlock.sandbox.sql import query, rows
from scenarios.pair_state import behind_the_log, open_sides
from scenarios.segment_lab import Shop, active_active, writing
from waiting import eventually

ONTO_WEST = ("quiesce", "--onto", "west", "--for", "1h", "--reason", "its data")


def written_by_eu(shop: Shop, statement: str) -> None:
    with closing(shop.client("eu")) as client:
        rows(client, statement)


def duplicate(shop: Shop) -> str:
    """1062 on west: what east inserts is there already. The key."""
    behind_the_log(shop.pair, "west", "INSERT INTO shop_eu.writes VALUES ('both', 9)")
    written_by_eu(shop, "INSERT INTO shop_eu.writes VALUES ('both', 1)")
    return "both"


def missing(shop: Shop) -> str:
    """1032 on west: what east deletes is gone already. The key."""
    written_by_eu(shop, "INSERT INTO shop_eu.writes VALUES ('gone', 1)")
    assert eventually(lambda: "gone" in keys(shop, "west"))
    behind_the_log(shop.pair, "west", "DELETE FROM shop_eu.writes WHERE k = 'gone'")
    written_by_eu(shop, "DELETE FROM shop_eu.writes WHERE k = 'gone'")
    return "gone"


def keys(shop: Shop, server: str) -> set[str]:
    return {key for key, _ in shop.written(server, "eu")}


def error_into_west(shop: Shop) -> str:
    (channel,) = query(shop.pair, "west", "SHOW REPLICA STATUS" if shop.pair.kind == "mysql" else "SHOW SLAVE STATUS")
    return str(channel["Last_SQL_Errno"])


def refused_with_a_sentence(shop: Shop) -> str:
    """By the plan and by the command alike; and another sentence opens nothing."""
    plan = shop.run("plan", *ONTO_WEST)
    refused = shop.run(*ONTO_WEST)
    (said,) = set[str](re.findall(r'--accept \\?"(.*?)\\?"', f"{plan} {refused['problems']}"))
    assert (refused["outcome"], "moved" in refused) == ("refused", False)
    assert shop.run(*ONTO_WEST, "--accept", f"{said} too")["outcome"] == "refused"
    assert shop.status("eu")["owner"] == "east"
    return said


def listed(shop: Shop, run: str) -> set[str]:
    """The keys of the rows that a run left behind."""
    return {row["key"]["k"] for each in shop.run("losses", run)["transactions"] for row in each["rows"]}


def told(quiet: Any) -> list[tuple[str, str, str]]:
    """Of each move before it: which segment, how it ended, and what was given up for the opening."""
    return [(each["inputs"]["segment"], each["outcome"], each["evidence"]["openings"][0]["given_up"]) for each in quiet["moved"]]


def stays_where_it_is(shop: Shop) -> None:
    report = shop.move("east")
    assert (report["outcome"], "its data" in report["problems"][0]["what"]) == ("refused", True), report["problems"]


def comes_back(shop: Shop) -> None:
    """What was given up is kept and taken back, and the segment returns to its owner. What broke the channel differs, and may here."""
    for words in (("rejoin", "east"), ("segment", "return", "eu")):
        done = shop.run(*words, "-i", "may_differ=*")
        assert done["outcome"] == "succeeded", done["problems"]
    assert {server: {"beyond", "after"} & keys(shop, server) for server in ("east", "west")} == {"east": {"after"}, "west": {"after"}}
    assert (shop.status("eu")["owner"], shop.run("status")["problems"]) == ("east", [])


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`pair` is a fixture's name; `breaks` makes west's applier stop with the error; `then` is what is tried once east is quiet."""

    pair: str
    error: str
    breaks: Callable[[Shop], str]
    then: Callable[[Shop], None]


CASES = {
    "mariadb-1062": Case(pair="fresh_pair", error="1062", breaks=duplicate, then=comes_back),
    "mysql-1032": Case(pair="fresh_mysql_pair", error="1032", breaks=missing, then=stays_where_it_is),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_every_segment_goes_there_without_what_is_given_up_by_name(case: Case, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    shop = active_active(request.getfixturevalue(case.pair), tmp_path)
    us = shop.writer("us")
    with writing((us,)):
        key = case.breaks(shop)
        written_by_eu(shop, "INSERT INTO shop_eu.writes VALUES ('beyond', 1)")
        assert eventually(lambda: error_into_west(shop) == case.error)
        said = refused_with_a_sentence(shop)
        quiet = shop.run(*ONTO_WEST, "--accept", said)
        assert quiet["outcome"] == "succeeded", quiet["problems"]
    assert us.errors == {}
    assert told(quiet) == [("eu", "succeeded", said)]
    assert (open_sides(shop.pair), shop.status("eu")["owner"], shop.status("eu")["problems"]) == (["west"], "west", [])
    written_by_eu(shop, "INSERT INTO shop_eu.writes VALUES ('after', 1)")
    assert {server: {"beyond", "after"} & keys(shop, server) for server in ("east", "west")} == {"east": {"beyond"}, "west": {"after"}}
    assert listed(shop, quiet["moved"][0]["run"]) == {key, "beyond"}
    case.then(shop)
