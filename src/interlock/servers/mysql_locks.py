"""Who holds table or global read locks: performance_schema names the session. Without it they are found out by trying.

Seen are LOCK TABLES, DDL and FLUSH TABLES WITH READ LOCK; a lock in a GET_LOCK, a backup lock and those of ordinary statements are none.
Source: MySQL manual, "The metadata_locks Table" (its instrument is enabled by default from 8.0.2 on).
"""

from __future__ import annotations

from interlock.servers.lock_probes import locks_found_by_trying
from interlock.servers.pool import Pool, Purpose
from interlock.servers.session import Row, text_of

_IS_TOLD = (
    "SELECT COUNT(*) AS told FROM performance_schema.setup_instruments "
    "WHERE name = 'wait/lock/metadata/sql/mdl' AND enabled = 'YES' AND @@GLOBAL.performance_schema = 1"
)
_HELD = (
    "SELECT t.processlist_id AS id, t.processlist_user AS user, t.processlist_host AS host, m.object_type AS type, "
    "m.object_schema AS db, m.object_name AS name, m.lock_type AS kind "
    "FROM performance_schema.metadata_locks m JOIN performance_schema.threads t ON t.thread_id = m.owner_thread_id "
    "WHERE m.lock_status = 'GRANTED' AND t.processlist_id <> CONNECTION_ID() AND ("
    "m.object_type = 'TABLE' AND m.lock_type IN ('SHARED_NO_WRITE', 'SHARED_NO_READ_WRITE', 'SHARED_READ_ONLY', 'EXCLUSIVE') "
    "OR m.object_type = 'GLOBAL' AND m.lock_type = 'SHARED')"
)
_TRYING = "SET SESSION lock_wait_timeout=1, innodb_lock_wait_timeout=1"
_TRIED_AT_MOST = 5


def lock_holders(pool: Pool) -> tuple[str, ...]:
    """A sentence for each lock."""
    if text_of(pool.rows(_IS_TOLD)[0]["told"]) != "0":
        return tuple(_sentence(row) for row in pool.rows(_HELD))
    session = pool.fresh(Purpose.WITNESS, settings=_TRYING)
    try:
        return locks_found_by_trying(session, at_once="", within_s=1.0, at_most=_TRIED_AT_MOST)
    finally:
        session.close()


def _sentence(row: Row) -> str:
    where = f"on {text_of(row['db'])}.{text_of(row['name'])}" if text_of(row["type"]) == "TABLE" else "on the whole server"
    return f"session {row['id']} of {text_of(row['user'])}@{text_of(row['host'])} holds {text_of(row['kind'])} {where}"
