"""A watcher: looks at a pair again and again, tells what changes, and begins the failover by itself if it is to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.decisions.watching import Policy, Row, Times, acted, refused
from interlock.decisions.watching import watch as judge
from interlock.engine.states import State
from interlock.engine.watch import AUTOMATIC, Observed, look_of, observe, said_of, verdicts
from interlock.errors import InterlockError, PairBusy, Refused, UsageError
from interlock.model.topology import ClusterName
from interlock.model.verdict import Act
from interlock.ports import Store, World

Begin = Callable[[ClusterName, ClusterName, str], str | None]
"""Begins the failover from a cluster to another, as a run of this name, and gives its outcome, None if it has none. An InterlockError if it
can't.
"""

_NOTHING_BEGAN = (PairBusy, Refused, UsageError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What changed, a sentence for each subject; `seen` is None where nothing was looked at for it."""

    at: datetime
    changed: Mapping[str, str]
    seen: Observed | None


class Watcher:
    """`begin` None: it never acts. `last` is what was seen at the last look that could be made; `looks` counts all, `failed` the others."""

    def __init__(
        self, *, world: World, store: Store, clock: Clock, policy: Policy, tell: Callable[[Told], None], begin: Begin | None = None
    ) -> None:
        self._world = world
        self._store = store
        self._clock = clock
        self._policy = policy
        self._tell_it = tell
        self._begin = begin
        self._row = Row()
        self._said: dict[str, str] = {}
        self.last: Observed | None = None
        self.looks = 0
        self.failed = 0

    def look(self) -> None:
        """One look, what changed since the last one, and the act if it is time for it."""
        was_writer = self.last.was_writer if self.last is not None else None
        began_s = self._clock.monotonic_s()
        self.looks += 1
        try:
            masters = verdicts(self._world)
            judged_s = self._clock.monotonic_s()
            seen = observe(self._world, self._store.runs(self._world.topology.name), was_writer, masters)
        except InterlockError as error:
            self.failed += 1
            self._row = self._row.ended()  # what was not seen is in no row
            self._tell({"watch": f"can't look: {error.message}"})
            return
        self.last = seen
        look = look_of(seen)
        times = Times(began_s=began_s, judged_s=judged_s, ended_s=self._clock.monotonic_s())
        self._row, verdict = judge(self._row, look, times, self._policy)
        said = said_of(seen) | {"watch": "looks"}
        if self._begin is not None and look.writer is not None and self._row.looks:
            said["watch"] = verdict.why
        self._tell(said, seen)
        if self._begin is not None and look.writer is not None and isinstance(verdict, Act):
            self._act(self._begin, ClusterName(look.writer), verdict.why)

    def _act(self, begin: Begin, dead: ClusterName, why: str) -> None:
        to = next(name for name in self._world.topology.clusters if name != dead)
        run = f"{AUTOMATIC}{self._clock.wall():%Y%m%d-%H%M%S}"
        self._tell({"watch": f"acts: {why}; run {run} moves the writes to {to}"})
        after = acted
        try:
            outcome = begin(dead, to, run)
        except InterlockError as error:
            if isinstance(error, _NOTHING_BEGAN):
                after = refused
            self._tell({"watch": f"run {run} did not begin: {error.message}"})
        else:
            if outcome == State.REFUSED:
                after = refused
            self._tell({"watch": f"run {run} has ended: {outcome}"})
        self._world.present_run = ""  # if it has no end, it is in the way like any other's
        self._row = after(self._row, self._clock.monotonic_s())

    def _tell(self, said: Mapping[str, str], seen: Observed | None = None) -> None:
        changed = {subject: text for subject, text in said.items() if self._said.get(subject) != text}
        self._said |= said
        if changed:
            self._tell_it(Told(at=self._clock.wall(), changed=changed, seen=seen))
