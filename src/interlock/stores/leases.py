"""The lease of a pair as a row. Its epoch only rises; who may have it is decided in `decisions/leases.py`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime

from interlock.decisions.leases import LEASE_TTL, HeldLease, Liveness, may_be_taken, needs_renewal
from interlock.errors import LeaseLost, PairBusy, StoreFailed
from interlock.model.verdict import Refuse
from interlock.ports import Holder, Lease
from interlock.stores.database import Database
from interlock.stores.journal import when

_ROW = "SELECT epoch, user, host, pid, process_started, run, taken_at, expires_at FROM lease WHERE topology = ?"


def take(database: Database, topology: str, holder: Holder, now: datetime, look: Callable[[Holder], Liveness]) -> Lease:
    """PairBusy names the holder."""
    with database.writing(f"take the lease of {topology}", durable=True) as connection:
        epoch, held = _read(connection, database, topology)
        if held is not None:
            verdict = may_be_taken(held, look(held.holder), now)
            if isinstance(verdict, Refuse):
                raise PairBusy(verdict.why, hint=verdict.hint)
        taken = Lease(topology=topology, epoch=epoch + 1, holder=holder)
        connection.execute(
            "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                topology,
                taken.epoch,
                holder.user,
                holder.host,
                holder.pid,
                holder.process_started,
                holder.run,
                when(now),
                when(now + LEASE_TTL),
            ),
        )
    return taken


def check(database: Database, lease: Lease, now: datetime) -> None:
    """A read of one row; a write only once in RENEW_AFTER."""
    doing = f"check the lease of {lease.topology}"
    with database.reading(doing) as connection:
        epoch, held = _read(connection, database, lease.topology)
    if held is None or epoch != lease.epoch:
        raise lost(lease, held)
    if not needs_renewal(held.expires_at, now):
        return
    with database.writing(doing, durable=False) as connection:
        changed = connection.execute(
            "UPDATE lease SET expires_at = ? WHERE topology = ? AND epoch = ? AND run IS NOT NULL",
            (when(now + LEASE_TTL), lease.topology, lease.epoch),
        )
        if changed.rowcount != 1:
            raise lost(lease, _read(connection, database, lease.topology)[1])


def release(database: Database, lease: Lease) -> None:
    """A lease that is another's by now stays with the other."""
    with database.writing(f"release the lease of {lease.topology}", durable=False) as connection:
        connection.execute(
            "UPDATE lease SET user = NULL, host = NULL, pid = NULL, process_started = NULL, run = NULL, taken_at = NULL, expires_at = NULL "
            "WHERE topology = ? AND epoch = ?",
            (lease.topology, lease.epoch),
        )


def lost(lease: Lease, held: HeldLease | None) -> LeaseLost:
    """What the one who lost it is told."""
    if held is None:
        return LeaseLost(
            f"the lease of {lease.topology} was released", hint=f"look before anything else: interlock show {lease.holder.run}"
        )
    who = held.holder
    return LeaseLost(
        f"the lease of {lease.topology} was taken over by {who.user}@{who.host}, pid {who.pid}, run {who.run}",
        hint=f"leave the pair to it and see what it does: interlock show {who.run}",
    )


def _read(connection: sqlite3.Connection, database: Database, topology: str) -> tuple[int, HeldLease | None]:
    """The epoch, 0 before the first taking, and the lease if somebody has it."""
    row = connection.execute(_ROW, (topology,)).fetchone()
    if row is None:
        return 0, None
    epoch, user, host, pid, process_started, run, taken_at, expires_at = row
    if run is None:
        return epoch, None
    try:
        since, until = datetime.fromisoformat(taken_at), datetime.fromisoformat(expires_at)
    except (TypeError, ValueError) as error:
        raise StoreFailed(
            f"the lease of {topology} in {database.path} can't be read: {error}", hint="use another store (--store)"
        ) from error
    holder = Holder(user=user, host=host, pid=pid, process_started=process_started, run=run)
    return epoch, HeldLease(topology=topology, epoch=epoch, holder=holder, taken_at=since, expires_at=until)
