"""What the MySQL driver says and understands by version, without a server: recorded result sets of 5.7, 8.0, 8.4 and Percona's builds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from interlock.errors import StatementFailed, UsageError
from interlock.model.effects import Fence, KillSessions, Open, RunSql, ServerEffect, SetEventScheduler
from interlock.model.position import FilePosition, LogPoint, MySQLPosition
from interlock.model.topology import Access, Account, ClusterName, ServerName, ServerSpec
from interlock.servers.accounts import Accounts
from interlock.servers.flavors import dialect_of
from interlock.servers.grants import grants_sql, missing
from interlock.servers.mysql import Followed, MySQL
from interlock.servers.mysql_facts import channel, fence_of, modern, server_facts
from interlock.servers.mysql_log import begins, gtid_of
from interlock.servers.mysql_script import Seen, session_bounds, write_state
from interlock.servers.mysql_words import NEEDS, NEEDS_5_7, words
from interlock.servers.session import Result

EAST, WEST = ServerName("east"), ServerName("west")
UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
SPEC = ServerSpec(
    name=EAST, cluster=ClusterName("east"), host="10.1.0.10", port=3306, access=Access(account=Account(user="t", password=None), tls=None)
)


def speaks(version: str) -> MySQL:
    found = dialect_of("east", version, pinned="mysql")
    assert isinstance(found, MySQL)
    return found


@pytest.mark.parametrize(
    ("version", "own_log", "channels", "log_updates", "pos_wait", "persists"),
    [
        pytest.param("5.7.44-log", "SHOW MASTER STATUS", "SHOW SLAVE STATUS", "log_slave_updates", "MASTER_POS_WAIT", False, id="5.7"),
        pytest.param(
            "5.7.44-48-57-log", "SHOW MASTER STATUS", "SHOW SLAVE STATUS", "log_slave_updates", "MASTER_POS_WAIT", False, id="p-5.7"
        ),
        pytest.param("8.0.21", "SHOW MASTER STATUS", "SHOW SLAVE STATUS", "log_slave_updates", "MASTER_POS_WAIT", True, id="8.0.21"),
        pytest.param("8.0.22", "SHOW MASTER STATUS", "SHOW REPLICA STATUS", "log_slave_updates", "MASTER_POS_WAIT", True, id="8.0.22"),
        pytest.param("8.0.25-15", "SHOW MASTER STATUS", "SHOW REPLICA STATUS", "log_slave_updates", "MASTER_POS_WAIT", True, id="p-8.0.25"),
        pytest.param("8.0.26", "SHOW MASTER STATUS", "SHOW REPLICA STATUS", "log_replica_updates", "SOURCE_POS_WAIT", True, id="8.0.26"),
        pytest.param("8.1.0", "SHOW MASTER STATUS", "SHOW REPLICA STATUS", "log_replica_updates", "SOURCE_POS_WAIT", True, id="8.1"),
        pytest.param("8.2.0", "SHOW BINARY LOG STATUS", "SHOW REPLICA STATUS", "log_replica_updates", "SOURCE_POS_WAIT", True, id="8.2"),
        pytest.param(
            "8.4.5-5", "SHOW BINARY LOG STATUS", "SHOW REPLICA STATUS", "log_replica_updates", "SOURCE_POS_WAIT", True, id="p-8.4"
        ),
        pytest.param("9.7.4-2", "SHOW BINARY LOG STATUS", "SHOW REPLICA STATUS", "log_replica_updates", "SOURCE_POS_WAIT", True, id="9.7"),
    ],
)
def test_each_version_has_its_words(*, version: str, own_log: str, channels: str, log_updates: str, pos_wait: str, persists: bool) -> None:
    said = speaks(version).words
    assert (said.own_log, said.channels, said.log_updates, said.pos_wait, said.persists) == (
        own_log,
        channels,
        log_updates,
        pos_wait,
        persists,
    )
    assert said.needs == (NEEDS if persists else NEEDS_5_7)


@pytest.mark.parametrize("version", ["5.6.51", "5.7.7", "5.1.73-community"])
def test_a_version_without_bounds_is_refused(version: str) -> None:
    with pytest.raises(StatementFailed, match=r"older than 5\.7\.8") as refused:
        dialect_of("east", version, pinned=None)
    assert "upgrade it first" in refused.value.hint


@pytest.mark.parametrize("version", ["8.0.11-TiDB-v7.5.1", "8.0.30-Vitess", "5.7.25-OceanBase-v4.2"])
def test_what_only_greets_like_mysql_is_not_taken_for_it(version: str) -> None:
    with pytest.raises(StatementFailed, match="which this version does not drive"):
        dialect_of("east", version, pinned=None)


LOOK, LOOK_5_7 = write_state(words((9, 7, 4))), write_state(words((5, 7, 44)))
FORGET = ("RESET PERSIST IF EXISTS super_read_only", "RESET PERSIST IF EXISTS read_only")


@pytest.mark.parametrize(
    ("version", "effect", "said"),
    [
        pytest.param(
            "9.7.4",
            Fence(server=EAST, within_s=1.5),
            ("SET SESSION lock_wait_timeout=2", "SET PERSIST super_read_only=1", LOOK),
            id="fence",
        ),
        pytest.param(
            "5.7.44",
            Fence(server=EAST, within_s=0.2),
            ("SET SESSION lock_wait_timeout=1", "SET GLOBAL super_read_only=1", LOOK_5_7),
            id="fence-5.7",
        ),
        pytest.param(
            "9.7.4",
            Fence(server=EAST, within_s=1, as_was="read_only"),
            ("SET SESSION lock_wait_timeout=1", "SET GLOBAL read_only=1", *FORGET[::-1], "SET GLOBAL super_read_only=0", LOOK),
            id="fence-as-it-was",
        ),
        pytest.param(
            "5.7.44",
            Fence(server=EAST, within_s=1, as_was="read_only"),
            ("SET SESSION lock_wait_timeout=1", "SET GLOBAL read_only=1", "SET GLOBAL super_read_only=0", LOOK_5_7),
            id="fence-as-it-was-5.7",
        ),
        pytest.param(
            "9.7.4",
            Fence(server=EAST, within_s=1, as_was="read_only+persisted:read_only=ON"),
            ("SET SESSION lock_wait_timeout=1", "SET PERSIST read_only=1", FORGET[0], "SET GLOBAL super_read_only=0", LOOK),
            id="fence-as-it-was-persisted-loose",
        ),
        pytest.param(
            "9.7.4",
            Fence(server=EAST, within_s=1, as_was="super_read_only"),
            ("SET SESSION lock_wait_timeout=1", "SET GLOBAL super_read_only=1", *FORGET, LOOK),
            id="fence-as-it-was-fleeting",
        ),
        pytest.param(
            "9.7.4",
            Fence(server=EAST, within_s=1, as_was="super_read_only+persisted:super_read_only=ON"),
            ("SET SESSION lock_wait_timeout=1", "SET PERSIST super_read_only=1", FORGET[1], LOOK),
            id="fence-as-it-was-persisted",
        ),
        pytest.param(
            "9.7.4",
            Fence(server=EAST, within_s=1, as_was="read_only+persisted:super_read_only=ON+persisted:read_only=OFF"),
            (
                "SET SESSION lock_wait_timeout=1",
                "SET GLOBAL read_only=1",
                "SET PERSIST_ONLY read_only=0",
                "SET PERSIST super_read_only=1",
                "SET GLOBAL super_read_only=0",
                LOOK,
            ),
            id="fence-as-it-was-each-otherwise",
        ),
        pytest.param("9.7.4", Open(server=EAST), ("SET SESSION lock_wait_timeout=2", *FORGET, "SET GLOBAL read_only=0", LOOK), id="open"),
        pytest.param("5.7.44", Open(server=EAST), ("SET SESSION lock_wait_timeout=2", "SET GLOBAL read_only=0", LOOK_5_7), id="open-5.7"),
        pytest.param(
            "9.7.4",
            Open(server=EAST, as_was="persisted:super_read_only=ON+persisted:read_only=ON"),
            ("SET SESSION lock_wait_timeout=2", "SET GLOBAL read_only=0", LOOK),
            id="open-as-it-was",
        ),
        pytest.param(
            "9.7.4",
            Open(server=EAST, as_was="persisted:super_read_only=OFF"),
            ("SET SESSION lock_wait_timeout=2", FORGET[1], "SET GLOBAL read_only=0", "SET PERSIST super_read_only=0", LOOK),
            id="open-as-it-was-persisted-open",
        ),
        pytest.param("8.4.0", SetEventScheduler(server=EAST, on=True), ("SET GLOBAL event_scheduler=ON",), id="scheduler"),
        pytest.param("8.4.0", KillSessions(server=EAST, ids=(7, 9)), ("KILL 7", "KILL 9"), id="kill"),
        pytest.param("8.4.0", RunSql(server=EAST, statements=("A", "B"), within_s=1), ("A", "B"), id="sql"),
    ],
)
def test_scripts(version: str, effect: ServerEffect, said: tuple[str, ...]) -> None:
    assert speaks(version).script(effect) == said


def test_bounds_of_a_teams_own_statements() -> None:
    assert session_bounds(0.25) == "SET SESSION max_execution_time=250, lock_wait_timeout=1, innodb_lock_wait_timeout=1"
    assert speaks("8.4.0").bound_s(1.2) == 2.0


SLAVE_5_7: Mapping[str, object] = {
    "Slave_IO_State": "Waiting for master to send event",
    "Master_Host": "10.1.0.10",
    "Master_Port": 3306,
    "Relay_Master_Log_File": "mysql-bin.000012",
    "Slave_IO_Running": "Yes",
    "Slave_SQL_Running": "Yes",
    "Replicate_Do_DB": "",
    "Last_IO_Error": "",
    "Last_SQL_Error": "",
    "Exec_Master_Log_Pos": 4711,
    "Seconds_Behind_Master": 3,
    "Slave_SQL_Running_State": "Slave has read all relay log; waiting for more updates",
    "Auto_Position": 0,
    "Channel_Name": "",
}
REPLICA_8_4: Mapping[str, object] = {
    "Source_Host": "10.1.0.10",
    "Source_Port": 3306,
    "Relay_Source_Log_File": "binlog.000002",
    "Replica_IO_Running": "Connecting",
    "Replica_SQL_Running": "No",
    "Replicate_Do_DB": "shop",
    "Last_IO_Error": "Error connecting to source 'repl@10.1.0.10:3306'",
    "Last_SQL_Error": "Coordinator stopped because there were error(s) in the worker(s).",
    "Exec_Source_Log_Pos": 158,
    "Seconds_Behind_Source": None,
    "Auto_Position": 1,
    "Channel_Name": "from_east",
}
WORKERS = (
    {"channel": "from_east", "worker": 2, "number": 1062, "message": "Duplicate entry '1' for key 't.PRIMARY'"},
    {"channel": "other", "worker": 1, "number": 1032, "message": "Can't find record in 'u'"},
)


@pytest.mark.parametrize(
    ("row", "name", "receiver", "applier", "lag_s", "error"),
    [
        pytest.param(SLAVE_5_7, "", "Yes", True, 3, "", id="5.7"),
        pytest.param(
            REPLICA_8_4,
            "from_east",
            "Connecting",
            False,
            None,
            "Error connecting to source 'repl@10.1.0.10:3306'; Coordinator stopped because there were error(s) in the worker(s).; "
            "Duplicate entry '1' for key 't.PRIMARY'",
            id="8.4",
        ),
    ],
)
def test_channels_say_the_same_in_every_version(
    *, row: Mapping[str, object], name: str, receiver: str, applier: bool, lag_s: int | None, error: str
) -> None:
    facts = channel(WEST, modern(row), pair=(SPEC,), workers=WORKERS)
    assert (facts.name, facts.source, facts.receiver, facts.applier, facts.lag_s, facts.error) == (
        name,
        EAST,
        receiver,
        applier,
        lag_s,
        error,
    )


@pytest.mark.parametrize(
    ("row", "word"),
    [
        pytest.param({"read_only": 0, "super_read_only": 0, "persisted": None}, "", id="open"),
        pytest.param({"read_only": 1, "super_read_only": 0, "persisted": None}, "read_only", id="read-only"),
        pytest.param({"read_only": 1, "super_read_only": 1}, "super_read_only", id="5.7"),
        pytest.param(
            {"read_only": 1, "super_read_only": 1, "persisted": "super_read_only=ON"},
            "super_read_only+persisted:super_read_only=ON",
            id="persisted",
        ),
        pytest.param(
            {"read_only": 0, "super_read_only": 0, "persisted": "super_read_only=ON"},
            "persisted:super_read_only=ON",
            id="open-but-would-start-fenced",
        ),
        pytest.param(
            {"read_only": 1, "super_read_only": 0, "persisted": "super_read_only=OFF,read_only=ON"},
            "read_only+persisted:super_read_only=OFF+persisted:read_only=ON",
            id="each-otherwise",
        ),
        pytest.param(
            {"read_only": 1, "super_read_only": 1, "persisted": "super_read_only=ON", "offline_mode": 1},
            "super_read_only+offline_mode+persisted:super_read_only=ON",
            id="offline",
        ),
    ],
)
def test_how_a_server_is_fenced(row: Mapping[str, object], word: str) -> None:
    assert fence_of({"offline_mode": 0, **row}) == word
    assert str(Seen.parse(word)) == word


STATE = {
    "read_only": 1,
    "super_read_only": 1,
    "executed": f"{UUID}:1-5,\n{UUID[:-1]}3:1-2",
    "event_scheduler": "OFF",
    "offline_mode": 0,
    "persisted": None,
}
LOG = {"File": "binlog.000003", "Position": 158, "Binlog_Do_DB": "", "Binlog_Ignore_DB": "tmp", "Executed_Gtid_Set": ""}


@pytest.mark.parametrize(
    ("version", "row", "fenced"),
    [
        pytest.param("8.4.0", {"read_only": 0, "super_read_only": 0}, (False, False, False), id="open"),
        pytest.param("8.4.0", {"super_read_only": 0}, (True, True, False), id="administrators-write"),
        pytest.param("8.4.0", {"super_read_only": 0, "persisted": "super_read_only=ON,read_only=ON"}, (True, True, False), id="loose-now"),
        pytest.param("8.4.0", {}, (True, False, True), id="gone-at-a-restart"),
        pytest.param("8.4.0", {"persisted": "read_only=ON"}, (True, False, True), id="loose-after-a-restart"),
        pytest.param("8.4.0", {"persisted": "super_read_only=OFF"}, (True, False, True), id="opened-by-a-restart"),
        pytest.param("8.4.0", {"persisted": b"super_read_only=ON,read_only=ON"}, (True, False, False), id="as-close-as-can-be"),
        pytest.param("5.7.44", {"super_read_only": 0}, (True, True, False), id="administrators-write-5.7"),
        pytest.param("5.7.44", {}, (True, False, False), id="as-close-as-5.7-can-be"),
    ],
)
def test_read_only_alone_is_a_loose_fence_and_one_that_is_not_kept_a_fleeting_one(
    version: str, row: Mapping[str, object], fenced: tuple[bool, bool, bool]
) -> None:
    seen = speaks(version).write_facts(EAST, [Result(rows=({**STATE, **row},), affected=0)])
    assert (seen.read_only, seen.loose, seen.fleeting) == fenced
    assert seen.is_fully_fenced is (fenced == (True, False, False))


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        pytest.param(
            Fence(server=EAST, within_s=1), ("SET PERSIST super_read_only=1", "SET GLOBAL offline_mode=1"), id="fenced-then-turned-out"
        ),
        pytest.param(Open(server=EAST), (*FORGET, "SET GLOBAL read_only=0", "SET GLOBAL offline_mode=0"), id="open-then-let-in"),
        pytest.param(
            Open(server=EAST, as_was="offline_mode"), (*FORGET, "SET GLOBAL read_only=0", "SET GLOBAL offline_mode=1"), id="as-it-was"
        ),
        pytest.param(
            Fence(server=EAST, within_s=1, as_was="super_read_only"),
            ("SET GLOBAL super_read_only=1", *FORGET, "SET GLOBAL offline_mode=0"),
            id="the-lesser-fence-that-it-had",
        ),
    ],
)
def test_the_harder_fence_turns_clients_out_once_nothing_is_written_any_more(effect: ServerEffect, said: tuple[str, ...]) -> None:
    harder = replace(speaks("9.7.4"), offline=True)
    assert harder.script(effect)[1:-1] == said


@pytest.mark.parametrize(
    ("row", "lacks", "fully"),
    [
        pytest.param({}, "offline_mode is off", False, id="not-yet"),
        pytest.param({"offline_mode": 1}, "", True, id="as-it-is-wanted"),
        pytest.param({"read_only": 0, "super_read_only": 0}, "", False, id="open"),
    ],
)
def test_a_fence_that_lacks_what_the_topology_wants_is_told(row: Mapping[str, object], lacks: str, *, fully: bool) -> None:
    harder = replace(speaks("9.7.4"), offline=True)
    seen = harder.write_facts(EAST, [Result(rows=({**STATE, "persisted": "super_read_only=ON", **row},), affected=0)])
    assert (seen.lacks, seen.is_fully_fenced) == (lacks, fully)


def test_positions_are_gtid_sets_or_files_as_the_channels_are() -> None:
    results = [Result(rows=(row,), affected=0) for row in (STATE, LOG, SLAVE_5_7)]
    by_gtid = speaks("8.4.0")
    assert str(by_gtid.write_facts(WEST, results[:1]).position) == f"{UUID}:1-5,{UUID[:-1]}3:1-2"
    follows = (Followed(name=EAST, address="10.1.0.10:3306", channel=""),)
    by_file = MySQL(version=(5, 7, 44), words=words((5, 7, 44)), by_file=True, follows=follows)
    assert by_file.look == (LOOK_5_7, "SHOW MASTER STATUS", "SHOW SLAVE STATUS")
    position = by_file.write_facts(WEST, results).position
    assert str(position) == "east=mysql-bin.000012:4711,west=binlog.000003:158"
    assert by_file.written_here(WEST, position) == FilePosition.of({"west": LogPoint.of("binlog.000003", 158)})
    assert (by_gtid.speaks(position), by_file.speaks(position), by_file.speaks(MySQLPosition())) == (False, True, True)


def test_facts_and_filters() -> None:
    row = {
        "server_id": 2,
        "log_bin": 1,
        "log_updates": 1,
        "binlog_format": "ROW",
        "auto_increment_increment": 2,
        "auto_increment_offset": 2,
        "version": "8.4.3",
        "clock": 100.5,
        "log_keeps_s": 86400,
    }
    facts = server_facts(WEST, row, log=(LOG,), channels=(REPLICA_8_4,), our_clock_s=100.0)
    assert (facts.flavor, facts.version, facts.gtid_domain_id, facts.clock_offset_s) == ("mysql", "8.4.3", None, 0.5)
    assert facts.filters == {"replicate_do_db": "shop", "binlog_ignore_db": "tmp"}


@pytest.mark.parametrize(
    ("event", "info", "gtid"),
    [
        pytest.param("Gtid", f"SET @@SESSION.GTID_NEXT= '{UUID.upper()}:17'", f"{UUID}:17", id="gtid"),
        pytest.param("Gtid_tagged_log_event", f"SET @@SESSION.GTID_NEXT= '{UUID}:night:1'", f"{UUID}:night:1", id="tagged"),
        pytest.param("Anonymous_Gtid", "SET @@SESSION.GTID_NEXT= 'ANONYMOUS'", None, id="anonymous"),
    ],
)
def test_a_transaction_begins_with_its_gtid(event: str, info: str, gtid: str | None) -> None:
    row = {"Event_type": event, "Info": info}
    assert (begins(row), gtid_of(row)) == (True, gtid)
    assert not begins({"Event_type": "Query", "Info": info})


def test_the_printed_grants_are_those_that_are_checked() -> None:
    """As 8.0 and newer answer: static privileges in one line, dynamic ones in another."""
    assert "GRANT SYSTEM_VARIABLES_ADMIN ON *.* TO 't'@'%';" in grants_sql("mysql", "t")
    shown = [
        "GRANT SELECT, PROCESS, REPLICATION SLAVE, REPLICATION CLIENT, EVENT ON *.* TO `t`@`%`",
        "GRANT CONNECTION_ADMIN,SYSTEM_VARIABLES_ADMIN,XA_RECOVER_ADMIN ON *.* TO `t`@`%`",
        "GRANT INSERT, UPDATE, DELETE, CREATE ON `interlock`.* TO `t`@`%`",
    ]
    assert missing(shown, NEEDS, account="'t'@'%'") == ()
    assert missing(shown[1:], NEEDS, account="'t'@'%'")[0] == "GRANT PROCESS ON *.* TO 't'@'%'"
    assert missing(["GRANT ALL PRIVILEGES ON *.* TO 't'@'%'"], NEEDS_5_7, account="'t'@'%'") == ()


@pytest.mark.parametrize(
    ("flavor", "version", "has", "lacks"),
    [
        pytest.param("mysql", "5.7", "SUPER", "CONNECTION_ADMIN", id="5.7"),
        pytest.param("mysql", "5.7.44-log", "SUPER", "REPLICATION_SLAVE_ADMIN", id="as-a-server-tells-it"),
        pytest.param("mysql", "8.0", "REPLICATION_SLAVE_ADMIN", "SUPER", id="8.0"),
        pytest.param("mysql", "8.4", "XA_RECOVER_ADMIN", "SUPER", id="8.4"),
        pytest.param("mysql", "9", "XA_RECOVER_ADMIN", "SUPER", id="9.x"),
        pytest.param("percona", "8.0.36-28", "CONNECTION_ADMIN", "SUPER", id="percona"),
        pytest.param("Percona-Server", "5.7", "SUPER", "CONNECTION_ADMIN", id="percona-5.7"),
        pytest.param("mariadb", "10.5", "READ_ONLY ADMIN", "CONNECTION_ADMIN", id="mariadb-10.5"),
        pytest.param("mariadb", "11.8.3-MariaDB", "READ_ONLY ADMIN", "CONNECTION_ADMIN", id="mariadb-11.8"),
    ],
)
def test_grants_are_printed_for_a_version(flavor: str, version: str, has: str, lacks: str) -> None:
    printed = grants_sql(flavor, "t", version=version)
    assert (f"GRANT {has} ON" in printed, f"GRANT {lacks} ON" in printed) == (True, False)


@pytest.mark.parametrize(
    ("flavor", "version", "what", "hint"),
    [
        pytest.param("mysql", "5.6", "mysql 5.6 is not driven", "upgrade it first", id="too-old"),
        pytest.param("mariadb", "10.4", "mariadb 10.4 is not driven", "upgrade it first", id="mariadb-too-old"),
        pytest.param("mysql", "eight", "'eight' is no version", "such as 8.4", id="no-version"),
        pytest.param("mysqll", "8.4", "no flavor of server is called 'mysqll'", "did you mean mysql?", id="no-flavor"),
    ],
)
def test_grants_for_what_is_not_driven_are_refused(flavor: str, version: str, what: str, hint: str) -> None:
    with pytest.raises(UsageError, match=what) as refused:
        grants_sql(flavor, "t", version=version)
    assert hint in refused.value.hint


def test_administrators_are_found_through_roles_and_pass_nothing() -> None:
    known = Accounts(known=frozenset({("dba", "%"), ("app", "%")}), administrators=frozenset({("dba", "%")}))
    assert [(known.passes(user, "h:1"), known.is_administrator(user, "h:1")) for user in ("dba", "app")] == [(False, True), (False, False)]
