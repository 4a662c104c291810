"""The durable record of a run: what is written, in which words, and what can be read from it again.

One rule: an intent, with what was seen before and the script of the effect and of its undo, is on the disk before the effect.

Kinds of records (stored words, never renamed), and what stands in each:

    started     playbook, text, path, inputs, topology, topology_digest, holder, epoch
    resolved    inputs as their values, the pair as it was seen when the run began
    taken_over  holder, epoch: another process goes on with the run
    moved       event, source, target, reason
    phase       phase, then: began | ended, ms
    warmed      kept: of each server what its driver wants to know again in another process
    intended    step, action, args, before, script, undo
    acting      step, action, before, script: looked at again at the last moment; the effect follows
    unsure      step, message: a route's or an outside effect whose answer did not come; it may still land
    done        step, action, why, warnings, outputs, ms
    skipped     step, action, why
    failed      step, action, message, hint, ms; outputs, of an action that tells them of a failure too
    proved      server, position, canary: a master was proved fenced; with segment, that segment was proved closed there
    proved_outside  server, agent, detail: a way of fencing says that no client can write to it
    accepted    server, sentence: a person answers for what could not be proved
    given_up    server, sentence: a person gives up what the server lacks
    one_way     server: what is opened elsewhere does not come back to it
    opening     server, position, others, given_up: the interlock let the opening through
    undoing     step, script
    undone      step, detail
    not_undone  step, message, hint, script
    outage      outage_ms and what the prober saw
    ended       outcome, exit_code, evidence, problems
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import field
from enum import StrEnum

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.engine.states import State
from interlock.errors import StoreFailed
from interlock.model.codec import to_plain
from interlock.model.topology import ServerName
from interlock.ports import Record, Store


class RecordKind(StrEnum):
    STARTED = "started"
    RESOLVED = "resolved"
    TAKEN_OVER = "taken_over"
    MOVED = "moved"
    PHASE = "phase"
    WARMED = "warmed"
    INTENDED = "intended"
    ACTING = "acting"
    UNSURE = "unsure"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    PROVED = "proved"
    PROVED_OUTSIDE = "proved_outside"
    ACCEPTED = "accepted"
    GIVEN_UP = "given_up"
    ONE_WAY = "one_way"
    OPENING = "opening"
    UNDOING = "undoing"
    UNDONE = "undone"
    NOT_UNDONE = "not_undone"
    OUTAGE = "outage"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Entry:
    """A record that has no number yet."""

    kind: RecordKind
    body: Mapping[str, object]


class Journal:
    """Appends to the journal of one run. `redact` takes every known secret out of a text before it is stored."""

    def __init__(
        self,
        store: Store,
        run: str,
        clock: Clock,
        redact: Callable[[str], str],
        earlier: Sequence[Record] = (),
        *,
        turn: AbstractContextManager[object] | None = None,
    ) -> None:
        self._store = store
        self.run = run
        self._clock = clock
        self._redact = redact
        self._next = len(earlier) + 1
        self.records = list(earlier)
        """All of the run, those too that a failing store did not take: what this process reports does not need the store."""
        self._turn = turn or nullcontext()
        self.lenient = False
        """On the way back, what can't be recorded no longer stops what must be undone: the intents are on the disk already."""
        self._unstored: list[Record] = []
        """What a store that failed did not take, and is offered again with the next: a journal has no gap."""

    def write(self, kind: RecordKind, /, *, durable: bool = False, **body: object) -> None:
        self.write_all([Entry(kind, body)], durable=durable)

    def write_all(self, entries: Sequence[Entry], *, durable: bool) -> None:
        """All or none. StoreFailed if they can't be stored (see `lenient`)."""
        at = self._clock.wall()
        with self._turn:  # steps of a `parallel` write from threads of their own
            records = [
                Record(seq=self._next + offset, kind=entry.kind.value, at=at, body=self._clean(entry.body))
                for offset, entry in enumerate(entries)
            ]
            try:
                self._store.append(self.run, [*self._unstored, *records], durable=durable)
            except StoreFailed:
                self._unstored += records
                if not self.lenient:
                    raise
            else:
                self._unstored.clear()
            finally:
                self._next += len(records)
                self.records += records

    def set_state(self, state: State, outcome: State | None) -> None:
        """A header never says more than its journal: another process may have ended the run meanwhile."""
        if self._unstored:
            return
        try:
            self._store.set_state(self.run, state.value, outcome.value if outcome else None)
        except StoreFailed:
            if not self.lenient:
                raise

    def _clean(self, body: Mapping[str, object]) -> dict[str, object]:
        plain = to_plain(body)
        return {str(key): _redacted(item, self._redact) for key, item in plain.items()} if isinstance(plain, dict) else {}


def _redacted(value: object, redact: Callable[[str], str]) -> object:
    match value:
        case str():
            return redact(value)
        case dict():
            return {key: _redacted(item, redact) for key, item in value.items()}
        case list():
            return [_redacted(item, redact) for item in value]
        case _:
            return value


@dataclass(slots=True, kw_only=True)
class Intent:
    """A step that may have had its effect. `begun`: its effect was about to be carried out; `done`: it was seen to hold.

    `unsure`: nobody could end an effect of its that had no answer. It may land at any time, whatever a look says now.
    """

    step: str
    action: str
    args: Mapping[str, object]
    before: object
    begun: bool = False
    done: bool = False
    undone: bool = False
    unsure: bool = False

    def begin(self) -> None:
        """Its effect is being sent."""
        self.begun, self.undone = True, False


@dataclass(slots=True, kw_only=True)
class Progress:
    """What a journal tells of its run. Steps are named by their keys; intents stand in the order in which they were made."""

    started: Mapping[str, object] = field(default_factory=dict)
    inputs: Mapping[str, object] | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    state: State = State.CHECKING
    outcome: State | None = None
    outputs: dict[str, Mapping[str, object]] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)
    kept: Mapping[str, object] = field(default_factory=dict)
    intents: dict[str, Intent] = field(default_factory=dict)
    accepted: dict[ServerName, str] = field(default_factory=dict)
    given_up: dict[ServerName, str] = field(default_factory=dict)
    opening: bool = False
    was_going_back: bool = False
    epoch: int = 0
    last_seq: int = 0


def read_progress(records: Sequence[Record]) -> Progress:
    """Fold a journal. A prefix of a valid journal is valid. StoreFailed names the record that makes no sense."""
    progress = Progress()
    for record in records:
        progress_by(progress, record)
    return progress


def progress_by(progress: Progress, record: Record) -> None:
    """Fold one more record into it. StoreFailed if it makes no sense."""
    try:
        _take(progress, RecordKind(record.kind), record.body)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise StoreFailed(
            f"record {record.seq} ({record.kind}) of the journal makes no sense: {error}",
            hint="the journal is damaged: look at both servers (`interlock status`) and put things right by hand",
        ) from error
    progress.last_seq = record.seq


def _take(progress: Progress, kind: RecordKind, body: Mapping[str, object]) -> None:
    match kind:
        case RecordKind.STARTED:
            progress.started = body
            progress.epoch = _whole(body["epoch"])
        case RecordKind.TAKEN_OVER:
            progress.epoch = _whole(body["epoch"])
        case RecordKind.RESOLVED:
            progress.inputs = _mapping(body["inputs"])
            progress.facts = _mapping(body["facts"])
        case RecordKind.MOVED:
            progress.state = State(str(body["target"]))
            progress.was_going_back = body["source"] == State.ROLLING_BACK
            progress.opening = progress.opening or progress.state is State.OPENED
            progress.outcome = None
        case RecordKind.ACCEPTED:
            progress.accepted[ServerName(str(body["server"]))] = str(body["sentence"])
        case RecordKind.GIVEN_UP:
            progress.given_up[ServerName(str(body["server"]))] = str(body["sentence"])
        case RecordKind.WARMED:
            progress.kept = _mapping(body["kept"])
        case RecordKind.INTENDED:
            step = str(body["step"])
            progress.intents[step] = Intent(step=step, action=str(body["action"]), args=_mapping(body["args"]), before=body["before"])
        case RecordKind.ACTING:
            intent = progress.intents[str(body["step"])]
            intent.begin()
            intent.before = body["before"]
        case RecordKind.UNSURE:
            progress.intents[str(body["step"])].unsure = True
        case RecordKind.DONE:
            step = str(body["step"])
            progress.passed.add(step)
            progress.outputs[step] = _mapping(body["outputs"])
            if step in progress.intents:
                progress.intents[step].done = True
        case RecordKind.SKIPPED:
            progress.passed.add(str(body["step"]))
        case RecordKind.UNDONE:
            progress.intents[str(body["step"])].undone = True
        case RecordKind.ENDED:
            progress.outcome = State(str(body["outcome"]))
        case _:
            pass


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{value!r} is no mapping")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value
