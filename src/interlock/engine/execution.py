"""Everything that one run needs at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.engine.events import Asker, Observer, StateChanged
from interlock.engine.guard import Guard
from interlock.engine.interlock import Interlock
from interlock.engine.journal import Intent, Journal, RecordKind
from interlock.engine.segments import SegmentInterlock
from interlock.engine.states import FINAL, Event, Lifecycle, State
from interlock.errors import InterlockError
from interlock.model.facts import OutageFacts
from interlock.playbook.catalogue import Catalogue
from interlock.playbook.tree import Playbook
from interlock.ports import Prober, World


class StopRequested(InterlockError):
    """The operator asked the run to stop."""


@dataclass(slots=True)
class Stop:
    """Set by a signal. Before the opening the run goes back; after it, forward to the end."""

    requested: bool = False


@dataclass(slots=True, kw_only=True)
class Execution:
    """One run in this process. `scope` is what `${…}` can reach; `intents` what may have to be undone, in order."""

    run: str
    playbook: Playbook
    catalogue: Catalogue
    world: World
    journal: Journal
    guard: Guard
    interlock: Interlock
    segments: SegmentInterlock
    clock: Clock
    observe: Observer
    ask: Asker
    stop: Stop
    life: Lifecycle
    scope: dict[str, object]
    passed: set[str] = field(default_factory=set)
    intents: dict[str, Intent] = field(default_factory=dict)
    taken_over: bool = False
    prober: Prober | None = None

    @property
    def mark(self) -> str:
        """What stands in the comment of each statement."""
        return self.run

    def move(self, event: Event, *, durable: bool = False) -> None:
        """Take a row of the table, record it, and tell."""
        row = self.life.move(event)
        self.journal.write(RecordKind.MOVED, durable=durable, event=row.event, source=row.source, target=row.target, reason=row.reason)
        ended = row.target in FINAL or row.target is State.HALTED
        self.journal.set_state(row.target, row.target if ended else None)
        self.observe(StateChanged(state=row.target.value, reason=row.reason))

    def remember(self, step: str, outputs: Mapping[str, object]) -> None:
        """Let later steps reach what this one gave."""
        self.passed.add(step)
        self.scope[step] = dict(outputs)

    def spare_the_store(self) -> None:
        """From here on, what the store can't take stops nothing: what was begun must be ended or taken back all the same."""
        self.journal.lenient = self.guard.lenient = True

    def stop_prober(self) -> OutageFacts | None:
        """What it saw; None if none ran."""
        prober, self.prober = self.prober, None
        return prober.stop() if prober is not None else None

    def heed_stop(self) -> None:
        """StopRequested if the operator asked for it and the other side is not open yet."""
        if self.stop.requested and self.life.now in {State.CHECKING, State.CHANGING}:
            raise StopRequested("the operator stopped the run")
