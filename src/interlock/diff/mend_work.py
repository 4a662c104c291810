"""One request to mend rows, in this process: the plan of it, what the notes say of it, and the rows that are under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator

from interlock.clock import Clock, Deadline
from interlock.decisions.pace import Limits
from interlock.diff.ends import End
from interlock.diff.mend_fit import Sides, differing
from interlock.diff.mend_pace import Pace
from interlock.diff.mend_plan import Chosen, Mend, MendPlan, differences_of, plan_mends, portions, row_name
from interlock.diff.mending import UNLOGGED, Mended, mend, notes_name, take_back
from interlock.diff.pacing import Governor
from interlock.diff.references import parents_of
from interlock.losses.applied import MENDED
from interlock.losses.now import Survivor
from interlock.losses.putting_back import LeftOut
from interlock.model.differences import ComparedTable, Comparison
from interlock.servers.session import Session


class MendWork:
    """`mended` is changed to agree with `other`, which is asked for nothing before a row is changed. Close it when it is of no more use."""

    def __init__(self, comparison: Comparison, chosen: Chosen, mended: End, other: End, *, clock: Clock) -> None:
        """DriverError if the server that is mended does not answer."""
        self.comparison, self.mended, self.other = comparison, mended, other
        self._chosen, self._clock = chosen, clock
        self._reading: Session | None = None
        self._under_way: dict[bool, Iterator[list[Mended]]] = {}
        ends = {one.cluster: one for one in (mended, other)}
        self._governor = Governor(ends[comparison.writer], ends[comparison.other], Limits(), clock=clock)
        self.session = mended.server.session(UNLOGGED)
        self.sides = Sides(
            name=notes_name(comparison.name, mended.cluster), mended=mended, other=other, session=self.session, rows=self._rows
        )
        notes = MENDED.rows(self.session, self.sides.name)
        self.noted = {index for rows in notes.values() for index in rows}
        self.last_note = max((int(number) for number in notes), default=0)
        self._all = self._planned()
        self._rows_of = {one.index: one.rows for one in self._all.mends}
        odd = self.noted - self._rows_of.keys()
        self._stay = {index: one for index, one in enumerate(differences_of(comparison)) if index in odd and chosen.has(one)}
        self._left_out = self._planned(done=odd).left_out if odd else self._all.left_out
        self.unmended = sum(one.rows for one in self._all.mends if one.index not in self.noted)
        self.mended_rows = sum(one.rows for one in self._all.mends) - self.unmended
        self.left = {False: 0, True: 0}
        self.differ: list[LeftOut] = []
        self._again: deque[list[Mend]] | None = None

    def plan(self, *, back: bool) -> MendPlan:
        """What there is still to be sent; to be taken back is what was noted."""
        mends = tuple(one for one in self._all.mends if (one.index in self.noted) == back)
        if back:
            why = "it was mended, and can't be written as the table is now"
            return MendPlan(mends=mends, left_out=tuple(LeftOut(what=row_name(one), why=why) for one in self._stay.values()))
        done = self.mended_rows + sum(one.copies for one in self._stay.values())
        return MendPlan(mends=mends, left_out=self._left_out, done=done)

    def _planned(self, done: Collection[int] = ()) -> MendPlan:
        parents = parents_of(self.session, {table.schema for table in self.comparison.tables})
        return plan_mends(self.comparison, self.mended.cluster, self._chosen, Survivor(self.session).table, parents=parents, done=done)

    def unknown(self) -> str:
        """A table or a column of the comparison that neither side has now; empty if there is none."""
        here = Survivor(self.session)
        for table in self.comparison.tables:
            named = {column for one in table.differences for column in one.writer or one.other or {}} - _columns(here, table)
            strange = named - _columns(self._rows(), table) if named else named
            if strange:
                return f"{table.schema}.{table.name} with {', '.join(sorted(strange))}"
        return ""

    def busy(self) -> str:
        """What is to be waited for; meanwhile the connections are kept. DriverError if a side does not answer."""
        why = self._governor.look()
        for session in filter(None, (self.session, self._reading) if why else ()):
            session.ping()
        return why

    def go_on(self, until: Deadline, *, back: bool, since: int, rows_per_s: int) -> Iterator[Mended]:
        """What becomes of rows, from where it was left; no transaction is open afterwards."""
        if back not in self._under_way:
            mends, pace = self.plan(back=back).mends, Pace(rows_per_s, self._clock)
            both = take_back(self.sides, mends, since=since, pace=pace) if back else mend(self.sides, mends, pace=pace)
            self._under_way[back] = both
        for results in self._under_way[back]:
            for result in results:
                self._know(result, back=back)
            yield from results
            if until.is_over():
                return

    def _know(self, result: Mended, *, back: bool) -> None:
        if not result.rows:
            self.left[back] += self._rows_of[result.index]
        elif back:
            self.noted.discard(result.index)
            self.unmended, self.mended_rows = self.unmended + result.rows, self.mended_rows - result.rows
        else:
            self.noted.add(result.index)
            self.unmended, self.mended_rows = self.unmended - result.rows, self.mended_rows + result.rows

    def compare_again(self, until: Deadline) -> int:
        """Look at mended rows on both sides, from where it was left; how many there are still. `differ` has those that differ."""
        if self._again is None:
            self._again = deque(portions([one for one in self._all.mends if one.index in self.noted]))
        while self._again and not until.is_over():
            some = self._again.popleft()
            names = {one.index: row_name(one.difference) for one in some}
            self.differ += [LeftOut(what=names[index], why=why) for index, why in differing(self.sides, some).items()]
        return sum(one.rows for some in self._again for one in some)

    def close(self) -> None:
        self.session.close()
        self._governor.close()
        if self._reading is not None:
            self._reading.close()

    def _rows(self) -> Survivor:
        if self._reading is None:
            self._reading = self.other.session()
        return Survivor(self._reading)


def _columns(rows: Survivor, table: ComparedTable) -> set[str]:
    its = rows.table(table.schema, table.name)
    return {column.name for column in its.columns} if its is not None else set()
