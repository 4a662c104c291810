"""`ports.VantagePoint` on a pair in memory: from here, by the other master's receiver, and on the host, which is asked from here too."""

from __future__ import annotations

from collections.abc import Callable

from interlock.dataclass import dataclass
from interlock.model.liveness import SeenFrom, VantageKind, View
from interlock.simulated.database import CALL_S, Database
from interlock.simulated.network import TOOL
from interlock.simulated.process import SimulatedProcess

_NOTICED_S = 10.0
"""After how long a receiver gives up its connection (`slave_net_timeout`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedVantage:
    """`see` gets the seconds that it may take, and takes them of the virtual clock."""

    name: str
    kind: VantageKind
    database: Database
    process: SimulatedProcess
    see: Callable[[float], View]
    at: str = ""

    def look(self, within_s: float, /) -> SeenFrom:
        self.process.move()
        clock = self.database.clock
        began_s = clock.monotonic_s()
        view = self.see(within_s)
        self.process.move()
        return SeenFrom(vantage=self.name, kind=self.kind, view=view, at=self.at, ms=(clock.monotonic_s() - began_s) * 1000)


def simulated_vantages(watched: Database, other: Database, process: SimulatedProcess) -> tuple[SimulatedVantage, ...]:
    """Of `watched`; `other` is the other master."""

    def point(name: str, kind: VantageKind, see: Callable[[float], View], at: str = "") -> SimulatedVantage:
        return SimulatedVantage(name=name, kind=kind, database=watched, process=process, see=see, at=at)

    return (
        point("here", VantageKind.HERE, lambda within_s: _here(watched, within_s)),
        point(f"{other.name}'s receiver", VantageKind.PEER, lambda within_s: _peer(watched, other, within_s), at=other.name),
        point(f"{watched.name}'s host", VantageKind.HOST, lambda within_s: _host(watched, within_s)),
    )


def _is_joined(database: Database, within_s: float) -> bool:
    """Whether a packet from here gets there and back in time."""
    joined = database.clock.wait_until(lambda: database.network.joins(TOOL, database.name), within_s)
    database.clock.sleep(2 * CALL_S)
    return joined


def _here(watched: Database, within_s: float) -> View:
    if not _is_joined(watched, within_s):
        return View.SILENT
    if watched.faults.down:
        return View.CLOSED
    watched.clock.sleep(min(watched.faults.slow_s, within_s))
    if watched.faults.slow_s > within_s or not watched.clock.wait_until(lambda: not watched.faults.hung, within_s):
        return View.HANGS
    if watched.faults.down:
        return View.CLOSED
    return View.REFUSES if watched.faults.refuses else View.ANSWERS


def _peer(watched: Database, other: Database, within_s: float) -> View:
    """Something comes all the time from a source that lives: its heartbeats. A receiver that misses them connects anew, and can't."""
    if not _is_joined(other, within_s) or other.faults.down or other.faults.hung or other.faults.refuses:
        return View.UNKNOWN
    channel = next((each for each in other.channels() if each.source == watched.name), None)
    if channel is None or channel.receiver == "No":
        return View.UNKNOWN
    if watched.faults.down or watched.network.parted_s(watched.name, other.name) > _NOTICED_S:
        return View.CUT
    return View.STALE if watched.faults.hung or not watched.network.joins(watched.name, other.name) else View.CONNECTED


def _host(watched: Database, within_s: float) -> View:
    if not _is_joined(watched, within_s):
        return View.SILENT
    return View.STOPPED if watched.faults.down else View.RUNS
