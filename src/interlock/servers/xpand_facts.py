"""Rows of Xpand as facts: pure. NULL stays None, for no decision may take it for healthy.

Sources: MariaDB Xpand documentation, "Configure MariaDB Xpand as a Replication Master" and "… Slave", "Monitoring" (system.sessions),
"Information Schema Tables". What was never seen on the real thing is listed in docs/servers/xpand.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interlock.errors import StatementFailed
from interlock.model.facts import ChannelFacts, ServerFacts
from interlock.model.position import LogPoint
from interlock.model.topology import ServerName
from interlock.servers.session import Row, text_of

SESSIONS = (
    "SELECT p.id AS id, p.user AS user, p.host AS host, p.command AS command, s.statement_state AS state, s.time_in_state_s AS time_s, "
    "LEFT(s.last_statement, 200) AS statement, "
    "CASE WHEN s.trx_state = 'closed' THEN NULL ELSE COALESCE(s.trx_age, 0) END AS transaction_s, "
    "CASE WHEN s.trx_state = 'closed' THEN 0 ELSE s.trx_counter_insert + s.trx_counter_update + s.trx_counter_delete END AS rows_modified "
    "FROM information_schema.processlist p JOIN system.sessions s ON s.session_id = p.id"
)
"""`system.sessions` also has those that ended a moment ago, and names users by number: who is there now, the process list tells."""

IDENTITY = "SELECT @@version AS version, UNIX_TIMESTAMP() AS clock"
VARIABLES = "SHOW GLOBAL VARIABLES"
_NO_ERROR = frozenset({"", "no error"})
_ON, _OFF = frozenset({"1", "on", "true"}), frozenset({"0", "off", "false"})


def is_read_only(server: ServerName, row: Row) -> bool:
    """StatementFailed for a value that nobody knows: neither open nor closed may be guessed."""
    value = text_of(row["read_only"]).lower()
    if value not in _ON | _OFF:
        raise StatementFailed(f"{server}: read_only is {value!r}, which is neither on nor off", server=server)
    return value in _ON


def server_facts(server: ServerName, row: Row, variables: Sequence[Row], *, logs: bool, our_clock_s: float) -> ServerFacts:
    """`row` of IDENTITY, whose clock counts whole seconds. A variable that this version does not have counts as MySQL's default, but
    for `log_slave_updates`: a binlog has every write of its scope, applied ones too.
    """
    known = {text_of(one["Variable_name"]).lower(): text_of(one["Value"]) for one in variables}
    return ServerFacts(
        server=server,
        flavor="xpand",
        version=text_of(row["version"]),
        server_id=int(known["server_id"]),
        gtid_domain_id=None,
        log_bin=logs,
        log_slave_updates=known.get("log_slave_updates", "true").lower() in _ON,
        binlog_format=known.get("binlog_format", "ROW"),
        auto_increment_increment=int(known.get("auto_increment_increment", "1")),
        auto_increment_offset=int(known.get("auto_increment_offset", "1")),
        clock_offset_s=float(text_of(row["clock"])) + 0.5 - our_clock_s,
    )


def address_of(row: Row) -> str:
    return f"{text_of(row['Master_Host'])}:{text_of(row['Master_Port'])}"


def applied_point(row: Row) -> LogPoint | None:
    """How far the source's log is applied at the least, by a row of SHOW SLAVE STATUS; None before the first event.

    `Master_Log_File` names the log, `Log_File_Seq` the file in it. Whether `Log_File_Pos` counts what waits in the relay log the
    documentation does not say, so that is taken off.
    """
    name, position = text_of(row["Master_Log_File"]), text_of(row["Log_File_Pos"])
    if not name or not position:
        return None
    base = LogPoint.of(name, 0).base if name[-1].isdigit() else f"{name}."
    offset = int(position) - int(text_of(row.get("Relay_Log_Current_Bytes")) or 0)
    return LogPoint(base, int(text_of(row["Log_File_Seq"])), offset) if offset >= 0 else LogPoint(base, 0, 0)


def channel(server: ServerName, row: Row, names: Mapping[str, ServerName]) -> ChannelFacts:
    """One row of SHOW SLAVE STATUS. `names` holds the pair's servers by each of their addresses."""
    lag, error = row["Seconds_Behind_Master"], text_of(row["Last_Error"])
    connection = text_of(row["Connection_Status"])
    return ChannelFacts(
        server=server,
        name=text_of(row["Slave_Name"]),
        source=names.get(address_of(row)),
        source_address=address_of(row),
        receiver="Yes" if connection.lower() == "connected" else connection or "No",
        applier=text_of(row["Slave_Status"]).lower() == "running",
        lag_s=None if lag is None else int(float(text_of(lag))),
        error="" if error.lower() in _NO_ERROR else error,
    )
