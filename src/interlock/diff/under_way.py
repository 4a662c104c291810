"""`ports.Comparer` for real: one comparison of this process, made in a thread beside the run that waits for it, and kept like any other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import field
from pathlib import Path

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.diff.compare import Progress
from interlock.diff.ends import End
from interlock.diff.kept import Kept, read_kept
from interlock.diff.making import Making, Wanted
from interlock.errors import InterlockError, Refused
from interlock.model.comparing import BeginComparison, CompareEffect, ComparingFacts, StopComparison
from interlock.model.differences import Comparison

_PARALLEL = 4
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
    _making: Making | None = None
    _error: str = ""
    _untold: str = ""
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
        if self._making is not None:
            self._making.stop.set()
        if self._thread is not None:
            self._thread.join()

    def _begin(self) -> None:
        """DriverError if a side does not answer."""
        self._making = making = Making(
            writer=self.writer, other=self.other, folder=self.folder, clock=self.clock, parallel=_PARALLEL, progress=self._progress
        )
        kept = making.begin(name=self.name(), topology=self.topology, wanted=Wanted(max_load=_THREADS))
        self._began = kept.comparison.name
        self._thread = threading.Thread(target=self._run, args=(making, kept), name="interlock-compare", daemon=True)
        self._thread.start()

    def _run(self, making: Making, kept: Kept) -> None:
        try:
            making.carry_out(kept)
        except Refused as refused:
            self._untold = refused.message
        except InterlockError as error:
            self._error = error.message


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
