"""The comparison as a whole: several tables and ranges at once, each told to the log as soon as it is done.

A kill at any moment leaves nothing on the servers but connections that end, and loses the ranges that were under way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import field
from threading import Event

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.decisions.pace import Limits
from interlock.decisions.shapes import common_tables, shape_differences
from interlock.diff.ends import Both, End, both
from interlock.diff.judge import Judge
from interlock.diff.kept import Chunk, DiffLog, Table
from interlock.diff.keyless import WHOLE_S, WholeTable
from interlock.diff.pacing import Governor
from interlock.diff.planning import planned
from interlock.diff.proof import Proof
from interlock.diff.ranges import DIFFERENCES_AT_MOST, Ranges, Work, given_up
from interlock.diff.rows import Finder
from interlock.diff.shapes import Selection, declared, unseen
from interlock.diff.sql import Range
from interlock.errors import BoundReached, StatementFailed
from interlock.model.losses import Image

_TELL_EVERY_S = 0.5


@dataclass(slots=True, kw_only=True)
class Progress:
    """What is done so far, of about `expected` rows. `waits`: what is waited for, empty if nothing is."""

    expected: int = 0
    rows: int = 0
    differences: int = 0
    table: str = ""
    waits: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What was compared before a kill: tables that are done, and the keys up to which others are."""

    done: frozenset[Table] = frozenset()
    reached: Mapping[Table, Image] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Comparing:
    """One comparison. `show` is called twice a second, in the caller's thread. Whoever sets `stop` ends it."""

    writer: End
    other: End
    log: DiffLog
    limits: Limits
    clock: Clock
    show: Callable[[Progress], None]
    progress: Progress = field(default_factory=Progress)
    stop: Event = field(default_factory=Event)

    def run(self, selection: Selection, before: Before, *, parallel: int) -> bool:
        """Whether it came to its end, and was not stopped before. DriverError if a server goes away; what is in the log stays."""
        with (
            both(self.writer, self.other) as planner,
            closing(Proof(self.writer, self.other, clock=self.clock)) as proof,
            closing(Governor(self.writer, self.other, self.limits, clock=self.clock)) as governor,
            ThreadPoolExecutor(max_workers=parallel + 1, thread_name_prefix="interlock-diff") as pool,
        ):
            ranges = Ranges(session=planner.writer, works=self._works(planner, selection, before), tell=self._tell)
            readers = [pool.submit(self._read, ranges, proof, governor) for _ in range(parallel)]
            if self.other.lead is not None:
                pool.submit(self.other.lead.follow, self.stop)
            try:
                while (waited := wait(readers, timeout=_TELL_EVERY_S, return_when=FIRST_EXCEPTION)).not_done:
                    if any(reader.exception() for reader in waited.done):
                        break
                    self.progress.waits = governor.why
                    self.show(self.progress)
                was_stopped = self.stop.is_set()
            finally:
                self.stop.set()
        if self.other.lead is not None:
            self.other.lead.rest()
        for reader in readers:
            reader.result()
        return not was_stopped

    def _works(self, planner: Both, selection: Selection, before: Before) -> list[Work]:
        """The tables that both sides have, the largest first; what is declared differently is told at once."""
        alike = planner.writer.version == planner.other.version
        shapes = [declared(session, selection, alike=alike) for session in planner.each()]
        hidden = [one for session in planner.each() for one in unseen(session)]
        self.log.shapes(shape_differences(shapes[0].shape, shapes[1].shape, clusters=(self.writer.cluster, self.other.cluster)), hidden)
        works = []
        for place in common_tables(shapes[0].shape, shapes[1].shape):
            if place in before.done:
                continue
            one = planned(planner.each(), place, shapes)
            self.log.table(one.table)
            if one.asked is not None:
                after = before.reached.get(place) if one.asked.index else None
                works.append(Work(planned=one, asked=one.asked, left=[(after, None)]))
                self.progress.expected += one.rows
        return sorted(works, key=lambda work: -work.planned.rows)

    def _read(self, ranges: Ranges, proof: Proof, governor: Governor) -> None:
        """One reader, until nothing is left."""
        with both(self.writer, self.other) as pair:
            while not self.stop.is_set():
                if governor.look():
                    governor.pause()
                    continue
                taken = ranges.next()
                if taken is None:
                    return
                work, range_ = taken
                self.progress.table = ".".join(work.place)
                began_s = self.clock.monotonic_s()
                try:
                    chunk = self._compare(work, range_, pair, proof)
                except BoundReached as error:
                    ranges.took_too_long(work, range_, error.message)
                except StatementFailed as error:
                    ranges.done(work, given_up(range_, error.message), 0.0)
                else:
                    ranges.done(work, chunk, self.clock.monotonic_s() - began_s)

    def _compare(self, work: Work, range_: Range, pair: Both, proof: Proof) -> Chunk:
        asked, at_rest, most = work.asked, work.planned.at_rest, max(1, DIFFERENCES_AT_MOST - work.found)
        if asked.index:
            judge = Judge(asked=asked, both=pair, proof=proof, writer=self.writer, other=self.other, at_rest=at_rest)
            finder = Finder(
                asked=asked,
                both=pair,
                writer=self.writer,
                other=self.other,
                judge=judge,
                rows=work.size,
                row_bytes=work.planned.row_bytes,
                most=most,
            )
            return finder.compare(range_)
        with both(self.writer, self.other, bound_s=WHOLE_S) as patient:
            whole = WholeTable(asked=asked, both=patient, proof=proof, writer=self.writer, other=self.other, at_rest=at_rest, most=most)
            return whole.compare()

    def _tell(self, work: Work, chunk: Chunk) -> None:
        """Called by one thread at a time."""
        self.log.chunk(work.place, chunk)
        self.progress.rows += chunk.rows
        self.progress.differences += len(chunk.differences)
