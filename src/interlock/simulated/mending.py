"""`ports.Mender` in memory: rows that west lacks are put in one by one, and noted on it."""

from __future__ import annotations

from collections.abc import Callable

from interlock.dataclass import dataclass
from interlock.errors import WriteRefused
from interlock.model.mending import DifferenceFacts, MendedFacts, MendEffect, MendFacts, Mending, MendRows, TakeRowsBack
from interlock.simulated.database import AJAR, BOUND_S, Database
from interlock.simulated.pair import SimulatedPair
from interlock.simulated.process import SimulatedProcess

NOTES = "repaired"
"""The setting of the database that has the keys of the mended rows, with commas between them."""


@dataclass(slots=True, kw_only=True)
class SimulatedMender:
    """`pair.differing` has the kept comparisons. One row at a time: so a run has a record between any two of them."""

    pair: SimulatedPair
    process: SimulatedProcess
    done: Callable[[MendEffect], None]

    def found(self, wanted: Mending, /) -> DifferenceFacts:
        west = self._reach("west")
        if wanted.comparison not in self.pair.differing:
            return DifferenceFacts(problem=f"there is no comparison {wanted.comparison!r}", hint="`interlock diff` first")
        noted = len(_noted(west))
        return DifferenceFacts(
            comparison=wanted.comparison,
            server="west",
            other="east",
            rows=len(self.pair.differing[wanted.comparison]) - noted,
            mended=noted,
            fence=west.fence,
            lesser=AJAR if west.ajar is False else "",
        )

    def facts(self, wanted: Mending, /) -> MendFacts:
        west = self._reach("west")
        noted = len(_noted(west))
        return MendFacts(
            server=west.name,
            unmended=len(self.pair.differing[wanted.comparison]) - noted,
            mended=noted,
            last_note=noted,
            fenced=west.read_only,
            fence=west.fence,
            lesser=AJAR if west.ajar is False else "",
        )

    def mended(self, wanted: Mending, /) -> MendedFacts:
        now = self.facts(wanted)
        noted = set(_noted(self._reach("west")))
        return MendedFacts(unmended=now.unmended, mended=now.mended, differ=tuple(sorted(noted - self._reach("east").rows)))

    def script(self, effect: MendEffect, /) -> tuple[str, ...]:
        return ("mend rows",) if isinstance(effect, MendRows) else (f"take back what was mended after note {effect.since}",)

    def apply(self, effect: MendEffect, /) -> None:
        self.process.move()
        west = self._reach("west")
        if isinstance(effect, MendRows):
            self._reach("east")
        if west.ajar is False:
            raise WriteRefused("west: 1290: super_read_only", server="west")
        self.done(effect)
        west.carry_out(type(effect), lambda: self._change(effect, west), BOUND_S)
        self.process.move()

    def _change(self, effect: MendEffect, west: Database) -> None:
        noted = _noted(west)
        match effect:
            case MendRows():
                waiting = [key for key in self.pair.differing[effect.wanted.comparison] if key not in noted]
                west.rows.update(waiting[:1])
                noted += waiting[:1]
            case TakeRowsBack(since=since):
                if len(noted) > since:
                    west.rows.discard(noted.pop())
        west.settings[NOTES] = ",".join(noted)
        if not noted:
            del west.settings[NOTES]

    def _reach(self, name: str) -> Database:
        self.process.move()
        database = self.pair.database(name)
        database.answer()
        return database


def _noted(database: Database) -> list[str]:
    return [key for key in database.settings.get(NOTES, "").split(",") if key]
