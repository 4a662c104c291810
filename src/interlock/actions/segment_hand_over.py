"""`segment.hand_over`: both servers say who owns a segment from now on, in a new epoch."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.actions.segment_facts import facts_on_masters
from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.model.effects import Effect, NoteOwner
from interlock.model.segments import SegmentNote
from interlock.model.topology import ClusterName, ServerName
from interlock.model.verdict import Act, Done, Verdict
from interlock.playbook.catalogue import Role, Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedOn:
    server: ServerName
    note: SegmentNote | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenNotes:
    """Of each master."""

    masters: tuple[NotedOn, ...]

    @property
    def epoch(self) -> int:
        return max((each.note.epoch for each in self.masters if each.note is not None), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """Note on both servers that a cluster owns a segment, in a new epoch. A server that knows of an older one is not opened."""

    segment: str = param(Kind.SEGMENT, "the segment")
    to: ClusterName = param(Kind.CLUSTER, "the cluster that owns it from now on")

    def look(self, world: World, /) -> SeenNotes:
        spec = world.topology.segments[self.segment]
        seen = facts_on_masters(world, spec)
        return SeenNotes(masters=tuple(NotedOn(server=each.server, note=each.note) for each in seen))

    def decide(self, seen: SeenNotes, /) -> Verdict:
        if {each.note for each in seen.masters} == {SegmentNote(owner=self.to, epoch=seen.epoch)}:
            return Done(f"{self.to} owns segment {self.segment}, in epoch {seen.epoch}")
        return Act(f"{self.to} is to own segment {self.segment} from epoch {seen.epoch + 1} on")

    def effects(self, seen: SeenNotes, /) -> tuple[Effect, ...]:
        note = SegmentNote(owner=self.to, epoch=seen.epoch + 1)
        return tuple(NoteOwner(server=each.server, segment=self.segment, note=note) for each in seen.masters)

    def undo(self, before: SeenNotes, now: SeenNotes | None, /) -> tuple[Effect, ...]:
        there = {each.server: each.note for each in now.masters} if now is not None else {}
        return tuple(
            NoteOwner(server=each.server, segment=self.segment, note=each.note)
            for each in before.masters
            if now is None or there.get(each.server) != each.note
        )

    def outputs(self, seen: SeenNotes, /) -> Mapping[str, object]:
        return {"epoch": seen.epoch}


SPECS = (describe(HandOver, "segment.hand_over", Verb.DO, outputs={"epoch": Kind.INTEGER}, role=Role.HANDS_OVER),)
