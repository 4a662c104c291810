"""The words of MySQL by version, 5.7 and newer: one row for each cut-off. Percona's builds have the versions and the words of MySQL's.

Sources, by cut-off. 8.0.0: "SET Syntax for Variable Assignment" (SET PERSIST), "Privileges Provided by MySQL" (dynamic privileges).
8.0.1: "Binary Logging Options and Variables" (binlog_expire_logs_seconds). 8.0.22: "SHOW REPLICA STATUS". 8.0.26: release notes
(log_replica_updates, SOURCE_POS_WAIT). 8.2.0: "SHOW BINARY LOG STATUS"; the old words of all of these are gone from 8.4.0 on (its release
notes). Tried on 9.7.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from interlock.dataclass import dataclass
from interlock.servers.dialect import Need
from interlock.servers.versions import Version

_SELECT = Need(privilege="SELECT", what_for="to see locks, events, accounts and data")
_COMMON = (
    Need(privilege="PROCESS", what_for="to see sessions and transactions"),
    Need(privilege="REPLICATION CLIENT", what_for="to see the channels, positions and binary logs"),
    Need(privilege="REPLICATION SLAVE", what_for="to see what is in a binary log"),
    Need(privilege="EVENT", what_for="to see events"),
)
NEEDS_5_7 = (
    Need(privilege="SUPER", what_for="to fence and to open, to end sessions, and to start and stop the event scheduler"),
    *_COMMON,
    _SELECT,
)
NEEDS = (
    Need(privilege="SYSTEM_VARIABLES_ADMIN", what_for="to fence and to open, and to start and stop the event scheduler"),
    Need(privilege="CONNECTION_ADMIN", what_for="to fence, to end sessions, and to get in when all connections are taken"),
    *_COMMON,
    Need(privilege="XA_RECOVER_ADMIN", what_for="to see prepared XA transactions"),
    _SELECT,
)
NEED_TO_KEEP_AN_OFF = Need(
    privilege="PERSIST_RO_VARIABLES_ADMIN", what_for="to put back a persisted read_only=OFF (or super_read_only=OFF) of a fenced server"
)
"""Only of a server where that stands: "System Variable Privileges" asks for it with SET PERSIST_ONLY, whatever the variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """`persists`: SET PERSIST, dynamic privileges and roles are there."""

    own_log: str = "SHOW MASTER STATUS"
    channels: str = "SHOW SLAVE STATUS"
    log_updates: str = "log_slave_updates"
    pos_wait: str = "MASTER_POS_WAIT"
    log_keeps_s: str = "@@GLOBAL.expire_logs_days * 86400"
    persists: bool = False
    needs: Sequence[Need] = NEEDS_5_7


_FROM: Mapping[Version, Mapping[str, object]] = {
    (8, 0, 0): {"persists": True, "needs": NEEDS},
    (8, 0, 1): {"log_keeps_s": "@@GLOBAL.binlog_expire_logs_seconds"},
    (8, 0, 22): {"channels": "SHOW REPLICA STATUS"},
    (8, 0, 26): {"log_updates": "log_replica_updates", "pos_wait": "SOURCE_POS_WAIT"},
    (8, 2, 0): {"own_log": "SHOW BINARY LOG STATUS"},
}
OLDEST = (5, 7, 8)
"""WAIT_FOR_EXECUTED_GTID_SET is of 5.7.5, super_read_only and max_execution_time of 5.7.8."""


def words(version: Version) -> Words:
    """Each row changes what the ones before it said, up to the version."""
    found = Words()
    for since, changes in _FROM.items():
        if version >= since:
            found = replace(found, **changes)  # type: ignore[arg-type]
    return found
