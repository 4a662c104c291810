"""`ports.Mender` for real: what this process knows of each request, and its rows changed a few seconds' worth at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import field, replace
from pathlib import Path

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.diff.ajar import lesser_fence
from interlock.diff.chosen import chosen_by, comparison_of, side_of
from interlock.diff.ends import End
from interlock.diff.kept import place_of
from interlock.diff.mend_work import MendWork
from interlock.diff.mending import Mended
from interlock.errors import DriverError, InterlockError, StatementFailed
from interlock.losses.permitted import see_allowed
from interlock.losses.putting_back import LeftOut
from interlock.model.differences import Comparison
from interlock.model.mending import DifferenceFacts, MendedFacts, MendEffect, MendFacts, Mending, MendRows, TakeRowsBack
from interlock.model.topology import ClusterName, Topology
from interlock.servers.server import SqlServer

_SLICE_S = 2.0
"""How long one effect goes on taking transactions: so often lease and locks are looked at, and a stop is heeded."""
_NAMED = 10


@dataclass(slots=True, kw_only=True)
class RowMender:
    """`server` gives the driver of a server. `results` is what became of the rows that this process tried, in their order, and whether they
    were to be taken back; `differing` in which mended rows the sides differed when they were compared again.
    """

    topology: Topology
    folder: Path
    server: Callable[[str], SqlServer]
    clock: Clock
    results: list[tuple[bool, Mended]] = field(default_factory=list)
    differing: tuple[LeftOut, ...] = ()
    _works: dict[Mending, MendWork] = field(default_factory=dict)

    def found(self, wanted: Mending, /) -> DifferenceFacts:
        try:
            return self._found(wanted)
        except InterlockError as error:
            return DifferenceFacts(problem=error.message, hint=error.hint)

    def _found(self, wanted: Mending) -> DifferenceFacts:
        work = self._work(wanted)
        plan = work.plan(back=False)
        see_allowed(work.session, {one.table.schema for one in plan.mends})
        mended, other = work.mended.server, work.other.server
        seen = mended.write_facts()
        reversed_ = not seen.read_only and other.write_facts().read_only
        return DifferenceFacts(
            comparison=work.comparison.name,
            server=mended.name,
            other=work.other.cluster,
            rows=sum(one.rows for one in plan.mends),
            mended=plan.done,
            left_out=_named(f"{one.what}: {one.why}" for one in plan.left_out),
            overtaken=work.mended.cluster if reversed_ else "",
            fence=seen.fence,
            lesser=lesser_fence(mended, seen),
        )

    def facts(self, wanted: Mending, /) -> MendFacts:
        try:
            work = self._work(wanted)
        except DriverError:
            raise
        except InterlockError as error:  # what was there a moment ago
            raise StatementFailed(error.message, hint=error.hint) from error
        server, busy = work.mended.server, ""
        seen = server.write_facts()
        with suppress(DriverError):  # a side that does not answer is met by who needs it
            busy = work.busy()
        return MendFacts(
            server=server.name,
            unmended=work.unmended,
            mended=work.mended_rows,
            left=work.left[False],
            stay=work.left[True],
            why=_named(f"{one.what}: {one.why}" for _, one in self.results if not one.rows),
            last_note=work.last_note,
            busy=busy,
            fenced=seen.read_only,
            fence=seen.fence,
            lesser=seen.lesser,
        )

    def mended(self, wanted: Mending, /) -> MendedFacts:
        work = self._work(wanted)
        ahead = work.compare_again(Deadline.after(self.clock, _SLICE_S))
        self.differing = tuple(work.differ)
        differ = tuple(f"{one.what}: {one.why}" for one in self.differing)
        return MendedFacts(unmended=work.unmended, mended=work.mended_rows, ahead=ahead, differ=differ)

    def script(self, effect: MendEffect, /) -> tuple[str, ...]:
        """Of what is sent by the hundred, how much of it: the rows are customers', and the journal is read by others."""
        match effect:
            case MendRows(wanted=wanted):
                rows = self._work(wanted).unmended
                what = (
                    f"{rows} rows, each guarded by the whole row: `interlock repair {wanted.comparison} --sql FILE` writes the statements"
                )
            case TakeRowsBack(since=since):
                what = f"the inverse of what was mended{f' after note {since}' if since else ''}, the last first, each row guarded"
        return ("SET SESSION sql_log_bin=0", f"START TRANSACTION … COMMIT: {what}")

    def apply(self, effect: MendEffect, /) -> None:
        work, until = self._work(effect.wanted), Deadline.after(self.clock, _SLICE_S)
        back, since = (True, effect.since) if isinstance(effect, TakeRowsBack) else (False, 0)
        try:
            for result in work.go_on(until, back=back, since=since, rows_per_s=effect.rows_per_s):
                self.results.append((back, result))
        except DriverError:
            self.close()  # whoever goes on reads the notes anew
            raise

    def work(self, wanted: Mending) -> MendWork:
        """UsageError if what is wanted is not what the comparison tells of."""
        return self._work(wanted)

    def close(self) -> None:
        for work in set(self._works.values()):
            work.close()
        self._works.clear()

    def _work(self, wanted: Mending) -> MendWork:
        if wanted not in self._works:
            comparison = comparison_of(self.folder, self.topology, wanted.comparison)
            named = replace(wanted, comparison=comparison.name, onto=side_of(wanted, comparison))
            if named not in self._works:
                self._works[named] = self._made(named, comparison)
            self._works[wanted] = self._works[named]
        return self._works[wanted]

    def _made(self, wanted: Mending, comparison: Comparison) -> MendWork:
        onto = wanted.onto
        other = comparison.writer if onto == comparison.other else comparison.other
        ends = (End(cluster=one, server=self.server(self.topology.clusters[ClusterName(one)].master.name)) for one in (onto, other))
        work = MendWork(comparison, chosen_by(wanted, comparison), *ends, clock=self.clock)
        if unknown := work.unknown():
            work.close()
            place = place_of(self.folder, comparison.name)
            raise StatementFailed(
                f"{place} tells of {unknown}, which neither {comparison.writer} nor {comparison.other} has",
                hint="was it changed by hand, or were the tables? compare again: `interlock diff`",
            )
        return work


def _named(sentences: Iterable[str]) -> tuple[str, ...]:
    """The first ones, and how many more there are."""
    told = tuple(sentences)
    more = len(told) - _NAMED
    return (*told[:_NAMED], f"and {more} more") if more > 0 else told
