"""`interlock quiesce` of an active/active pair whose channel towards the survivor is broken: what it keeps back is given up by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from scenarios.pair_state import behind_the_log, eventually, open_sides
from scenarios.segment_lab import Shop, active_active

ONTO_WEST = ("quiesce", "--onto", "west", "--for", "1h", "--reason", "its data")


def written_by_eu(shop: Shop, statement: str) -> None:
    with closing(shop.client("eu")) as client:
        sql.rows(client, statement)


def duplicate(shop: Shop) -> None:
    """1062 on west: what east inserts is there already."""
    behind_the_log(shop.pair, "west", "INSERT INTO shop_eu.writes VALUES ('both', 9)")
    written_by_eu(shop, "INSERT INTO shop_eu.writes VALUES ('both', 1)")


def missing(shop: Shop) -> None:
    """1032 on west: what east deletes is gone already."""
    written_by_eu(shop, "INSERT INTO shop_eu.writes VALUES ('gone', 1)")
    assert eventually(lambda: "gone" in keys(shop, "west"))
    behind_the_log(shop.pair, "west", "DELETE FROM shop_eu.writes WHERE k = 'gone'")
    written_by_eu(shop, "DELETE FROM shop_eu.writes WHERE k = 'gone'")


def keys(shop: Shop, server: str) -> set[str]:
    return {key for key, _ in shop.written(server, "eu")}


def error_into_west(shop: Shop) -> str:
    return next(channel["error"] or "" for channel in shop.run("status")["channels"] if channel["to"] == "west")


@pytest.mark.parametrize(
    ("kind", "number", "breaks"),
    [pytest.param("fresh_pair", "1062", duplicate, id="mariadb-1062"), pytest.param("fresh_mysql_pair", "1032", missing, id="mysql-1032")],
)
def test_every_segment_goes_there_without_what_is_given_up_by_name(
    kind: str, number: str, breaks: Callable[[Shop], None], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    pair: Sandbox = request.getfixturevalue(kind)
    shop = active_active(pair, tmp_path)
    with shop.writers() as writers:
        breaks(shop)
        written_by_eu(shop, "INSERT INTO shop_eu.writes VALUES ('beyond', 1)")
        assert eventually(lambda: number in error_into_west(shop))
        said = refused_with_a_sentence(shop)
        quiet = shop.run(*ONTO_WEST, "--accept", said)
        assert quiet["outcome"] == "succeeded", quiet["problems"]
    assert told(quiet) == [("eu", "succeeded", said)]
    assert (open_sides(pair), shop.status("eu")["owner"], shop.status("eu")["problems"]) == (["west"], "west", [])
    assert writers["us"].errors == {}
    given_up = {"beyond", *writers["eu"].acknowledged} - keys(shop, "west")
    assert "beyond" in given_up
    assert given_up <= keys(shop, "east") & listed(shop, quiet["moved"][0]["run"]), "what is given up is kept, and told row by row"


def refused_with_a_sentence(shop: Shop) -> str:
    """By the plan and by the command alike; and another sentence opens nothing."""
    plan = shop.run("plan", *ONTO_WEST)
    refused = shop.run(*ONTO_WEST)
    (said,) = set(re.findall(r'--accept \\?"(.*?)\\?"', f"{plan} {refused['problems']}"))
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
