"""Which kinds of servers may replicate from which: a table of what is documented and what was tried."""

from __future__ import annotations

import pytest

from interlock.actions.pair_checks import CanReplicate, SeenServers
from interlock.decisions.mixed import can_replicate, mended_by
from interlock.model.facts import ServerFacts
from interlock.model.topology import ServerName
from interlock.model.verdict import Done, Refuse

MARIADB_10_11, MARIADB_11_8 = "5.5.5-10.11.19-MariaDB-log", "11.8.6-MariaDB from Debian-log"
MYSQL_5_7, MYSQL_8_0, MYSQL_9_7 = "5.7.44-log", "8.0.36", "9.7.4-2"
XPAND = "5.0.45-Xpand-6.1.1"


def server(name: str, flavor: str, version: str, *, binlog_format: str = "ROW", collation: str = "utf8mb4_general_ci") -> ServerFacts:
    return ServerFacts(
        server=ServerName(name),
        flavor=flavor,
        version=version,
        server_id=1,
        gtid_domain_id=None,
        log_bin=True,
        log_slave_updates=True,
        binlog_format=binlog_format,
        auto_increment_increment=2,
        auto_increment_offset=1,
        clock_offset_s=0.0,
        collation=collation,
    )


def mysql(version: str, collation: str = "utf8mb4_general_ci") -> ServerFacts:
    return server("east", "mysql", version, collation=collation)


def mariadb(version: str, binlog_format: str = "ROW", collation: str = "utf8mb4_general_ci") -> ServerFacts:
    return server("west", "mariadb", version, binlog_format=binlog_format, collation=collation)


def xpand() -> ServerFacts:
    return server("west", "xpand", XPAND)


@pytest.mark.parametrize(
    ("source", "replica", "warning"),
    [
        (mysql(MYSQL_9_7), mysql(MYSQL_8_0), ""),
        (mysql(MYSQL_5_7), mariadb("10.5.9-MariaDB"), ""),
        (mysql(MYSQL_9_7), mariadb(MARIADB_10_11), "the channel into west must have no heartbeats"),
        (mysql(MYSQL_9_7, "utf8mb4_0900_ai_ci"), mariadb(MARIADB_11_8), "MASTER_HEARTBEAT_PERIOD=0"),
        (mysql(MYSQL_8_0), mariadb("10.6.21-MariaDB"), "no heartbeats"),
        (mysql(MYSQL_8_0), mariadb("11.7.2-MariaDB"), "no heartbeats"),
        (mariadb(MARIADB_10_11), mysql(MYSQL_8_0), "not tried with MySQL 8.0.36"),
        (mariadb(MARIADB_11_8, "STATEMENT"), mysql(MYSQL_9_7), "west logs statements, not rows"),
        (xpand(), mysql(MYSQL_5_7), ""),
        (xpand(), mysql(MYSQL_8_0), "Xpand replicates to MySQL up to 5.7 by its documentation, and east is 8.0.36"),
        (mysql(MYSQL_5_7), xpand(), ""),
        (mysql(MYSQL_9_7), xpand(), "Xpand replicates from MySQL up to 5.7 by its documentation, and east is 9.7.4"),
        (server("east", "mariadb", MARIADB_10_11), xpand(), "never tried"),
    ],
    ids=[
        "the same flavor", "5.7 to any MariaDB", "9.7 to 10.11", "0900 to 11.8", "8.0 to 10.6.21", "8.0 to 11.7.2", "MariaDB to 8.0",
        "statements to 9.7", "Xpand to 5.7", "Xpand to 8.0", "5.7 to Xpand", "9.7 to Xpand", "MariaDB to Xpand",
    ],
)  # fmt: skip
def test_what_works_is_allowed_and_what_nobody_tried_is_said(source: ServerFacts, replica: ServerFacts, warning: str) -> None:
    verdict = can_replicate(source, replica)
    assert isinstance(verdict, Done)
    assert len(verdict.warnings) == bool(warning)
    assert warning in " ".join(verdict.warnings)


@pytest.mark.parametrize(
    ("source", "replica", "times"),
    [
        (mariadb(MARIADB_10_11, "STATEMENT"), mysql(MYSQL_9_7), 1),
        (mariadb("11.4.9-MariaDB", "STATEMENT"), mysql(MYSQL_9_7), 1),
        (mariadb("11.5.0-MariaDB", "STATEMENT"), mysql(MYSQL_9_7), 0),
        (mariadb(MARIADB_10_11, "MIXED"), mysql(MYSQL_8_0), 1),
        (mariadb(MARIADB_10_11, "ROW"), mysql(MYSQL_8_0), 0),
    ],
    ids=["10.11", "11.4", "11.5", "MIXED to 8.0", "rows to 8.0"],
)
def test_that_a_statement_which_changes_nothing_can_stop_mysql_is_said(source: ServerFacts, replica: ServerFacts, times: int) -> None:
    verdict = can_replicate(source, replica)
    assert isinstance(verdict, Done)
    assert sum("that changes nothing, committed together with others, stops east" in warning for warning in verdict.warnings) == times


@pytest.mark.parametrize(
    ("source", "replica", "why", "hint"),
    [
        (mysql(MYSQL_8_0), mariadb("10.11.10-MariaDB"), "west (MariaDB 10.11.10) can't replicate from MySQL 8.0.36 on east", "10.11.11"),
        (mysql(MYSQL_8_0), mariadb("11.2.9-MariaDB"), "west (MariaDB 11.2.9) can't replicate from MySQL 8.0.36 on east", "11.7.2"),
        (
            mysql(MYSQL_9_7, "utf8mb4_0900_ai_ci"),
            mariadb(MARIADB_10_11),
            "clients of east get the collation utf8mb4_0900_ai_ci, which stops west (MariaDB 10.11.19)",
            "SET GLOBAL default_collation_for_utf8mb4=utf8mb4_general_ci on east",
        ),
        (mariadb(MARIADB_11_8), mysql(MYSQL_9_7), "east (MySQL 9.7.4) can't apply row events of MariaDB on west, binlog_format=ROW", "8.3"),
        (mariadb(MARIADB_10_11, "MIXED"), mysql("8.4.0"), "row events of MariaDB on west, binlog_format=MIXED", "binlog_format=STATEMENT"),
        (
            mariadb(MARIADB_11_8, "STATEMENT", "utf8mb4_uca1400_ai_ci"),
            mysql(MYSQL_9_7),
            "clients of west get the collation utf8mb4_uca1400_ai_ci: east (MySQL 9.7.4) passes over what they write, without an error",
            "SET GLOBAL character_set_collations='utf8mb4=utf8mb4_general_ci' on west",
        ),
        (xpand(), mysql(MYSQL_9_7), "east (MySQL 9.7.4) can't replicate from Xpand on west, which is documented up to MySQL 5.7", "5.7"),
        (server("east", "tidb", "8.0.11-TiDB"), mariadb(MARIADB_11_8), "nobody knows whether that works", "mysql to mariadb"),
    ],
    ids=["old patch", "series that ended", "0900", "rows to 9.7", "mixed to 8.4", "uca1400", "Xpand to 9.7", "unknown flavor"],
)
def test_what_can_not_work_is_refused_with_the_reason(source: ServerFacts, replica: ServerFacts, why: str, hint: str) -> None:
    verdict = can_replicate(source, replica)
    assert isinstance(verdict, Refuse)
    assert why in verdict.why
    assert hint in verdict.hint


@pytest.mark.parametrize(
    ("error", "way"),
    [
        (
            "Got fatal error 1236 from source: 'Failed to replace GTID event with backwards-compatible event: corrupt event.'",
            "go on behind",
        ),
        ("Got fatal error 1236 from source: 'Could not find first log file name in binary log index file'", ""),
    ],
    ids=["what MariaDB can't send", "another 1236"],
)
def test_a_channel_that_stopped_on_what_mariadb_can_not_send_has_a_way_to_go_on(error: str, way: str) -> None:
    assert mended_by(error)[: len("go on behind")] == way


def test_all_that_stands_in_the_way_is_said_at_once() -> None:
    verdict = CanReplicate().decide(SeenServers(masters=(mysql(MYSQL_9_7, "utf8mb4_0900_ai_ci"), mariadb(MARIADB_10_11))))
    assert isinstance(verdict, Refuse)
    for why in ("clients of east get the collation utf8mb4_0900_ai_ci", "east (MySQL 9.7.4) can't apply row events of MariaDB on west"):
        assert why in verdict.why
    for hint in ("default_collation_for_utf8mb4", "binlog_format=STATEMENT"):
        assert hint in verdict.hint


def test_a_pair_must_be_able_to_both_ways() -> None:
    check = CanReplicate()
    there_only = check.decide(SeenServers(masters=(mysql(MYSQL_9_7), mariadb(MARIADB_11_8))))
    assert isinstance(there_only, Refuse)
    both = check.decide(SeenServers(masters=(mysql(MYSQL_9_7), mariadb(MARIADB_11_8, "STATEMENT"))))
    assert isinstance(both, Done)
    assert both.why == (
        "west (mariadb) can replicate from east (mysql) by file and offset; "
        "east (mysql) can replicate from west (mariadb) by file and offset"
    )
    alike = check.decide(SeenServers(masters=(mysql(MYSQL_9_7), server("west", "mysql", MYSQL_9_7))))
    assert alike == Done("west and east are both mysql", ())
