"""The notes on a pair: nobody holds it, this cluster has not failed; and that it failed, or has rejoined."""

from __future__ import annotations

from datetime import datetime, timedelta

from interlock.actions.action import describe, param
from interlock.actions.check import NoOutputs
from interlock.dataclass import dataclass
from interlock.decisions.marks import by_a_note, failed_mark, failed_since, is_not_held, may_take_writes
from interlock.documents.fields import Kind
from interlock.model.effects import ClearMark, Effect, SetMark
from interlock.model.marks import Mark, MarkKind
from interlock.model.topology import ClusterName, ServerName
from interlock.model.verdict import Act, Done, Refuse, Verdict
from interlock.playbook.catalogue import Role, Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenMarks:
    """All that is noted on the pair, at the time that expiry is judged by."""

    marks: tuple[Mark, ...]
    at: datetime


def _look(world: World) -> SeenMarks:
    return SeenMarks(marks=world.marks.all(), at=world.marks.now())


@dataclass(frozen=True, slots=True, kw_only=True)
class NotHeld(NoOutputs):
    """Nobody holds the pair (`interlock hold`, `interlock quiesce`). A hold that has expired still holds: only a person ends it."""

    but_quiesced: str = param(Kind.TEXT, "a cluster that may be quiesced, for a run that ends that; empty for none", default="")

    def look(self, world: World, /) -> SeenMarks:
        return _look(world)

    def decide(self, seen: SeenMarks, /) -> Verdict:
        return is_not_held(seen.marks, seen.at, but_quiesced=self.but_quiesced)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotHeldThere(NoOutputs):
    """No note on the server says that the pair is held: somebody may have quiesced it who has another store."""

    server: ServerName = param(Kind.SERVER, "the server whose notes are read")
    but_quiesced: str = param(Kind.TEXT, "as of pair.not_held", default="")

    def look(self, world: World, /) -> SeenMarks:
        return SeenMarks(marks=world.server(self.server).noted(world.topology.name), at=world.marks.now())

    def decide(self, seen: SeenMarks, /) -> Verdict:
        match is_not_held(seen.marks, seen.at, but_quiesced=self.but_quiesced):
            case Refuse() as held:
                return by_a_note(self.server, held)
            case Done():
                return Done(f"no note on {self.server} holds the pair")


@dataclass(frozen=True, slots=True, kw_only=True)
class MayTakeWrites(NoOutputs):
    """No failover took the writes from this cluster, or it has rejoined since."""

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster that is to take the writes")

    def look(self, world: World, /) -> SeenMarks:
        return _look(world)

    def decide(self, seen: SeenMarks, /) -> Verdict:
        return may_take_writes(self.cluster, seen.marks)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedMark:
    """`standing` is how the cluster is marked; `wanted` is the mark that this run would set."""

    standing: Mark | None
    wanted: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkFailed(NoOutputs):
    """Mark a cluster as failed: no run takes the writes there before it has rejoined."""

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster that has failed")
    reason: str = param(Kind.TEXT, "why, for people", default="a failover took the writes from it")

    def look(self, world: World, /) -> FailedMark:
        return _failed(world, self.cluster, self.reason)

    def decide(self, seen: FailedMark, /) -> Verdict:
        if seen.standing is None:
            return Act(f"{self.cluster} is not marked as failed")
        return Done(f"{self.cluster} {failed_since(seen.standing)}")

    def effects(self, seen: FailedMark, /) -> tuple[Effect, ...]:
        return (SetMark(mark=seen.wanted),) if seen.standing is None else ()

    def undo(self, before: FailedMark, now: FailedMark | None, /) -> tuple[Effect, ...]:
        """The mark of another run stays."""
        if before.standing is not None or (now is not None and (now.standing is None or now.standing.run != before.wanted.run)):
            return ()
        return (ClearMark(mark=before.wanted),)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkRejoined(NoOutputs):
    """Take away the mark that a cluster has failed: it may take the writes again."""

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster that has rejoined")

    def look(self, world: World, /) -> FailedMark:
        return _failed(world, self.cluster, "")

    def decide(self, seen: FailedMark, /) -> Verdict:
        if seen.standing is None:
            return Done(f"{self.cluster} is not marked as failed")
        return Act(f"{self.cluster} {failed_since(seen.standing)}")

    def effects(self, seen: FailedMark, /) -> tuple[Effect, ...]:
        return (ClearMark(mark=seen.standing),) if seen.standing is not None else ()

    def undo(self, before: FailedMark, now: FailedMark | None, /) -> tuple[Effect, ...]:
        if before.standing is None or (now is not None and now.standing is not None):
            return ()
        return (SetMark(mark=before.standing),)


def _failed(world: World, cluster: ClusterName, reason: str) -> FailedMark:
    wanted = mark_by_this_run(world, MarkKind.FAILED, cluster, reason)
    return FailedMark(standing=failed_mark(cluster, world.marks.all()), wanted=wanted)


def mark_by_this_run(world: World, kind: MarkKind, cluster: ClusterName, reason: str, *, for_s: float | None = None) -> Mark:
    marks = world.marks
    now = marks.now()
    return Mark(
        topology=world.topology.name,
        kind=kind,
        subject=cluster,
        by=marks.author,
        at=now,
        reason=reason,
        until=None if for_s is None else now + timedelta(seconds=for_s),
        run=world.present_run,
    )


SPECS = (
    describe(NotHeld, "pair.not_held", Verb.CHECK),
    describe(NotHeldThere, "server.not_held", Verb.CHECK),
    describe(MayTakeWrites, "cluster.may_take_writes", Verb.CHECK),
    describe(MarkFailed, "cluster.mark_failed", Verb.DO, role=Role.NOTES),
    describe(MarkRejoined, "cluster.mark_rejoined", Verb.DO, role=Role.NOTES),
)
