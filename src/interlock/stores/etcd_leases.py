"""The lease of a pair in etcd.

Three things are kept apart. *Who has it* is a key that stays until it is released or taken. *Whether the holder still renews* is a key that
etcd itself removes when its time is over: no wall clock of two machines is compared. And the *epoch* only rises, whatever clocks say: every
write of a run is a transaction that compares it, so a holder that wakes up too late writes nothing.

A thread renews as long as the process lives, like the SQLite store's look at the process: a holder that is late is not one that is gone.
It only keeps what is there. A lease whose time is over, while nobody took it, comes back at the next check.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from threading import Event, Thread

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.decisions.leases import HeldLease, Liveness, may_be_taken
from interlock.errors import LeaseLost, PairBusy, StoreFailed
from interlock.model.verdict import Refuse
from interlock.ports import Holder, Lease
from interlock.stores.etcd_client import NOT_FOUND, EtcdClient, EtcdRefused
from interlock.stores.etcd_words import (
    Answer,
    Document,
    Found,
    Keys,
    answer_of,
    get,
    new_token,
    put,
    remove,
    transaction,
    unchanged_since,
    value_is,
)
from interlock.stores.journal import when
from interlock.stores.leases import lost

CHECK_S = 1.0
"""A check falls into the outage. Within this time etcd's majority says that the lease is ours, or the run goes no further."""

WRITE_S = 2.0
"""Longer than the election of a leader usually takes."""

_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """The lease as it is written. Times are the holder's wall times, for people. `changed` is the revision it was read at."""

    epoch: int
    holder: Holder | None
    taken_at: datetime
    expires_at: datetime
    token: str
    changed: int = 0

    def text(self) -> str:
        holder = asdict(self.holder) if self.holder is not None else None
        times = {"taken_at": when(self.taken_at), "expires_at": when(self.expires_at)}
        return json.dumps({"epoch": self.epoch, "holder": holder, **times, "token": self.token})


def _row(found: Found) -> _Row:
    """ValueError, TypeError or KeyError if it makes no sense."""
    said = json.loads(found.value)
    holder = said["holder"]
    return _Row(
        epoch=int(said["epoch"]),
        holder=None if holder is None else Holder(**holder),
        taken_at=datetime.fromisoformat(said["taken_at"]),
        expires_at=datetime.fromisoformat(said["expires_at"]),
        token=str(said["token"]),
        changed=found.changed,
    )


def _held(topology: str, row: _Row, holder: Holder, *, now: datetime, alive: Found | None, lasts: timedelta) -> HeldLease:
    """With the end that etcd says, whatever the holder's clock said: not come while the lease is alive, come once it is not."""
    still_to_come = row.expires_at if row.expires_at > now else now + lasts
    ends = min(row.expires_at, now) if alive is None else still_to_come
    return HeldLease(topology=topology, epoch=row.epoch, holder=holder, taken_at=row.taken_at, expires_at=ends)


class EtcdLeases:
    """The leases of one store, and those that this process holds."""

    def __init__(self, client: EtcdClient, keys: Keys, clock: Clock, look: Callable[[Holder], Liveness], lease_s: int) -> None:
        self._client = client
        self._keys = keys
        self._clock = clock
        self._look = look
        self._lasts = timedelta(seconds=lease_s)
        self._kept: dict[str, _KeptAlive] = {}

    def take(self, topology: str, holder: Holder) -> Lease:
        """PairBusy names the holder."""
        token = new_token()
        kept = None
        for _ in range(_TRIES):
            row, alive, epoch = self._read(topology, WRITE_S)
            if row is not None and kept is not None and row.token == token:
                self._keep(topology, kept)
                return Lease(topology=topology, epoch=row.epoch, holder=holder)
            now = self._clock.wall()
            if row is not None and row.holder is not None:
                verdict = may_be_taken(
                    _held(topology, row, row.holder, now=now, alive=alive, lasts=self._lasts), self._look(row.holder), now
                )
                if isinstance(verdict, Refuse):
                    raise PairBusy(verdict.why, hint=verdict.hint)
            kept = kept or self._grant()
            lease = Lease(topology=topology, epoch=epoch + 1, holder=holder)
            taken = _Row(epoch=lease.epoch, holder=holder, taken_at=now, expires_at=now + self._lasts, token=token)
            answer = self._transaction(
                transaction(
                    [
                        unchanged_since(self._keys.lease(topology), row.changed if row else 0),
                        unchanged_since(self._keys.alive(topology), alive.changed if alive else 0),
                    ],
                    [
                        put(self._keys.lease(topology), taken.text()),
                        put(self._keys.epoch(topology), str(lease.epoch)),
                        put(self._keys.alive(topology), str(lease.epoch), kept),
                    ],
                ),
                WRITE_S,
            )
            if answer.held:
                self._keep(topology, kept)
                return lease
        raise StoreFailed(f"the lease of {topology} could not be taken: others are at it", hint="try again")

    def check(self, lease: Lease) -> None:
        """A read that the majority answers for; a write only when the lease is to be renewed. LeaseLost if it is another's or nobody's."""
        row, alive, _ = self._read(lease.topology, CHECK_S)
        ours = self._ours(lease, row)
        now = self._clock.wall()
        if alive is None or now >= ours.expires_at - self._lasts * 2 / 3:
            self._renew(lease, replace(ours, expires_at=now + self._lasts, token=new_token()))

    def release(self, lease: Lease) -> None:
        """A lease that is another's by now stays with the other."""
        kept = self._kept.pop(lease.topology, None)
        if kept is not None:
            kept.stop()
        row, _, _ = self._read(lease.topology, CHECK_S)
        if row is None or row.epoch != lease.epoch or row.holder is None:
            return
        released = replace(row, holder=None, token=new_token())
        do = [put(self._keys.lease(lease.topology), released.text()), remove(self._keys.alive(lease.topology))]
        self._transaction(transaction([self.guard(lease)], do), WRITE_S)

    def guard(self, lease: Lease) -> Document:
        """The comparison that every write of the lease's run must pass."""
        return value_is(self._keys.epoch(lease.topology), str(lease.epoch))

    def why_lost(self, lease: Lease) -> LeaseLost:
        """What the one is told whose write did not pass."""
        row, _, _ = self._read(lease.topology, CHECK_S)
        return self._lost(lease, row)

    def close(self) -> None:
        while self._kept:
            self._kept.popitem()[1].stop()

    def _renew(self, lease: Lease, row: _Row) -> None:
        doing = [self.guard(lease), unchanged_since(self._keys.lease(lease.topology), row.changed)]
        for fresh in (False, True):
            kept = self._kept.get(lease.topology)
            granted = kept.lease_id if kept is not None and not fresh else self._grant()
            do = [put(self._keys.lease(lease.topology), row.text()), put(self._keys.alive(lease.topology), str(lease.epoch), granted)]
            try:
                answer = self._transaction(transaction(doing, do), CHECK_S)
            except EtcdRefused as refused:
                if fresh or refused.code != NOT_FOUND:  # etcd's lease is over: a new one
                    raise
                continue
            if kept is None or kept.lease_id != granted:
                self._keep(lease.topology, granted)
            if not answer.held:  # changed since it was read: by whom?
                self._ours(lease, self._read(lease.topology, CHECK_S)[0])
            return

    def _ours(self, lease: Lease, row: _Row | None) -> _Row:
        if row is None or row.epoch != lease.epoch or row.holder is None:
            raise self._lost(lease, row)
        return row

    def _lost(self, lease: Lease, row: _Row | None) -> LeaseLost:
        if row is None or row.holder is None:
            return lost(lease, None)
        return lost(lease, _held(lease.topology, row, row.holder, now=self._clock.wall(), alive=None, lasts=self._lasts))

    def _read(self, topology: str, within_s: float) -> tuple[_Row | None, Found | None, int]:
        """The lease, whether its holder renews it, and the epoch: 0 before the first taking. As the majority has it, at one moment."""
        keys = self._keys
        asked = [get(keys.lease(topology)), get(keys.alive(topology)), get(keys.epoch(topology))]
        answer = self._transaction(transaction([], asked), within_s)
        row, epoch = answer.one(0), answer.one(2)
        try:
            return _row(row) if row is not None else None, answer.one(1), int(epoch.value) if epoch is not None else 0
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise StoreFailed(f"the lease of {topology} in etcd can't be read: {error}", hint="use another prefix (--store)") from error

    def _grant(self) -> str:
        """The name of a new lease of etcd's."""
        return str(self._client.call("lease/grant", {"TTL": str(int(self._lasts.total_seconds()))}, within_s=WRITE_S)["ID"])

    def _keep(self, topology: str, lease_id: str) -> None:
        earlier = self._kept.pop(topology, None)
        if earlier is not None:
            earlier.stop()
        self._kept[topology] = _KeptAlive(self._client, lease_id, self._lasts.total_seconds() / 3)

    def _transaction(self, asked: Document, within_s: float) -> Answer:
        return answer_of(self._client.call("kv/txn", asked, within_s=within_s))


class _KeptAlive:
    """Renews a lease of etcd's until it is stopped, or the process ends."""

    def __init__(self, client: EtcdClient, lease_id: str, every_s: float) -> None:
        self.lease_id = lease_id
        self._client = client
        self._every_s = every_s
        self._over = Event()
        self._thread = Thread(target=self._work, name="etcd-lease", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._over.wait(self._every_s):
            try:
                self._client.call("lease/keepalive", {"ID": self.lease_id}, within_s=CHECK_S)
            except StoreFailed:
                continue  # the next check says so, to the one who can stop the run
