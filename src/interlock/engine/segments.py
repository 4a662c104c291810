"""The interlock for each segment of an active/active pair: the only way to an open segment. Rule and numbering in `INVARIANTS.md`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from interlock.clock import Deadline
from interlock.decisions.replication import is_caught_up
from interlock.decisions.segments import OtherSide, may_open_segment
from interlock.engine.guard import Guard
from interlock.engine.journal import Journal, RecordKind
from interlock.errors import DriverError, OutcomeUnknown, StatementFailed, StepFailed, Unreachable
from interlock.model.effects import Open, OpenSegment
from interlock.model.position import Position
from interlock.model.segments import SegmentFacts
from interlock.model.topology import SegmentSpec, ServerName
from interlock.model.verdict import Done, Refuse, Wait
from interlock.ports import World

_SLICE_S = 0.2
"""How long the server blocks at a time, before its applier is looked at."""


class SegmentInterlock:
    """Proofs of this run that a segment is closed somewhere, made under its lease, and the opening that rests on them.

    `given_up` says by which sentence a person gave up what a server lacks, if one did.
    """

    def __init__(self, world: World, guard: Guard, journal: Journal, given_up: Callable[[ServerName], str]) -> None:
        self._given_up = given_up
        self._world = world
        self._guard = guard
        self._journal = journal
        self._standing: dict[tuple[ServerName, str], SegmentFacts] = {}
        self._closed_at: dict[tuple[ServerName, str], Position] = {}

    def prove_closed(self, server: ServerName, segment: str) -> SegmentFacts:
        """Read it back now, and let it stand. StatementFailed if somebody can write it there."""
        seen = self._world.server(server).segments.facts(self._spec(segment))
        if seen.open_by:
            self.touched(server, segment)
            raise StatementFailed(
                f"segment {segment} can be written on {server}: {seen.open_by}",
                hint="lock its accounts, revoke their rights on its schemas, and end their sessions",
                server=server,
            )
        self._standing[server, segment] = seen
        self._closed_at.setdefault((server, segment), seen.position)
        self._journal.write(RecordKind.PROVED, server=server, segment=segment, position=seen.position, canary="no account can write it")
        return seen

    def forget(self, server: ServerName, segment: str) -> None:
        """Something is noted of it there: what was seen no longer stands."""
        self._standing.pop((server, segment), None)

    def touched(self, server: ServerName, segment: str) -> None:
        """Who can write it there changes, or changed: it is not closed since it was seen closed."""
        self.forget(server, segment)
        self._closed_at.pop((server, segment), None)

    def go_one_way(self, server: ServerName) -> None:
        """What is opened elsewhere does not come back to this server. On the disk before anything rests on it."""
        if server not in self._one_way():
            self._journal.write(RecordKind.ONE_WAY, durable=True, server=server)

    @property
    def goes_one_way(self) -> bool:
        """Whether this run rests on what it opened being known for sure: its journal can't leave that to the next record."""
        return bool(self._one_way())

    def opened_for_good(self, server: ServerName, segment: str) -> ServerName | None:
        """Where this run has opened a segment whose way back to `server` was broken from the beginning; None if it has not."""
        elsewhere = (name for name in self._opened(segment) if name != server)
        return next(elsewhere, None) if server in self._one_way() else None

    def _one_way(self) -> set[str]:
        return {str(record.body["server"]) for record in self._journal.records if record.kind == RecordKind.ONE_WAY}

    def _opened(self, segment: str) -> list[ServerName]:
        """Where this run may have opened it. Of one that goes one way each opening is on the disk before it is sent."""
        bodies = (record.body for record in self._journal.records if record.kind == RecordKind.OPENING)
        return [ServerName(str(body["server"])) for body in bodies if body.get("segment") == segment]

    def open(self, effect: OpenSegment, deadline: Deadline, mark: str, sending: Callable[[], None]) -> None:
        """Open it as soon as it may be, before the deadline. StepFailed, with the reason, if it may not: then nothing was sent.

        The caller has checked lease and locks; they are checked again here after each wait, and everything is proved anew.
        """
        target = self._world.server(effect.server)
        spec, cluster = self._spec(effect.segment), self._world.topology.server(effect.server).cluster
        given_up = self._given_up(effect.server)
        while True:
            others = [self._other(name, effect) for name in self._world.topology.other_masters(effect.server)]
            here = target.segments.facts(spec)
            channels = target.channels() if given_up else ()
            match may_open_segment(cluster, spec, here, others, channels, given_up=given_up):
                case Done(_, warnings):
                    break
                case Refuse(why, hint):
                    raise StepFailed(why, hint=hint, server=effect.server)
                case Wait(why, until):
                    broken = is_caught_up(effect.server, here.position, until.position, target.channels()) if until else None
                    if isinstance(broken, Refuse):
                        raise StepFailed(broken.why, hint=broken.hint, server=effect.server)
                    if deadline.is_over():
                        raise StepFailed(why, hint=f"let {effect.server} catch up, then resume", server=effect.server)
                    if until:
                        target.wait_applied(until.position, min(_SLICE_S, deadline.left_s()))
                    self._guard.check({effect.server})
                case _:
                    raise StepFailed(f"segment {effect.segment} may not be opened on {effect.server}", server=effect.server)
        self._journal.write(
            RecordKind.OPENING,
            durable=self.goes_one_way,
            server=effect.server,
            segment=effect.segment,
            position=here.position,
            others={other.name: other.closed.position for other in others if other.closed is not None},
            given_up="; ".join(warnings),
        )
        self.touched(effect.server, effect.segment)
        sending()
        target.segments.apply(effect, mark=mark)

    def open_server(self, effect: Open, mark: str, sending: Callable[[], None]) -> None:
        """Open a whole server beside one that takes writes: every segment is proved closed there now, so that nobody can write one. What
        is written on the other one goes on. StepFailed, and nothing was sent, if a segment is open there.
        """
        try:
            for segment in self._world.topology.segments:
                self.prove_closed(effect.server, segment)
        except StatementFailed as found:
            raise StepFailed(f"{effect.server} is not opened: {found.message}", hint=found.hint, server=effect.server) from found
        sending()
        self._world.server(effect.server).apply(effect, mark=mark)

    def _other(self, name: ServerName, effect: OpenSegment) -> OtherSide:
        """Proved anew at the last moment. What says nothing then stands by its earlier proof."""
        segment = effect.segment
        standing, written = self._standing.get((name, segment)), self._may_be_written(name, effect)
        if self._guard.is_silent(name):
            return OtherSide(name=name, closed=self._since(standing), why="it does not answer", written=written)
        try:
            return OtherSide(name=name, closed=self._since(self.prove_closed(name, segment)), written=written)
        except (Unreachable, OutcomeUnknown) as silent:
            return OtherSide(name=name, closed=self._since(standing), why=silent.message, written=written)
        except DriverError as denied:
            self.touched(name, segment)
            return OtherSide(name=name, closed=None, why=denied.message)

    def _since(self, seen: SegmentFacts | None) -> SegmentFacts | None:
        """With the position at which it was first seen closed there: what is written there since is of other segments, without an end."""
        return replace(seen, position=self._closed_at[seen.server, seen.segment]) if seen is not None else None

    def _may_be_written(self, name: ServerName, effect: OpenSegment) -> bool:
        """Not where it is only given back to whom it was taken from, and was never opened there."""
        return not (effect.as_was and effect.server in self._one_way()) or name in self._opened(effect.segment)

    def _spec(self, segment: str) -> SegmentSpec:
        """StatementFailed if the topology has it no more."""
        spec = self._world.topology.segments.get(segment)
        if spec is None:
            raise StatementFailed(f"there is no segment {segment} in this topology", hint="give the topology file that the run began with")
        return spec
