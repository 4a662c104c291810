"""`interlock quiesce` of an active/active pair of which a channel is broken. Towards the survivor: what it keeps back is given up by name.
Into the cluster that is to be quiet: its segments move all the same, one way.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query, rows
from scenarios.pair_state import behind_the_log, open_sides, switchover_with
from scenarios.segment_lab import Shop, active_active, writing
from waiting import eventually

ONTO_WEST = ("quiesce", "--onto", "west", "--for", "1h", "--reason", "its data")


def written(shop: Shop, segment: str, statement: str) -> None:
    """By a client of the segment, where that is open."""
    with closing(shop.client(segment, {"us": "west"}.get(segment))) as client:
        rows(client, statement)


def duplicate(shop: Shop, server: str, segment: str) -> str:
    """1062 on the server: what the other one inserts is there already. The key."""
    behind_the_log(shop.pair, server, f"INSERT INTO shop_{segment}.writes VALUES ('both', 9)")
    written(shop, segment, f"INSERT INTO shop_{segment}.writes VALUES ('both', 1)")
    return "both"


def missing(shop: Shop, server: str, segment: str) -> str:
    """1032 on the server: what the other one deletes is gone already. The key."""
    written(shop, segment, f"INSERT INTO shop_{segment}.writes VALUES ('gone', 1)")
    assert eventually(lambda: "gone" in keys(shop, server, segment))
    behind_the_log(shop.pair, server, f"DELETE FROM shop_{segment}.writes WHERE k = 'gone'")
    written(shop, segment, f"DELETE FROM shop_{segment}.writes WHERE k = 'gone'")
    return "gone"


def keys(shop: Shop, server: str, segment: str = "eu") -> set[str]:
    return {key for key, _ in shop.written(server, segment)}


def error_into(shop: Shop, server: str) -> str:
    (channel,) = query(shop.pair, server, "SHOW REPLICA STATUS" if shop.pair.kind == "mysql" else "SHOW SLAVE STATUS")
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
    """`pair` is a fixture's name; `breaks` makes a server's applier stop with the error, at a row of a segment that the other one owns;
    `then` is what is tried once east is quiet.
    """

    pair: str
    error: str
    breaks: Callable[[Shop, str, str], str]
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
        key = case.breaks(shop, "west", "eu")
        written(shop, "eu", "INSERT INTO shop_eu.writes VALUES ('beyond', 1)")
        assert eventually(lambda: error_into(shop, "west") == case.error)
        said = refused_with_a_sentence(shop)
        quiet = shop.run(*ONTO_WEST, "--accept", said)
        assert quiet["outcome"] == "succeeded", quiet["problems"]
    assert us.errors == {}
    assert told(quiet) == [("eu", "succeeded", said)]
    assert (open_sides(shop.pair), shop.status("eu")["owner"], shop.status("eu")["problems"]) == (["west"], "west", [])
    written(shop, "eu", "INSERT INTO shop_eu.writes VALUES ('after', 1)")
    assert {server: {"beyond", "after"} & keys(shop, server) for server in ("east", "west")} == {"east": {"beyond"}, "west": {"after"}}
    assert listed(shop, quiet["moved"][0]["run"]) == {key, "beyond"}
    case.then(shop)


def goes_on_and_comes_back(shop: Shop) -> None:
    """The row that stopped the channel is mended, and nothing else differs."""
    assert shop.run("repair", "--channel", "east", "--apply", "--yes")["runs"]
    for words in (("rejoin", "east"), ("segment", "return", "eu")):
        done = shop.run(*words)
        assert done["outcome"] == "succeeded", done["problems"]
    assert (shop.status("eu")["owner"], shop.run("status")["problems"]) == ("east", [])


INTO_EAST = {
    "mariadb-1062": Case(pair="fresh_pair", error="1062", breaks=duplicate, then=goes_on_and_comes_back),
    "mysql-1032": Case(pair="fresh_mysql_pair", error="1032", breaks=missing, then=goes_on_and_comes_back),
}


@pytest.mark.parametrize("case", INTO_EAST.values(), ids=INTO_EAST.keys())
def test_a_broken_channel_into_the_quiet_cluster_keeps_no_segment_there(case: Case, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    shop = active_active(request.getfixturevalue(case.pair), tmp_path)
    with shop.writers() as writers:
        case.breaks(shop, "east", "us")
        assert eventually(lambda: error_into(shop, "east") == case.error)
        quiet = shop.run(*ONTO_WEST)
        assert quiet["outcome"] == "succeeded", quiet["problems"]
    assert writers["us"].errors == {}
    assert {segment: set(each.acknowledged) - keys(shop, "west", segment) for segment, each in writers.items()} == {
        "eu": set(),
        "us": set(),
    }
    (moved,) = quiet["moved"]
    assert (moved["outcome"], "it is closed on both" in moved["warnings"][0]) == ("succeeded", True)
    assert (open_sides(shop.pair), shop.status("eu")["problems"]) == (["west"], [])
    assert "with an error" in quiet["certificate"]
    case.then(shop)
    shop.assert_nothing_lost(writers)


def test_what_fails_once_the_segment_is_open_there_halts_with_it_closed_on_both_and_goes_on(fresh_pair: Sandbox, tmp_path: Path) -> None:
    shop = active_active(fresh_pair, tmp_path)
    mended = tmp_path / "mended"
    step = f"- check: command\n    with: {{run: [test, -e, {mended}], within: 5s}}"
    playbook = switchover_with(tmp_path / "fails.yaml", put={"verify": step}, of="move-segment")
    with shop.writers() as writers:
        missing(shop, "east", "us")
        assert eventually(lambda: error_into(shop, "east") == "1032")
        halted = shop.run("run", playbook, "-i", "segment=eu", "-i", "to=west", "-i", "one_way=true")
        assert (halted["outcome"], {side: each["open"] for side, each in shop.status("eu")["clusters"].items()}) == (
            "halted",
            {"east": False, "west": False},
        )
        refused = shop.run("rollback", halted["run"])
        assert (refused["exit_code"], "can't be taken back" in refused["problems"][0]["what"]) == (3, True)
        mended.touch()
        assert shop.run("resume", halted["run"])["outcome"] == "succeeded"
    assert writers["us"].errors == {}
    assert (shop.status("eu")["owner"], set(writers["eu"].acknowledged) - keys(shop, "west")) == ("west", set())
