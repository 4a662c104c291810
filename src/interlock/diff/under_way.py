"""`ports.Comparer` for real: one comparison of this process, made in a thread beside the run that waits for it, and kept like any other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from dataclasses import field
from pathlib import Path

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.diff.compare import Progress
from interlock.diff.ends import End
from interlock.diff.kept import Kept, read_kept
from interlock.diff.making import Making, Wanted
from interlock.errors import InterlockError, Refused, StatementFailed
from interlock.losses.now import Survivor
from interlock.losses.tables import table_of
from interlock.losses.tenants import TenantRows
from interlock.model.comparing import BeginComparison, CompareEffect, ComparingFacts, Differing, StopComparison
from interlock.model.differences import Comparison, NotCompared, RowDifference
from interlock.model.topology import Tenants

_PARALLEL = 4
_THREADS = 32


@dataclass(slots=True, kw_only=True)
class UnderWay:
    """`name` gives a comparison its name, `run` is the present run. `writer` is the side that counts."""

    topology: str
    writer: End
    other: End
    folder: Path
    name: Callable[[], str]
    run: Callable[[], str]
    clock: Clock
    _began: str = ""
    _of: tuple[str, BeginComparison] | None = None
    _thread: threading.Thread | None = None
    _making: Making | None = None
    _error: str = ""
    _untold: str = ""
    _others: Mapping[str, int] = field(default_factory=dict)
    _dropped: Collection[str] = ()
    _progress: Progress = field(default_factory=Progress)

    def facts(self, begun: BeginComparison, /) -> ComparingFacts | None:
        if self._of != (self.run(), begun):
            return None
        is_over = not self._is_going_on
        rows, expected = self._progress.rows, self._progress.expected
        if self._untold or self._error:
            return ComparingFacts(name=self._began, rows=rows, expected=expected, is_over=True, error=self._error, untold=self._untold)
        if not is_over:
            return ComparingFacts(name=self._began, rows=rows, expected=expected)
        found = read_kept(self.folder, self._began).comparison
        if found.ended_at is None:
            return ComparingFacts(name=self._began, rows=found.rows, is_over=True, error="it was ended before its end")
        return ComparingFacts(
            name=self._began,
            rows=found.rows,
            expected=found.rows,
            differing=_differing(found, self._others, self._dropped),
            is_over=True,
        )

    def script(self, effect: CompareEffect, /) -> tuple[str, ...]:
        match effect:
            case BeginComparison():
                of = ", ".join((*(f"{schema}.*" for schema in effect.schemas), *_tables(effect.tenants)))
                rows = f"every row of {f'{of} on ' if of else ''}{self.other.cluster}"
                return (f"compare {rows} with {self.writer.cluster}'s: SELECT … in ranges of the key, on both",)
            case StopComparison():
                return ("end the comparison",)

    def apply(self, effect: CompareEffect, /) -> None:
        match effect:
            case BeginComparison():
                self._begin(effect)
            case StopComparison():
                self.close()

    def close(self) -> None:
        if self._making is not None:
            self._making.stop.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def _is_going_on(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _begin(self, effect: BeginComparison) -> None:
        """DriverError if a side does not answer, or if the run compares something else there. What an earlier run left is ended."""
        run = self.run()
        if self._is_going_on and self._of is not None and self._of[0] == run:
            raise StatementFailed(f"{self.other.cluster} is being compared already, by {self._began}", hint="put one after the other")
        self.close()
        self._progress, self._error, self._untold, self._others, self._dropped = Progress(), "", "", {}, ()
        self._making = making = Making(
            writer=self.writer, other=self.other, folder=self.folder, clock=self.clock, parallel=_PARALLEL, progress=self._progress
        )
        wanted = Wanted(schemas=effect.schemas, tables=_tables(effect.tenants), max_load=_THREADS)
        kept = making.begin(name=self.name(), topology=self.topology, wanted=wanted)
        self._began, self._of = kept.comparison.name, (run, effect)
        self._thread = threading.Thread(target=self._run, args=(making, kept, effect.tenants), name="interlock-compare", daemon=True)
        self._thread.start()

    def _run(self, making: Making, kept: Kept, tenants: Tenants | None) -> None:
        try:
            making.carry_out(kept)
            found = read_kept(self.folder, self._began).comparison
            self._dropped = dropped_from_both(self.writer, self.other, found)
            if tenants is not None:
                self._others = self._rows_of_others(found, tenants)
        except Refused as refused:
            self._untold = refused.message
        except InterlockError as error:
            self._error = error.message

    def _rows_of_others(self, found: Comparison, tenants: Tenants) -> Mapping[str, int]:
        """How many rows of each table differ that neither side has as a row of these tenants."""
        with closing(self.writer.session()) as session:
            rows = TenantRows(Survivor(session))
            return {
                f"{table.schema}.{table.name}": sum(not _is_of(rows, one, tenants) for one in table.differences)
                for table in found.tables
                if table.differences
            }


def dropped_from_both(writer: End, other: End, found: Comparison) -> frozenset[str]:
    """The tables that could not be read to their end because neither side has them any more: a work table, say."""
    left = [table for table in found.tables if table.not_compared]
    if not left:
        return frozenset()
    with closing(writer.session()) as ours, closing(other.session()) as theirs:
        gone = (one for one in left if not any(table_of(session, one.schema, one.name) for session in (ours, theirs)))
        return frozenset(f"{one.schema}.{one.name}" for one in gone)


def _is_of(rows: TenantRows, one: RowDifference, tenants: Tenants) -> bool:
    """One that does not say whose it is, is theirs."""
    images = [image for image in (one.writer, one.other) if image is not None]
    return any(tenants.column not in image or rows.has(one.schema, one.table, image, tenants) for image in images)


def _tables(tenants: Tenants | None) -> tuple[str, ...]:
    return tenants.tables if tenants is not None else ()


def _differing(found: Comparison, others: Mapping[str, int], dropped: Collection[str]) -> tuple[Differing, ...]:
    """`others`: how many of the rows of a table are not those that were compared. Of a `dropped` one nothing is left to be known."""
    declared = dict.fromkeys(f"{one.schema}.{one.table}" if one.table else one.schema for one in found.shapes)
    tables = {f"{table.schema}.{table.name}": table for table in found.tables}
    rows = {name: len(table.differences) for name, table in tables.items() if table.differences}
    left = {name: tuple(map(_words, table.not_compared)) for name, table in tables.items() if table.not_compared and name not in dropped}
    return tuple(
        Differing(
            name=name,
            rows=rows.get(name, 0) - others.get(name, 0),
            declared=name in declared,
            open=left.get(name, ()),
            others=others.get(name, 0),
        )
        for name in dict.fromkeys((*declared, *rows, *left))
    )


def _words(left: NotCompared) -> str:
    return f"{left.what}: {left.why}" if left.what else left.why
