"""Locks found out by trying, on a server that does not tell who holds them.

- a table that stays `In_use` and can't be opened for reading at once is locked by LOCK TABLES … WRITE (or by DDL): that is what holds up a
  fence, but the holder's session is not told;
- the canary table can't be locked for writing at once: FLUSH TABLES WITH READ LOCK.

Nothing here keeps a lock.
"""

from __future__ import annotations

from interlock.errors import BoundReached, NotPermitted, StatementFailed
from interlock.servers.quoting import name
from interlock.servers.session import Session, text_of

_IN_USE = "SHOW OPEN TABLES WHERE In_use > 0"


def locks_found_by_trying(session: Session, *, at_once: str, within_s: float, at_most: int) -> tuple[str, ...]:
    """A sentence for each lock. `at_once` is what makes a statement end when it would have to wait, at the latest after `within_s`."""
    tables = [(text_of(row["Database"]), text_of(row["Table"])) for row in session.rows(_IN_USE)]

    def is_closed(read: str) -> bool:
        return _is_closed(session, at_once + read, within_s)

    locked = [table for table in tables[:at_most] if is_closed(f"SELECT 1 FROM {name(*table)} LIMIT 0")]
    sentences = [f"table {schema}.{table} is locked by a session (LOCK TABLES or DDL)" for schema, table in locked]
    if ("interlock", "canary") not in locked and is_closed("SELECT 1 FROM `interlock`.`canary` WHERE 1=0 FOR UPDATE"):
        sentences.append("a session holds FLUSH TABLES WITH READ LOCK")
    return tuple(sentences)


def _is_closed(session: Session, read: str, within_s: float) -> bool:
    """Whether an empty read would have to wait for a metadata lock. A table that is gone or not ours to read is not closed."""
    try:
        session.run((read,), bound_s=within_s)
    except BoundReached:
        return True
    except (NotPermitted, StatementFailed):
        return False
    return False
