"""Who holds table or global read locks, on a server that may have no instruments for it.

With the plugin METADATA_LOCK_INFO (ships with MariaDB, not installed by default) the holder itself is named. Without it, `lock_probes.py`.

Not seen without it: LOCK TABLES … READ and BACKUP STAGE up to BLOCK_DDL, neither of which delays SET GLOBAL read_only=1 (tried on 10.11),
and locks on tables that the account may not read. Nothing here waits for a lock, nor keeps one.
"""

from __future__ import annotations

from interlock.servers.lock_probes import locks_found_by_trying
from interlock.servers.session import Session, text_of

_PLUGIN = "SELECT 1 FROM information_schema.plugins WHERE plugin_name='METADATA_LOCK_INFO' AND plugin_status='ACTIVE'"
_HELD = (
    "SELECT m.thread_id, m.lock_mode, m.table_schema, m.table_name, p.user, p.host FROM information_schema.metadata_lock_info m "
    "LEFT JOIN information_schema.processlist p ON p.id = m.thread_id WHERE m.lock_mode IN "
    "('MDL_SHARED_NO_WRITE', 'MDL_SHARED_NO_READ_WRITE', 'MDL_SHARED_READ_ONLY', 'MDL_EXCLUSIVE', 'MDL_BACKUP_FTWRL1', "
    "'MDL_BACKUP_FTWRL2', 'MDL_BACKUP_WAIT_FLUSH', 'MDL_BACKUP_WAIT_DDL', 'MDL_BACKUP_WAIT_COMMIT', 'MDL_BACKUP_BLOCK_DDL')"
)
_AT_ONCE = "SET STATEMENT lock_wait_timeout=0 FOR "
_PROBED_AT_MOST = 50


def lock_holders(session: Session) -> tuple[str, ...]:
    """A sentence for each lock."""
    if session.rows(_PLUGIN):
        return tuple(
            f"session {row['thread_id']} of {text_of(row['user'])}@{text_of(row['host'])} holds {text_of(row['lock_mode'])}"
            + (f" on {text_of(row['table_schema'])}.{text_of(row['table_name'])}" if text_of(row["table_name"]) else " on the whole server")
            for row in session.rows(_HELD)
        )
    return locks_found_by_trying(session, at_once=_AT_ONCE, within_s=1.0, at_most=_PROBED_AT_MOST)
