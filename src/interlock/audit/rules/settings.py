"""Beside the questions: settings that a pair needs, each a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from interlock.audit.facts import PairSeen
from interlock.audit.rule import Fault, Rule, same, wanted
from interlock.model.audit import BESIDE, AuditVerdict

_UNFIT, _ATTENTION = AuditVerdict.UNFIT, AuditVerdict.NEEDS_ATTENTION


def _is(value: str, *names: str) -> Callable[[PairSeen], Iterator[Fault]]:
    """A setting that must have this value and no other."""
    return wanted(names, lambda its: its == value, value)


RULES = (
    Rule(
        id="log.row_format",
        question=BESIDE,
        title="Both masters log rows",
        verdict=_UNFIT,
        why="a statement that is run again on the other side can change other rows there, and what a failover lost can't be told by row",
        source='MySQL manual, "Replication Formats"; MariaDB KB, "Binary Log Formats"',
        look=_is("ROW", "binlog_format"),
    ),
    Rule(
        id="log.row_image",
        question=BESIDE,
        title="Both masters log whole rows",
        verdict=_ATTENTION,
        why="with a part of a row in the log, what a failover lost can't be put back, and a row that differs is changed without notice",
        source='MySQL manual, "binlog_row_image"; MariaDB KB, "binlog_row_image"',
        look=_is("FULL", "binlog_row_image"),
    ),
    Rule(
        id="log.partial_json",
        question=BESIDE,
        title="JSON is logged whole",
        verdict=_ATTENTION,
        why="a partial update of JSON can't be read row by row when a failover's losses are listed",
        source='MySQL manual, "binlog_row_value_options"',
        look=wanted(("binlog_row_value_options",), lambda value: not value, ""),
    ),
    Rule(
        id="log.row_metadata",
        question=9,
        title="The log names its columns",
        verdict=_ATTENTION,
        why="without names, rows of a table that changed since can't be read by column: no loss and no rolling change is told surely",
        source='MySQL manual, "binlog_row_metadata"; MariaDB KB, "binlog_row_metadata"',
        look=_is("FULL", "binlog_row_metadata"),
    ),
    Rule(
        id="log.checksums",
        question=14,
        title="Events carry checksums",
        verdict=_ATTENTION,
        why="a damaged event would be applied instead of stopping the channel",
        source='MySQL manual, "binlog_checksum"; MariaDB KB, "Binlog Event Checksums"',
        look=_is("CRC32", "binlog_checksum"),
    ),
    Rule(
        id="log.checksums_are_verified",
        question=14,
        title="Checksums are verified before events are applied",
        verdict=_ATTENTION,
        why="a relay log that was damaged on the disk would be applied",
        source='MySQL manual, "replica_sql_verify_checksum"; MariaDB KB, "slave_sql_verify_checksum"',
        look=_is("ON", "replica_sql_verify_checksum", "slave_sql_verify_checksum"),
    ),
    Rule(
        id="durable.log",
        question=BESIDE,
        title="Each commit's log is on the disk",
        verdict=_ATTENTION,
        why="after a power cut the master can lack what it acknowledged and what the other side holds: the two have drifted apart",
        source='MySQL manual, "sync_binlog"; MariaDB KB, "sync_binlog"',
        look=_is("1", "sync_binlog"),
    ),
    Rule(
        id="durable.commits",
        question=BESIDE,
        title="Each commit is on the disk",
        verdict=_ATTENTION,
        why="after a power cut acknowledged transactions are lost on the master, while its log or the other side may have them",
        source='MySQL manual, "innodb_flush_log_at_trx_commit"',
        look=wanted(("innodb_flush_log_at_trx_commit",), lambda value: value in {"1", "3"}, "1"),
    ),
    Rule(
        id="settings.sql_mode",
        question=BESIDE,
        title="The same sql_mode on both",
        verdict=_ATTENTION,
        why="a statement that the old writer took is refused by the new one, or is stored otherwise",
        source='MySQL manual, "Server SQL Modes"',
        look=same("sql_mode"),
    ),
    Rule(
        id="settings.charset",
        question=BESIDE,
        title="The same default character set on both",
        verdict=_ATTENTION,
        why="a table made after a switchover has another character set than one made before it",
        source='MySQL manual, "Server Character Set and Collation"',
        look=same("character_set_server"),
    ),
    Rule(
        id="settings.collation",
        question=BESIDE,
        title="The same default collation on both",
        verdict=_ATTENTION,
        why="a table made after a switchover sorts, and tells values apart, otherwise than one made before it",
        source='MySQL manual, "Server Character Set and Collation"',
        look=same("collation_server"),
    ),
    Rule(
        id="settings.packet",
        question=BESIDE,
        title="The same max_allowed_packet on both",
        verdict=_ATTENTION,
        why="a row that the writer took may be too large for the other side: replication stops, or clients fail after the switchover",
        source='MySQL manual, "Replication and max_allowed_packet"',
        look=same("max_allowed_packet"),
    ),
    Rule(
        id="settings.memory",
        question=BESIDE,
        title="The same buffer pool on both",
        verdict=_ATTENTION,
        why="the side with less memory may not carry the load when it gets the writes",
        source='MySQL manual, "Configuring InnoDB Buffer Pool Size"',
        look=same("innodb_buffer_pool_size"),
    ),
    Rule(
        id="settings.connections",
        question=13,
        title="The same max_connections on both",
        verdict=_ATTENTION,
        why="all clients come to one side after a switchover or a quiesce; some would be refused there",
        source='MySQL manual, "max_connections"',
        look=same("max_connections"),
    ),
    Rule(
        id="conflicts.are_not_hidden",
        question=7,
        title="Replication stops at a conflict",
        verdict=_UNFIT,
        why="with IDEMPOTENT a row that collides is overwritten, or its lack passed over, and nobody is told: the sides drift apart",
        source='MySQL manual, "replica_exec_mode"; MariaDB KB, "slave_exec_mode"',
        look=_is("STRICT", "replica_exec_mode", "slave_exec_mode"),
    ),
    Rule(
        id="conflicts.gtid_strict",
        question=7,
        title="GTIDs out of order are refused",
        verdict=_ATTENTION,
        why="without gtid_strict_mode a write on the wrong side goes into the log under a GTID that stops replication only later",
        source='MariaDB KB, "gtid_strict_mode"',
        look=_is("ON", "gtid_strict_mode"),
    ),
    Rule(
        id="conflicts.applier_retries",
        question=7,
        title="The applier tries again after a deadlock",
        verdict=_ATTENTION,
        why="without retries the applier stops at the first deadlock with a client's read or with itself",
        source='MySQL manual, "replica_transaction_retries"; MariaDB KB, "slave_transaction_retries"',
        look=wanted(("replica_transaction_retries", "slave_transaction_retries"), lambda value: value != "0", "10"),
    ),
    Rule(
        id="conflicts.isolation",
        question=7,
        title="The same isolation on both",
        verdict=_ATTENTION,
        why="an application that is right at one isolation level may lose updates, or meet deadlocks, at another one",
        source='MySQL manual, "Transaction Isolation Levels"',
        look=same("transaction_isolation", "tx_isolation"),
    ),
    Rule(
        id="integrity.foreign_keys_checked",
        question=4,
        title="Foreign keys are checked",
        verdict=_UNFIT,
        why="rows without a parent come in at this side, and pass replication, which checks none of them there either",
        source='MySQL manual, "foreign_key_checks"',
        look=_is("ON", "foreign_key_checks"),
    ),
    Rule(
        id="integrity.unique_checked",
        question=4,
        title="Unique keys are checked",
        verdict=_UNFIT,
        why="InnoDB may take a duplicate key in a secondary index unseen",
        source='MySQL manual, "unique_checks"',
        look=_is("ON", "unique_checks"),
    ),
    Rule(
        id="integrity.triggers_once",
        question=4,
        title="Triggers fire where a client writes, not again where it is applied",
        verdict=_UNFIT,
        why="what a trigger wrote stands in the row log already: fired again, it is written twice",
        source='MariaDB KB, "Running Triggers on the Replica for Row-based Events"',
        look=_is("NO", "slave_run_triggers_for_rbr"),
    ),
    Rule(
        id="time.zone",
        question=10,
        title="The same time zone on both",
        verdict=_UNFIT,
        why="the same words mean another moment after a switchover: NOW(), TIMESTAMP columns and every comparison with them",
        source='MySQL manual, "MySQL Server Time Zone Support"',
        look=same("time_zone"),
    ),
    Rule(
        id="time.names",
        question=10,
        title="The same names of days and months on both",
        verdict=_ATTENTION,
        why="DATE_FORMAT() and DAYNAME() answer in another language after a switchover",
        source='MySQL manual, "MySQL Server Locale Support"',
        look=same("lc_time_names"),
    ),
    Rule(
        id="time.week",
        question=10,
        title="Weeks are counted alike on both",
        verdict=_ATTENTION,
        why="WEEK() gives another number after a switchover",
        source='MySQL manual, "default_week_format"',
        look=same("default_week_format"),
    ),
    Rule(
        id="upgrade.lossy_conversions",
        question=9,
        title="Columns of two types lose nothing on the way",
        verdict=_ATTENTION,
        why="while a change is rolled out the two sides' types differ: a lossy conversion cuts values off instead of stopping",
        source='MySQL manual, "Replication with Differing Table Definitions on Source and Replica"',
        look=wanted(("replica_type_conversions", "slave_type_conversions"), lambda value: "ALL_LOSSY" not in value, ""),
    ),
)


def of_question(question: int) -> tuple[Rule, ...]:
    return tuple(rule for rule in RULES if rule.question == question)
