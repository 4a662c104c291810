"""Journal and lease in etcd: a run that survives its machine. See docs/adr/0010-etcd-store.md for why, and `etcd_words.py` for the keys.

Every append is on the disks of etcd's majority when it returns, whether it was asked to be durable or not: one that waited in this process
would end with it. Every write of a run whose lease this process took compares the lease's epoch in the same transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.decisions.leases import Liveness
from interlock.decisions.run_names import run_meant
from interlock.errors import LeaseLost, StoreFailed
from interlock.model.marks import Mark
from interlock.ports import Holder, Lease, Record, RunHeader
from interlock.stores import journal, marks
from interlock.stores.etcd_client import EtcdClient
from interlock.stores.etcd_leases import CHECK_S, WRITE_S, EtcdLeases
from interlock.stores.etcd_rows import header_of, header_text, records_of, records_text, records_token
from interlock.stores.etcd_url import EtcdPlace
from interlock.stores.etcd_words import (
    Answer,
    Document,
    Found,
    Keys,
    answer_of,
    get,
    get_below,
    new_token,
    none_newer,
    put,
    remove,
    transaction,
    unchanged_since,
    value_is,
)
from interlock.stores.holder import liveness

_READ_S = 5.0
_PAGE = 100
"""Appends or runs that are read at once: an answer of etcd's has a size that it can bear."""

_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """A run's header, as of a revision."""

    header: RunHeader
    changed: int


class EtcdStore:
    """Several threads and several machines may use one. All errors are StoreFailed, except those that `ports.Store` names."""

    def __init__(self, place: EtcdPlace, clock: Clock, look: Callable[[Holder], Liveness] = liveness) -> None:
        self._client = EtcdClient(place)
        self._keys = Keys(place.prefix)
        self._leases = EtcdLeases(self._client, self._keys, clock, look, place.lease_s)
        self._held: dict[str, Lease] = {}  # run → the lease that this process took for it
        self._headers: dict[str, _Kept] = {}
        self._unsure: defaultdict[str, set[str]] = defaultdict(set)  # run → tokens of appends that failed and may land yet

    def create_run(self, header: RunHeader, /) -> None:
        token = new_token()
        key = self._keys.run(header.run)
        when = [unchanged_since(key, 0), *self._guards(header.run)]
        answer = self._ask(
            transaction(when, [put(key, header_text(header, token)), put(self._keys.last(header.run), "0")], [get(key)]), WRITE_S
        )
        if answer.held:
            return
        there = answer.one(0)
        if there is None:
            raise self._fenced_off(header.run)
        if header_of(header.run, there.value)[1] != token:
            raise StoreFailed(f"run {header.run} is there already", hint=f"go on with it: interlock resume {header.run}")

    def append(self, run: str, records: Sequence[Record], /, *, durable: bool) -> None:  # noqa: ARG002 - always durable, see above
        if not records:
            return
        token, first = new_token(), records[0].seq
        journal.check_order(run, first - 1, records)
        text = records_text(run, records, token)
        batch, last = self._keys.batch(run, first), self._keys.last(run)
        do = [put(batch, text), put(last, str(records[-1].seq))]
        try:
            answer = self._ask(transaction([value_is(last, str(first - 1)), *self._guards(run)], do, [get(last), get(batch)]), WRITE_S)
            if not answer.held and not self._landed(run, answer, token):
                self._replace(run, answer, first, records, do)
        except StoreFailed:
            self._unsure[run].add(token)
            raise

    def set_state(self, run: str, state: str, outcome: str | None, /) -> None:
        token, key = new_token(), self._keys.run(run)
        for _ in range(_TRIES):
            kept = self._headers.pop(run, None) or self._read_header(run)
            header = RunHeader(
                run=run,
                playbook=kept.header.playbook,
                topology=kept.header.topology,
                started_at=kept.header.started_at,
                state=state,
                outcome=outcome,
            )
            # One that lands late, after its time was over, finds the header changed: it can't take an outcome away again.
            when = [unchanged_since(key, kept.changed), *self._guards(run)]
            answer = self._ask(transaction(when, [put(key, header_text(header, token))], [get(key)]), WRITE_S)
            if answer.held:
                self._headers[run] = _Kept(header=header, changed=answer.revision)
                return
            there = answer.one(0)
            if there is not None and header_of(run, there.value)[1] == token:
                self._headers[run] = _Kept(header=header, changed=there.changed)
                return
            if there is not None and there.changed == kept.changed:
                raise self._fenced_off(run)
        raise StoreFailed(f"the state of run {run} could not be recorded: others are at it", hint=f"interlock show {run}")

    def records(self, run: str, /) -> tuple[Record, ...]:
        self._read_header(run)
        return records_of(run, self._all_below(self._keys.records(run)))

    def header(self, run: str, /) -> RunHeader:
        """By its name, or by a beginning of it that no other run has."""
        known = {header.run: header for header in self.runs(None)}
        return known[run_meant(run, list(known))]

    def runs(self, topology: str | None, /) -> tuple[RunHeader, ...]:
        found = [(header_of(row.key, row.value)[0], row.created) for row in self._all_below(self._keys.run())]
        newest_first = sorted(found, key=lambda each: (each[0].started_at, each[1]), reverse=True)
        return tuple(header for header, _ in newest_first if topology in {None, header.topology})

    def reserve(self, run: str, size_bytes: int, /) -> None:
        """There is no room to be set aside in etcd. What can be known is known: the majority answers, and etcd has raised no alarm."""
        self._read_header(run)
        raised = self._client.call("maintenance/alarm", {"action": "GET"}, within_s=WRITE_S).get("alarms", ())
        names = sorted({str(alarm.get("alarm", "NONE")) for alarm in raised} - {"NONE"})
        if names:
            raise StoreFailed(
                f"etcd has raised {', '.join(names)}: run {run} may need {size_bytes} bytes",
                hint="compact and defragment etcd, then `etcdctl alarm disarm`; or use another store (--store)",
            )

    def take_lease(self, topology: str, holder: Holder, /) -> Lease:
        lease = self._leases.take(topology, holder)
        self._held[holder.run] = lease
        return lease

    def check_lease(self, lease: Lease, /) -> None:
        self._leases.check(lease)

    def release_lease(self, lease: Lease, /) -> None:
        self._leases.release(lease)

    def marks(self, topology: str, /) -> tuple[Mark, ...]:
        return marks.in_order([marks.mark_in(row.key, row.value)[0] for row in self._all_below(self._keys.marks(topology))])

    def change_marks(self, topology: str, seen: Sequence[Mark], /, *, add: Sequence[Mark] = (), take: Sequence[Mark] = ()) -> bool:
        """One that was sent again, for its answer was lost, finds what it has done. One that lands late finds the marks changed: it can't
        put back what was taken away since.
        """
        folder, token = self._keys.marks(topology), new_token()
        answer = self._ask(transaction([], [get_below(folder)]), _READ_S)
        if marks.in_order(marks.mark_in(row.key, row.value)[0] for row in answer.found[0]) != marks.in_order(seen):
            return False
        when = [none_newer(folder, answer.revision), *(unchanged_since(row.key, row.changed) for row in answer.found[0])]
        do = [*(remove(self._key_of(mark)) for mark in take), *(put(self._key_of(mark), marks.mark_text(mark, token)) for mark in add)]
        answer = self._ask(transaction(when, do, [get(self._key_of(mark)) for mark in add or take]), WRITE_S)
        return answer.held or _are_changed([answer.one(number) for number in range(len(answer.found))], token if add else None)

    def close(self) -> None:
        self._leases.close()
        self._client.close()

    def _key_of(self, mark: Mark) -> str:
        return self._keys.mark(mark.topology, mark.kind.value, mark.subject)

    def _guards(self, run: str) -> list[Document]:
        return [self._leases.guard(self._held[run])] if run in self._held else []

    def _landed(self, run: str, answer: Answer, *tokens: str) -> bool:
        """Whether the append that stands in this one's place has one of these tokens."""
        there = answer.one(1)
        return there is not None and records_token(run, there) in tokens

    def _replace(self, run: str, answer: Answer, first: int, records: Sequence[Record], do: Sequence[Document]) -> None:
        """Say why an append was not taken. Or take it: what stands in its place was said to have failed, and landed after all."""
        last = answer.one(0)
        if last is None:
            raise _no_run(run)
        there = answer.one(1)
        if there is not None and self._landed(run, answer, *self._unsure[run]):
            when = [unchanged_since(there.key, there.changed), unchanged_since(last.key, there.changed), *self._guards(run)]
            if self._ask(transaction(when, do), WRITE_S).held:
                return
        if last.value == str(first - 1):
            raise self._fenced_off(run)
        journal.check_order(run, int(last.value), records)
        raise StoreFailed(f"run {run} could not be recorded: others are at it", hint=f"interlock show {run}")

    def _fenced_off(self, run: str) -> StoreFailed:
        lost: LeaseLost = self._leases.why_lost(self._held[run])
        return StoreFailed(f"run {run} can't be recorded: {lost.message}", hint=lost.hint)

    def _read_header(self, run: str) -> _Kept:
        found = self._ask(transaction([], [get(self._keys.run(run))]), CHECK_S).one(0)
        if found is None:
            raise _no_run(run)
        return _Kept(header=header_of(run, found.value)[0], changed=found.changed)

    def _all_below(self, folder: str) -> list[Found]:
        found: list[Found] = []
        while True:
            answer = self._ask(transaction([], [get_below(folder, found[-1].key if found else "", _PAGE)]), _READ_S)
            found += answer.found[0]
            if not answer.more:
                return found

    def _ask(self, asked: Document, within_s: float) -> Answer:
        return answer_of(self._client.call("kv/txn", asked, within_s=within_s))


def _are_changed(there: Sequence[Found | None], token: str | None) -> bool:
    """Whether the marks that were to be set have this token; None: whether those that were to be taken away are gone."""
    if token is None:
        return all(row is None for row in there)
    return all(row is not None and marks.mark_in(row.key, row.value)[1] == token for row in there)


def _no_run(run: str) -> StoreFailed:
    return StoreFailed(f"there is no run {run!r} in the store", hint="list them: interlock runs")
