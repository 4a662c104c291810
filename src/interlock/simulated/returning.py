"""`ports.Returning` in memory: what one database has logged that the other lacks is taken out of it, or its rows become the other's."""

from __future__ import annotations

from collections.abc import Callable

from interlock.dataclass import dataclass
from interlock.decisions.marks import failed_mark
from interlock.errors import StatementFailed
from interlock.model.fencing import AgentFacts
from interlock.model.position import Position
from interlock.model.returning import (
    BeginCopy,
    CopyFacts,
    EndReturn,
    KeepLosses,
    ReturnEffect,
    ReturnFacts,
    SetHeld,
    StopCopy,
    Surplus,
    TakeBack,
)
from interlock.model.topology import ClusterName
from interlock.ports import Marks
from interlock.simulated.database import BOUND_S, Database, Transaction
from interlock.simulated.pair import SimulatedPair
from interlock.simulated.process import SimulatedProcess
from interlock.simulated.replication import Channel

_MEANS = "copy"
_COPY_S = 1.0


@dataclass(slots=True, kw_only=True)
class _Copy:
    """Of one process: `ends_at_s` by the virtual clock, and the writer's state when it began."""

    ends_at_s: float
    position: Position
    rows: frozenset[str]
    log: tuple[Transaction, ...]
    adopted: bool = False
    stopped: bool = False


class SimulatedReturning:
    """`settings` of the database: `inexact` says why nothing can be taken back, `return_note` is what the server notes of itself."""

    def __init__(
        self,
        cluster: ClusterName,
        pair: SimulatedPair,
        process: SimulatedProcess,
        marks: Callable[[], Marks],
        done: Callable[[ReturnEffect], None],
    ) -> None:
        self._cluster = cluster
        self._pair = pair
        self._process = process
        self._marks = marks
        self._done = done
        self._copy: _Copy | None = None
        (self._other,) = (name for name in pair.topology.clusters if name != cluster)

    def facts(self) -> ReturnFacts:
        mine, writer = self._reach(self._cluster), self._reach(self._other)
        lost = self._lost()
        note = mine.settings.get("return_note", "")
        taken_back = note == f"taken back {mine.position}"
        run = mark.run if (mark := failed_mark(self._cluster, self._marks().all())) is not None else self._cluster
        surplus = Surplus(
            run=run,
            lost=len(lost),
            undone=len(lost),
            to=self._without(lost),
            inexact="" if taken_back else mine.settings.get("inexact", ""),
            kept={each.key for each in lost} <= self._pair.kept,
            taken_back=taken_back,
        )
        return ReturnFacts(
            server=mine.name,
            position=mine.position,
            of_writer=writer.position,
            fence=mine.fence,
            incomplete=note == "copying",
            noted=bool(note),
            surplus=surplus if lost else None,
            size_bytes=len(writer.rows),
            means=(_MEANS,),
        )

    def copying(self) -> CopyFacts | None:
        copy, now_s = self._copy, self._pair.clock.monotonic_s()
        if copy is None:
            return None
        rows = len(copy.rows)
        if copy.stopped:
            return CopyFacts(means=_MEANS, of_bytes=rows, error="it was stopped")
        if now_s < copy.ends_at_s:
            return CopyFacts(means=_MEANS, sent_bytes=int(rows * (1 - (copy.ends_at_s - now_s) / _COPY_S)), of_bytes=rows)
        return CopyFacts(means=_MEANS, sent_bytes=rows, of_bytes=rows, position=copy.position, adopted=copy.adopted)

    def closed_with(self) -> tuple[AgentFacts, ...]:
        """Whatever there is, if a run marked the cluster."""
        if failed_mark(self._cluster, self._marks().all()) is None:
            return ()
        return tuple(
            AgentFacts(agent=power.name, cluster=self._cluster, fenced=False, whole=power.whole)
            for power in self._pair.fencing[self._cluster]
        )

    def script(self, effect: ReturnEffect, /) -> tuple[str, ...]:
        match effect:
            case KeepLosses(run=run):
                return (f"keep what is lost: {run}",)
            case TakeBack(to=to):
                return (f"take the rows back to {to}",)
            case BeginCopy(writer=writer):
                return (f"copy the data of {writer}",)
            case StopCopy():
                return ("end the copy",)
            case SetHeld(position=position):
                return (f"hold exactly {position}",)
            case EndReturn():
                return ("forget the way back",)

    def apply(self, effect: ReturnEffect, /, mark: str) -> None:
        del mark
        self._process.move()
        mine = self._reach(self._cluster)
        if not isinstance(effect, KeepLosses | StopCopy | EndReturn):
            self._must_be_kept(mine)
        self._done(effect)
        mine.carry_out(type(effect), lambda: self._change(effect, mine), BOUND_S)
        self._process.move()
        if isinstance(effect, SetHeld):
            self._tell_writer(mine)
            self._process.move()

    def _change(self, effect: ReturnEffect, mine: Database) -> None:
        match effect:
            case KeepLosses():
                self._pair.kept |= {each.key for each in self._lost()}
            case TakeBack():
                mine.ajar = None if mine.ajar is None else True
                mine.settings["return_note"] = f"taken back {mine.position}"
                mine.rows -= {each.key for each in self._lost()}
            case BeginCopy():
                writer = self._reach(self._other)
                mine.ajar = None if mine.ajar is None else True
                mine.settings["return_note"] = "copying"
                mine.rows.clear()
                ends_at_s = self._pair.clock.monotonic_s() + _COPY_S
                self._copy = _Copy(ends_at_s=ends_at_s, position=writer.position, rows=frozenset(writer.rows), log=tuple(writer.log))
            case StopCopy() if self._copy is not None:
                self._copy.stopped = True
            case StopCopy():
                pass
            case SetHeld():
                self._set_held(mine)
            case EndReturn():
                mine.settings.pop("return_note", None)
                if self._copy is not None:
                    self._copy.adopted = True

    def _set_held(self, mine: Database) -> None:
        """Its log begins anew; here it keeps what both sides have, for the channels count by it."""
        outgoing, incoming = self._channels()
        if self._copy is not None:
            mine.rows, mine.log = set(self._copy.rows), list(self._copy.log)
            incoming.received = incoming.applied = len(self._copy.log)
        else:
            lost = self._lost()
            mine.log = [each for each in mine.log if each not in lost]
        outgoing.log_begins = len(mine.log)
        mine.held = {each.gtid.domain: each.gtid for each in mine.log}
        incoming.error = ""

    def _tell_writer(self, mine: Database) -> None:
        """That it holds all that there is."""
        outgoing, _ = self._channels()
        outgoing.received = outgoing.applied = len(mine.log)

    def _channels(self) -> tuple[Channel, Channel]:
        """From the one that comes back, and into it."""
        pair = self._pair
        return (pair.to_west, pair.to_east) if self._cluster == "east" else (pair.to_east, pair.to_west)

    def _lost(self) -> list[Transaction]:
        held = self._pair.database(self._other).held
        mine = self._pair.database(self._cluster)
        return [each for each in mine.log if each.gtid.domain not in held or held[each.gtid.domain].sequence < each.gtid.sequence]

    def _without(self, lost: list[Transaction]) -> Position:
        mine = self._pair.database(self._cluster)
        return mine.position_after(len(mine.log) - len(lost)) if lost == mine.log[len(mine.log) - len(lost) :] else mine.position

    def _must_be_kept(self, mine: Database) -> None:
        lost = {each.key for each in self._lost()}
        if not lost <= self._pair.kept:
            raise StatementFailed(f"{mine.name} holds {len(lost)} transactions that were not kept", server=mine.name)

    def _reach(self, cluster: str) -> Database:
        self._process.move()
        database = self._pair.database(cluster)
        database.answer()
        return database
