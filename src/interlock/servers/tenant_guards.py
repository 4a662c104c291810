"""What is read of the guard of tenants that share tables, at one MariaDB or MySQL server (`guard_words.py`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from interlock.model.segments import AccountState
from interlock.model.topology import Tenants
from interlock.servers import canary, guard_words
from interlock.servers.pool import Pool, Purpose
from interlock.servers.quoting import text
from interlock.servers.segment_rights import Grants, rights_on
from interlock.servers.session import READ_BOUND_S, text_of

_SETTINGS = (
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN "
    "('binlog_format', 'slave_run_triggers_for_rbr', 'log_bin_trust_function_creators', 'innodb_flush_log_at_trx_commit')"
)


def state(pool: Pool, segment: str, tenants: Tenants) -> AccountState:
    """The guard as one way in: not locked where there is none."""
    return AccountState(account=f"the guard of {', '.join(tenants.tables)}", locked=bool(_is_locked(pool, segment)), guard=True)


def _is_locked(pool: Pool, segment: str) -> bool | None:
    """None if there is no guard."""
    found = pool.session(Purpose.WITNESS).run((guard_words.state_of(segment),), bound_s=READ_BOUND_S, harmless=canary.MISSING)
    return bool(int(text_of(found[0].rows[0]["closed"]))) if found and found[0].rows else None


def missing(pool: Pool, tenants: Tenants) -> tuple[str, ...]:
    """The tables that are not there, or have no such column."""
    rows = pool.rows(
        "SELECT table_schema AS db, table_name AS name FROM information_schema.columns "
        f"WHERE table_schema IN ({_schemas(tenants)}) AND column_name={text(tenants.column)}"
    )
    there = {f"{text_of(row['db'])}.{text_of(row['name'])}" for row in rows}
    return tuple(f"table {table} with a column {tenants.column}" for table in tenants.tables if table not in there)


def unguarded(pool: Pool, segment: str, tenants: Tenants) -> tuple[str, ...]:
    """The tables of which a trigger is not there, or is not as the topology wants it; all, if there is no guard that they could ask."""
    if _is_locked(pool, segment) is None:
        return tenants.tables
    rows = pool.rows(
        "SELECT trigger_schema AS db, trigger_name AS name, event_object_table AS tbl, event_manipulation AS event, "
        "action_timing AS timing, action_statement AS body FROM information_schema.triggers "
        f"WHERE trigger_schema IN ({_schemas(tenants)})"
    )
    there = {tuple(text_of(row[key]) for key in ("db", "name", "tbl", "event", "timing", "body")) for row in rows}
    return tuple(
        table
        for table in tenants.tables
        if not all(
            (*_place(each), each.event, each.timing, each.body) in there for each in guard_words.triggers(segment, tenants, (table,))
        )
    )


def _place(trigger: guard_words.GuardTrigger) -> tuple[str, str, str]:
    return trigger.schema, trigger.name, guard_words.parts_of(trigger.table)[1]


def lacks(pool: Pool, own: Grants, account: str, tenants: Tenants, *, everywhere: Iterable[str], made: bool) -> tuple[str, ...]:
    """What Interlock needs to make the triggers. `made`: they are there already."""
    if made or "ALL PRIVILEGES" in everywhere:
        return ()
    schemas = sorted({guard_words.parts_of(table)[0] for table in tenants.tables})
    given = {schema for schema in schemas for right in rights_on(own, [schema]) if {"TRIGGER", "ALL PRIVILEGES"} & {*right.privileges}}
    found = [f"GRANT TRIGGER ON `{schema}`.* TO {account}" for schema in schemas if "TRIGGER" not in everywhere and schema not in given]
    # with a binary log, who makes a trigger must be believed: 1419 (MySQL manual, "Stored Program Binary Logging"; tried on MySQL 9.7)
    if "SUPER" not in everywhere and _settings(pool).get("log_bin_trust_function_creators") == "OFF":
        found.append("SET GLOBAL log_bin_trust_function_creators=1, until the segment is adopted")
    return tuple(found)


def what_fires_wrongly(pool: Pool, tenants: Tenants) -> tuple[str, ...]:
    """Why a guard would stop what is applied, or let something pass; a sentence each.

    A cascade fires no trigger (MySQL manual, "FOREIGN KEY Constraints"; MariaDB knowledge base, "Trigger Limitations"). What is refused
    once it is written must be taken back, which an engine without transactions does not do. A guard that was locked in the second before a
    crash is open after it where commits are not written (tried on MariaDB 10.11).
    """
    settings = _settings(pool)
    found = []
    if settings.get("binlog_format", "ROW") != "ROW":
        found.append(f"binlog_format is {settings['binlog_format']}: a statement that is applied fires the guard; it must be ROW")
    if settings.get("slave_run_triggers_for_rbr", "NO") != "NO":
        found.append(
            f"slave_run_triggers_for_rbr is {settings['slave_run_triggers_for_rbr']}: what is applied fires the guard; it must be NO"
        )
    if settings.get("innodb_flush_log_at_trx_commit") == "0":
        found.append("innodb_flush_log_at_trx_commit is 0: a crash would open a guard again that was locked a moment before; 1, at least 2")
    rows = pool.rows(
        "SELECT constraint_schema AS db, constraint_name AS name, table_name AS tbl FROM information_schema.referential_constraints "
        f"WHERE constraint_schema IN ({_schemas(tenants)}) AND (update_rule NOT IN ('RESTRICT', 'NO ACTION') "
        "OR delete_rule NOT IN ('RESTRICT', 'NO ACTION'))"
    )
    found += [
        f"the foreign key {text_of(row['name'])} changes rows of {table} by a cascade, which fires no trigger"
        for row in rows
        if (table := f"{text_of(row['db'])}.{text_of(row['tbl'])}") in tenants.tables
    ]
    rows = pool.rows(
        "SELECT t.table_schema AS db, t.table_name AS tbl, t.engine AS engine FROM information_schema.tables t "
        "JOIN information_schema.engines e ON e.engine = t.engine "
        f"WHERE t.table_schema IN ({_schemas(tenants)}) AND e.transactions = 'NO'"
    )
    found += [
        f"{table} is kept by {text_of(row['engine'])}, which takes back nothing: what the guard refuses may stay"
        for row in rows
        if (table := f"{text_of(row['db'])}.{text_of(row['tbl'])}") in tenants.tables
    ]
    return (*found, *_never_found(pool, tenants))


def _never_found(pool: Pool, tenants: Tenants) -> Iterator[str]:
    """Columns in which a text of the topology is no row's value: a FLOAT's is not the one that was written, and a BINARY's is filled up
    with zero bytes (tried on MariaDB 10.11 and MySQL 9.7).
    """
    rows = pool.rows(
        "SELECT table_schema AS db, table_name AS tbl, data_type AS kind, character_octet_length AS bytes FROM information_schema.columns "
        f"WHERE table_schema IN ({_schemas(tenants)}) AND column_name={text(tenants.column)} AND data_type IN ('float', 'binary')"
    )
    for row in rows:
        table, kind = f"{text_of(row['db'])}.{text_of(row['tbl'])}", text_of(row["kind"])
        unequal = [value for value in tenants.values if kind == "float" or len(value.encode()) != int(text_of(row["bytes"]))]
        if table in tenants.tables and unequal:
            yield f"{tenants.column} of {table} is a {kind.upper()}, which is never equal to {unequal[0]}: the guard would let it pass"


def _settings(pool: Pool) -> dict[str, str]:
    return {text_of(row["Variable_name"]): text_of(row["Value"]) for row in pool.rows(_SETTINGS)}


def _schemas(tenants: Tenants) -> str:
    return ", ".join(text(schema) for schema in sorted({guard_words.parts_of(table)[0] for table in tenants.tables}))
