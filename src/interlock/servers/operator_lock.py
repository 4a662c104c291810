"""One operator at a time: GET_LOCK on a connection of its own, whose end releases it."""

from __future__ import annotations

import hashlib

from interlock.errors import PairBusy
from interlock.servers.mariadb_facts import text_of
from interlock.servers.pool import Pool, Purpose
from interlock.servers.quoting import text

_LOCK_NAME_MAX = 64  # MySQL's limit, which MariaDB's is above


def take(pool: Pool, name: str) -> None:
    """PairBusy names the holder's session. Taking what is held already does nothing."""
    if is_held(pool, name):
        return
    session = pool.session(Purpose.LOCK)
    wanted = text(lock_name(name))
    if session.rows(f"SELECT GET_LOCK({wanted}, 0) AS taken")[0]["taken"] == 1:
        return
    rows = session.rows(f"SELECT p.id, p.user, p.host, p.time FROM information_schema.processlist p WHERE p.id = IS_USED_LOCK({wanted})")
    holder = f"session {rows[0]['id']} of {text_of(rows[0]['user'])}@{text_of(rows[0]['host'])}" if rows else "a session that just ended"
    raise PairBusy(
        f"{pool.spec.name}: the lock {name} is held by {holder}",
        hint="wait for the other run, or look at it: interlock runs",
        server=pool.spec.name,
    )


def is_held(pool: Pool, name: str) -> bool:
    """Asked on the lock's own connection, and on no new one: with the connection the lock is gone."""
    session = pool.known(Purpose.LOCK)
    if session is None:
        return False
    return session.rows(f"SELECT IS_USED_LOCK({text(lock_name(name))}) = CONNECTION_ID() AS ours")[0]["ours"] == 1


def release(pool: Pool, name: str) -> None:
    session = pool.known(Purpose.LOCK)
    if session is not None:
        session.rows(f"SELECT RELEASE_LOCK({text(lock_name(name))})")


def lock_name(name: str) -> str:
    """A name that every server takes: a long one becomes its hash."""
    return name if len(name) <= _LOCK_NAME_MAX else hashlib.sha256(name.encode()).hexdigest()
