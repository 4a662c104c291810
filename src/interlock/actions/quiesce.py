"""Quiescing a cluster: it is noted for every later command, its peer keeps enough log, and it is certified to be quiet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from interlock.actions.action import describe, param
from interlock.actions.check import NoOutputs
from interlock.actions.marks import mark_by_this_run
from interlock.decisions.giving_up import can_catch_up
from interlock.decisions.marks import mark_of
from interlock.decisions.quiet import certificate, is_quiet, keeps_log_for
from interlock.documents.fields import Kind
from interlock.model.effects import ClearMark, Effect, EraseNote, SetMark, WriteNote
from interlock.model.facts import ChannelFacts, EventFacts, FenceProof, RouteFacts, ServerFacts, SessionFacts, WriteFacts
from interlock.model.marks import Mark, MarkKind
from interlock.model.position import Position
from interlock.model.topology import ClusterName, ServerName
from interlock.model.verdict import Act, Done, Verdict
from interlock.playbook.catalogue import Verb
from interlock.ports import World


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
class SeenChannels:
    channels: tuple[ChannelFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CanCatchUp(NoOutputs):
    """A server's channel runs, or it is broken and the operator gives up by its sentence what the server lacks."""

    server: ServerName = param(Kind.SERVER, "the server that is to catch up")
    source: ServerName = param(Kind.SERVER, "the one that it replicates from")
    accept: str = param(Kind.TEXT, "the sentence that gives up what can't come, as `plan` prints it", default="")

    def look(self, world: World, /) -> SeenChannels:
        return SeenChannels(channels=world.server(self.server).channels())

    def decide(self, seen: SeenChannels, /) -> Verdict:
        return can_catch_up(self.server, self.source, seen.channels, self.accept)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuiescedFacts:
    """How the cluster is marked in the store and noted on the server, and what this run would note. `read_only`: of that server."""

    standing: Mark | None
    noted: Mark | None
    wanted: Mark
    read_only: bool


def _quiesced(world: World, cluster: ClusterName, server: ServerName, reason: str, for_s: float | None) -> QuiescedFacts:
    there = world.server(server)
    return QuiescedFacts(
        standing=mark_of(MarkKind.QUIESCED, cluster, world.marks.all()),
        noted=mark_of(MarkKind.QUIESCED, cluster, there.noted(world.topology.name)),
        wanted=mark_by_this_run(world, MarkKind.QUIESCED, cluster, reason, for_s=for_s),
        read_only=there.write_facts().read_only,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkQuiesced(NoOutputs):
    """Note that a cluster is quiesced, in the store and on the servers: no run begins until it rejoins."""

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster that is quiesced")
    note_on: ServerName = param(Kind.SERVER, "the writer, where a note is written; the other side has it by replication")
    reason: str = param(Kind.TEXT, "why, for people")
    for_s: float = param(Kind.DURATION, "how long it is meant to last; its end reminds, and opens nothing")

    def look(self, world: World, /) -> QuiescedFacts:
        return _quiesced(world, self.cluster, self.note_on, self.reason, self.for_s)

    def decide(self, seen: QuiescedFacts, /) -> Verdict:
        if seen.standing is None or seen.noted is None:
            return Act(f"{self.cluster} is not noted as quiesced")
        return Done(f"{self.cluster} is noted as quiesced, in the store and on {self.note_on}")

    def effects(self, seen: QuiescedFacts, /) -> tuple[Effect, ...]:
        mark = seen.standing or seen.wanted
        store = (SetMark(mark=mark),) if seen.standing is None else ()
        note = (WriteNote(server=self.note_on, mark=mark),) if seen.noted is None else ()
        return (*store, *note)

    def undo(self, before: QuiescedFacts, now: QuiescedFacts | None, /) -> tuple[Effect, ...]:
        """Nothing is written on a server that is fenced by now."""
        wrote_note = before.noted is None and (now is None or (now.noted is not None and not now.read_only))
        marked = before.standing is None and (now is None or now.standing is not None)
        erase = (EraseNote(server=self.note_on, mark=before.wanted),) if wrote_note else ()
        return (*erase, *((ClearMark(mark=before.wanted),) if marked else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class EndQuiesce(NoOutputs):
    """Take away the notes that a cluster is quiesced, in the store and on the servers."""

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster that was quiesced")
    note_on: ServerName = param(Kind.SERVER, "the writer, where the note is erased")

    def look(self, world: World, /) -> QuiescedFacts:
        return _quiesced(world, self.cluster, self.note_on, "", None)

    def decide(self, seen: QuiescedFacts, /) -> Verdict:
        if seen.standing is None and seen.noted is None:
            return Done(f"{self.cluster} is not noted as quiesced")
        return Act(f"{self.cluster} is noted as quiesced")

    def effects(self, seen: QuiescedFacts, /) -> tuple[Effect, ...]:
        note = (EraseNote(server=self.note_on, mark=seen.noted),) if seen.noted is not None else ()
        return (*note, *((ClearMark(mark=seen.standing),) if seen.standing is not None else ()))

    def undo(self, before: QuiescedFacts, now: QuiescedFacts | None, /) -> tuple[Effect, ...]:
        unmarked = now is None or now.standing is None
        erased = now is None or (now.noted is None and not now.read_only)
        mark = (SetMark(mark=before.standing),) if before.standing is not None and unmarked else ()
        return (*mark, *((WriteNote(server=self.note_on, mark=before.noted),) if before.noted is not None and erased else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietFacts:
    """`proof` is of this moment, `state` was read after it. `channel` is the one into the quiesced cluster."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterIsQuiet:
    """Nobody writes on a cluster, nothing runs there by itself, and no route leads there; certified for people."""

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster that is quiesced")
    survivor: ServerName = param(Kind.SERVER, "the writer")
    fenced: Position = param(Kind.POSITION, "where it was when it was fenced, such as ${fenced.position}")

    def look(self, world: World, /) -> QuietFacts:
        quiet, survivor = world.server(self.cluster), world.server(self.survivor)
        proof = quiet.proof_of_fence()
        return QuietFacts(
            at=world.marks.now(),
            proof=proof,
            state=quiet.write_facts(),
            flavor=quiet.facts().flavor,
            sessions=quiet.sessions(),
            events=quiet.events(),
            channel=next((one for one in quiet.channels() if one.source == self.survivor), None),
            other=survivor.write_facts(),
            routes=tuple(world.gather([world.route(name).facts for name in world.topology.routes])),
            mark=mark_of(MarkKind.QUIESCED, self.cluster, world.marks.all()),
        )

    def decide(self, seen: QuietFacts, /) -> Verdict:
        return is_quiet(self.cluster, self.fenced, seen.proof, seen.state, seen.routes)

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
        )
        return {"certificate": told, "position": seen.proof.position, "survivor": seen.other.position}


SPECS = (
    describe(KeepsLog, "server.keeps_log", Verb.CHECK),
    describe(CanCatchUp, "replication.can_catch_up", Verb.CHECK),
    describe(MarkQuiesced, "cluster.mark_quiesced", Verb.DO),
    describe(EndQuiesce, "cluster.end_quiesce", Verb.DO),
    describe(
        ClusterIsQuiet,
        "cluster.is_quiet",
        Verb.CHECK,
        outputs={"certificate": Kind.TEXT, "position": Kind.POSITION, "survivor": Kind.POSITION},
    ),
)
