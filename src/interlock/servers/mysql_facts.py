"""Rows of MySQL as facts: pure. NULL stays None, for no decision may take it for healthy.

Rows of SHOW SLAVE STATUS are read by the newer names (`modern`), so that a version's words stand in one place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from interlock.model.facts import ChannelFacts, ServerFacts
from interlock.model.position import LogPoint, MySQLPosition, Position
from interlock.model.topology import ServerName, ServerSpec
from interlock.servers import file_positions
from interlock.servers.mysql_script import Seen
from interlock.servers.mysql_words import Words
from interlock.servers.session import Row, text_of

SESSIONS = (
    "SELECT p.id AS id, p.user AS user, p.host AS host, p.command AS command, p.state AS state, p.time AS time_s, "
    "LEFT(p.info, 200) AS statement, t.trx_rows_modified AS rows_modified, "
    "TIMESTAMPDIFF(MICROSECOND, CONVERT_TZ(t.trx_started, 'SYSTEM', '+00:00'), SYSDATE(6)) / 1e6 AS transaction_s "
    "FROM information_schema.processlist p "
    "LEFT JOIN information_schema.innodb_trx t ON t.trx_mysql_thread_id = p.id AND t.trx_mysql_thread_id <> 0"
)
"""`trx_started` is in the *server's* time zone, whatever the session's is (tried on 9.7; MariaDB's is in the session's)."""

EVENTS = (
    "SELECT event_schema AS db, event_name AS name, definer AS definer FROM information_schema.events "
    "WHERE status = 'ENABLED' ORDER BY event_schema, event_name"
)
WORKER_ERRORS = (
    "SELECT channel_name AS channel, worker_id AS worker, last_error_number AS number, last_error_message AS message "
    "FROM performance_schema.replication_applier_status_by_worker WHERE last_error_number <> 0 ORDER BY worker_id"
)
BUSY_WORKERS = (
    "SELECT COUNT(*) AS busy FROM performance_schema.threads t JOIN information_schema.processlist p ON p.id = t.processlist_id "
    "WHERE t.name IN ('thread/sql/replica_worker', 'thread/sql/slave_worker') AND NOT p.state <=> 'Waiting for an event from Coordinator'"
)
"""The coordinator says that all is read while its workers still apply it (replica_parallel_workers, 4 from 8.0.27 on; tried on 9.7)."""
OWNED = "SELECT @@GLOBAL.gtid_owned AS owned"
_OWNER = re.compile(r"#\d+?(?=([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})|[:,]|$)", re.IGNORECASE)
_SILENCE = (
    "TIMESTAMPDIFF(MICROSECOND, NULLIF(GREATEST(last_heartbeat_timestamp, last_queued_transaction_end_queue_timestamp), 0), NOW(6)) / 1e6"
)
_FILTERS = (
    "Replicate_Do_DB",
    "Replicate_Ignore_DB",
    "Replicate_Do_Table",
    "Replicate_Ignore_Table",
    "Replicate_Wild_Do_Table",
    "Replicate_Wild_Ignore_Table",
    "Replicate_Rewrite_DB",
)


def heartbeats(words: Words) -> str:
    """How many its receiver had, and how long ago the last one or the last transaction came (8.0; 5.7 dates no transaction)."""
    silence = _SILENCE if words.persists else "NULL"
    columns = f"channel_name AS channel, count_received_heartbeats AS heartbeats, {silence} AS silent_s"
    return f"SELECT {columns} FROM performance_schema.replication_connection_status"


def settings(words: Words) -> str:
    collation = ", @@GLOBAL.default_collation_for_utf8mb4 AS collation" if words.persists else ""  # of 8.0.11, the first release of 8.0
    return (
        "SELECT @@GLOBAL.server_id AS server_id, @@GLOBAL.log_bin AS log_bin, "
        f"@@GLOBAL.{words.log_updates} AS log_updates, @@GLOBAL.binlog_format AS binlog_format, "
        "@@GLOBAL.auto_increment_increment AS auto_increment_increment, @@GLOBAL.auto_increment_offset AS auto_increment_offset, "
        f"@@GLOBAL.version AS version, UNIX_TIMESTAMP(SYSDATE(6)) AS clock, {words.log_keeps_s} AS log_keeps_s"
        f"{collation}"
    )


def owned(told: str) -> MySQLPosition:
    """What `gtid_owned` tells, `uuid:7#31:8#32`, without the sessions that own it: transactions under way, of which some can be seen.

    Nothing stands between a session's number and the next source (sql/rpl_gtid.h, Owned_gtids::to_string): `uuid:7#31uuid:5#32`.
    """
    return MySQLPosition.parse(_OWNER.sub(lambda owner: "," if owner[1] else "", told))


def modern(row: Row) -> Row:
    """The names of 8.0.22 and newer: Source for Master, Replica for Slave."""
    return {key.replace("Master", "Source").replace("Slave", "Replica"): value for key, value in row.items()}


def is_on(value: object) -> bool:
    return text_of(value) not in {"0", "OFF", ""}


def persisted(row: Row) -> Mapping[str, bool]:
    """Of the two variables those that are persisted, and whether as ON."""
    said = (one.partition("=") for one in text_of(row.get("persisted")).split(",") if one)
    return {name: is_on(value) for name, _, value in said}


def fence_of(row: Row) -> str:
    """How it is fenced, from `look`: see `mysql_script.Seen`. Empty if it is open, and nothing is persisted."""
    closed = "super_read_only" if is_on(row["super_read_only"]) else "read_only" if is_on(row["read_only"]) else ""
    return str(Seen(closed=closed, offline=is_on(row["offline_mode"]), persisted=persisted(row)))


def lesser(fence: str) -> str:
    """The `WriteFacts.lesser` of a fence: `super_read_only` stops administrators too, our own account among them; `read_only` alone lets
    them through ("Server System Variables"; who passes it: `mysql_accounts.py`). What is persisted stays: a server that restarts meanwhile
    is fenced as closely as before.
    """
    seen = Seen.parse(fence)
    return str(replace(seen, closed="read_only")) if seen.closed == "super_read_only" else ""


def is_loose(row: Row) -> bool:
    """`read_only` alone does not stop accounts with SUPER or CONNECTION_ADMIN ("Server System Variables", super_read_only)."""
    return is_on(row["read_only"]) and not is_on(row["super_read_only"])


def is_fleeting(row: Row) -> bool:
    """It is not persisted that administrators are stopped. Only of servers that persist."""
    return is_on(row["super_read_only"]) and not persisted(row).get("super_read_only", False)


def starts_open(row: Row) -> bool:
    """It is fenced, and what is persisted opens it at its next start."""
    return (is_on(row["read_only"]) or is_on(row["super_read_only"])) and not all(persisted(row).values())


def server_facts(server: ServerName, row: Row, *, log: Sequence[Row], channels: Sequence[Row], our_clock_s: float) -> ServerFacts:
    """`row` of `settings`. Replication filters are only told by the channels, those of the log only by the log's own status."""
    filters = {key.lower(): text_of(channel[key]) for channel in channels for key in _FILTERS if channel.get(key)}
    filters |= {key.lower(): text_of(one[key]) for one in log for key in ("Binlog_Do_DB", "Binlog_Ignore_DB") if one.get(key)}
    return ServerFacts(
        server=server,
        flavor="mysql",
        version=text_of(row["version"]),
        server_id=int(text_of(row["server_id"])),
        gtid_domain_id=None,
        log_bin=is_on(row["log_bin"]),
        log_slave_updates=is_on(row["log_updates"]),
        binlog_format=text_of(row["binlog_format"]),
        auto_increment_increment=int(text_of(row["auto_increment_increment"])),
        auto_increment_offset=int(text_of(row["auto_increment_offset"])),
        clock_offset_s=float(text_of(row["clock"])) - our_clock_s,
        filters=filters,
        collation=text_of(row.get("collation")),
        log_keeps_s=float(text_of(row["log_keeps_s"])),
    )


def address_of(row: Row) -> str:
    return f"{text_of(row['Source_Host'])}:{text_of(row['Source_Port'])}"


def applied_point(row: Row) -> LogPoint | None:
    """How far the source's log is applied; None before the first event."""
    file = text_of(row["Relay_Source_Log_File"])
    return LogPoint.of(file, int(text_of(row["Exec_Source_Log_Pos"]))) if file else None


def uses_gtids(row: Row) -> bool:
    return is_on(row["Auto_Position"])


def received(row: Row, source: ServerName | None) -> Position | None:
    """All that the receiver has, in whole transactions where GTIDs are used (MySQL manual "SHOW REPLICA STATUS", Retrieved_Gtid_Set)."""
    if uses_gtids(row):
        return MySQLPosition.parse(text_of(row["Retrieved_Gtid_Set"])) if row.get("Retrieved_Gtid_Set") is not None else None
    return file_positions.received(source, row.get("Source_Log_File"), row.get("Read_Source_Log_Pos"))


def channel(
    server: ServerName, row: Row, *, pair: Iterable[ServerSpec], workers: Sequence[Row], beats: Row | None = None, busy: bool = False
) -> ChannelFacts:
    """One modern row. A receiver's error stands before an applier's; the coordinator's words only point to its workers', which follow.

    `beats` is its row of `heartbeats`. `busy`: some worker still applies, or it is not known whether one does.
    """
    counted = text_of(beats["heartbeats"]) if beats is not None else ""
    address, name = address_of(row), text_of(row["Channel_Name"])
    source = next((one.name for one in pair if address in one.addresses), None)
    lag = row["Seconds_Behind_Source"]
    errors = [text_of(row[key]) for key in ("Last_IO_Error", "Last_SQL_Error") if row.get(key)]
    its = [worker for worker in workers if text_of(worker["channel"]) == name]
    said = [text_of(worker["message"]) for worker in its]
    number = its[0]["number"] if its else row.get("Last_SQL_Errno")
    return ChannelFacts(
        server=server,
        name=name,
        source=source,
        source_address=address,
        receiver=text_of(row["Replica_IO_Running"]),
        applier=text_of(row["Replica_SQL_Running"]) == "Yes",
        lag_s=None if lag is None else int(text_of(lag)),
        error="; ".join([*errors, *(one for one in said if one and not any(one in error for error in errors))]),
        filters={key.lower(): text_of(row[key]) for key in _FILTERS if row.get(key)},
        using="auto_position" if uses_gtids(row) else "position",
        applied=applied_point(row),
        received=received(row, source),
        idle=file_positions.is_idle(row.get("Replica_SQL_Running_State")) and not busy,
        heard=" ".join(filter(None, (text_of(row.get("Source_Log_File")), text_of(row.get("Read_Source_Log_Pos")), counted))),
        receiver_error=int(text_of(row.get("Last_IO_Errno")) or 0),
        until=text_of(row.get("Until_Condition")) not in {"", "None"},
        delay_s=int(text_of(row.get("SQL_Delay")) or 0),
        applier_error=int(text_of(number) or 0),
        silent_s=None if beats is None or beats["silent_s"] is None else float(text_of(beats["silent_s"])),
    )
