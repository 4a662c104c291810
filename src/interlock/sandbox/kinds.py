"""The servers that a sandbox can run, and what differs between them: programs, option files, accounts, the words of replication.

Other than the installed MariaDB they live in folders of their own (`requirements/servers.sh`), and run through the loader in it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from interlock.dataclass import dataclass
from interlock.errors import UsageError
from interlock.sandbox import processes

_MARIADB_SAFE = {
    "skip-name-resolve": "1",
    "gtid_strict_mode": "1",
    "log_slave_updates": "1",
    "relay_log": "relay",
    "binlog_format": "ROW",
    "binlog_row_image": "FULL",
    "binlog_row_metadata": "FULL",
    "auto_increment_increment": "2",
    "slave_net_timeout": "5",
    "max_connections": "200",
    "read_only": "1",  # a server that starts again is fenced until somebody opens it
}
_QUICK = {
    # what it holds is thrown away: nothing waits for the disk
    "innodb_flush_log_at_trx_commit": "2",
    "innodb_doublewrite": "0",
    "sync_binlog": "0",
    "innodb_buffer_pool_dump_at_shutdown": "0",
    "innodb_buffer_pool_load_at_startup": "0",
    "innodb_stats_persistent": "0",
    "innodb_use_native_aio": "0",
    # and it is small
    "innodb_buffer_pool_size": "16M",
    "innodb_log_buffer_size": "2M",
    "innodb_autoextend_increment": "1",
    "innodb_read_io_threads": "1",
    "innodb_write_io_threads": "2",
    "innodb_purge_threads": "1",
    "table_open_cache": "64",
    "table_definition_cache": "400",
    "thread_cache_size": "32",
}
_MARIADB_QUICK = {
    **_QUICK,
    "innodb_log_file_size": "4M",
    "innodb_temp_data_file_path": "ibtmp1:4M:autoextend",
    "key_buffer_size": "64K",
    "aria_pagecache_buffer_size": "1M",
    "query_cache_type": "0",
    "query_cache_size": "0",
    "performance_schema": "0",
}
_MYSQL_SAFE = {
    "skip-name-resolve": "1",
    "gtid_mode": "ON",
    "enforce_gtid_consistency": "ON",
    "relay_log": "relay",
    "binlog_row_image": "FULL",
    "binlog_row_metadata": "FULL",
    "auto_increment_increment": "2",
    "replica_net_timeout": "5",
    "replica_preserve_commit_order": "1",
    "max_connections": "200",
    "super_read_only": "1",  # a server that starts again is fenced until somebody opens it
    "event_scheduler": "OFF",  # its default is ON; the other sandboxes' is off
}
_MYSQL_QUICK = {
    **_QUICK,
    "innodb_redo_log_capacity": "32M",
    "innodb_page_cleaners": "1",
    "innodb_ft_cache_size": "1600000",
    "temptable_max_ram": "4M",
    "tmp_table_size": "1M",
    "mysqlx": "OFF",
    "secure_file_priv": "NULL",
    # metadata locks and the applier's workers are seen there, so it is on; what it remembers of statements and files is kept small
    "performance_schema": "1",
    "performance_schema_digests_size": "0",
    "performance_schema_events_statements_history_size": "0",
    "performance_schema_events_statements_history_long_size": "0",
    "performance_schema_events_stages_history_size": "0",
    "performance_schema_events_stages_history_long_size": "0",
    "performance_schema_events_waits_history_size": "0",
    "performance_schema_events_waits_history_long_size": "0",
    "performance_schema_events_transactions_history_size": "0",
    "performance_schema_events_transactions_history_long_size": "0",
    "performance_schema_error_size": "0",
    "performance_schema_max_digest_length": "0",
    "performance_schema_max_sql_text_length": "256",
    "performance_schema_accounts_size": "0",
    "performance_schema_hosts_size": "0",
    "performance_schema_users_size": "0",
    "performance_schema_max_memory_classes": "0",
    "performance_schema_max_stage_classes": "0",
    "performance_schema_max_mutex_classes": "0",
    "performance_schema_max_rwlock_classes": "0",
    "performance_schema_max_cond_classes": "0",
    "performance_schema_max_file_classes": "0",
    "performance_schema_max_socket_classes": "0",
    "performance_schema_max_table_instances": "0",
    "performance_schema_max_table_handles": "0",
    "performance_schema_max_index_stat": "0",
    "performance_schema_max_table_lock_stat": "0",
    "performance_schema_max_program_instances": "0",
    "performance_schema_max_prepared_statements_instances": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """`home` is the folder in the user's cache that holds its programs, None if they are installed. `position` tells what a server holds,
    `wait` takes it and how many seconds, and yields 0 once it is held. `channel` tells of replication, by the columns `runs` and `errors`.
    `more` are its template's last statements.
    """

    name: str
    flavor: str
    program: str
    install: str
    options: Mapping[str, str]
    new_account: str
    grants: Mapping[str, str]
    position: str
    wait: str
    follow: str
    start: str
    channel: str
    runs: tuple[str, str]
    errors: tuple[str, str]
    log_reader: str
    home: str | None = None
    more: tuple[str, ...] = ()

    def folder(self) -> Path | None:
        """Where its programs and files are, if not where programs are installed."""
        return servers_home() / self.home if self.home is not None else None

    def program_path(self, program: str, package: str) -> str:
        """UsageError if it is not there."""
        folder = self.folder()
        if folder is None:
            return processes.programs([program], {program: package})[program]
        path = folder / "bin" / program
        if not (folder / "ready").exists() or not path.exists():
            raise UsageError(f"{self.name} is not there: no {path}", hint=self.install)
        return str(path)

    def paths(self) -> dict[str, str]:
        """Options that tell a server in a folder of its own where its files are."""
        folder = self.folder()
        if folder is None:
            return {}
        base = folder / "root" / "usr"
        share = base / "share" / ("mysql" if (base / "share" / "mysql").is_dir() else "mariadb")
        return {
            "basedir": str(base),
            "lc_messages_dir": str(share),
            "character_sets_dir": str(share / "charsets"),
            "plugin_dir": str(base / "lib" / "mysql" / "plugin"),
        }


def servers_home() -> Path:
    return Path(os.environ.get("INTERLOCK_SERVERS") or user_cache() / "servers")


def user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "interlock"


_GRANTS: Mapping[str, str] = {
    "app": "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER, LOCK TABLES, EVENT, TRIGGER, EXECUTE ON app.*",
    "admin": "ALL ON *.*",
    "watch": "USAGE ON *.*",
}
_ERRORS = ("Last_SQL_Error", "Last_IO_Error")

MARIADB = Kind(
    name="mariadb",
    flavor="mariadb",
    program="mariadbd",
    install="apt-get install mariadb-server-core",
    options={**_MARIADB_SAFE, **_MARIADB_QUICK},
    new_account="CREATE USER {user}@'%' IDENTIFIED VIA mysql_native_password USING 'invalid'",
    grants={"repl": "REPLICATION SLAVE, REPLICATION SLAVE ADMIN, SLAVE MONITOR, BINLOG MONITOR ON *.*", **_GRANTS},
    position="SELECT @@gtid_binlog_pos",
    wait="SELECT MASTER_GTID_WAIT(%s, %s)",
    follow="CHANGE MASTER TO MASTER_HOST=%s, MASTER_PORT=%s, MASTER_USER='repl', MASTER_PASSWORD=%s, MASTER_USE_GTID=slave_pos, "
    "MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=1",
    start="START SLAVE",
    channel="SHOW SLAVE STATUS",
    runs=("Slave_IO_Running", "Slave_SQL_Running"),
    errors=_ERRORS,
    log_reader="mariadb-binlog",
    more=("GRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION",),
)
MARIADB_11 = Kind(
    **{name: getattr(MARIADB, name) for name in Kind.__slots__ if name not in {"name", "home", "install"}},
    name="mariadb-11.8",
    install="requirements/servers.sh mariadb-11.8",
    home="mariadb-11.8",
)
MYSQL = Kind(
    name="mysql",
    flavor="mysql",
    program="mysqld",
    install="requirements/servers.sh mysql-9.7",
    options={**_MYSQL_SAFE, **_MYSQL_QUICK},
    new_account="CREATE USER {user}@'%' IDENTIFIED WITH caching_sha2_password BY RANDOM PASSWORD",
    grants={"repl": "REPLICATION SLAVE, REPLICATION CLIENT ON *.*", **_GRANTS},
    position="SELECT @@GLOBAL.gtid_executed",
    wait="SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %s)",
    # caching_sha2_password wants TLS, or the server's key to hide the password with (MySQL manual, "Caching SHA-2 Authentication")
    follow="CHANGE REPLICATION SOURCE TO SOURCE_HOST=%s, SOURCE_PORT=%s, SOURCE_USER='repl', SOURCE_PASSWORD=%s, SOURCE_AUTO_POSITION=1, "
    "SOURCE_CONNECT_RETRY=1, SOURCE_HEARTBEAT_PERIOD=1, GET_SOURCE_PUBLIC_KEY=1",
    start="START REPLICA",
    channel="SHOW REPLICA STATUS",
    runs=("Replica_IO_Running", "Replica_SQL_Running"),
    errors=_ERRORS,
    log_reader="mysqlbinlog",
    home="mysql-9.7",
    more=("GRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION", "DROP USER root@localhost"),  # root has no password
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (MARIADB, MARIADB_11, MYSQL)}


def kind_named(name: str) -> Kind:
    """UsageError for one that there is not."""
    if name not in KINDS:
        raise UsageError(f"a sandbox can't run {name!r}", hint=f"it can run {', '.join(KINDS)}")
    return KINDS[name]
