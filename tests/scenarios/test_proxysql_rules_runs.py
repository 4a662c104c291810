"""A segment's move by ProxySQL's rules, by the command line: both segments' clients come through the same nodes and hostgroups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from interlock.sandbox.places import Sandbox
from interlock.sandbox.proxysql.node import HOSTGROUP
from scenarios.pair_state import switchover_with
from scenarios.segment_lab import PASSWORD, Shop, Writer, active_active, writing
from scenarios.test_proxysql_runs import supervised
from servers.proxysqls import RULES, Fleet, fleet
from waiting import eventually

_WEST = 20
_COLUMNS = "(rule_id, active, username, destination_hostgroup, apply, comment)"
_SETUP = (
    f"INSERT INTO mysql_users (username, password, default_hostgroup) VALUES ('app_eu', '{PASSWORD}', {HOSTGROUP})",
    f"INSERT INTO mysql_users (username, password, default_hostgroup) VALUES ('app_us', '{PASSWORD}', {_WEST})",
    "LOAD MYSQL USERS TO RUNTIME",
    "SAVE MYSQL USERS TO DISK",
    f"INSERT INTO mysql_query_rules {_COLUMNS} VALUES (7, 1, 'app_us', {_WEST}, 1, 'us'), (8, 1, 'app_eu', {HOSTGROUP}, 1, 'eu')",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shops:
    """The shop as its clients see it through each node."""

    fleet: Fleet
    first: Shop
    second: Shop

    def writers(self) -> tuple[Writer, ...]:
        """Of each segment, by each node."""
        return tuple(_writer(shop, segment) for segment in ("eu", "us") for shop in (self.first, self.second))

    def rules(self) -> list[list[tuple[str, str, str]]]:
        """Of each node, in memory, at run time and on the disk: rule, where it leads, comment."""
        places = ("", "runtime_", "disk.")
        asked = "SELECT rule_id, destination_hostgroup, comment FROM {}mysql_query_rules ORDER BY rule_id"
        told = [self.fleet.tell(node, asked.format(place)) for node in self.fleet.nodes for place in places]
        return [[(row["rule_id"], row["destination_hostgroup"], row["comment"]) for row in rows] for rows in told]


def _writer(shop: Shop, segment: str) -> Writer:
    return Writer(segment=segment, connect=lambda: shop.client(segment))


@pytest.fixture(scope="module")
def shops(pair: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shops]:
    with fleet(pair) as made:
        made.let_rules_lead(*_SETUP)
        topology = made.topology(**RULES, clients="")
        first, second = (replace(node.before(pair), topology=str(topology)) for node in made.nodes)
        shop = active_active(first, tmp_path_factory.mktemp("shop"))
        yield Shops(fleet=made, first=shop, second=replace(shop, pair=second))


def led(to: str) -> list[list[tuple[str, str, str]]]:
    return [[("7", "20", "us"), ("8", {"east": "10", "west": "20"}[to], "eu")]] * 6


def assert_kept_and_undisturbed(shops: Shops, writers: tuple[Writer, ...]) -> None:
    """Nothing acknowledged was lost, and the other segment's clients saw no error."""
    assert [writer.errors for writer in writers if writer.segment == "us"] == [{}, {}]
    for writer in writers:
        shops.first.assert_nothing_lost({writer.segment: writer})


def other_than(owner: str) -> str:
    return {"east": "west", "west": "east"}[owner]


def move_with(folder: Path, phase: str, run: str) -> str:
    """The move with a command more at the beginning of a phase."""
    step = f"- {{check: command, with: {{run: {run}}}}}"
    return switchover_with(folder / "more.yaml", put={phase: step}, of="move-segment")


def test_it_moves_under_load_and_the_neighbour_behind_the_same_hostgroups_sees_nothing(shops: Shops) -> None:
    to = other_than(shops.first.status("eu")["owner"])
    with writing(writers := shops.writers()):
        report = shops.first.move(to)
        assert report["outcome"] == "succeeded", report["problems"]
        assert shops.rules() == led(to)
    assert_kept_and_undisturbed(shops, writers)
    last = {writer.acknowledged[-1] for writer in writers if writer.segment == "eu"}
    number = {"east": 1, "west": 2}[to]
    assert [server for key, server in shops.first.written(to, "eu") if key in last] == [number] * 2


def test_a_check_that_fails_after_the_flip_leads_every_rule_back(shops: Shops, tmp_path: Path) -> None:
    owner = shops.first.status("eu")["owner"]
    playbook = move_with(tmp_path, "verify", "['false']")
    with writing(writers := shops.writers()):
        report = shops.first.run("run", playbook, "-i", "segment=eu", "-i", f"to={other_than(owner)}")
        assert report["outcome"] == "rolled_back", report["problems"]
        assert shops.rules() == led(owner)
    assert_kept_and_undisturbed(shops, writers)


def test_with_a_node_killed_before_its_flip_all_rules_lead_to_the_owner(shops: Shops, tmp_path: Path) -> None:
    """It comes back from its disk. What a node does that dies in its flip or later: tests/servers/test_proxysql_rules.py."""
    owner, node = shops.first.status("eu")["owner"], shops.fleet.nodes[1]
    playbook = move_with(tmp_path, "flip", f"[kill, '-9', '{shops.fleet.process(node).pid}']")
    with supervised(shops.fleet, node):
        report = shops.first.run("run", playbook, "-i", "segment=eu", "-i", f"to={other_than(owner)}")
        assert eventually(lambda: shops.fleet.runs(node))
    assert report["outcome"] in {"succeeded", "rolled_back"}, report["problems"]
    assert shops.rules() == led(shops.first.status("eu")["owner"])


def test_a_rule_that_would_keep_some_of_it_behind_refuses_the_move(shops: Shops) -> None:
    owner = shops.first.status("eu")["owner"]
    node = shops.fleet.nodes[1]
    shops.fleet.tell(
        node,
        f"INSERT INTO mysql_query_rules (rule_id, active, match_digest, destination_hostgroup, apply) VALUES (1, 1, '^SELECT', {_WEST}, 1)",
    )
    shops.fleet.tell(node, "LOAD MYSQL QUERY RULES TO RUNTIME", "SAVE MYSQL QUERY RULES TO DISK")
    report = shops.first.move(other_than(owner))
    shops.fleet.tell(node, "DELETE FROM mysql_query_rules WHERE rule_id=1")
    shops.fleet.tell(node, "LOAD MYSQL QUERY RULES TO RUNTIME", "SAVE MYSQL QUERY RULES TO DISK")
    assert report["outcome"] == "refused"
    assert any("hostgroup 20 (rule 1)" in problem["what"] for problem in report["problems"]), report["problems"]
    assert shops.rules() == led(owner)
