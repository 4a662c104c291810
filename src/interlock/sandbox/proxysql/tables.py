"""ProxySQL's tables on SQLite: `main` (what was asked for), `disk` (a file), `stats`, and the `runtime_` copies.

Layouts from lib/ProxySQL_Admin.cpp and include/ProxySQL_Admin_Tables_Definitions.h of 2.5 to 2.7.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence

from interlock.dataclass import dataclass

_FOUR = (
    "writer_hostgroup INT CHECK (writer_hostgroup>=0) NOT NULL PRIMARY KEY, backup_writer_hostgroup INT NOT NULL, "
    "reader_hostgroup INT NOT NULL, offline_hostgroup INT NOT NULL, active INT CHECK (active IN (0,1)) NOT NULL DEFAULT 1, "
    "max_writers INT NOT NULL DEFAULT 1, writer_is_also_reader INT NOT NULL DEFAULT 0, max_transactions_behind INT NOT NULL DEFAULT 0, "
    "comment VARCHAR"
)
SERVERS = {
    "mysql_servers": "hostgroup_id INT CHECK (hostgroup_id>=0) NOT NULL DEFAULT 0, hostname VARCHAR NOT NULL, "
    "port INT CHECK (port >= 0 AND port <= 65535) NOT NULL DEFAULT 3306, "
    "gtid_port INT CHECK ((gtid_port <> port OR gtid_port=0) AND gtid_port >= 0 AND gtid_port <= 65535) NOT NULL DEFAULT 0, "
    "status VARCHAR CHECK (UPPER(status) IN ('ONLINE','SHUNNED','OFFLINE_SOFT','OFFLINE_HARD')) NOT NULL DEFAULT 'ONLINE', "
    "weight INT CHECK (weight >= 0 AND weight <= 10000000) NOT NULL DEFAULT 1, "
    "compression INT CHECK (compression IN (0,1)) NOT NULL DEFAULT 0, "
    "max_connections INT CHECK (max_connections >= 0) NOT NULL DEFAULT 1000, "
    "max_replication_lag INT CHECK (max_replication_lag >= 0 AND max_replication_lag <= 126144000) NOT NULL DEFAULT 0, "
    "use_ssl INT CHECK (use_ssl IN (0,1)) NOT NULL DEFAULT 0, max_latency_ms INT UNSIGNED CHECK (max_latency_ms>=0) NOT NULL DEFAULT 0, "
    "comment VARCHAR NOT NULL DEFAULT '', PRIMARY KEY (hostgroup_id, hostname, port)",
    "mysql_replication_hostgroups": "writer_hostgroup INT CHECK (writer_hostgroup>=0) NOT NULL PRIMARY KEY, "
    "reader_hostgroup INT NOT NULL CHECK (reader_hostgroup<>writer_hostgroup AND reader_hostgroup>=0), "
    "check_type VARCHAR NOT NULL DEFAULT 'read_only', comment VARCHAR NOT NULL DEFAULT '', UNIQUE (reader_hostgroup)",
    "mysql_group_replication_hostgroups": _FOUR,
    "mysql_galera_hostgroups": _FOUR,
    "mysql_aws_aurora_hostgroups": "writer_hostgroup INT NOT NULL PRIMARY KEY, reader_hostgroup INT NOT NULL, "
    "active INT CHECK (active IN (0,1)) NOT NULL DEFAULT 1, comment VARCHAR",
    "mysql_hostgroup_attributes": "hostgroup_id INT NOT NULL PRIMARY KEY, "
    "max_num_online_servers INT CHECK (max_num_online_servers>=0 AND max_num_online_servers <= 1000000) NOT NULL DEFAULT 1000000, "
    "comment VARCHAR NOT NULL DEFAULT ''",
}
USERS = {
    "mysql_users": "username VARCHAR NOT NULL, password VARCHAR, active INT NOT NULL DEFAULT 1, default_hostgroup INT NOT NULL DEFAULT 0, "
    "transaction_persistent INT CHECK (transaction_persistent IN (0,1)) NOT NULL DEFAULT 1, "
    "fast_forward INT CHECK (fast_forward IN (0,1)) NOT NULL DEFAULT 0, backend INT CHECK (backend IN (0,1)) NOT NULL DEFAULT 1, "
    "frontend INT CHECK (frontend IN (0,1)) NOT NULL DEFAULT 1, PRIMARY KEY (username, backend), UNIQUE (username, frontend)"
}
RULES = {
    "mysql_query_rules": "rule_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, active INT CHECK (active IN (0,1)) NOT NULL DEFAULT 0, "
    "username VARCHAR, schemaname VARCHAR, flagIN INT CHECK (flagIN >= 0) NOT NULL DEFAULT 0, client_addr VARCHAR, proxy_addr VARCHAR, "
    "proxy_port INT CHECK (proxy_port >= 0 AND proxy_port <= 65535), digest VARCHAR, match_digest VARCHAR, match_pattern VARCHAR, "
    "negate_match_pattern INT CHECK (negate_match_pattern IN (0,1)) NOT NULL DEFAULT 0, re_modifiers VARCHAR DEFAULT 'CASELESS', "
    "flagOUT INT CHECK (flagOUT >= 0), "
    "replace_pattern VARCHAR CHECK(CASE WHEN replace_pattern IS NULL THEN 1 WHEN match_pattern IS NULL THEN 0 ELSE 1 END), "
    "destination_hostgroup INT DEFAULT NULL, cache_ttl INT CHECK(cache_ttl > 0), reconnect INT CHECK (reconnect IN (0,1)), "
    "timeout INT UNSIGNED, retries INT CHECK (retries>=0 AND retries <=1000), delay INT UNSIGNED, next_query_flagIN INT UNSIGNED, "
    "mirror_flagOUT INT UNSIGNED, mirror_hostgroup INT UNSIGNED, error_msg VARCHAR, OK_msg VARCHAR, "
    "sticky_conn INT CHECK (sticky_conn IN (0,1)), multiplex INT CHECK (multiplex IN (0,1,2)), log INT CHECK (log IN (0,1)), "
    "apply INT CHECK(apply IN (0,1)) NOT NULL DEFAULT 0, attributes VARCHAR NOT NULL DEFAULT '', comment VARCHAR",
    "mysql_query_rules_fast_routing": "username VARCHAR NOT NULL, schemaname VARCHAR NOT NULL, flagIN INT NOT NULL DEFAULT 0, "
    "destination_hostgroup INT CHECK (destination_hostgroup >= 0) NOT NULL, comment VARCHAR NOT NULL, "
    "PRIMARY KEY (username, schemaname, flagIN)",
}
VARIABLES = {"global_variables": "variable_name VARCHAR NOT NULL PRIMARY KEY, variable_value VARCHAR NOT NULL"}
MODULES: Mapping[str, Mapping[str, str]] = {
    "SERVERS": SERVERS,
    "USERS": USERS,
    "QUERY RULES": RULES,
    "VARIABLES": VARIABLES,
}
STATS = {
    "stats_mysql_connection_pool": "hostgroup INT, srv_host VARCHAR, srv_port INT, status VARCHAR, ConnUsed INT, ConnFree INT, ConnOK INT, "
    "ConnERR INT, MaxConnUsed INT, Queries INT, Queries_GTID_sync INT, Bytes_data_sent INT, Bytes_data_recv INT, Latency_us INT",
    "stats_mysql_processlist": "ThreadID INT NOT NULL, SessionID INTEGER PRIMARY KEY, user VARCHAR, db VARCHAR, cli_host VARCHAR, "
    "cli_port INT, hostgroup INT, l_srv_host VARCHAR, l_srv_port INT, srv_host VARCHAR, srv_port INT, command VARCHAR, "
    "time_ms INT NOT NULL, info VARCHAR, status_flags INT, extended_info VARCHAR",
}
_COMMAND = re.compile(
    r"(LOAD|SAVE) MYSQL (SERVERS|USERS|QUERY RULES|VARIABLES) (?:(TO|FROM) (RUNTIME|RUN|MEMORY|MEM|DISK))", re.IGNORECASE | re.ASCII
)
_SET = re.compile(r"SET (mysql-\w+)\s*=\s*'?([^']*)'?", re.IGNORECASE)
_MOVES = {
    ("LOAD", "TO", "RUNTIME"): ("main.", "main.runtime_"),
    ("LOAD", "FROM", "MEMORY"): ("main.", "main.runtime_"),
    ("SAVE", "TO", "MEMORY"): ("main.runtime_", "main."),
    ("SAVE", "FROM", "RUNTIME"): ("main.runtime_", "main."),
    ("SAVE", "TO", "DISK"): ("main.", "disk."),
    ("SAVE", "FROM", "MEMORY"): ("main.", "disk."),
    ("LOAD", "TO", "MEMORY"): ("disk.", "main."),
    ("LOAD", "FROM", "DISK"): ("disk.", "main."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`names` is empty where there are no rows to come. `loaded` is the module that was just loaded to run time."""

    names: tuple[str, ...] = ()
    rows: tuple[Sequence[object], ...] = ()
    affected: int = 0
    loaded: str = ""


class Tables:
    """One node's tables. sqlite3.Error for a statement that SQLite refuses."""

    def __init__(self, disk: str) -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.execute("ATTACH ? AS disk", (disk,))
        self._db.execute("PRAGMA disk.synchronous=OFF")
        self._db.execute("ATTACH ':memory:' AS stats")
        for name, layout in (layout for module in MODULES.values() for layout in module.items()):
            for place in ("main.", "main.runtime_", "disk."):
                self._db.execute(f"CREATE TABLE IF NOT EXISTS {place}{name} ({layout})")
        for name, layout in STATS.items():
            self._db.execute(f"CREATE TABLE stats.{name} ({layout})")

    def start(self) -> None:
        """As a ProxySQL that was restarted: what is on the disk, loaded."""
        for module in MODULES:
            self._move(module, "disk.", "main.")
            self._move(module, "main.", "main.runtime_")

    def run(self, statement: str) -> Answer:
        """A command of ProxySQL's, or SQL."""
        words = " ".join(statement.strip().rstrip(";").split())
        if command := _COMMAND.fullmatch(words):
            verb, module, way, place = (part.upper() for part in command.groups())
            source, target = _MOVES[verb, way, {"RUN": "RUNTIME", "MEM": "MEMORY"}.get(place, place)]
            self._move(module, source, target)
            return Answer(loaded=module if target == "main.runtime_" else "")
        if setting := _SET.fullmatch(words):
            return self._sql("UPDATE global_variables SET variable_value=? WHERE variable_name=?", (setting[2], setting[1]))
        if words.upper().startswith(("SET ", "START TRANSACTION", "COMMIT", "ROLLBACK")):
            return Answer()  # a client's own connect statements are accepted without a look
        return self._sql(statement)

    def rows(self, table: str) -> list[dict[str, str]]:
        answer = self._sql(f"SELECT * FROM {table}")
        return [{name: "" if value is None else str(value) for name, value in zip(answer.names, row, strict=True)} for row in answer.rows]

    def fill(self, table: str, rows: Sequence[Mapping[str, object]]) -> None:
        """In place of what it holds."""
        self._db.execute(f"DELETE FROM {table}")
        for row in rows:
            self._db.execute(f"INSERT INTO {table} ({','.join(row)}) VALUES ({','.join('?' * len(row))})", tuple(row.values()))

    def _sql(self, statement: str, values: Sequence[object] = ()) -> Answer:
        cursor = self._db.execute(statement, values)
        names = tuple(str(column[0]) for column in cursor.description or ())
        return Answer(names=names, rows=tuple(cursor.fetchall()), affected=max(0, cursor.rowcount))

    def _move(self, module: str, source: str, target: str) -> None:
        for name in MODULES[module]:
            self._db.execute(f"DELETE FROM {target}{name}")
            self._db.execute(f"INSERT INTO {target}{name} SELECT * FROM {source}{name}{_loaded(name, target)}")


def _loaded(table: str, target: str) -> str:
    """At run time there are no rules but the active ones."""
    return " WHERE active=1" if (table, target) == ("mysql_query_rules", "main.runtime_") else ""
