"""The driver of Xpand against the stand-in: its nodes, its errors, its binlogs. What all drivers keep is in tests/contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pymysql
import pytest

from interlock.bootstrap import read_topology
from interlock.clock import SystemClock
from interlock.errors import RefusedButAlive, StatementFailed, Unreachable, WriteRefused
from interlock.hosts.secrets import Secrets
from interlock.model.effects import Fence, Open
from interlock.model.facts import LoggedTransaction
from interlock.model.position import FilePosition
from interlock.model.topology import ServerName, ServerSpec, Topology
from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from interlock.sandbox.xpand.pair import BINLOG, second_node
from interlock.servers.registry import make_server
from interlock.servers.server import SqlServer
from servers.xpands import Xpands, xpands
from waiting import eventually

EAST = ServerName("east")


@pytest.fixture(scope="module")
def xpand() -> Iterator[Xpands]:
    with xpands() as made:
        yield made


@pytest.fixture
def fresh_xpand() -> Iterator[Xpands]:
    with xpands() as made:
        yield made


@contextmanager
def driver(sandbox: Sandbox, name: str = "east", **changes: Any) -> Iterator[SqlServer]:
    topology, clock = read_topology(Path(sandbox.topology)), SystemClock()
    spec = replace(topology.server(name), **changes)
    server = make_server(spec, secrets=Secrets(clock).read, clock=clock, pair=topology.servers())
    try:
        yield server
    finally:
        server.close()


def spec_of(sandbox: Sandbox, name: str) -> ServerSpec:
    topology: Topology = read_topology(Path(sandbox.topology))
    return topology.server(name)


def test_a_topology_names_every_node_and_a_channel_from_any_of_them_is_the_clusters(xpand: Xpands) -> None:
    member = xpand.sandbox.members["east"]
    assert spec_of(xpand.sandbox, "east").places == ((member.host, 3306), (second_node(member), 3306))
    sql.query(xpand.sandbox, "west", "STOP SLAVE 'from_east'")
    (row,) = sql.query(xpand.sandbox, "west", "SHOW SLAVE STATUS")
    place = (
        f"MASTER_LOG_FILE='{BINLOG}.{row['Log_File_Seq']:06d}', MASTER_LOG_POS={row['Log_File_Pos']}, MASTER_HOST='{second_node(member)}'"
    )
    who = f"MASTER_USER='repl', MASTER_PASSWORD='{xpand.sandbox.password('repl')}'"
    sql.query(xpand.sandbox, "west", f"CHANGE SLAVE 'from_east' TO {place}, {who}")
    sql.query(xpand.sandbox, "west", "START SLAVE 'from_east'")
    with driver(xpand.sandbox) as east, driver(xpand.sandbox, "west") as west:
        east.write_canary("by the other node")
        assert west.wait_applied(east.write_facts().position, 60.0)
        assert [(channel.source, channel.name, channel.error) for channel in west.channels()] == [("east", "from_east", "")]


def test_a_node_that_goes_down_is_not_a_cluster_that_is_down(fresh_xpand: Xpands) -> None:
    """With connections to it open: the lock that one of them held is lost, which is seen, and can be taken again by the other node."""
    with driver(fresh_xpand.sandbox) as east:
        east.warm_up()
        east.take_lock("interlock:nodes")
        sql.query(fresh_xpand.sandbox, "east", "ALTER CLUSTER DROP 1")
        assert east.write_facts().read_only is False
        with pytest.raises(Unreachable, match="2013"):
            east.holds_lock("interlock:nodes")
        assert not east.holds_lock("interlock:nodes")
        east.settle()
        east.take_lock("interlock:nodes", owner="a run", again=True)
        east.apply(Fence(server=EAST, within_s=2.0), mark="nodes")
        assert east.proof_of_fence().canary == "refused"
        east.apply(Open(server=EAST), mark="nodes")
        assert east.write_facts().read_only is False


def test_a_cluster_with_no_node_left_names_every_address_that_was_tried(xpand: Xpands) -> None:
    with (
        driver(xpand.sandbox, host="127.0.0.1", port=1, others=(("127.0.0.2", 1),)) as nobody,
        pytest.raises(Unreachable, match=r"east: no address lets us in: .*127\.0\.0\.1:1.*127\.0\.0\.2:1"),
    ):
        nobody.write_facts()


def test_a_node_that_lets_nobody_in_is_passed_over(xpand: Xpands) -> None:
    member = xpand.sandbox.members["east"]
    with driver(xpand.sandbox, host="127.0.0.1", port=1, others=((member.host, member.port),)) as east:
        assert east.write_facts().server == "east"


def test_a_wrong_password_is_told_as_such(xpand: Xpands) -> None:
    spec = spec_of(xpand.sandbox, "east")
    access = replace(spec.access, account=replace(spec.access.account, password=None))
    with driver(xpand.sandbox, access=access, others=()) as east, pytest.raises(RefusedButAlive, match="1045 Access denied"):
        east.write_facts()


def test_a_write_that_read_only_refuses_is_known_by_its_words(xpand: Xpands) -> None:
    with driver(xpand.sandbox, "west") as west, pytest.raises(WriteRefused, match=r"1 \[30720\] Database is in read-only mode"):
        west.write_canary("never")
    with pytest.raises(pymysql.err.MySQLError, match="read-only mode"):
        _ = [sql.rows(client, "INSERT INTO app.ledger (k, server_id) VALUES ('never', 1)") for client in [as_app(xpand.sandbox, "west")]]


def as_app(sandbox: Sandbox, name: str) -> pymysql.connections.Connection[pymysql.cursors.DictCursor]:
    return sql.connect(sandbox, name, "app")


def test_a_transaction_that_is_open_at_the_fence_can_not_commit(xpand: Xpands) -> None:
    client = as_app(xpand.sandbox, "east")
    sql.rows(client, "BEGIN")
    sql.rows(client, "INSERT INTO app.ledger (k, server_id) VALUES ('open at the fence', 1)")
    with driver(xpand.sandbox) as east:
        fenced = east.apply(Fence(server=EAST, within_s=2.0), mark="fence")["position"]
        with pytest.raises(pymysql.err.MySQLError, match="read-only mode"):
            sql.rows(client, "COMMIT")
        assert isinstance(fenced, FilePosition)
        assert east.proof_of_fence().own == fenced.only("east")
        east.apply(Open(server=EAST), mark="fence")
    client.close()
    assert sql.query(xpand.sandbox, "east", "SELECT k FROM app.ledger WHERE k = 'open at the fence'") == []


def test_several_binlogs_are_refused_until_the_topology_names_one(fresh_xpand: Xpands) -> None:
    sql.query(fresh_xpand.sandbox, "east", "CREATE BINLOG 'audit' FORMAT='ROW'")
    with driver(fresh_xpand.sandbox) as east, pytest.raises(StatementFailed, match=r"east has 2 binlogs \(audit, pair\)") as caught:
        east.write_facts()
    assert caught.value.hint == "set `binlog:` for this server in the topology"
    with driver(fresh_xpand.sandbox, binlog=BINLOG) as east:
        position = east.write_facts().position
        assert isinstance(position, FilePosition)
        point = position.of_server("east")
        assert point is not None
        assert point.base == "pair."


def test_a_log_is_read_over_the_end_of_its_file_with_each_writer_named(xpand: Xpands) -> None:
    with driver(xpand.sandbox) as east, driver(xpand.sandbox, "west") as west:
        before = east.write_facts().position
        east.write_canary("before the end of the file")
        sql.query(xpand.sandbox, "east", f"ROTATE BINLOG '{BINLOG}'")
        east.write_canary("after the end of the file")
        log = east.logged_since(before, 10)
        assert west.wait_applied(east.write_facts().position, 60.0)
        echoed = west.logged_since(before, 10)
    written = [entry for entry in log if entry.server_id == 1]
    assert len({entry.file for entry in written}) == 2
    assert {entry.server_id for entry in echoed} == {1}
    assert [FilePosition.parse(entry.gtid).of_server("east") is not None for entry in written] == [True] * len(written)
    assert written == sorted(written, key=place)


def place(entry: LoggedTransaction) -> tuple[str, int]:
    return entry.file, entry.offset


def test_a_log_whose_file_is_gone_says_so(xpand: Xpands) -> None:
    gone = FilePosition.parse(f"east={BINLOG}.000099:4")
    with driver(xpand.sandbox) as east, pytest.raises(StatementFailed, match=r"its binary log pair\.000099 is gone"):
        east.logged_since(gone, 10)


def test_a_slave_that_can_not_apply_is_told_with_its_error(fresh_xpand: Xpands) -> None:
    sandbox = fresh_xpand.sandbox
    sql.query(sandbox, "east", "STOP SLAVE 'from_west'")
    sql.query(sandbox, "west", "DROP TABLE app.ledger")
    sql.query(sandbox, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('x', 1)")
    with driver(sandbox) as east, driver(sandbox, "west") as west:
        assert not west.wait_applied(east.write_facts().position, 0.5)
        assert eventually(lambda: west.channels()[0].error != "")
        (channel,) = west.channels()
    assert (channel.applier, channel.lag_s, channel.receiver) == (False, None, "Disconnected")
    assert "Relation not found" in channel.error
