"""`ports.Comparer` for real: one comparison of this process, made in a thread beside the run that waits for it, and kept like any other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import field
from pathlib import Path

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.decisions.pace import Limits
from interlock.diff.compare import Before, Comparing, Progress
from interlock.diff.ends import End
from interlock.diff.kept import DiffLog, read_kept
from interlock.diff.shapes import Selection
from interlock.errors import InterlockError, Refused
from interlock.model.comparing import BeginComparison, CompareEffect, ComparingFacts, StopComparison
from interlock.model.differences import Comparison

_PARALLEL = 4
_LAG_S = 5.0
_THREADS = 32


@dataclass(slots=True, kw_only=True)
class UnderWay:
    """`name` gives a comparison its name. `writer` is the side that counts."""

    topology: str
    writer: End
    other: End
    folder: Path
    name: Callable[[], str]
    clock: Clock
    _began: str = ""
    _thread: threading.Thread | None = None
    _comparing: Comparing | None = None
    _error: str = ""
    _untold: str = ""
    _stopped: bool = False
    _progress: Progress = field(default_factory=Progress)

    def facts(self) -> ComparingFacts | None:
        if not self._began:
            return None
        is_over = self._thread is None or not self._thread.is_alive()
        rows, expected = self._progress.rows, self._progress.expected
        if self._untold or self._error:
            return ComparingFacts(name=self._began, rows=rows, expected=expected, is_over=True, error=self._error, untold=self._untold)
        if not is_over:
            return ComparingFacts(name=self._began, rows=rows, expected=expected)
        found = read_kept(self.folder, self._began).comparison
        if found.ended_at is None:
            return ComparingFacts(name=self._began, rows=found.rows, is_over=True, error="it was ended before its end")
        return ComparingFacts(
            name=self._began, rows=found.rows, expected=found.rows, differing=_differing(found), open=_open(found), is_over=True
        )

    def script(self, effect: CompareEffect, /) -> tuple[str, ...]:
        match effect:
            case BeginComparison():
                return (f"compare every row of {self.other.cluster} with {self.writer.cluster}'s: SELECT … in ranges of the key, on both",)
            case StopComparison():
                return ("end the comparison",)

    def apply(self, effect: CompareEffect, /) -> None:
        match effect:
            case BeginComparison():
                self._begin()
            case StopComparison():
                self.close()

    def close(self) -> None:
        self._stopped = True
        if self._comparing is not None:
            self._comparing.stop.set()
        if self._thread is not None:
            self._thread.join()

    def _begin(self) -> None:
        """DriverError if a side does not answer."""
        comparison = Comparison(
            name=self.name(),
            topology=self.topology,
            writer=self.writer.cluster,
            other=self.other.cluster,
            position=str(self.writer.server.write_facts().position),
            began_at=self.clock.wall(),
        )
        log = DiffLog.begin(self.folder, comparison, {"tables": [], "schemas": [], "exclude": [], "max_load": _THREADS, "lag_s": _LAG_S})
        limits = Limits(threads=_THREADS, lag_s=_LAG_S)
        self._comparing = Comparing(
            writer=self.writer, other=self.other, log=log, limits=limits, clock=self.clock, show=lambda _: None, progress=self._progress
        )
        self._began = comparison.name
        self._thread = threading.Thread(target=self._run, args=(self._comparing, log), name="interlock-compare", daemon=True)
        self._thread.start()

    def _run(self, comparing: Comparing, log: DiffLog) -> None:
        began_s = self.clock.monotonic_s()
        with log:
            try:
                comparing.run(Selection(), Before(), parallel=_PARALLEL)
            except Refused as refused:
                self._untold = refused.message
            except InterlockError as error:
                self._error = error.message
            else:
                if not self._stopped:
                    log.ended(self.clock.wall(), round(self.clock.monotonic_s() - began_s, 3))


def _differing(found: Comparison) -> tuple[str, ...]:
    names = [f"{one.schema}.{one.table}" if one.table else one.schema for one in found.shapes]
    names += [f"{table.schema}.{table.name}" for table in found.tables if table.differences]
    return tuple(dict.fromkeys(names))


def _open(found: Comparison) -> tuple[str, ...]:
    return tuple(
        f"{table.schema}.{table.name}{f' {one.what}' if one.what else ''} was not compared: {one.why}"
        for table in found.tables
        for one in table.not_compared
    )
