"""One operator at a time: GET_LOCK on a connection of its own, whose end releases it.

An end that the server hears of: when a network swallows it, the server keeps session and lock for hours (its `tcp_keepalive_time`; tried
on 10.11 with a link that drops). So a second lock on the same connection names the run that holds the first, and whoever holds that run's
lease may end the session.
"""

from __future__ import annotations

import hashlib

from interlock.errors import PairBusy
from interlock.servers.orphans import kill_and_prove_gone
from interlock.servers.pool import Pool, Purpose
from interlock.servers.quoting import text
from interlock.servers.session import Session, text_of

_LOCK_NAME_MAX = 64  # MySQL's limit, which MariaDB's is above


def take(pool: Pool, name: str, *, owner: str = "", again: bool = False) -> None:
    """PairBusy names the holder's session. Taking what is held already does nothing. `owner`, `again`: see `ports.Server.take_lock`."""
    if is_held(pool, name):
        return
    session = pool.session(Purpose.LOCK)
    wanted, mark = text(lock_name(name)), text(lock_name(f"{name}:{owner}"))
    if again and owner:
        _end_left_behind(pool, session, wanted, mark)
    if _got(session, wanted):
        _got(session, mark)
        return
    rows = session.rows(f"SELECT p.id, p.user, p.host, p.time FROM {session.processlist} p WHERE p.id = IS_USED_LOCK({wanted})")
    holder = f"session {rows[0]['id']} of {text_of(rows[0]['user'])}@{text_of(rows[0]['host'])}" if rows else "a session that just ended"
    raise PairBusy(
        f"{pool.spec.name}: the lock {name} is held by {holder}",
        hint="wait for the other run, or look at it: interlock runs. If its program is gone, its connection hangs: KILL that session",
        server=pool.spec.name,
    )


def _got(session: Session, wanted: str) -> bool:
    return session.rows(f"SELECT GET_LOCK({wanted}, 0) AS taken")[0]["taken"] == 1


def _end_left_behind(pool: Pool, session: Session, wanted: str, mark: str) -> None:
    """End the session that holds both the lock and the owner's mark, if it is not this one. One that will not go keeps the lock."""
    row = session.rows(f"SELECT IS_USED_LOCK({wanted}) AS holder, IS_USED_LOCK({mark}) AS marked")[0]
    if row["holder"] is not None and row["holder"] == row["marked"] and row["holder"] != session.id:
        kill_and_prove_gone(session, (int(str(row["holder"])),), clock=pool.clock)


def is_held(pool: Pool, name: str) -> bool:
    """Asked on the lock's own connection, and on no new one: with the connection the lock is gone."""
    session = pool.known(Purpose.LOCK)
    if session is None:
        return False
    return session.rows(f"SELECT IS_USED_LOCK({text(lock_name(name))}) = CONNECTION_ID() AS ours")[0]["ours"] == 1


def release(pool: Pool, name: str) -> None:
    session = pool.known(Purpose.LOCK)
    if session is None:
        return
    if not session.setup.releases_all:
        session.rows(f"SELECT RELEASE_LOCK({text(lock_name(name))}) AS released")
        session.close()  # its end releases the owner's mark too
        return
    session.rows(f"SELECT RELEASE_LOCK({text(lock_name(name))}), RELEASE_ALL_LOCKS()")  # the owner's mark too


def lock_name(name: str) -> str:
    """A name that every server takes: a long one becomes its hash."""
    return name if len(name) <= _LOCK_NAME_MAX else hashlib.sha256(name.encode()).hexdigest()
