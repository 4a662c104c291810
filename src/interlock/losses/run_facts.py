"""What the journal of a run tells about what may be lost by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from interlock.dataclass import dataclass
from interlock.engine.journal import RecordKind
from interlock.engine.states import State
from interlock.errors import UsageError
from interlock.model.codec import from_plain
from interlock.model.fencing import AgentFacts
from interlock.model.losses import Bound
from interlock.model.marks import Mark
from interlock.model.position import Position, parse_position
from interlock.ports import Record, RunHeader, Store

REJOIN = "rejoin"
_FENCES_OUTSIDE = "server.fence_outside"
_FROM_OUTSIDE = "fenced from outside by "


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """The run's last opening: `survivor` held `position` then. `old` is the other side; `was_closed` if it was proved closed before, and
    `closed_with` are the ways of fencing it from outside that were at hand, as they stood before. `rejoins` are the runs of that name
    since, the oldest first: one of them may have kept, and thrown away, what `old` had.
    """

    run: str
    old: str
    survivor: str
    position: Position
    was_closed: bool
    bound: Bound
    closed_with: tuple[AgentFacts, ...] = ()
    rejoins: tuple[str, ...] = ()

    @classmethod
    def of_now(cls, *, run: str, old: str, survivor: str, held: Position) -> RunFacts:
        """Of no failover that is known: whatever `old` has beside what the survivor holds now. `old` is fenced meanwhile."""
        return cls(run=run, old=old, survivor=survivor, position=held, was_closed=True, bound=Bound(held=str(held)))


def run_facts(header: RunHeader, records: Sequence[Record], masters: Sequence[str]) -> RunFacts:
    """UsageError if the run opened no server: then nothing was lost by it."""
    opening = next((record for record in reversed(records) if record.kind == RecordKind.OPENING), None)
    if opening is None:
        raise UsageError(
            f"run {header.run} ({header.playbook}) has opened no server, so no write was lost by it",
            hint="name the failover: `interlock runs`",
        )
    survivor = str(opening.body["server"])
    others = opening.body.get("others")
    closed_by = {str(name): str(by) for name, by in others.items()} if isinstance(others, Mapping) else {}
    old = next((name for name in masters if name != survivor), next(iter(closed_by), ""))
    held = str(opening.body["position"])
    before = [record for record in records if record.seq < opening.seq]
    return RunFacts(
        run=header.run,
        old=old,
        survivor=survivor,
        position=parse_position(held),
        was_closed=_is_proof(closed_by.get(old, "")),
        bound=Bound(held=held, received=_received(before), opened_at=opening.at, heard_at=_heard_at(before)),
        closed_with=_closed_with(before),
    )


def failover_of(store: Store, mark: Mark | None, old: str, survivor: str) -> RunFacts | None:
    """Of the run that marked the old writer as failed. None: there is no such mark, the store knows no such run, or it opened another."""
    if mark is None or not mark.run:
        return None
    try:
        found = run_facts(store.header(mark.run), store.records(mark.run), (old, survivor))
    except UsageError:
        return None
    return found if (found.old, found.survivor) == (old, survivor) else None


def rejoins_since(store: Store, header: RunHeader) -> tuple[str, ...]:
    """The oldest first."""
    later = (one for one in store.runs(header.topology) if one.playbook == REJOIN and one.started_at > header.started_at)
    return tuple(one.run for one in sorted(later, key=lambda one: one.started_at))


def run_that_gave_up(store: Store, topology: str, sentence: str) -> str:
    """The run that let a server be opened by this sentence (`decisions/giving_up.py`); empty if none did, if it went back, or if a rejoin
    has kept since what was given up.
    """
    for header in store.runs(topology):  # the newest first
        if header.outcome == State.SUCCEEDED and header.playbook == REJOIN:
            return ""
        openings = (record for record in store.records(header.run) if record.kind == RecordKind.OPENING)
        if header.outcome != State.ROLLED_BACK and any(opening.body.get("given_up") == sentence for opening in openings):
            return header.run
    return ""


def _is_proof(closed_by: str) -> bool:
    """A position is a fence that was read back; the sentence that a person accepted proves nothing."""
    if closed_by.startswith(_FROM_OUTSIDE):
        return True
    try:
        return bool(closed_by) and str(parse_position(closed_by)) != ""
    except ValueError:
        return False


def _closed_with(records: Sequence[Record]) -> tuple[AgentFacts, ...]:
    for record in reversed(records):
        before = record.body.get("before")
        if record.kind == RecordKind.INTENDED and record.body.get("action") == _FENCES_OUTSIDE and isinstance(before, Mapping):
            return from_plain(before["agents"], tuple[AgentFacts, ...])
    return ()


def _heard_at(records: Sequence[Record]) -> datetime | None:
    """Of the last look at the channel before its receiver was stopped."""
    for record in reversed(records):
        silent_s = _find(record.body, "silent_s", (int, float))
        if isinstance(silent_s, int | float):
            return record.at - timedelta(seconds=silent_s)
    return None


def _received(records: Sequence[Record]) -> str:
    """The last position that a channel was seen to have received."""
    for record in reversed(records):
        told = _find(record.body, "received", str)
        if told:
            return str(told)
    return ""


def _find(value: object, key: str, kind: type | tuple[type, ...]) -> object:
    """The first value of that key and kind that says something; None if there is none."""
    if isinstance(value, Mapping):
        its = value.get(key)
        if isinstance(its, kind) and its != "":
            return its
        return next((found for one in value.values() if (found := _find(one, key, kind)) is not None), None)
    if isinstance(value, list | tuple):
        return next((found for one in value if (found := _find(one, key, kind)) is not None), None)
    return None
