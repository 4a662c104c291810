"""Quiescing a cluster: it is noted for every later command, its peer keeps enough log, and it is certified to be quiet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from interlock.actions.action import describe, param
from interlock.actions.check import NoOutputs
from interlock.actions.marks import mark_by_this_run
from interlock.dataclass import dataclass
from interlock.decisions.marks import mark_of
from interlock.decisions.quiet import certificate, is_quiet, keeps_log_for
from interlock.decisions.writes import writers
from interlock.documents.fields import Kind
from interlock.model.effects import ClearMark, Effect, EraseNote, SetMark, WriteNote
from interlock.model.facts import (
    ChannelFacts,
    EventFacts,
    FenceProof,
    LoggedTransaction,
    RouteFacts,
    ServerFacts,
    SessionFacts,
    WriteFacts,
    channel_from,
)
from interlock.model.marks import Mark, MarkKind
from interlock.model.position import FilePosition, Position
from interlock.model.topology import ClusterName, ServerName
from interlock.model.verdict import Act, Done, Verdict
from interlock.playbook.catalogue import Role, Verb
from interlock.ports import Server, World

_MOST = 2000
"""How many transactions after the fence are read from its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSettings:
    facts: ServerFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepsLog(NoOutputs):
    """A server keeps its binary log for long enough that another one can be away for a time."""

    server: ServerName = param(Kind.SERVER, "the server whose log it is")
    for_s: float = param(Kind.DURATION, "how long the other one is away")

    def look(self, world: World, /) -> SeenSettings:
        return SeenSettings(facts=world.server(self.server).facts())

    def decide(self, seen: SeenSettings, /) -> Verdict:
        return keeps_log_for(seen.facts, self.for_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuiescedFacts:
    """How the cluster is marked in the store, and noted on the server that takes the writes (`writer`, None if there is none or two); and
    what this run would note.
    """

    standing: Mark | None
    noted: Mark | None
    wanted: Mark
    writer: ServerName | None


def _quiesced(world: World, cluster: ClusterName, reason: str, for_s: float | None) -> QuiescedFacts:
    masters = [master.name for master in world.topology.masters()]
    open_now = writers(world.gather([world.server(name).write_facts for name in masters]))
    writer = open_now[0] if len(open_now) == 1 else None
    return QuiescedFacts(
        standing=mark_of(MarkKind.QUIESCED, cluster, world.marks.all()),
        noted=mark_of(MarkKind.QUIESCED, cluster, world.server(writer).noted(world.topology.name)) if writer else None,
        wanted=mark_by_this_run(world, MarkKind.QUIESCED, cluster, reason, for_s=for_s),
        writer=writer,
    )


def _note(seen: QuiescedFacts, mark: Mark) -> tuple[Effect, ...]:
    """Where the writes are; the other side has it by replication."""
    return (WriteNote(server=seen.writer, mark=mark),) if seen.writer is not None else ()


def _erase(seen: QuiescedFacts) -> tuple[Effect, ...]:
    return (EraseNote(server=seen.writer, mark=seen.noted),) if seen.writer is not None and seen.noted is not None else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkQuiesced(NoOutputs):
    """Note that a cluster is quiesced, in the store and on the servers: no run begins until it rejoins."""

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster that is quiesced")
    reason: str = param(Kind.TEXT, "why, for people")
    for_s: float = param(Kind.DURATION, "how long it is meant to last; its end reminds, and opens nothing")

    def look(self, world: World, /) -> QuiescedFacts:
        return _quiesced(world, self.cluster, self.reason, self.for_s)

    def decide(self, seen: QuiescedFacts, /) -> Verdict:
        if seen.standing is None or (seen.noted is None and seen.writer is not None):
            return Act(f"{self.cluster} is not noted as quiesced")
        return Done(f"{self.cluster} is noted as quiesced, in the store and on {seen.writer or 'no server: none takes writes'}")

    def effects(self, seen: QuiescedFacts, /) -> tuple[Effect, ...]:
        mark = seen.standing or seen.wanted
        store = (SetMark(mark=mark),) if seen.standing is None else ()
        return (*store, *(_note(seen, mark) if seen.noted is None else ()))

    def undo(self, before: QuiescedFacts, now: QuiescedFacts | None, /) -> tuple[Effect, ...]:
        """What this run noted; its note is erased where the writes are by then."""
        supposed = now or replace(before, standing=before.wanted, noted=before.wanted)
        erase = _erase(supposed) if before.noted is None else ()
        clear = (ClearMark(mark=supposed.standing),) if before.standing is None and supposed.standing is not None else ()
        return (*erase, *clear)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndQuiesce(NoOutputs):
    """Take away the notes that a cluster is quiesced, in the store and on the servers."""

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster that was quiesced")

    def look(self, world: World, /) -> QuiescedFacts:
        return _quiesced(world, self.cluster, "", None)

    def decide(self, seen: QuiescedFacts, /) -> Verdict:
        if seen.standing is None and seen.noted is None:
            return Done(f"{self.cluster} is not noted as quiesced")
        return Act(f"{self.cluster} is noted as quiesced")

    def effects(self, seen: QuiescedFacts, /) -> tuple[Effect, ...]:
        return (*_erase(seen), *((ClearMark(mark=seen.standing),) if seen.standing is not None else ()))

    def undo(self, before: QuiescedFacts, now: QuiescedFacts | None, /) -> tuple[Effect, ...]:
        supposed = now or replace(before, standing=None, noted=None)
        mark = (SetMark(mark=before.standing),) if before.standing is not None and supposed.standing is None else ()
        return (*mark, *(_note(supposed, before.noted) if before.noted is not None and supposed.noted is None else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietFacts:
    """`proof` is of this moment, `state` was read after it. `channel` is the one into the quiesced cluster. `written` are transactions of
    its own after its fence, where positions can't tell them from those that it applies.
    """

    at: datetime
    proof: FenceProof
    state: WriteFacts
    flavor: str
    sessions: tuple[SessionFacts, ...]
    events: tuple[EventFacts, ...]
    channel: ChannelFacts | None
    other: WriteFacts
    routes: tuple[RouteFacts, ...]
    mark: Mark | None
    written: tuple[LoggedTransaction, ...] = ()
    has_segments: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterIsQuiet:
    """Nobody writes on a cluster, nothing runs there by itself, and no route leads there; certified for people."""

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster that is quiesced")
    survivor: ServerName = param(Kind.SERVER, "the writer")
    fenced: Position = param(Kind.POSITION, "where it was when it was fenced, such as ${fenced.position}")
    may_differ: str = param(Kind.TEXT, "tables of segments that need not have been equal when these moved; * for all", default="")

    def look(self, world: World, /) -> QuietFacts:
        quiet, survivor = world.server(self.cluster), world.server(self.survivor)
        proof, its = quiet.proof_of_fence(), quiet.facts()
        return QuietFacts(
            at=world.marks.now(),
            proof=proof,
            state=quiet.write_facts(),
            flavor=its.flavor,
            sessions=quiet.sessions(),
            events=quiet.events(),
            channel=channel_from(self.survivor, quiet.channels()),
            other=survivor.write_facts(),
            routes=tuple(world.gather([world.route(name).facts for name in world.topology.routes])),
            mark=mark_of(MarkKind.QUIESCED, self.cluster, world.marks.all()),
            written=self._written(quiet, its.server_id),
            has_segments=bool(world.topology.segments),
        )

    def decide(self, seen: QuietFacts, /) -> Verdict:
        return is_quiet(self.cluster, self.fenced, seen.proof, seen.state, seen.routes, written=seen.written)

    def _written(self, quiet: Server, its_id: int) -> tuple[LoggedTransaction, ...]:
        """A file's end moves with what it applies, too: there the log itself is read."""
        if not isinstance(self.fenced, FilePosition):
            return ()
        return tuple(one for one in quiet.logged_since(self.fenced, _MOST) if one.server_id == its_id)

    def outputs(self, seen: QuietFacts, /) -> Mapping[str, object]:
        told = certificate(
            cluster=self.cluster,
            survivor=self.survivor,
            at=seen.at,
            proof=seen.proof,
            state=seen.state,
            flavor=seen.flavor,
            channel=seen.channel,
            other=seen.other,
            routes=seen.routes,
            sessions=seen.sessions,
            events=seen.events,
            mark=seen.mark,
            may_differ=self.may_differ if seen.has_segments else "",
        )
        return {"certificate": told, "position": seen.proof.position, "survivor": seen.other.position}


SPECS = (
    describe(KeepsLog, "server.keeps_log", Verb.CHECK),
    describe(MarkQuiesced, "cluster.mark_quiesced", Verb.DO, role=Role.NOTES),
    describe(EndQuiesce, "cluster.end_quiesce", Verb.DO, role=Role.NOTES),
    describe(
        ClusterIsQuiet,
        "cluster.is_quiet",
        Verb.CHECK,
        outputs={"certificate": Kind.TEXT, "position": Kind.POSITION, "survivor": Kind.POSITION},
    ),
)
