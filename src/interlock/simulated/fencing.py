"""`ports.FenceAgent` on a database in memory: what stands outside of it, such as its power, ends it and keeps it from starting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from interlock.dataclass import dataclass
from interlock.errors import BoundReached, OutcomeUnknown, StatementFailed, Unreachable
from interlock.model.effects import FenceOutside, FencingEffect, ReleaseOutside
from interlock.model.fencing import AgentFacts
from interlock.model.topology import ClusterName
from interlock.simulated.database import CALL_S, Database
from interlock.simulated.process import SimulatedProcess


@dataclass(slots=True, kw_only=True)
class FencingFaults:
    """What is wrong with it. `silent`: nothing of it answers; `fails`: it says no, and did nothing; `idle`: it says yes, and did nothing;
    `hangs`: it is ended at its bound, and did nothing; `blind`: it can't tell how it stands; `late_s`: what it was asked for happens so
    many seconds later, and nobody hears of it.
    """

    silent: bool = False
    fails: bool = False
    idle: bool = False
    hangs: bool = False
    blind: bool = False
    late_s: float | None = None


@dataclass(slots=True, kw_only=True)
class Power:
    """Of one cluster's host: one for all processes that ask for it. `whole`: without it no client can write there."""

    cluster: ClusterName
    database: Database
    name: str = "power"
    whole: bool = True
    faults: FencingFaults = field(default_factory=FencingFaults)

    def off(self) -> None:
        self.database.barred = True
        self.database.crash()

    def on(self) -> None:
        """It may be started again. That is not done here: somebody does it, or its host."""
        self.database.barred = False

    @property
    def is_off(self) -> bool:
        return self.database.barred and self.database.faults.down


class SimulatedFencing:
    """`done` gets every effect that is sent."""

    def __init__(self, power: Power, process: SimulatedProcess, done: Callable[[FencingEffect], None]) -> None:
        self._power = power
        self._process = process
        self._done = done

    @property
    def name(self) -> str:
        return self._power.name

    @property
    def whole(self) -> bool:
        return self._power.whole

    def facts(self) -> AgentFacts:
        power = self._reach()
        fenced = None if power.faults.blind else power.is_off
        words = {None: "it can't tell", True: "off, and barred from starting", False: "on"}
        return AgentFacts(agent=self.name, cluster=power.cluster, fenced=fenced, whole=power.whole, detail=words[fenced])

    def script(self, effect: FencingEffect, /) -> tuple[str, ...]:
        match effect:
            case FenceOutside(cluster=cluster):
                return (f"power off {cluster}",)
            case ReleaseOutside(cluster=cluster, seen=seen):
                return () if seen.fenced else (f"power on {cluster}",)

    def apply(self, effect: FencingEffect, /) -> None:
        power = self._reach()
        match effect:
            case FenceOutside():
                change: Callable[[], None] = power.off
            case ReleaseOutside(seen=seen):
                if seen.fenced is None:
                    raise StatementFailed(f"{self.name} can't put {power.cluster} back: how it was, it could not tell")
                change = power.on if not seen.fenced else _nothing
        self._done(effect)
        self._carry_out(change, effect.within_s)
        self._process.move()

    def _carry_out(self, change: Callable[[], None], within_s: float) -> None:
        faults, clock = self._power.faults, self._power.database.clock
        if faults.fails:
            raise StatementFailed(f"{self.name} ended with 1, allowed: 0; it said: no")
        if faults.hangs:
            clock.sleep(within_s)
            raise BoundReached(f"{self.name} was ended: it ran longer than {within_s:g}s")
        if faults.late_s is not None:
            clock.after(faults.late_s, change)
            clock.sleep(within_s)
            raise OutcomeUnknown(f"{self.name} did not answer within {within_s:g}s", hint="it may still take effect")
        if not faults.idle:
            change()
        clock.sleep(CALL_S)

    def _reach(self) -> Power:
        self._process.move()
        self._power.database.clock.sleep(CALL_S)
        if self._power.faults.silent:
            raise Unreachable(f"{self.name} of {self._power.cluster} does not answer")
        return self._power


def _nothing() -> None:
    """It was off before, and stays so."""
