"""Journal and lease in memory: the same promises as a real store, without a disk. Held by the contract suite in tests/unit/stores."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import field, replace

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.decisions.leases import LEASE_TTL, HeldLease, Liveness, may_be_taken, needs_renewal
from interlock.decisions.run_names import run_meant
from interlock.errors import LeaseLost, PairBusy, StoreFailed
from interlock.model.marks import Mark
from interlock.model.verdict import Refuse
from interlock.ports import Holder, Lease, Record, RunHeader


@dataclass(slots=True)
class _Journal:
    header: RunHeader
    records: list[Record] = field(default_factory=list)
    synced: int = 0


class MemoryStore:
    """It outlives the simulated program, as a disk does. `look` says whether a holder's process lives; by default none can be looked at."""

    def __init__(self, clock: Clock, look: Callable[[Holder], Liveness] = lambda _: Liveness.UNKNOWN) -> None:
        self._clock = clock
        self._look = look
        self._journals: dict[str, _Journal] = {}
        self._epochs: dict[str, int] = {}
        self._held: dict[str, HeldLease] = {}
        self._marks: dict[tuple[str, str, str], Mark] = {}
        self.is_full = False
        self.on_append: list[Callable[[str, Sequence[Record], bool], None]] = []

    def create_run(self, header: RunHeader, /) -> None:
        if header.run in self._journals:
            raise StoreFailed(f"run {header.run} is there already", hint=f"go on with it: interlock resume {header.run}")
        self._journals[header.run] = _Journal(header)

    def append(self, run: str, records: Sequence[Record], /, *, durable: bool) -> None:
        journal = self._journal(run)
        last = len(journal.records)
        copies = [replace(record, body=_copied(run, record)) for record in records]
        for expected, record in enumerate(records, start=last + 1):
            if record.seq != expected:
                raise StoreFailed(f"record {record.seq} of run {run} does not follow record {expected - 1}", hint=f"interlock show {run}")
        journal.records.extend(copies)
        if durable:
            self._sync()
        for tell in self.on_append:
            tell(run, copies, durable)

    def set_state(self, run: str, state: str, outcome: str | None, /) -> None:
        journal = self._journal(run)
        journal.header = replace(journal.header, state=state, outcome=outcome)

    def records(self, run: str, /) -> tuple[Record, ...]:
        return tuple(self._journal(run).records)

    def header(self, run: str, /) -> RunHeader:
        return self._journals[run_meant(run, [header.run for header in self.runs(None)])].header

    def runs(self, topology: str | None, /) -> tuple[RunHeader, ...]:
        latest_first = [journal.header for journal in reversed(self._journals.values()) if topology in {None, journal.header.topology}]
        return tuple(sorted(latest_first, key=lambda header: header.started_at, reverse=True))

    def reserve(self, run: str, size_bytes: int, /) -> None:
        """StoreFailed while `is_full` is set."""
        self._journal(run)
        if self.is_full:
            raise StoreFailed(f"the disk is full: run {run} may need {size_bytes} bytes", hint="make room")

    def take_lease(self, topology: str, holder: Holder, /) -> Lease:
        now = self._clock.wall()
        held = self._held.get(topology)
        if held is not None:
            verdict = may_be_taken(held, self._look(held.holder), now)
            if isinstance(verdict, Refuse):
                raise PairBusy(verdict.why, hint=verdict.hint)
        epoch = self._epochs.get(topology, 0) + 1
        self._epochs[topology] = epoch
        self._held[topology] = HeldLease(topology=topology, epoch=epoch, holder=holder, taken_at=now, expires_at=now + LEASE_TTL)
        return Lease(topology=topology, epoch=epoch, holder=holder)

    def check_lease(self, lease: Lease, /) -> None:
        held = self._held.get(lease.topology)
        if held is None or held.epoch != lease.epoch:
            by = "released" if held is None else f"taken over by run {held.holder.run}"
            raise LeaseLost(f"the lease of {lease.topology} was {by}", hint=f"interlock show {(held or lease).holder.run}")
        now = self._clock.wall()
        if needs_renewal(held.expires_at, now):
            self._held[lease.topology] = replace(held, expires_at=now + LEASE_TTL)

    def release_lease(self, lease: Lease, /) -> None:
        held = self._held.get(lease.topology)
        if held is not None and held.epoch == lease.epoch:
            del self._held[lease.topology]

    def marks(self, topology: str, /) -> tuple[Mark, ...]:
        of_pair = [mark for mark in self._marks.values() if mark.topology == topology]
        return tuple(sorted(of_pair, key=lambda mark: (mark.at, mark.kind, mark.subject)))

    def change_marks(self, topology: str, seen: Sequence[Mark], /, *, add: Sequence[Mark] = (), take: Sequence[Mark] = ()) -> bool:
        """Durable at once, and so is every append before it: they stand in one log. StoreFailed for a mark while `is_full` is set."""
        if set(self.marks(topology)) != set(seen):
            return False
        if self.is_full and add:
            raise StoreFailed(f"the disk is full: {topology} can't be marked", hint="make room")
        for mark in take:
            self._marks.pop(_key(mark), None)
        self._marks |= {_key(mark): mark for mark in add}
        self._sync()
        return True

    def close(self) -> None:
        """Nothing to close."""

    def lose_power(self) -> None:
        """The machine ends: every record after the last durable append is gone."""
        for journal in self._journals.values():
            del journal.records[journal.synced :]

    def _sync(self) -> None:
        """A durable append takes all earlier ones to the disk with it, of whatever run: they stand in one log."""
        for journal in self._journals.values():
            journal.synced = len(journal.records)

    def _journal(self, run: str) -> _Journal:
        journal = self._journals.get(run)
        if journal is None:
            raise StoreFailed(f"there is no run {run!r} in the store", hint="list them: interlock runs")
        return journal


def _key(mark: Mark) -> tuple[str, str, str]:
    return mark.topology, mark.kind, mark.subject


def _copied(run: str, record: Record) -> dict[str, object]:
    """As it would be read back from a disk."""
    try:
        copy: dict[str, object] = json.loads(json.dumps(record.body, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreFailed(
            f"record {record.seq} ({record.kind}) of run {run} is not plain JSON: {error}", hint="report this as a bug"
        ) from error
    return copy
