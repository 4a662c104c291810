"""`data.differences`, `data.mend`, `server.put_fence_back`, `data.mended`: rows that differ are made as the other side's."""

from __future__ import annotations

import re
from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.actions.check import NoOutputs
from interlock.dataclass import dataclass
from interlock.decisions.writes import writers
from interlock.documents.fields import Kind
from interlock.model.effects import Effect, Fence
from interlock.model.facts import WriteFacts
from interlock.model.marks import MarkKind
from interlock.model.mending import DifferenceFacts, MendedFacts, MendFacts, Mending, MendRows, TakeRowsBack
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done, Refuse, Verdict, Wait
from interlock.playbook.catalogue import Role, Verb
from interlock.ports import World

_FENCE_S = 5.0
_NAMED = 10
_BETWEEN_ROWS = re.compile(r";(?=[^;:=]+\.[^;:=]+:)")
_ROWS = "only these rows, as SCHEMA.TABLE:KEY=VALUE,KEY=VALUE, with semicolons between them; empty for all"
_TABLES = "only these tables, as schema.table, with commas between them; empty for all"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDifferences:
    """`quiesced`: the cluster that is noted to be, empty for none. `open`: the masters that take writes, if two do without segments."""

    found: DifferenceFacts
    quiesced: str
    open: tuple[ServerName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """A kept comparison tells which rows differ, and nothing stands in the way of mending them."""

    comparison: str = param(Kind.TEXT, "its name")
    onto: str = param(Kind.TEXT, "the cluster whose rows are changed; empty for the one that was compared with the writer", default="")
    tables: str = param(Kind.TEXT, _TABLES, default="")
    rows: str = param(Kind.TEXT, _ROWS, default="")
    back: bool = param(Kind.FLAG, "whether what was mended is to be taken back instead", default=False)

    def look(self, world: World, /) -> SeenDifferences:
        found = world.mender.found(_wanted(self.comparison, self.onto, self.tables, self.rows))
        open_now = writers([world.server(master.name).write_facts() for master in world.topology.masters()])
        marks = world.marks.all()
        return SeenDifferences(
            found=found,
            quiesced=next((mark.subject for mark in marks if mark.kind is MarkKind.QUIESCED), ""),
            open=open_now if len(open_now) > 1 and not world.topology.segments else (),
        )

    def decide(self, seen: SeenDifferences, /) -> Verdict:
        found = seen.found
        if found.problem:
            return Refuse(found.problem, found.hint)
        if seen.open:
            return Refuse(f"{' and '.join(seen.open)} take writes at the same time", "fence one of them: `interlock status`")
        if found.overtaken and not self.onto:
            return Refuse(
                f"{found.overtaken} takes the writes now, and the comparison took {found.other}'s rows for right",
                f"compare again; or, if {found.overtaken}'s rows are to be changed: --onto {found.overtaken}",
            )
        if found.left_out and not (self.back or found.rows or found.mended):
            return Refuse(f"{found.comparison}: nothing can be mended", f"a person decides: {'; '.join(found.left_out)}")
        told = f"{found.rows} rows of {found.server} can be mended, {found.mended} were before"
        return Done(f"{found.comparison}: {told}", warnings=() if self.back else found.left_out)

    def outputs(self, seen: SeenDifferences, /) -> Mapping[str, object]:
        found = seen.found
        return {
            "comparison": found.comparison,
            "server": found.server,
            "rows": found.mended if self.back else found.rows,
            "fence": found.fence,
            "loosened": bool(found.lesser),
            "quiesced": seen.quiesced,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend(NoOutputs):
    """Make the rows of a server as the other side's, unlogged, each only if both sides have it as it was compared; or take that back.

    Clients stay out. If the server's fence kept administrators out too, they are let in until `server.put_fence_back`.
    """

    comparison: str = param(Kind.TEXT, "the comparison that found them")
    server: ServerName = param(Kind.SERVER, "the server whose rows are changed")
    tables: str = param(Kind.TEXT, _TABLES, default="")
    rows: str = param(Kind.TEXT, _ROWS, default="")
    back: bool = param(Kind.FLAG, "whether what was mended is taken back instead, where nobody wrote since", default=False)
    rate: int = param(Kind.INTEGER, "how many rows are changed in a second at the most; 0: as many as can", default=1000)
    within_s: float = param(Kind.DURATION, "how long it may take", default=14400.0)

    def look(self, world: World, /) -> MendFacts:
        return world.mender.facts(self._wanted())

    def decide(self, seen: MendFacts, /) -> Verdict:
        ahead, tried = (seen.mended - seen.stay, seen.stay) if self.back else (seen.unmended - seen.left, seen.left)
        if not ahead:
            done = (
                f"{seen.unmended} rows of {self.server} are as they were"
                if self.back
                else f"{seen.mended} rows of {self.server} are mended"
            )
            return Done(f"{done}{f', {tried} were left' if tried else ''}", warnings=seen.why)
        if seen.busy:
            return Wait(seen.busy)
        return Act(f"{ahead} rows of {self.server} are to be {'taken back' if self.back else 'mended'}")

    def effects(self, seen: MendFacts, /) -> tuple[Effect, ...]:
        return (*self._let_in(seen), self._taking_back(seen, 0) if self.back else self._mending(seen))

    def undo(self, before: MendFacts, now: MendFacts | None, /) -> tuple[Effect, ...]:
        """What this run mended is taken back; what it took back is mended again. Then the fence."""
        change = self._mending(before) if self.back else self._taking_back(before, before.last_note)
        shut = Fence(server=before.server, within_s=_FENCE_S, as_was=before.fence)
        if now is None:
            return (*self._let_in(before), change, shut) if before.lesser else (change,)
        more = now.unmended - now.left > before.unmended if self.back else now.mended - now.stay > before.mended
        if more:
            return (*self._let_in(now), change)
        return (shut,) if before.lesser and now.fenced and now.fence != before.fence else ()

    def _wanted(self) -> Mending:
        return _wanted(self.comparison, self.server, self.tables, self.rows)

    def _let_in(self, seen: MendFacts) -> tuple[Effect, ...]:
        return (Fence(server=seen.server, within_s=_FENCE_S, as_was=seen.lesser),) if seen.lesser else ()

    def _mending(self, seen: MendFacts) -> Effect:
        return MendRows(server=seen.server, wanted=self._wanted(), rows_per_s=self.rate)

    def _taking_back(self, seen: MendFacts, since: int) -> Effect:
        return TakeRowsBack(server=seen.server, wanted=self._wanted(), rows_per_s=self.rate, since=since)


@dataclass(frozen=True, slots=True, kw_only=True)
class PutFenceBack(NoOutputs):
    """Fence a server again as it was seen before its rows were mended. One that somebody opened meanwhile is left open."""

    server: ServerName = param(Kind.SERVER, "the server that was mended")
    fence: str = param(Kind.TEXT, "its fence, as data.differences told it")

    def look(self, world: World, /) -> WriteFacts:
        return world.server(self.server).write_facts()

    def decide(self, seen: WriteFacts, /) -> Verdict:
        if not seen.read_only:
            return Done(f"{self.server} was opened meanwhile", warnings=(f"{self.server} was opened meanwhile, and is left open",))
        if seen.fence == self.fence:
            return Done(f"{self.server} is fenced by {self.fence}")
        return Act(f"{self.server} is fenced by {seen.fence}, and was by {self.fence}")

    def effects(self, seen: WriteFacts, /) -> tuple[Effect, ...]:
        return (Fence(server=seen.server, within_s=_FENCE_S, as_was=self.fence),)

    def undo(self, before: WriteFacts, now: WriteFacts | None, /) -> tuple[Effect, ...]:
        """None: the way back of the mending needs no wider gap than it makes itself."""
        del before, now
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended(NoOutputs):
    """Compare the mended rows again; none of those that could be mended being so fails the step."""

    comparison: str = param(Kind.TEXT, "the comparison that found them")
    server: ServerName = param(Kind.SERVER, "the server whose rows were changed")
    tables: str = param(Kind.TEXT, _TABLES, default="")
    rows: str = param(Kind.TEXT, _ROWS, default="")
    back: bool = param(Kind.FLAG, "whether what was mended was taken back instead", default=False)
    of: int = param(Kind.INTEGER, "how many rows were to be changed")
    within_s: float = param(Kind.DURATION, "how long it may take", default=3600.0)

    def look(self, world: World, /) -> MendedFacts:
        return world.mender.mended(_wanted(self.comparison, self.server, self.tables, self.rows))

    def decide(self, seen: MendedFacts, /) -> Verdict:
        left = seen.mended if self.back else seen.unmended
        if self.of and left >= self.of:
            what = "taken back" if self.back else "mended"
            return Refuse(f"none of {self.of} rows of {self.server} could be {what}", "compare again: they were written since")
        if self.back:
            return Done(f"{seen.unmended} rows of {self.server} are as they were")
        if seen.ahead:
            return Wait(f"compared {seen.mended - seen.ahead} of {seen.mended} mended rows again")
        if seen.differ:
            return Done(f"in {len(seen.differ)} of {seen.mended} rows the sides differ all the same", warnings=seen.differ[:_NAMED])
        return Done(f"{seen.mended} rows were compared again, and are alike")


def _wanted(comparison: str, onto: str, tables: str, rows: str) -> Mending:
    return Mending(comparison=comparison, onto=onto, tables=tuple(filter(None, tables.split(","))), rows=split_rows(rows))


def split_rows(words: str) -> tuple[str, ...]:
    """Rows as they are typed, from one text. A semicolon within a value is none, unless what follows begins as a row does."""
    return tuple(filter(None, _BETWEEN_ROWS.split(words)))


SPECS = (
    describe(
        Differences,
        "data.differences",
        Verb.CHECK,
        outputs={
            "comparison": Kind.TEXT,
            "server": Kind.SERVER,
            "rows": Kind.INTEGER,
            "fence": Kind.TEXT,
            "loosened": Kind.FLAG,
            "quiesced": Kind.TEXT,
        },
    ),
    describe(Mend, "data.mend", Verb.DO, role=Role.LOOSENS),
    describe(PutFenceBack, "server.put_fence_back", Verb.DO),
    describe(Mended, "data.mended", Verb.CHECK),
)
