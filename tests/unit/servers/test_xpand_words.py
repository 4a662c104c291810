"""What is sent to Xpand, and what is made of its rows and errors: no server."""

from __future__ import annotations

from collections import defaultdict

import pytest

from interlock.errors import StatementFailed
from interlock.model.effects import Fence, KillSessions, Open, RunSql, ServerEffect, SetEventScheduler
from interlock.model.position import FilePosition, LogPoint
from interlock.model.topology import Access, Account, ClusterName, ServerName, ServerSpec
from interlock.servers import mariadb_facts, mysql_facts, xpand_facts
from interlock.servers.flavors import dialect_of
from interlock.servers.session import Result, Row
from interlock.servers.xpand import Xpand
from interlock.servers.xpand_script import number

EAST, WEST = ServerName("east"), ServerName("west")
LOOK = ("SELECT @@GLOBAL.read_only AS read_only, @@GLOBAL.server_id AS server_id", "SHOW MASTER STATUS 'b'", "SHOW SLAVE STATUS")
XPAND = Xpand(binlog="b", names=(("10.0.0.2:3306", WEST), ("10.0.0.12:3306", WEST)))
SLAVE: Row = {
    "Slave_Name": "s",
    "Slave_Status": "Running",
    "Master_Host": "10.0.0.12",
    "Master_Port": 3306,
    "Master_Log_File": "w",
    "Slave_Enabled": "Enabled",
    "Log_File_Seq": 3,
    "Log_File_Pos": 500,
    "Last_Error": "no error",
    "Connection_Status": "Connected",
    "Relay_Log_Current_Bytes": 0,
    "Seconds_Behind_Master": 0,
}


@pytest.mark.parametrize(
    "version", ["5.0.45-Xpand-6.1.1", "5.0.45-clustrix-9.2", "5.7.30-XPAND-23.09.1", "8.0.19-ClustrixDB-5.3"], ids=lambda version: version
)
def test_it_is_known_by_its_greeting_in_any_case(version: str) -> None:
    assert dialect_of("east", version, pinned=None).flavor == "xpand"


@pytest.mark.parametrize(
    ("effect", "sent"),
    [
        (Fence(server=EAST, within_s=2.0), ("SET GLOBAL read_only=true", *LOOK)),
        (Open(server=EAST), ("SET GLOBAL read_only=false", *LOOK)),
        (SetEventScheduler(server=EAST, on=False), ()),
        (KillSessions(server=EAST, ids=(7, 8)), ("KILL 7", "KILL 8")),
        (RunSql(server=EAST, statements=("SELECT 1",), within_s=1.0), ("SELECT 1",)),
    ],
    ids=["fence", "open", "stop events", "kill", "sql"],
)
def test_each_effect_has_its_words(effect: ServerEffect, sent: tuple[str, ...]) -> None:
    assert XPAND.script(effect) == sent


def test_there_are_no_events_to_start() -> None:
    with pytest.raises(StatementFailed, match="east: Xpand has no events that could run"):
        XPAND.script(SetEventScheduler(server=EAST, on=True))


@pytest.mark.parametrize(
    ("code", "words", "expected"),
    [
        (1, "[30720] Database is in read-only mode", 1290),
        (1290, "something that only has the number", 1),
        (1, "[13313] Relation not found: app.t", 1146),
        (1, "[13314] No such database: app", 1049),
        (1, "[49153] No such session: 7", 1094),
        (1, "[4097] Permission denied: SUPER is required", 1227),
        (1205, "Lock wait timeout exceeded", 1205),
        (1045, "Access denied for user", 1045),
        (2013, "Lost connection to MySQL server during query", 2013),
        (0, "", 0),
        (1, '[24576] Unknown prepared param type: "t_null"', 1),
    ],
    ids=[
        "read-only",
        "a number alone is no refusal",
        "table",
        "database",
        "session",
        "privilege",
        "lock",
        "login",
        "lost",
        "none",
        "other",
    ],
)
def test_an_error_is_known_by_its_words(code: int, words: str, expected: int) -> None:
    assert number(code, words) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(1, True), ("true", True), ("ON", True), (0, False), ("false", False), ("OFF", False)], ids=str
)
def test_read_only_is_read_however_it_is_written(value: object, *, expected: bool) -> None:
    assert xpand_facts.is_read_only(EAST, {"read_only": value}) is expected


@pytest.mark.parametrize("value", [None, "", "NO_LOCK", 2], ids=str)
def test_a_read_only_that_nobody_knows_is_neither_open_nor_fenced(value: object) -> None:
    with pytest.raises(StatementFailed, match="which is neither on nor off"):
        xpand_facts.is_read_only(EAST, {"read_only": value})


@pytest.mark.parametrize(
    ("changes", "point"),
    [
        ({}, LogPoint("w.", 3, 500)),
        ({"Master_Log_File": "w.000003"}, LogPoint("w.", 3, 500)),
        ({"Relay_Log_Current_Bytes": 120}, LogPoint("w.", 3, 380)),
        ({"Relay_Log_Current_Bytes": 700}, LogPoint("w.", 0, 0)),
        ({"Master_Log_File": ""}, None),
    ],
    ids=["applied", "the file named in full", "some wait in the relay log", "they reach into another file", "nothing begun"],
)
def test_how_far_a_log_is_applied_at_the_least(changes: Row, point: LogPoint | None) -> None:
    assert xpand_facts.applied_point({**SLAVE, **changes}) == point


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ("Yes", True, 0, "")),
        (
            {"Slave_Status": "Stopped", "Connection_Status": "Disconnected", "Seconds_Behind_Master": None},
            ("Disconnected", False, None, ""),
        ),
        ({"Slave_Status": "Error", "Last_Error": "Row Not Found"}, ("Yes", False, 0, "Row Not Found")),
        ({"Connection_Status": "Connecting"}, ("Connecting", True, 0, "")),
        ({"Connection_Status": None}, ("No", True, 0, "")),
    ],
    ids=["runs", "stopped", "failed", "no connection", "not known"],
)
def test_a_slave_is_a_channel_in_everybodys_words(changes: Row, told: tuple[object, ...]) -> None:
    channel = xpand_facts.channel(EAST, {**SLAVE, **changes}, dict(XPAND.names))
    assert (channel.receiver, channel.applier, channel.lag_s, channel.error) == told
    assert (channel.name, channel.source, channel.source_address) == ("s", "west", "10.0.0.12:3306")


@pytest.mark.parametrize("host", ["10.0.0.2", "10.0.0.12"], ids=["the first node", "another node"])
def test_mysql_and_mariadb_know_a_cluster_by_the_address_of_any_node(host: str) -> None:
    access = Access(account=Account(user="u", password=None), tls=None)
    west = ServerSpec(
        name=WEST, cluster=ClusterName("west"), host="10.0.0.2", port=3306, access=access, others=(("10.0.0.12", 3306),), flavor="xpand"
    )
    names = {"Host": host, "Port": 3306, "Log_File": "w.000001"}
    row: Row = defaultdict(str, {f"Master_{key}": value for key, value in names.items()} | {"Seconds_Behind_Master": 0})
    assert mariadb_facts.channel(EAST, row, pair=(west,)).source == WEST
    assert mysql_facts.channel(EAST, defaultdict(str, mysql_facts.modern(row)), pair=(west,), workers=()).source == WEST


def test_its_position_is_a_point_in_its_own_log_and_one_in_each_sources() -> None:
    results = (
        Result(rows=({"read_only": 1, "server_id": 1},), affected=1),
        Result(rows=({"File": "b.000002", "Position": 99},), affected=1),
        Result(rows=(SLAVE, {**SLAVE, "Master_Host": "10.9.9.9"}), affected=2),
    )
    facts = XPAND.write_facts(EAST, results)
    assert (facts.read_only, str(facts.position), facts.event_scheduler) == (True, "east=b.000002:99,west=w.000003:500", "DISABLED")
    assert XPAND.written_here(EAST, facts.position) == FilePosition.parse("east=b.000002:99")


def test_variables_that_it_does_not_have_count_as_their_defaults() -> None:
    facts = xpand_facts.server_facts(
        EAST, {"version": "5.0.45-Xpand-6.1", "clock": 100}, [{"Variable_name": "server_id", "Value": "7"}], logs=True, our_clock_s=100.5
    )
    assert (facts.server_id, facts.auto_increment_increment, facts.auto_increment_offset, facts.clock_offset_s) == (7, 1, 1, 0.0)
    assert (facts.log_bin, facts.log_slave_updates, facts.gtid_domain_id) == (True, True, None)
