"""Which settings of a server are taken over to a sandbox, each by its names over the flavors and versions, the newest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from interlock.dataclass import dataclass

Names = tuple[str, ...]

AT_START: tuple[Names, ...] = (
    ("lower_case_table_names",),
    ("log_replica_updates", "log_slave_updates"),
    ("binlog_format",),
    ("gtid_domain_id",),
    ("gtid_strict_mode",),
    ("event_scheduler",),
    ("innodb_autoinc_lock_mode",),
    ("innodb_rollback_on_timeout",),
    ("innodb_ft_min_token_size",),
    ("ft_min_word_len",),
    ("replica_parallel_type", "slave_parallel_type"),
    ("replica_parallel_workers", "slave_parallel_workers"),
    ("replica_preserve_commit_order", "slave_preserve_commit_order"),
    ("slave_parallel_mode",),
    ("slave_parallel_threads",),
)
"""Stand in the option file from the first start on: they can't be changed while a server, or its applier, runs."""
WHILE_IT_RUNS: tuple[Names, ...] = (
    ("sql_mode",),
    ("character_set_server",),
    ("collation_server",),
    ("time_zone",),
    ("transaction_isolation", "tx_isolation"),
    ("auto_increment_increment",),
    ("auto_increment_offset",),
    ("binlog_row_image",),
    ("binlog_row_metadata",),
    ("binlog_row_value_options",),
    ("binlog_checksum",),
    ("binlog_expire_logs_seconds", "expire_logs_days"),
    ("replica_exec_mode", "slave_exec_mode"),
    ("replica_transaction_retries", "slave_transaction_retries"),
    ("replica_type_conversions", "slave_type_conversions"),
    ("replica_sql_verify_checksum", "slave_sql_verify_checksum"),
    ("slave_run_triggers_for_rbr",),
    ("default_storage_engine",),
    ("explicit_defaults_for_timestamp",),
    ("foreign_key_checks",),
    ("unique_checks",),
    ("group_concat_max_len",),
    ("innodb_default_row_format",),
    ("innodb_lock_wait_timeout",),
    ("innodb_snapshot_isolation",),
    ("innodb_strict_mode",),
    ("lock_wait_timeout",),
    ("max_allowed_packet",),
    ("default_week_format",),
    ("lc_time_names",),
    ("log_bin_trust_function_creators",),
    ("partial_revokes",),
    ("sql_require_primary_key",),
    ("sql_generate_invisible_primary_key",),
    ("wait_timeout",),
    ("init_connect",),
    ("old_mode",),
)
NOT_TAKEN: tuple[Names, ...] = (
    ("gtid_mode",),
    ("innodb_buffer_pool_size",),
    ("innodb_flush_log_at_trx_commit",),
    ("innodb_page_size",),
    ("max_connections",),
    ("performance_schema",),
    ("sync_binlog",),
)
"""A sandbox is small, throws away what it holds and replicates by GTIDs. That it differs in these is told, too."""
_KNOWN_TO_ALL = frozenset({"lower_case_table_names"})
_AS_OPTION = {"tx_isolation": "transaction_isolation", "time_zone": "default_time_zone"}
"""Variables whose names an option file does not take (MariaDB KB, "tx_isolation"; MySQL manual, "default_time_zone")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A setting by its name in the sandbox, or there if the sandbox's servers have none such; with both values, None where it is not."""

    name: str
    there: str | None
    here: str | None


def at_start(settings: Mapping[str, str]) -> dict[str, str]:
    """Lines of an option file. `loose_`: a server of another release that does not know one starts all the same."""
    found = ((name, settings[name]) for names in AT_START if (name := _known(names, settings)) is not None)
    return {name if name in _KNOWN_TO_ALL else f"loose_{name}": value for name, value in found if value}


def while_it_runs(there: Mapping[str, str], here: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What is to be set: the name that the sandbox's server knows it by, and the other one's value."""
    for names in WHILE_IT_RUNS:
        theirs, ours = _known(names, there), _known(names, here)
        if theirs is not None and ours is not None and there[theirs] != here[ours]:
            yield ours, there[theirs]


def option_line(name: str, value: str) -> str:
    return f"loose_{_AS_OPTION.get(name, name)}={value}\n"


def differences(there: Mapping[str, str], here: Mapping[str, str]) -> Iterator[Difference]:
    """By two answers of SHOW GLOBAL VARIABLES."""
    for names in (*AT_START, *WHILE_IT_RUNS, *NOT_TAKEN):
        theirs, ours = _known(names, there), _known(names, here)
        was, now = there.get(theirs or ""), here.get(ours or "")
        if was is not None and was != now:
            yield Difference(name=ours or theirs or "", there=was, here=now)


def _known(names: Names, settings: Mapping[str, str]) -> str | None:
    return next((name for name in names if name in settings), None)
