"""Works off jobs, a few at once, until none is left or no more may begin. It knows nothing of runs."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import field
from typing import Generic, Protocol, TypeVar

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.fleet.children import Child, End
from interlock.fleet.model import Limits
from interlock.fleet.schedule import may_begin

J = TypeVar("J")
J_contra = TypeVar("J_contra", contravariant=True)

LOOK_EVERY_S = 0.03
LET_GO_AFTER_S = 10.0
"""How long one that was told twice to end is waited for: it may itself be stopped. It is left behind, and its run can be resumed."""


class Hands(Protocol[J_contra]):
    """What a job means."""

    def begin(self, job: J_contra, /) -> Child | None:
        """None if it can't begin: it has failed."""
        ...

    def ended(self, job: J_contra, end: End, /) -> Child | bool:
        """Whether it succeeded; another child if that one still has to be waited for."""
        ...

    def stopped(self) -> bool:
        """Whether nothing may begin any more. Asked at each turn."""
        ...


@dataclass(slots=True)
class StopAsked:
    """How often a person has asked: once, and none begins any more, and those that run are asked to stop; twice, and they end at once."""

    times: int = 0


@dataclass(slots=True, kw_only=True)
class _Running(Generic[J]):
    job: J
    child: Child
    limit: Deadline
    told: int = 0
    killed: bool = False


@dataclass(slots=True, kw_only=True)
class Pool(Generic[J]):
    hands: Hands[J]
    limits: Limits
    clock: Clock
    stop: StopAsked
    failures: int = 0
    _running: list[_Running[J]] = field(default_factory=list)

    def work_off(self, jobs: Sequence[J]) -> tuple[J, ...]:
        """Returns those that were left behind while they ran: only after a second stop, or when nothing more can be done to them."""
        waiting = list(jobs)
        let_go: Deadline | None = None
        while True:
            self._begin(waiting)
            if not self._running:
                return ()
            for each in tuple(self._running):
                self._tell(each)
                self._look(each)
            if self.stop.times > 1:
                let_go = let_go or Deadline.after(self.clock, LET_GO_AFTER_S)
                if let_go.is_over():
                    return tuple(each.job for each in self._running)
            if self._running:
                self.clock.sleep(LOOK_EVERY_S)

    def _begin(self, waiting: list[J]) -> None:
        """Anew for each: one that can't begin has failed, and may be the last that may."""
        while True:
            stopping = self.stop.times > 0 or self.hands.stopped()
            first = may_begin(waiting, running=len(self._running), failures=self.failures, limits=self.limits, stopping=stopping)[:1]
            if not first:
                return
            waiting.remove(first[0])
            child = self.hands.begin(first[0])
            if child is None:
                self.failures += 1
            else:
                limit = Deadline.after(self.clock, self.limits.each_within_s)
                self._running.append(_Running(job=first[0], child=child, limit=limit))

    def _look(self, each: _Running[J]) -> None:
        end = each.child.poll()
        if end is None:
            return
        result = self.hands.ended(each.job, end)
        if not isinstance(result, bool):
            each.child = result
            return
        self._running.remove(each)
        self.failures += not result

    def _tell(self, each: _Running[J]) -> None:
        """Pass on what a person asked. A run over its time is asked to stop as a person would, and killed after as long again."""
        wanted = min(self.stop.times, 2)
        if wanted == 0 and each.limit.is_over():
            wanted = 1
        while each.told < wanted:
            each.child.signal(signal.SIGTERM)
            each.told += 1
        overrun_s = self.clock.monotonic_s() - each.limit.at_s
        if overrun_s >= self.limits.each_within_s and not each.killed:
            each.child.signal(signal.SIGKILL)
            each.killed = True
