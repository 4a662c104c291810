"""One comparison from its name to its end, kept as it goes: the command `diff` makes it, and so does a run beside its steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from threading import Event

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.decisions.pace import Limits
from interlock.diff.compare import Before, Comparing, Progress
from interlock.diff.ends import End
from interlock.diff.kept import DiffLog, Kept, damaged
from interlock.diff.shapes import Selection
from interlock.errors import UsageError
from interlock.model.codec import DAMAGED
from interlock.model.differences import Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is compared, and how gently: kept with the comparison, so that whoever goes on with it compares the same. `tables` are written
    `schema.table`; `schemas` and `exclude` as in `Selection`.
    """

    tables: tuple[str, ...] = ()
    schemas: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_load: int = Limits().threads
    lag_s: float = Limits().lag_s

    @property
    def limits(self) -> Limits:
        return Limits(threads=self.max_load, lag_s=self.lag_s)

    def selection(self) -> Selection:
        """UsageError for a table without its schema."""
        places = []
        for told in self.tables:
            schema, dot, table = told.partition(".")
            if not (schema and dot and table):
                raise UsageError(f"{told!r} is no table", hint="write SCHEMA.TABLE, or --schema for all of a schema")
            places.append((schema, table))
        return Selection(tables=tuple(places), schemas=self.schemas, exclude=self.exclude)

    def plain(self) -> Mapping[str, object]:
        """As `wanted_of` reads it."""
        return {
            "tables": list(self.tables),
            "schemas": list(self.schemas),
            "exclude": list(self.exclude),
            "max_load": self.max_load,
            "lag_s": self.lag_s,
        }


@dataclass(slots=True, kw_only=True)
class Making:
    """The two sides, and how their comparison is made. `folder` is where it is kept. `show` as in `Comparing`; `note` takes what a person
    should know meanwhile. Whoever sets `stop` ends it, and what is found stays.
    """

    writer: End
    other: End
    folder: Path
    clock: Clock
    parallel: int
    show: Callable[[Progress], None] = field(default=lambda _: None)
    note: Callable[[str], None] = field(default=lambda _: None)
    progress: Progress = field(default_factory=Progress)
    stop: Event = field(default_factory=Event)

    def begin(self, *, name: str, topology: str, wanted: Wanted) -> Kept:
        """Its file, with nothing compared yet. DriverError if the writer does not answer."""
        wanted.selection()  # a wrong word is told before there is a file
        comparison = Comparison(
            name=name,
            topology=topology,
            writer=self.writer.cluster,
            other=self.other.cluster,
            position=str(self.writer.server.write_facts().position),
            began_at=self.clock.wall(),
        )
        with DiffLog.begin(self.folder, comparison, wanted.plain()):
            pass  # its first line says what is compared
        return Kept(comparison=comparison, options=wanted.plain(), reached={})

    def carry_out(self, kept: Kept) -> None:
        """What of it is not done yet. DriverError if a server goes away; StatementFailed if what was wanted can't be read."""
        name = kept.comparison.name
        try:
            wanted = wanted_of(kept.options)
            selection = wanted.selection()
        except DAMAGED as error:
            raise damaged(self.folder, name, error) from error
        done = frozenset((one.schema, one.name) for one in kept.comparison.tables if one.complete)
        began_s = self.clock.monotonic_s()
        with DiffLog.go_on(self.folder, name) as log:
            self._meet(wanted.lag_s)
            comparing = Comparing(
                writer=self.writer,
                other=self.other,
                log=log,
                limits=wanted.limits,
                clock=self.clock,
                show=self.show,
                progress=self.progress,
                stop=self.stop,
            )
            if comparing.run(selection, Before(done=done, reached=kept.reached), parallel=self.parallel):
                log.ended(self.clock.wall(), round(self.clock.monotonic_s() - began_s, 3))

    def _meet(self, within_s: float) -> None:
        """The other side is waited for; if it does not come, what it lacks will be told, or not be settled."""
        position = self.writer.server.write_facts().position
        if not self.other.reaches(position, within_s):
            theirs, ours = self.other.server.name, self.writer.server.name
            self.note(f"{theirs} does not hold {position} of {ours} after {within_s:g}s: what it lacks can't be settled")


def wanted_of(plain: Mapping[str, object]) -> Wanted:
    """One of DAMAGED if `Wanted.plain` did not write it."""
    tables, schemas, exclude = (_names(plain[what]) for what in ("tables", "schemas", "exclude"))
    return Wanted(tables=tables, schemas=schemas, exclude=exclude, max_load=int(str(plain["max_load"])), lag_s=float(str(plain["lag_s"])))


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list of names")
    return tuple(str(one) for one in value)
