"""Whole switchovers through two nodes of ProxySQL (the stand-in), by the command line: under load, refused, and with a node that dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest

from interlock.routes.proxysql_words import HELD
from interlock.sandbox import sql
from interlock.sandbox.ledger import Told, balance
from interlock.sandbox.load import load
from interlock.sandbox.places import Sandbox
from interlock.sandbox.proxysql.node import Node
from scenarios.command_line import Ended, environment, interlock, with_step
from scenarios.killer import Killer, assert_survives
from scenarios.pair_state import switchover_with
from servers.odd_proxy import odd_proxy
from servers.proxysqls import CLOCK, READERS, Fleet, fleet
from waiting import eventually

_FAILS = '- check: command\n    with: {run: [echo, "not well"], matches: "all is well"}'


@pytest.fixture(scope="module")
def nodes_of_the_pair(pair: Sandbox) -> Iterator[Fleet]:
    with fleet(pair) as made:
        yield made


@pytest.fixture
def two(nodes_of_the_pair: Fleet) -> Iterator[Fleet]:
    """East writes, and both nodes lead there."""
    nodes_of_the_pair.reset()
    yield nodes_of_the_pair
    if writer(nodes_of_the_pair) != "east":
        pair = nodes_of_the_pair.sandbox
        sql.query(pair, "west", "SET GLOBAL read_only=1")
        position = sql.query(pair, "west", "SELECT @@gtid_binlog_pos AS p")[0]["p"]
        assert sql.query(pair, "east", "SELECT MASTER_GTID_WAIT(%s, 10) AS w", position)[0]["w"] == 0
        sql.query(pair, "east", "SET GLOBAL read_only=0")


def run(made: Fleet, folder: Path, playbook: str = "switchover", *, to: str = "west", **settings: str) -> Ended:
    env = environment(made.sandbox, folder) | {"INTERLOCK_TOPOLOGY": str(made.topology(**settings))}
    return interlock("run", playbook, "-i", f"to={to}", "-i", "max_outage=5s", "--yes", "--json", env=env)


def writer(made: Fleet) -> str:
    """The one server that takes writes."""
    (name,) = [name for name in made.sandbox.members if sql.query(made.sandbox, name, "SELECT @@read_only AS r")[0]["r"] == 0]
    return name


def led_to(made: Fleet) -> list[list[str]]:
    """For each node, the servers that it sends clients to."""
    names = {member.host: name for name, member in made.sandbox.members.items()}
    tables = [made.table(node, "runtime_mysql_servers") for node in made.nodes]
    return [[names.get(row["hostname"], row["hostname"]) for row in rows if row["status"] == "ONLINE"] for rows in tables]


def test_switchovers_through_two_nodes_show_clients_no_error_and_leave_every_row_as_it_was(two: Fleet, tmp_path: Path) -> None:
    pair = two.sandbox
    before = [two.table(node) for node in two.nodes]
    first, second = (node.before(pair) for node in two.nodes)
    with load(first, pooled=3, fresh=2) as one, load(second, pooled=3, fresh=2) as other:
        runs = [run(two, tmp_path, to=to) for to in ("west", "east")]
        entries = (*one.stop(), *other.stop())
    assert [ended.code for ended in runs] == [0, 0], runs
    assert [f"{entry.worker} {entry.error}" for entry in entries if entry.told is not Told.OK] == []
    assert {entry.server for entry in entries} == {1, 2}
    balanced = balance(entries, [row["k"] for row in sql.query(pair, "east", "SELECT k FROM app.ledger")])
    assert (balanced.lost, balanced.duplicated) == ((), ())
    assert all(ended.document["outage_ms"] is not None for ended in runs)
    assert [two.table(node) for node in two.nodes] == before


def test_a_planted_second_writer_refuses_the_run_and_nothing_is_changed(two: Fleet, tmp_path: Path) -> None:
    second = two.nodes[1]
    two.tell(second, "INSERT INTO mysql_servers (hostgroup_id, hostname) VALUES (10, '127.9.9.9')")
    two.tell(second, "LOAD MYSQL SERVERS TO RUNTIME", "SAVE MYSQL SERVERS TO DISK")
    before = [two.table(node) for node in two.nodes]
    ended = run(two, tmp_path)
    assert ended.code == 3, ended
    assert any("route writes leads to east and 127.9.9.9:3306" in problem["what"] for problem in ended.document["problems"])
    assert [two.table(node) for node in two.nodes] == before


def test_a_table_that_somebody_left_half_done_refuses_the_run(two: Fleet, tmp_path: Path) -> None:
    two.tell(two.nodes[1], "UPDATE mysql_servers SET weight=99")
    ended = run(two, tmp_path)
    assert ended.code == 3, ended
    assert any("a flip would load it" in problem["what"] for problem in ended.document["problems"])
    assert led_to(two) == [["east"], ["east"]]
    assert writer(two) == "east"


@contextmanager
def supervised(made: Fleet, node: Node) -> Iterator[None]:
    """As under an init system: a node that died is started again half a second later, from its disk."""
    ended = Event()

    def watch() -> None:
        while not ended.is_set():
            if made.process(node).poll() is not None:
                CLOCK.sleep(0.5)
                made.stop(node)
                made.start(node)
            ended.wait(0.02)

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


@pytest.mark.parametrize("phase", ["flip", "verify"], ids=["just before its flip", "just after its flip"])
def test_with_a_node_killed_around_its_flip_all_nodes_lead_to_the_one_writer(two: Fleet, tmp_path: Path, phase: str) -> None:
    node = two.nodes[1]
    kill = f"- {{check: command, with: {{run: [kill, '-9', '{two.process(node).pid}']}}}}"
    with supervised(two, node):
        ended = run(two, tmp_path, with_step(tmp_path, phase, kill))
    assert ended.document["outcome"] in {"succeeded", "rolled_back"}, ended
    assert led_to(two) == [[writer(two)], [writer(two)]]


@pytest.mark.parametrize("phase", ["flip", "verify"], ids=["just before its flip", "just after its flip"])
def test_a_node_that_stays_dead_keeps_nobody_from_going_back_or_on(two: Fleet, tmp_path: Path, phase: str) -> None:
    first, second = two.nodes
    kill = f"- {{check: command, with: {{run: [kill, '-9', '{two.process(second).pid}']}}}}"
    ended = run(two, tmp_path, with_step(tmp_path, phase, kill), lost_after="1s")
    assert ended.document["outcome"] == {"flip": "rolled_back", "verify": "succeeded"}[phase], ended
    assert any(second.admin in problem["what"] for problem in ended.document["problems"]), ended
    assert led_to(two.of(1)) == [[writer(two)]]
    assert HELD not in str(two.table(first))
    two.stop(second)


def test_with_a_reply_lost_in_a_flip_all_nodes_lead_to_the_one_writer(two: Fleet, tmp_path: Path) -> None:
    """The node has changed its table and not loaded it; nobody here knows how far it came."""
    first, second = two.nodes
    before = [two.table(node) for node in two.nodes]
    with odd_proxy((second.host, second.admin_port)) as odd:
        odd.loses = b"CASE WHEN"
        host, _, port = odd.address.rpartition(":")
        listed = f"[{{host: {first.host}, port: {first.admin_port}}}, {{host: {host}, port: {port}}}]"
        ended = run(two, tmp_path, nodes=listed)
        assert odd.loses == b""
    assert ended.document["outcome"] in {"succeeded", "rolled_back"}, ended
    assert led_to(two) == [[writer(two)], [writer(two)]]
    assert ended.document["outcome"] == "succeeded" or [two.table(node) for node in two.nodes] == before


@pytest.mark.parametrize("phase", ["catch_up", "verify"], ids=["in the hold", "after the flip"])
def test_a_check_that_fails_takes_everything_back_on_the_disk_too(two: Fleet, tmp_path: Path, phase: str) -> None:
    """The next run finds nothing left half done."""
    before = [two.table(node) for node in two.nodes]
    ended = run(two, tmp_path, switchover_with(tmp_path / "fails.yaml", put={phase: _FAILS}))
    assert ended.document["outcome"] == "rolled_back", ended
    assert [two.table(node) for node in two.nodes] == [two.table(node, "disk.mysql_servers") for node in two.nodes] == before


# -- with ProxySQL's monitor, which moves servers by read_only


MONITORED = {"reader_hostgroup": str(READERS)}


def eventually_led_to(made: Fleet, name: str) -> bool:
    return eventually(lambda: led_to_writers(made) == [[name]] * len(made.nodes))


def led_to_writers(made: Fleet) -> list[list[str]]:
    names = {member.host: name for name, member in made.sandbox.members.items()}
    tables = [made.table(node, "runtime_mysql_servers") for node in made.nodes]
    return [[names[row["hostname"]] for row in rows if (row["hostgroup_id"], row["status"]) == ("10", "ONLINE")] for rows in tables]


def test_with_the_monitor_at_work_switchovers_show_clients_no_error(two: Fleet, tmp_path: Path) -> None:
    two.let_the_monitor_move_servers()
    pair, before = two.sandbox, [two.table(node) for node in two.nodes]
    first, second = (node.before(pair) for node in two.nodes)
    with load(first, pooled=3, fresh=2) as one, load(second, pooled=3, fresh=2) as other:
        runs = [run(two, tmp_path, to=to, **MONITORED) for to in ("west", "east")]
        entries = (*one.stop(), *other.stop())
    assert [ended.code for ended in runs] == [0, 0], runs
    assert [f"{entry.worker} {entry.error}" for entry in entries if entry.told is not Told.OK] == []
    assert {entry.server for entry in entries} == {1, 2}
    balanced = balance(entries, [row["k"] for row in sql.query(pair, "east", "SELECT k FROM app.ledger")])
    assert (balanced.lost, balanced.duplicated) == ((), ())
    assert [two.table(node) for node in two.nodes] == before


@pytest.mark.parametrize("phase", ["catch_up", "verify"])
def test_with_the_monitor_at_work_a_check_that_fails_takes_everything_back(two: Fleet, tmp_path: Path, phase: str) -> None:
    """It moves the servers while the run goes back, too; in the end it stands as it did."""
    two.let_the_monitor_move_servers()
    pair, before = two.sandbox, [two.table(node) for node in two.nodes]
    with load(two.nodes[0].before(pair), pooled=2, fresh=1) as writing:
        ended = run(two, tmp_path, switchover_with(tmp_path / "fails.yaml", put={phase: _FAILS}), **MONITORED)
        entries = writing.stop()
    assert ended.document["outcome"] == "rolled_back", ended
    assert (writer(two), eventually_led_to(two, "east")) == ("east", True)
    assert [two.table(node) for node in two.nodes] == [two.table(node, "disk.mysql_servers") for node in two.nodes] == before
    balanced = balance(entries, [row["k"] for row in sql.query(pair, "east", "SELECT k FROM app.ledger")])
    assert (balanced.lost, balanced.duplicated) == ((), ())


@pytest.mark.parametrize(("kind", "then"), [("state", "resume"), ("after", "rollback"), ("after", "resume")])
def test_a_killed_run_is_taken_up_with_the_monitor_at_work(two: Fleet, tmp_path: Path, kind: str, then: str) -> None:
    """It has a moment more to move servers in, and the run finds it done."""
    two.let_the_monitor_move_servers()
    node = two.nodes[0]
    pair = replace(node.before(two.sandbox), topology=str(two.topology(**MONITORED)))
    killer = Killer(pair=pair, folder=tmp_path, playbook=switchover_with(tmp_path / "whole.yaml"))
    last = killer.count(kind)
    assert_survives(killer, kind, range(2, last + 1, 1 if kind == "state" else max(1, last // 5)), then)
    killer.bring_back("east")
    assert eventually_led_to(two, "east")
    assert HELD not in str([two.table(each, table) for each in two.nodes for table in ("mysql_servers", "disk.mysql_servers")])
