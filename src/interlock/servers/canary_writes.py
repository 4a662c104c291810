"""Canaries written and looked for: with the account that can't pass `read_only`, or with Interlock's own."""

from __future__ import annotations

from collections.abc import Callable

from interlock.errors import StatementFailed, WriteRefused
from interlock.servers import canary
from interlock.servers.pool import Pool, Purpose
from interlock.servers.session import READ_BOUND_S


def write(pool: Pool, token: str, *, is_fenced: Callable[[], bool]) -> None:
    """With the canary account, if the topology names one. A missing table is made first, never on a server that `is_fenced`."""
    if _try(pool, token):
        return
    if is_fenced():
        raise WriteRefused(f"{pool.spec.name} is read-only, and has no canary table", server=pool.spec.name)
    pool.act((canary.SCHEMA, canary.TABLE), bound_s=READ_BOUND_S, doing="make the canary table")
    if not _try(pool, token):
        raise StatementFailed(f"{pool.spec.name} has no canary table right after it was made", server=pool.spec.name)


def is_seen(pool: Pool, token: str) -> bool:
    found = pool.session(Purpose.WITNESS).run((canary.seen(token),), bound_s=READ_BOUND_S, harmless=canary.MISSING)
    return bool(found and found[0].rows)


def write_with_canary_account(pool: Pool, token: str) -> bool:
    """False if the table is missing. WriteRefused comes before that on a read-only server."""
    session = pool.ready(Purpose.CANARY)
    statement = canary.upsert(pool.spec.name, token)
    return bool(pool.act((statement,), bound_s=READ_BOUND_S, doing="write a canary", session=session, harmless=canary.MISSING))


def _try(pool: Pool, token: str) -> bool:
    if pool.spec.access.canary is not None:
        written = write_with_canary_account(pool, token)
    else:
        statement = canary.upsert_if_writable(pool.spec.name, token)
        results = pool.act((statement,), bound_s=READ_BOUND_S, doing="write a canary", harmless=canary.MISSING)
        if results and results[0].affected == 0:
            raise WriteRefused(
                f"{pool.spec.name} is read-only: no canary was written", hint="the server is read-only", server=pool.spec.name
            )
        written = bool(results)
    if written and pool.rows(canary.has_old(pool.spec.name)):
        pool.act((canary.prune_if_writable(pool.spec.name),), bound_s=READ_BOUND_S, doing="remove old canaries")
    return written
