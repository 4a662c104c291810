"""The durable record of a fleet: a journal in the same store as the runs, under the fleet's name, with a lease of its own.

What became of a pair is not read from here but from its run's own journal: that one is right even when the fleet's process was killed, or a
person finished the run by hand. This one says which runs belong to the fleet, and what became of those that never came to be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.errors import StoreFailed, UsageError
from interlock.fleet.model import Limits, Pair, PairReport
from interlock.model.codec import DAMAGED, fields_of, from_plain, to_plain
from interlock.ports import Holder, Record, RunHeader, Store

FLEETS = "(fleets)"
"""What stands for the pair's name in the header of a fleet: no topology can be called so."""


class Kind(StrEnum):
    """Stored in journals: never renamed."""

    BEGAN = "fleet_began"
    TAKEN_UP = "fleet_taken_up"
    PAIR_BEGAN = "pair_began"
    PAIR_ENDED = "pair_ended"
    STOPPED = "fleet_stopped"


class State(StrEnum):
    """Stored in headers: never renamed. A fleet that is done has nothing left to do; any other can be gone on with."""

    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a fleet is to do, as it was first said. `playbook_file` is absolute; `text` what stood in it."""

    playbook: str
    playbook_file: str
    text: str
    inputs: Mapping[str, str]
    pairs: tuple[Pair, ...]
    limits: Limits
    yes: bool = False


@dataclass(slots=True, kw_only=True)
class History:
    """A fleet as its journal tells it. `runs` are the names given to each pair's runs, in order; `ended` the last end that was written;
    `holder` who carried it out last.
    """

    fleet: str
    order: Order
    began_at: datetime
    records: int
    runs: dict[str, list[str]] = field(default_factory=dict)
    ended: dict[str, PairReport] = field(default_factory=dict)
    stopped: str = ""
    holder: Holder | None = None


class FleetJournal:
    """Writes one fleet's records. After the first write that fails it writes no more, and says why in `failed`."""

    def __init__(self, store: Store, fleet: str, clock: Clock, records: int) -> None:
        self._store = store
        self._fleet = fleet
        self._clock = clock
        self._seq = records
        self.failed: StoreFailed | None = None

    def write(self, kind: Kind, **body: object) -> bool:
        """On the disk when it returns; whether it is. A pair whose beginning is not there must not begin."""
        if self.failed is not None:
            return False
        plain = {name: to_plain(value) for name, value in body.items()}
        try:
            self._store.append(self._fleet, (Record(seq=self._seq + 1, kind=kind.value, at=self._clock.wall(), body=plain),), durable=True)
        except StoreFailed as error:
            self.failed = error
            return False
        self._seq += 1
        return True

    def set_state(self, state: State) -> None:
        """Left as it was when the store does not take it: it is for lists, nothing is decided by it."""
        with suppress(StoreFailed):
            self._store.set_state(self._fleet, state.value, "succeeded" if state is State.DONE else None)


def begin(store: Store, fleet: str, order: Order, clock: Clock) -> FleetJournal:
    """Record it. UsageError if there is one of that name."""
    if any(header.run == fleet for header in store.runs(None)):
        raise UsageError(f"there is a fleet or a run called {fleet}", hint=f"`interlock fleet resume {fleet}`, or another --name")
    header = RunHeader(run=fleet, playbook=order.playbook, topology=FLEETS, started_at=clock.wall(), state=State.RUNNING.value)
    store.create_run(header)
    journal = FleetJournal(store, fleet, clock, 0)
    if not journal.write(Kind.BEGAN, **fields_of(order)) and journal.failed is not None:
        raise journal.failed
    return journal


def read_history(fleet: str, records: Sequence[Record]) -> History:
    """StoreFailed names the record that makes no sense; UsageError if its process ended before it wrote what it was to do."""
    if not records:
        raise UsageError(f"fleet {fleet} was interrupted before it began; nothing was started", hint="start a new one")
    try:
        history = History(fleet=fleet, order=from_plain(records[0].body, Order), began_at=records[0].at, records=len(records))
        for record in records[1:]:
            _take(history, record)
    except DAMAGED as error:
        raise StoreFailed(f"the journal of fleet {fleet} makes no sense: {error}", hint="look at each pair: interlock runs") from error
    return history


def _take(history: History, record: Record) -> None:
    body = record.body
    match Kind(record.kind):
        case Kind.PAIR_BEGAN:
            runs = history.runs.setdefault(str(body["pair"]), [])
            if body["run"] not in runs:
                runs.append(str(body["run"]))
        case Kind.PAIR_ENDED:
            report = from_plain(body["report"], PairReport)
            history.ended[report.topology] = report
        case Kind.TAKEN_UP:
            history.stopped, history.holder = "", from_plain(body["holder"], Holder)
        case Kind.STOPPED:
            history.stopped = str(body["why"])
        case Kind.BEGAN:
            raise ValueError(f"record {record.seq} begins it a second time")
