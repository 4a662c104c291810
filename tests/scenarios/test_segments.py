"""A segment's move on real active/active pairs, with clients that write both segments all the time."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pymysql
import pytest

from interlock.playbook.find import shipped_folder
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query, rows
from scenarios.command_line import interlock, start
from scenarios.pair_state import behind_the_log
from scenarios.segment_lab import Shop, active_active

_FAILS = '- check: command\n    with: {run: ["false"], within: 5s}'


@pytest.fixture(scope="module", params=["pair", "mysql_pair"], ids=["mariadb", "mysql"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    sandbox: Sandbox = request.getfixturevalue(request.param)
    made = active_active(sandbox, tmp_path_factory.mktemp("shop"))
    yield made
    assert made.status("us")["owner"] == "west"


def other_than(side: str) -> str:
    return {"east": "west", "west": "east"}[side]


def assert_owned(shop: Shop, owner: str) -> None:
    seen = shop.status("eu")
    assert (seen["owner"], {name: each["open"] for name, each in seen["clusters"].items()}) == (
        owner,
        {owner: True, other_than(owner): False},
    )
    assert seen["problems"] == []
    assert shop.sessions(other_than(owner), "eu") == 0


def test_it_moves_there_and_back_under_load_with_nothing_lost_and_the_other_segment_sees_nothing(shop: Shop) -> None:
    before = shop.grants("east")
    for to in ("west", "east"):
        with shop.writers() as writers:
            report = shop.move(to)
            assert report["outcome"] == "succeeded", report["problems"]
            assert_owned(shop, to)
            assert shop.grants(to) == before
        assert writers["us"].errors == {}
        shop.assert_nothing_lost(writers)
        number = {"east": 1, "west": 2}[to]
        assert [server for key, server in shop.written(to, "eu") if key == writers["eu"].acknowledged[-1]] == [number]


def test_clients_that_connect_meanwhile_are_kept_waiting_if_the_route_may_hold_them(shop: Shop) -> None:
    """They see the end of their session, and no lock."""
    owner = shop.status("eu")["owner"]
    with shop.writers() as writers:
        assert shop.move(other_than(owner), "-i", "hold=true")["outcome"] == "succeeded"
    assert writers["eu"].errors.keys() <= {1142, 2006, 2013}
    assert sum(writers["eu"].errors.values()) <= 2
    shop.assert_nothing_lost(writers)


def test_who_kept_its_session_can_neither_go_on_nor_come_back(shop: Shop) -> None:
    owner = shop.status("eu")["owner"]
    with closing(shop.client("eu", owner)) as stale:
        rows(stale, "USE shop_eu")
        rows(stale, "INSERT INTO writes VALUES ('before', 1)")
        assert shop.move(other_than(owner))["outcome"] == "succeeded"
        with pytest.raises(pymysql.Error) as gone:
            rows(stale, "INSERT INTO writes VALUES ('after', 1)")
        assert gone.value.args[0] in {2006, 2013, 4031}
    with pytest.raises(pymysql.Error) as locked:
        shop.client("eu", owner)
    assert locked.value.args[0] in {3118, 4151}  # ER_ACCOUNT_HAS_BEEN_LOCKED, of MySQL and of MariaDB
    assert [key for key, _ in shop.written(owner, "eu") if key == "after"] == []


def test_nothing_of_it_is_replicated_to_the_side_that_has_the_same_accounts(shop: Shop) -> None:
    """Each server has a lock and rights of its own; the binary logs know nothing of either."""
    owner = shop.status("eu")["owner"]
    before = {name: shop.grants(name, "us") for name in shop.pair.members}
    for to in (other_than(owner), owner):
        assert shop.move(to)["outcome"] == "succeeded"
    assert {name: shop.grants(name, "us") for name in shop.pair.members} == before
    channel = "SHOW REPLICA STATUS" if shop.pair.kind == "mysql" else "SHOW SLAVE STATUS"
    assert all(not row.get("Last_SQL_Error") for name in shop.pair.members for row in query(shop.pair, name, channel))


@pytest.mark.parametrize("phase", ["catch_up", "verify"])
def test_a_check_that_fails_gives_the_segment_back_exactly(shop: Shop, tmp_path: Path, phase: str) -> None:
    owner = shop.status("eu")["owner"]
    before = {name: shop.grants(name) for name in shop.pair.members}
    text, mark = (shipped_folder() / "move-segment.yaml").read_text(), f"- phase: {phase}\n  steps:\n"
    assert mark in text
    playbook = tmp_path / "fails.yaml"
    playbook.write_text(text.replace(mark, f"{mark}  {_FAILS}\n"))
    with shop.writers() as writers:
        report = shop.run("run", str(playbook), "-i", "segment=eu", "-i", f"to={other_than(owner)}")
        assert report["outcome"] == "rolled_back", report["problems"]
        assert_owned(shop, owner)
    assert {name: shop.grants(name) for name in shop.pair.members} == before
    assert writers["us"].errors == {}
    shop.assert_nothing_lost(writers)


@pytest.mark.parametrize(
    ("line", "then"),
    [("segment.fence", "resume"), ("segment.hand_over", "rollback"), ("segment.open", "resume"), ("segment.open", "rollback")],
)
def test_a_move_that_was_killed_in_the_middle_is_taken_up(shop: Shop, line: str, then: str) -> None:
    owner = shop.status("eu")["owner"]
    with shop.writers() as writers:
        killed_after(shop, other_than(owner), line)
        (run,) = [row["run"] for row in shop.run("runs") if row["outcome"] is None]
        report = shop.run(then, run)
        assert report["outcome"] == {"resume": "succeeded", "rollback": "rolled_back"}[then], report["problems"]
        assert_owned(shop, other_than(owner) if then == "resume" else owner)
    assert writers["us"].errors == {}
    shop.assert_nothing_lost(writers)


def killed_after(shop: Shop, to: str, line: str) -> None:
    """kill -9 as soon as it tells that the step is done."""
    with start("segment", "move", "eu", "--to", to, "--json", env=shop.env) as process:
        assert process.stderr is not None
        told = []
        for each in process.stderr:
            told.append(each)
            if f"✓ {line}" in each:
                process.send_signal(signal.SIGKILL)
                break
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=20)
    assert process.returncode == -signal.SIGKILL, "".join(told)


@pytest.mark.parametrize(
    ("spoil", "mend", "message"),
    [
        pytest.param(
            "GRANT INSERT ON shop_eu.* TO watch", "REVOKE INSERT ON shop_eu.* FROM watch", "watch@%", id="another account writes it"
        ),
        pytest.param(
            "GRANT UPDATE ON *.* TO app_eu", "REVOKE UPDATE ON *.* FROM app_eu", "app_eu@% has UPDATE on everything", id="more than it"
        ),
        pytest.param(
            "CREATE EVENT shop_eu.purge ON SCHEDULE EVERY 1 DAY DO SELECT 1", "DROP EVENT shop_eu.purge", "shop_eu.purge", id="an event"
        ),
        pytest.param(
            "CREATE USER app_eu@'10.%' IDENTIFIED BY 'Another-1-account'", "DROP USER app_eu@'10.%'", "can't be told", id="a namesake"
        ),
    ],
)
def test_what_a_move_could_not_close_or_give_back_refuses_it(shop: Shop, spoil: str, mend: str, message: str) -> None:
    owner = shop.status("eu")["owner"]
    query(shop.pair, owner, spoil)
    try:
        report = shop.move(other_than(owner))
        assert report["outcome"] == "refused"
        assert message in report["problems"][0]["what"], report["problems"]
    finally:
        query(shop.pair, owner, mend)


def test_rows_that_differ_refuse_the_move_until_they_are_mended_and_no_client_has_waited(shop: Shop) -> None:
    """While both sides write: what is on its way is no difference."""
    owner = shop.status("eu")["owner"]
    behind_the_log(shop.pair, owner, "INSERT INTO shop_eu.writes VALUES ('only there', 0)")
    behind_the_log(shop.pair, "east", "INSERT INTO shop_us.writes VALUES ('of the other segment', 0)")
    with shop.writers() as writers:
        refused = shop.move(other_than(owner))
        assert refused["outcome"] == "refused"
        (problem,) = refused["problems"]
        assert f"segment eu differs on {other_than(owner)} from its owner's in shop_eu.writes (1 row)" in problem["what"]
        (name,) = re.findall(r"interlock repair (\S+)`", problem["hint"])
        assert shop.run("repair", name, "--apply", "--yes")["outcome"] == "succeeded"
        moved = shop.move(other_than(owner))
        assert moved["outcome"] == "succeeded", moved["problems"]
    assert writers["us"].errors == {}
    shop.assert_nothing_lost(writers)
    behind_the_log(shop.pair, "east", "DELETE FROM shop_us.writes WHERE k='of the other segment'")


def test_a_switchover_of_it_all_is_refused_with_the_command_that_moves_each(shop: Shop) -> None:
    report = shop.run("switchover", "--to", "west")
    assert (report["outcome"], report["exit_code"]) == ("refused", 3)
    assert "`interlock segment move all --to west`" in report["problems"][0]["hint"]


def test_status_tells_of_both_sides(shop: Shop) -> None:
    seen = shop.run("status")
    assert (seen["writer"], seen["problems"]) == (None, [])
    assert {each["segment"]: each["owner"] for each in seen["segments"]} == {"eu": shop.status("eu")["owner"], "us": "west"}


def test_who_wrote_what_it_did_not_own_is_found_however_often_the_segment_moved(shop: Shop) -> None:
    owner = shop.status("eu")["owner"]
    for server in shop.pair.members:  # what the tests before this one wrote takes its time to be read
        query(shop.pair, server, "FLUSH BINARY LOGS")
    for to in (other_than(owner), owner):
        with shop.writers():
            assert shop.move(to)["outcome"] == "succeeded"
    done = interlock("conflicts", "--since", "1s", "--json", env=shop.env)
    assert (done.document["violations"], done.document["conflicts"], "reads both binary logs" in done.err) == ([], [], True)
    query(shop.pair, other_than(owner), "INSERT INTO shop_eu.writes VALUES ('planted', 0)")
    found = shop.run("conflicts", "--since", "1s")["violations"]
    assert [(each["segment"], each["written"]["cluster"], each["key"], each["change"]) for each in found] == [
        ("eu", other_than(owner), {"k": "planted"}, "insert")
    ]


def test_all_segments_can_be_moved_to_one_side_and_back(shop: Shop) -> None:
    """A switchover of such a pair, so that the other side can be worked on."""
    before = {each["segment"]: each["owner"] for each in shop.run("segment", "list")}
    moved = shop.run("segment", "move", "all", "--to", "east")
    assert [run["outcome"] for run in moved["runs"]] == ["succeeded"] * sum(owner != "east" for owner in before.values()), [
        run["problems"] for run in moved["runs"]
    ]
    assert {each["owner"] for each in shop.run("segment", "list")} == {"east"}
    assert shop.run("segment", "move", "all", "--to", "east") == {"runs": [], "exit_code": 0}
    assert shop.run("segment", "return", "us")["outcome"] == "succeeded"
    shop.move(before["eu"])


def test_all_load_goes_onto_one_cluster_and_each_segment_comes_back(shop: Shop) -> None:
    """Quiesced, rejoined and returned to, under load: none lost, and who stays where it is sees nothing of it."""
    if shop.status("eu")["owner"] != "east":
        assert shop.move("east")["outcome"] == "succeeded"
    _what_refuses_the_quiesce_keeps_the_segments_where_they_are(shop)
    with shop.writers() as writers:
        quiet = shop.run("quiesce", "--onto", "west", "--for", "1h", "--reason", "its disk")
        assert quiet["outcome"] == "succeeded", quiet["problems"]
        assert [(moved["inputs"]["segment"], moved["outcome"]) for moved in quiet["moved"]] == [("eu", "succeeded")]
        assert "east refuses writes" in quiet["certificate"]
        with pytest.raises(pymysql.Error):
            shop.client("eu", "east")
        assert shop.move("east")["outcome"] == "refused"
        back = shop.run("rejoin", "east", "-i", "may_differ=*")
        assert back["outcome"] == "succeeded", back["problems"]
        returned = shop.run("segment", "return", "eu")
        assert returned["outcome"] == "succeeded", returned["problems"]
        assert_owned(shop, "east")
    assert writers["us"].errors == {}
    shop.assert_nothing_lost(writers)
    assert shop.run("status")["problems"] == []


def _what_refuses_the_quiesce_keeps_the_segments_where_they_are(shop: Shop) -> None:
    (before,) = query(shop.pair, "west", "SELECT @@binlog_expire_logs_seconds AS s")
    query(shop.pair, "west", "SET GLOBAL binlog_expire_logs_seconds=3600")
    refused = shop.run("quiesce", "--onto", "west", "--for", "4h", "--reason", "its disk")
    query(shop.pair, "west", f"SET GLOBAL binlog_expire_logs_seconds={before['s']}")
    assert (refused["outcome"], "moved" in refused) == ("refused", False)
    assert "preflight/server.keeps_log" in refused["problems"][0]["what"]
    assert shop.status("eu")["owner"] == "east"
