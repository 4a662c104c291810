"""`table.*`: a change of a table's declaration, one side after the other, each while it takes no writes (ADR 36)."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.actions.check import NoOutputs
from interlock.dataclass import dataclass
from interlock.decisions.alterations import Stage, can_be_applied, inverse, is_read_alike, is_the_only_difference, read_changes, stage_of
from interlock.decisions.declarations import are_alike, only_in, told_apart
from interlock.documents.fields import Kind
from interlock.model.effects import Effect, Fence
from interlock.model.facts import WriteFacts
from interlock.model.tables import AlterTable, TableFacts
from interlock.model.topology import ClusterName, ServerName
from interlock.model.verdict import Act, Done, Refuse, Verdict, Wait
from interlock.playbook.catalogue import Role, Verb
from interlock.ports import Server, World

_FENCE_WITHIN_S = 5.0
_TABLE = "the table, as schema.table"
_ALTER = "the clauses of one ALTER TABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTable:
    """`through`: who else could write, if administrators may on this server."""

    table: TableFacts
    writes: WriteFacts
    through: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTables:
    """On the writer and on the standby; `replicas` follow one of them. `through`: who could write on the writer once it is let ajar.
    `foreign` are the clusters whose rows are applied by another program than the server.
    """

    writer: TableFacts
    through: tuple[str, ...]
    standby: SeenTable
    replicas: tuple[ServerName, ...] = ()
    foreign: tuple[ClusterName, ...] = ()


def _look(world: World, name: ServerName, table: str) -> SeenTable:
    server = world.server(name)
    writes = server.write_facts()
    through: tuple[str, ...] = ()
    if writes.lesser:
        through = _administrators(server)
        if writes.event_scheduler == "ON":
            through += tuple(f"event {one.schema}.{one.name} of {one.definer}" for one in server.events())
    return SeenTable(table=server.tables.facts(table), writes=writes, through=through)


def _administrators(server: Server) -> tuple[str, ...]:
    return tuple(str(one) for one in server.sessions() if one.administrator)


@dataclass(frozen=True, slots=True, kw_only=True)
class CanChange(NoOutputs):
    """A change of a table fits while one side has it and the other has not, can be undone, and both sides can take it."""

    table: str = param(Kind.TEXT, _TABLE)
    alter: str = param(Kind.TEXT, _ALTER)
    writer: ServerName = param(Kind.SERVER, "the server that takes the writes")
    standby: ServerName = param(Kind.SERVER, "the server that is changed first")

    def look(self, world: World, /) -> SeenTables:
        standby, writer = _look(world, self.standby, self.table), world.server(self.writer)
        keeps_out = standby.writes.lesser or standby.writes.loose
        return SeenTables(
            writer=writer.tables.facts(self.table),
            through=_administrators(writer) if keeps_out else (),
            standby=standby,
            replicas=tuple(one.name for one in world.topology.replicas()),
            foreign=tuple(name for name, cluster in world.topology.clusters.items() if cluster.channel is not None),
        )

    def decide(self, seen: SeenTables, /) -> Verdict:
        changes = read_changes(self.alter)
        if isinstance(changes, Refuse):
            return changes
        return (
            self._stands_in_the_way(seen)
            or self._not_the_same(seen.writer, seen.standby.table)
            or is_read_alike(changes, seen.writer, seen.standby.table)
            or can_be_applied(self.table, changes, seen.writer.definition)
        )

    def _stands_in_the_way(self, seen: SeenTables) -> Refuse | None:
        if seen.foreign:
            return Refuse(
                f"what applies rows on {' and '.join(seen.foreign)} is not the server: what it makes of two declarations is not known",
                f"change {self.table} on both sides by hand, while nobody writes it",
            )
        if seen.replicas:
            return Refuse(
                f"{', '.join(seen.replicas)} would not get the change, which is in no binary log",
                f"change {self.table} there first, by hand and with sql_log_bin=0, and take them out of the topology meanwhile",
            )
        for one in (seen.writer, seen.standby.table):
            if len(one.read_by) > 1:
                return Refuse(
                    f"{len(one.read_by)} read the binary log of {one.server}, which will not have the change: {', '.join(one.read_by[:5])}",
                    "only the other side may: stop the others meanwhile, and change a replica by hand, with sql_log_bin=0",
                )
        for server, through in ((self.standby, seen.standby.through), (self.writer, seen.through)):
            if through:
                return Refuse(
                    f"{server} is let ajar for administrators while its table is changed, and others would come through: "
                    f"{'; '.join(through[:5])}",
                    "let them end; SET GLOBAL event_scheduler=OFF for events",
                )
        return None

    def _not_the_same(self, *both: TableFacts) -> Refuse | None:
        for one in both:
            if not one.definition:
                return Refuse(f"there is no table {self.table} on {one.server}", "give it as schema.table")
            if not one.logs_rows:
                return Refuse(
                    f"{one.server} does not log whole rows, which alone are right for two declarations of a table",
                    "SET GLOBAL binlog_format=ROW, binlog_row_image=FULL, and let clients connect anew",
                )
            if one.lacks:
                return Refuse(f"Interlock's account may not change {self.table} on {one.server}", "; ".join(one.lacks))
        first, second = both
        if not are_alike(first.definition, second.definition):
            return Refuse(
                f"{self.table} is not declared alike already: {first.server} has {only_in(first.definition, second.definition)}; "
                f"{second.server} has {only_in(second.definition, first.definition)}",
                "`interlock audit` shows what makes them alike",
            )
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterOneSide(NoOutputs):
    """Change a table on a fenced server alone, in no binary log.

    Where the fence keeps administrators out, it is let ajar for them meanwhile, and put back; one that let them through is closed then.
    """

    server: ServerName = param(Kind.SERVER, "the server, which takes no writes")
    table: str = param(Kind.TEXT, _TABLE)
    alter: str = param(Kind.TEXT, _ALTER)
    at_most_s: float = param(Kind.DURATION, "how long the ALTER may take", default=3600.0)
    lock_wait_s: float = param(Kind.DURATION, "how long it waits for whoever holds the table: the applier waits behind it", default=20.0)

    def look(self, world: World, /) -> SeenTable:
        return _look(world, self.server, self.table)

    def decide(self, seen: SeenTable, /) -> Verdict:
        changes = read_changes(self.alter)
        if isinstance(changes, Refuse):
            return changes
        if not seen.table.definition:
            return Refuse(f"there is no table {self.table} on {self.server}", "give it as schema.table")
        stage = stage_of(changes, seen.table.definition)
        if stage is Stage.BETWEEN:
            return Refuse(f"{self.table} on {self.server} has a part of the change: somebody else changes it, too", "see who does")
        if not seen.writes.read_only:
            return Wait(
                f"{self.server} takes writes: {self.table} is changed there once it takes none", hint=f"see who opened {self.server}"
            )
        if stage is Stage.AFTER and not seen.writes.loose:
            return Done(f"{self.table} on {self.server} has it: {', '.join(map(str, changes))}")
        if stage is Stage.AFTER:
            return Act(f"{self.table} on {self.server} is changed, and administrators may still write there")
        if seen.through:
            return Wait(f"others would write through a lesser fence of {self.server}: {'; '.join(seen.through[:5])}", hint="let them end")
        return Act(f"{self.table} on {self.server} has not: {', '.join(map(str, changes))}")

    def effects(self, seen: SeenTable, /) -> tuple[Effect, ...]:
        changes = read_changes(self.alter)
        if isinstance(changes, Refuse):
            return ()
        is_done = stage_of(changes, seen.table.definition) is Stage.AFTER
        closed = seen.writes.fence if seen.writes.lesser else ""
        return (
            *(() if is_done else self._ajar(seen.writes.lesser)),
            *(() if is_done else self._change(self.alter)),
            *(self._fenced(closed) if seen.writes.lesser or seen.writes.loose else ()),
        )

    def undo(self, before: SeenTable, now: SeenTable | None, /) -> tuple[Effect, ...]:
        """By the inverse of each clause that the table has now, and had not."""
        changes = read_changes(self.alter)
        back = "" if isinstance(changes, Refuse) else inverse(changes, before.table.definition, now.table.definition if now else None)
        fence, writes = before.writes.fence, now.writes if now is not None else before.writes
        if not back:
            return self._fenced(fence) if writes.read_only and writes.fence != fence else ()
        ajar = self._ajar(writes.lesser) if writes.read_only else self._fenced(before.writes.lesser or fence)
        return (*ajar, *self._change(back), *(self._fenced(fence) if ajar or writes.fence != fence else ()))

    def _ajar(self, lesser: str) -> tuple[Effect, ...]:
        return self._fenced(lesser) if lesser else ()

    def _fenced(self, as_was: str) -> tuple[Effect, ...]:
        return (Fence(server=self.server, within_s=_FENCE_WITHIN_S, as_was=as_was),)

    def _change(self, alter: str) -> tuple[Effect, ...]:
        return (AlterTable(server=self.server, table=self.table, alter=alter, within_s=self.at_most_s, lock_wait_s=self.lock_wait_s),)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenOnMasters:
    masters: tuple[TableFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredAlike:
    """Both sides declare a table alike."""

    table: str = param(Kind.TEXT, _TABLE)

    def look(self, world: World, /) -> SeenOnMasters:
        return SeenOnMasters(masters=tuple(world.server(one.name).tables.facts(self.table) for one in world.topology.masters()))

    def decide(self, seen: SeenOnMasters, /) -> Verdict:
        first, *others = seen.masters
        for other in others:
            if not are_alike(first.definition, other.definition):
                return _changed_meanwhile(self.table, first, other)
        return Done(f"{self.table} is declared alike on {' and '.join(one.server for one in seen.masters)}")

    def outputs(self, seen: SeenOnMasters, /) -> Mapping[str, object]:
        return {"definition": seen.masters[0].definition}


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffersByChange(NoOutputs):
    """The standby declares a table as the writer does, but for a change that it alone has: nobody else has changed it meanwhile."""

    table: str = param(Kind.TEXT, _TABLE)
    alter: str = param(Kind.TEXT, _ALTER)
    writer: ServerName = param(Kind.SERVER, "the server that lacks the change")
    standby: ServerName = param(Kind.SERVER, "the server that has it")

    def look(self, world: World, /) -> SeenOnMasters:
        return SeenOnMasters(masters=tuple(world.server(name).tables.facts(self.table) for name in (self.writer, self.standby)))

    def decide(self, seen: SeenOnMasters, /) -> Verdict:
        changes, (writer, standby) = read_changes(self.alter), seen.masters
        if isinstance(changes, Refuse):
            return changes
        if is_the_only_difference(changes, writer.definition, standby.definition):
            return Done(f"{self.standby} declares {self.table} as {self.writer} does, but for {', '.join(map(str, changes))}")
        return _changed_meanwhile(self.table, writer, standby)


def _changed_meanwhile(table: str, one: TableFacts, other: TableFacts) -> Refuse:
    first, second = told_apart(one.definition, other.definition)
    return Refuse(
        f"somebody changed {table} meanwhile: {one.server} declares {first}; {other.server} {second}",
        f"what was written since may stand in another column there, or in none: interlock diff --table {table}, then interlock repair",
    )


SPECS = (
    describe(CanChange, "table.can_change", Verb.CHECK),
    describe(AlterOneSide, "table.alter", Verb.DO, role=Role.LOOSENS, bounds_on_server="at_most"),
    describe(DiffersByChange, "table.differs_by", Verb.CHECK),
    describe(DeclaredAlike, "table.alike", Verb.CHECK, outputs={"definition": Kind.TEXT}),
)
