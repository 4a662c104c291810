"""`data.way_back`, `losses.keep`, `data.undo`, `data.copy`: a master that holds more than the writer comes back."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.actions.check import NoOutputs
from interlock.dataclass import dataclass
from interlock.decisions.returning import AUTO, choose, half_told, means_of, progress, told_means
from interlock.documents.fields import Kind
from interlock.errors import DriverError
from interlock.model.effects import Effect, Fence
from interlock.model.returning import (
    BeginCopy,
    CopyFacts,
    EndReturn,
    KeepLosses,
    ReturnFacts,
    SetHeld,
    StopCopy,
    Surplus,
    TakeBack,
    Way,
)
from interlock.model.topology import ClusterName, ServerName
from interlock.model.verdict import Act, Done, Refuse, Verdict, Wait
from interlock.playbook.catalogue import Verb
from interlock.ports import World

_MB = 1_000_000
_FENCE_S = 2.0
_MEANS = (AUTO, "dump", "clone", "mariadb-backup")


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """Tell by which way a master comes back: nothing is to be done, its extra transactions are taken back, or its data are copied anew."""

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster that comes back")
    writer: ServerName = param(Kind.SERVER, "the server that took the writes over")
    data: str = param(Kind.TEXT, "auto for the cheapest way that is correct", default=AUTO, choices=(AUTO, *Way))
    by: str = param(Kind.TEXT, "by which means a copy would be made; auto for the best one that can be had", default=AUTO, choices=_MEANS)

    def look(self, world: World, /) -> ReturnFacts:
        return world.returning(self.cluster).facts()

    def decide(self, seen: ReturnFacts, /) -> Verdict:
        chosen = choose(seen, self.writer, self.data, self.by)
        if isinstance(chosen, Refuse):
            return chosen
        size = f", about {seen.size_bytes / _MB:.0f} MB {told_means(seen, self.by)}" if chosen.way is Way.COPY else ""
        return Done(f"{chosen.way}: {chosen.why}{size}")

    def outputs(self, seen: ReturnFacts, /) -> Mapping[str, object]:
        chosen = choose(seen, self.writer, self.data, self.by)
        way = "" if isinstance(chosen, Refuse) else chosen.way.value
        return {"way": way, "lost": seen.surplus.lost if seen.surplus is not None else 0, "position": seen.of_writer}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepTheLosses(NoOutputs):
    """Read what a master holds that the writer lacks, row by row, and keep it beside the store, before anything of it is thrown away.

    It is `interlock losses` that tells it afterwards, and `interlock repair --losses` that puts back what can be.
    """

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster that comes back")
    writer: ServerName = param(Kind.SERVER, "the server that took the writes over")
    within_s: float = param(Kind.DURATION, "how long it may take", default=300.0)

    def look(self, world: World, /) -> ReturnFacts:
        return world.returning(self.cluster).facts()

    def decide(self, seen: ReturnFacts, /) -> Verdict:
        surplus = seen.surplus
        if surplus is None:
            return Done(f"{seen.server} holds nothing that {self.writer} lacks")
        if surplus.kept:
            return Done(f"{surplus.lost} transactions are kept: `interlock losses {surplus.run}`")
        if surplus.problem:
            return _unreadable(seen, surplus, self.writer)
        return Act(f"{surplus.lost} transactions of {seen.server} that {self.writer} lacks are kept nowhere else")

    def effects(self, seen: ReturnFacts, /) -> tuple[Effect, ...]:
        if seen.surplus is None:
            return ()
        return (KeepLosses(cluster=self.cluster, server=seen.server, writer=self.writer, run=seen.surplus.run),)

    def undo(self, before: ReturnFacts, now: ReturnFacts | None, /) -> tuple[Effect, ...]:
        """What is kept harms nobody."""
        del before, now
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoSurplus(NoOutputs):
    """Take back, row by row and all or nothing, what a master holds that the writer lacks; then its log begins anew where both sides were.

    There is no way back from it: the server is fenced and marked until it has rejoined, and what was taken back is kept.
    """

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster that comes back")
    writer: ServerName = param(Kind.SERVER, "the server that took the writes over")
    within_s: float = param(Kind.DURATION, "how long it may take", default=600.0)

    def look(self, world: World, /) -> ReturnFacts:
        return world.returning(self.cluster).facts()

    def decide(self, seen: ReturnFacts, /) -> Verdict:
        surplus = seen.surplus
        if seen.incomplete:
            return Refuse(f"an earlier copy of the data to {seen.server} was not ended", "copy them anew: -i data=copy")
        if surplus is None and seen.noted:
            return Act(half_told(seen.server, self.writer))
        if surplus is None:
            return Done(f"{seen.server} holds nothing that {self.writer} lacks")
        if surplus.inexact or surplus.to is None:
            return Refuse(f"{seen.server} can't be taken back exactly: {surplus.inexact}", "copy its data: -i data=copy")
        return Act(f"{seen.server} holds {surplus.lost} transactions that {self.writer} lacks")

    def effects(self, seen: ReturnFacts, /) -> tuple[Effect, ...]:
        server, surplus = seen.server, seen.surplus
        if surplus is None or surplus.to is None:
            return (SetHeld(cluster=self.cluster, server=server, position=seen.position), EndReturn(cluster=self.cluster, server=server))
        rows = TakeBack(
            cluster=self.cluster,
            server=server,
            writer=self.writer,
            transactions=surplus.undone,
            to=surplus.to,
            within_s=self.within_s,
        )
        log = SetHeld(cluster=self.cluster, server=server, position=surplus.to)
        return (*(() if surplus.taken_back else (rows,)), log, EndReturn(cluster=self.cluster, server=server))

    def undo(self, before: ReturnFacts, now: ReturnFacts | None, /) -> tuple[Effect, ...]:
        """Of the rows none: what was taken back is lost there, and kept."""
        return _fenced_again(before, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCopy:
    """`facts` only before a copy of this process. `fence` is that of the server, empty while a copy is under way."""

    copying: CopyFacts | None
    facts: ReturnFacts | None
    fence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyData(NoOutputs):
    """Throw a master's data away and copy the writer's, from a moment that is known by its position; then its log begins anew there.

    There is no way back from it. A copy that does not come to its end leaves a server that says so itself: it stays fenced, and the next
    one begins from the beginning.
    """

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster that comes back")
    writer: ServerName = param(Kind.SERVER, "the server whose data are copied")
    within_s: float = param(Kind.DURATION, "how long it may take", default=14400.0)
    by: str = param(Kind.TEXT, "by which means; auto for the best one that can be had", default=AUTO, choices=_MEANS)
    rate: int = param(Kind.INTEGER, "how many MB go in a second at the most; 0: as many as can", default=0)

    def look(self, world: World, /) -> SeenCopy:
        returning = world.returning(self.cluster)
        copying = returning.copying()
        if copying is None:
            facts = returning.facts()
            return SeenCopy(copying=None, facts=facts, fence=facts.fence)
        return SeenCopy(copying=copying, facts=None, fence=_fence_of(world, ServerName(self.cluster)) if copying.is_over else "")

    def decide(self, seen: SeenCopy, /) -> Verdict:
        if seen.copying is not None:
            return self._of_copy(seen.copying)
        facts = seen.facts
        means = means_of(facts, self.by) if facts is not None else ""
        if facts is None or not means:
            by = "" if self.by == AUTO else f" by {self.by}"
            return Refuse(f"the data of {self.writer} can't be copied{by}", "; ".join(facts.lacking) if facts is not None else "")
        return Act(f"{facts.server} gets about {facts.size_bytes / _MB:.0f} MB of {self.writer} by {means}")

    def _of_copy(self, copying: CopyFacts) -> Verdict:
        if copying.adopted:
            kept = f"; those of before are in {copying.kept} on the host of {self.cluster}" if copying.kept else ""
            return Done(f"all data of {self.writer} came {progress(copying)}{kept}")
        if copying.error:
            why = f"the copy was not ended: {copying.error}"
            return Refuse(
                why, f"{self.cluster} stays fenced, its data count for nothing: mend this, then `interlock rejoin {self.cluster}`"
            )
        if copying.position is not None:
            return Act(f"all data of {self.writer} came, as at {copying.position}")
        return Wait(f"copying {progress(copying)}")

    def effects(self, seen: SeenCopy, /) -> tuple[Effect, ...]:
        server = ServerName(self.cluster)
        if seen.copying is not None and seen.copying.position is not None:
            log = SetHeld(cluster=self.cluster, server=server, position=seen.copying.position)
            return (log, EndReturn(cluster=self.cluster, server=server))
        if seen.facts is None:
            return ()
        begin = BeginCopy(
            cluster=self.cluster, server=server, writer=self.writer, means=means_of(seen.facts, self.by), bytes_per_s=self.rate * _MB
        )
        return (begin,)

    def undo(self, before: SeenCopy, now: SeenCopy | None, /) -> tuple[Effect, ...]:
        """It is ended; what was thrown away is not had back."""
        if now is None or now.copying is None or now.copying.is_over:
            return _fenced_again(before.facts, now)
        return (StopCopy(cluster=self.cluster, server=ServerName(self.cluster)),)


def _fence_of(world: World, server: ServerName) -> str:
    """Empty if it is open, or does not tell: a copy may end because its server does."""
    try:
        return world.server(server).write_facts().fence
    except DriverError:
        return ""


def _fenced_again(before: ReturnFacts | None, now: ReturnFacts | SeenCopy | None) -> tuple[Effect, ...]:
    """As it was: rows are made equal past MySQL's closest fence. One that somebody opened meanwhile is left open."""
    if before is None or now is None or not now.fence or now.fence == before.fence:
        return ()
    return (Fence(server=before.server, within_s=_FENCE_S, as_was=before.fence),)


def _unreadable(seen: ReturnFacts, surplus: Surplus, writer: ServerName) -> Refuse:
    return Refuse(
        f"{seen.server} holds transactions that {writer} lacks, and they can't all be read: {surplus.problem}",
        f"nothing of it is thrown away before that: `interlock losses {surplus.run}` tells what can be read",
    )


SPECS = (
    describe(WayBack, "data.way_back", Verb.CHECK, outputs={"way": Kind.TEXT, "lost": Kind.INTEGER, "position": Kind.POSITION}),
    describe(KeepTheLosses, "losses.keep", Verb.DO),
    describe(UndoSurplus, "data.undo", Verb.DO),
    describe(CopyData, "data.copy", Verb.DO),
)
