"""`ports.Comparer` in memory: it takes a while, and then tells whether both databases hold the same rows."""

from __future__ import annotations

from interlock.dataclass import dataclass
from interlock.model.comparing import BeginComparison, CompareEffect, ComparingFacts, StopComparison
from interlock.model.topology import ClusterName
from interlock.simulated.pair import SimulatedPair
from interlock.simulated.process import SimulatedProcess

_TAKES_S = 0.5
TABLE = "app.rows"


@dataclass(slots=True, kw_only=True)
class SimulatedComparer:
    """Rows that replication brings meanwhile are no difference: what both logged by then is compared."""

    cluster: ClusterName
    pair: SimulatedPair
    process: SimulatedProcess
    _ends_at_s: float | None = None
    _stopped: bool = False

    def facts(self) -> ComparingFacts | None:
        self.process.move()
        if self._ends_at_s is None:
            return None
        name = f"comparison of {self.cluster}"
        if self._stopped:
            return ComparingFacts(name=name, is_over=True, error="it was ended before its end")
        if self.pair.clock.monotonic_s() < self._ends_at_s:
            return ComparingFacts(name=name)
        mine = self.pair.database(self.pair.topology.clusters[self.cluster].master.name)
        (other,) = (self.pair.database(name) for name in self.pair.topology.other_masters(mine.name))
        for database in (mine, other):
            database.answer()
        under_way = {one.key for one in other.log if not mine.position.contains(other.position)}
        differs, rows = (mine.rows ^ other.rows) - under_way, len(other.rows)
        return ComparingFacts(name=name, rows=rows, expected=rows, differing=(TABLE,) if differs else (), is_over=True)

    def script(self, effect: CompareEffect, /) -> tuple[str, ...]:
        match effect:
            case BeginComparison():
                return (f"compare {self.cluster}",)
            case StopComparison():
                return ("end the comparison",)

    def apply(self, effect: CompareEffect, /) -> None:
        self.process.move()
        match effect:
            case BeginComparison():
                self._ends_at_s = self.pair.clock.monotonic_s() + _TAKES_S
            case StopComparison():
                self._stopped = True
        self.process.move()
