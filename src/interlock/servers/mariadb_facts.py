"""Rows of MariaDB as facts: pure. NULL stays None, for no decision may take it for healthy."""

from __future__ import annotations

from collections.abc import Iterable

from interlock.model.facts import ChannelFacts, ServerFacts
from interlock.model.position import LogPoint, MariaDBPosition, Position
from interlock.model.topology import ServerName, ServerSpec
from interlock.servers import file_positions
from interlock.servers.session import Row, text_of

SETTINGS = (
    "SELECT @@GLOBAL.server_id AS server_id, @@GLOBAL.gtid_domain_id AS gtid_domain_id, @@GLOBAL.log_bin AS log_bin, "
    "@@GLOBAL.log_slave_updates AS log_slave_updates, @@GLOBAL.binlog_format AS binlog_format, "
    "@@GLOBAL.auto_increment_increment AS auto_increment_increment, @@GLOBAL.auto_increment_offset AS auto_increment_offset, "
    "@@GLOBAL.version AS version, UNIX_TIMESTAMP(SYSDATE(6)) AS clock, @@GLOBAL.expire_logs_days * 86400 AS log_keeps_s, "
    "@@GLOBAL.replicate_do_db AS replicate_do_db, @@GLOBAL.replicate_ignore_db AS replicate_ignore_db, "
    "@@GLOBAL.replicate_do_table AS replicate_do_table, @@GLOBAL.replicate_ignore_table AS replicate_ignore_table, "
    "@@GLOBAL.replicate_wild_do_table AS replicate_wild_do_table, @@GLOBAL.replicate_wild_ignore_table AS replicate_wild_ignore_table, "
    "COLLATION(CONVERT('' USING utf8mb4)) AS collation"
)
SESSIONS = (
    "SELECT p.id, p.user, p.host, p.command, p.state, p.time_ms / 1000 AS time_s, LEFT(p.info, 200) AS statement, "
    "TIMESTAMPDIFF(MICROSECOND, t.trx_started, SYSDATE(6)) / 1e6 AS transaction_s, t.trx_rows_modified AS rows_modified "
    "FROM information_schema.processlist p "
    "LEFT JOIN information_schema.innodb_trx t ON t.trx_mysql_thread_id = p.id AND t.trx_mysql_thread_id <> 0"
)
"""`trx_started` is in the session's time zone; ours is +00:00 and so is SYSDATE() then."""

_CHANNEL_FILTERS = (
    "Replicate_Do_DB",
    "Replicate_Ignore_DB",
    "Replicate_Do_Table",
    "Replicate_Ignore_Table",
    "Replicate_Wild_Do_Table",
    "Replicate_Wild_Ignore_Table",
    "Replicate_Rewrite_DB",
    "Replicate_Do_Domain_Ids",
    "Replicate_Ignore_Domain_Ids",
)


def held(row: Row) -> MariaDBPosition:
    """What a server holds, from WRITE_STATE: the highest of each domain of what it logged and what it applied.

    Not @@gtid_current_pos, which leaves out what another server's id logged last in a domain (MariaDB KB, "gtid_current_pos").
    """
    return MariaDBPosition.parse(f"{text_of(row['logged'])},{text_of(row['applied'])}")


def fence_of(row: Row) -> str:
    """How it is fenced, where that can be said: NO_LOCK and NO_LOCK_NO_ADMIN are values of read_only from 12 on."""
    word = text_of(row["read_only"])
    return "" if word in {"0", "1", "OFF", "ON"} else word


def lesser(fence: str) -> str:
    """The `WriteFacts.lesser` of a fence: plain `read_only` lets READ ONLY ADMIN through, and of 12's ways to fence one does not."""
    return "NO_LOCK" if fence == "NO_LOCK_NO_ADMIN" else ""


def is_read_only(row: Row) -> bool:
    """From WRITE_STATE. A number until 11.x; ON, OFF, NO_LOCK or NO_LOCK_NO_ADMIN from 12 on."""
    return text_of(row["read_only"]) not in {"0", "OFF"}


def server_facts(server: ServerName, row: Row, *, log: Row | None, our_clock_s: float) -> ServerFacts:
    """`row` of SETTINGS, `log` of SHOW MASTER STATUS (the only place of the log's filters before 11.7)."""
    filters = {key: text_of(value) for key, value in row.items() if key.startswith("replicate_") and value}
    filters |= {key.lower(): text_of(log[key]) for key in ("Binlog_Do_DB", "Binlog_Ignore_DB") if log and log.get(key)}
    return ServerFacts(
        server=server,
        flavor="mariadb",
        version=text_of(row["version"]),
        server_id=int(text_of(row["server_id"])),
        gtid_domain_id=int(text_of(row["gtid_domain_id"])),
        log_bin=bool(row["log_bin"]),
        log_slave_updates=bool(row["log_slave_updates"]),
        binlog_format=text_of(row["binlog_format"]),
        auto_increment_increment=int(text_of(row["auto_increment_increment"])),
        auto_increment_offset=int(text_of(row["auto_increment_offset"])),
        clock_offset_s=float(text_of(row["clock"])) - our_clock_s,
        filters=filters,
        collation=text_of(row["collation"]),
        log_keeps_s=float(text_of(row["log_keeps_s"])),
    )


def address_of(row: Row) -> str:
    return f"{text_of(row['Master_Host'])}:{text_of(row['Master_Port'])}"


def applied_point(row: Row) -> LogPoint | None:
    """How far the source's log is applied, by a row of SHOW ALL SLAVES STATUS; None before the first event."""
    file = text_of(row["Relay_Master_Log_File"])
    return LogPoint.of(file, int(text_of(row["Exec_Master_Log_Pos"]))) if file else None


def received(row: Row, source: ServerName | None) -> Position | None:
    """All that the receiver has, in whole transactions where GTIDs are used (MariaDB KB "SHOW REPLICA STATUS", Gtid_IO_Pos)."""
    if text_of(row.get("Using_Gtid")) not in {"", "No"}:
        return MariaDBPosition.parse(text_of(row["Gtid_IO_Pos"])) if row.get("Gtid_IO_Pos") is not None else None
    return file_positions.received(source, row.get("Master_Log_File"), row.get("Read_Master_Log_Pos"))


def _heard(row: Row) -> str:
    """How far the receiver has read, and how many heartbeats it had (MariaDB KB "SHOW REPLICA STATUS", Slave_received_heartbeats)."""
    return " ".join(text_of(row.get(key)) for key in ("Master_Log_File", "Read_Master_Log_Pos", "Slave_received_heartbeats")).strip()


BUSY_WORKERS = (
    "SELECT COUNT(*) AS busy FROM information_schema.processlist "
    "WHERE command = 'Slave_worker' AND NOT state <=> 'Waiting for work from SQL thread'"
)
"""The applier's own state says that all is read while its workers still apply it (slave_parallel_threads; tried on 10.11)."""


def channel(server: ServerName, row: Row, *, pair: Iterable[ServerSpec], busy: bool = False) -> ChannelFacts:
    """One row of SHOW ALL SLAVES STATUS. A receiver's error stands before an applier's. `busy`: some worker still applies."""
    address = address_of(row)
    source = next((one.name for one in pair if address in one.addresses), None)
    lag = row["Seconds_Behind_Master"]
    errors = [text_of(row[key]) for key in ("Last_IO_Error", "Last_SQL_Error") if row.get(key)]
    return ChannelFacts(
        server=server,
        name=text_of(row["Connection_name"]),
        source=source,
        source_address=address,
        receiver=text_of(row["Slave_IO_Running"]),
        applier=text_of(row["Slave_SQL_Running"]) == "Yes",
        lag_s=None if lag is None else int(text_of(lag)),
        error="; ".join(errors),
        filters={key.lower(): text_of(row[key]) for key in _CHANNEL_FILTERS if row.get(key)},
        using={"no": "position"}.get(using := text_of(row.get("Using_Gtid")).lower(), using),
        applied=applied_point(row) if row.get("Relay_Master_Log_File") else None,
        received=received(row, source),
        idle=file_positions.is_idle(row.get("Slave_SQL_Running_State")) and not busy,
        heard=_heard(row),
        receiver_error=int(text_of(row.get("Last_IO_Errno")) or 0),
        until=text_of(row.get("Until_Condition")) not in {"", "None"},
        delay_s=int(text_of(row.get("SQL_Delay")) or 0),
        applier_error=int(text_of(row.get("Last_SQL_Errno")) or 0),
    )
