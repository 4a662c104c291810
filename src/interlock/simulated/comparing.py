"""`ports.Comparer` in memory: it takes a while, and then tells whether both databases hold the same rows."""

from __future__ import annotations

from collections.abc import Callable

from interlock.dataclass import dataclass
from interlock.model.comparing import BeginComparison, CompareEffect, ComparingFacts, Differing, StopComparison
from interlock.model.topology import ClusterName
from interlock.simulated.pair import SimulatedPair
from interlock.simulated.process import SimulatedProcess

_TAKES_S = 0.5
TABLE = "app.rows"


@dataclass(slots=True, kw_only=True)
class SimulatedComparer:
    """Rows that replication brings meanwhile are no difference: what both logged by then is compared. A segment's rows are those that its
    accounts' clients write.
    """

    cluster: ClusterName
    pair: SimulatedPair
    process: SimulatedProcess
    run: Callable[[], str]
    _of: tuple[str, BeginComparison] | None = None
    _ends_at_s: float = 0.0
    _stopped: bool = False

    def facts(self, begun: BeginComparison, /) -> ComparingFacts | None:
        self.process.move()
        if self._of != (self.run(), begun):
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
        under_way = {
            one.key for here, there in ((mine, other), (other, mine)) if not here.position.contains(there.position) for one in there.log
        }
        differs, rows = self._of_segment((mine.rows ^ other.rows) - under_way, begun), len(self._of_segment(other.rows, begun))
        differing = (Differing(name=TABLE, rows=len(differs)),) if differs else ()
        return ComparingFacts(name=name, rows=rows, expected=rows, differing=differing, is_over=True)

    def _of_segment(self, keys: set[str], begun: BeginComparison) -> set[str]:
        """All of them if no segment is compared."""
        specs = [spec for spec in self.pair.topology.segments.values() if begun.schemas and spec.schemas == begun.schemas]
        users = tuple(f"{account.partition('@')[0]}-" for spec in specs for account in spec.accounts)
        return {key for key in keys if key.startswith(users)} if users else keys

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
                self._of, self._stopped = (self.run(), effect), False
                self._ends_at_s = self.pair.clock.monotonic_s() + _TAKES_S
            case StopComparison():
                self._stopped = True
        self.process.move()
