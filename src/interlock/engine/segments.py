"""The interlock for each segment of an active/active pair: the only way to an open segment. Rule and numbering in `INVARIANTS.md`."""

from __future__ import annotations

from collections.abc import Callable

from interlock.clock import Deadline
from interlock.decisions.replication import is_caught_up
from interlock.decisions.segments import OtherSide, may_open_segment
from interlock.engine.guard import Guard
from interlock.engine.journal import Journal, RecordKind
from interlock.errors import DriverError, OutcomeUnknown, StatementFailed, StepFailed, Unreachable
from interlock.model.effects import Open, OpenSegment
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

    def prove_closed(self, server: ServerName, segment: str) -> SegmentFacts:
        """Read it back now, and let it stand. StatementFailed if somebody can write it there."""
        seen = self._world.server(server).segments.facts(self._spec(segment))
        if seen.open_by:
            raise StatementFailed(
                f"segment {segment} can be written on {server}: {seen.open_by}",
                hint="lock its accounts, revoke their rights on its schemas, and end their sessions",
                server=server,
            )
        self._standing[server, segment] = seen
        self._journal.write(RecordKind.PROVED, server=server, segment=segment, position=seen.position, canary="no account can write it")
        return seen

    def forget(self, server: ServerName, segment: str) -> None:
        """Something touches it there: what was proved no longer stands."""
        self._standing.pop((server, segment), None)

    def open(self, effect: OpenSegment, deadline: Deadline, mark: str, sending: Callable[[], None]) -> None:
        """Open it as soon as it may be, before the deadline. StepFailed, with the reason, if it may not: then nothing was sent.

        The caller has checked lease and locks; they are checked again here after each wait, and everything is proved anew.
        """
        target = self._world.server(effect.server)
        spec, cluster = self._spec(effect.segment), self._world.topology.server(effect.server).cluster
        given_up = self._given_up(effect.server)
        while True:
            others = [self._other(name, effect.segment) for name in self._world.topology.other_masters(effect.server)]
            here = target.segments.facts(spec)
            channels = target.channels() if given_up else ()
            match may_open_segment(cluster, spec, here, others, channels, given_up=given_up):
                case Done():
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
            server=effect.server,
            segment=effect.segment,
            position=here.position,
            others={other.name: other.closed.position for other in others if other.closed is not None},
            given_up=given_up,
        )
        self.forget(effect.server, effect.segment)
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

    def _other(self, name: ServerName, segment: str) -> OtherSide:
        """Proved anew at the last moment. What says nothing then stands by its earlier proof."""
        standing = self._standing.get((name, segment))
        if self._guard.is_silent(name):
            return OtherSide(name=name, closed=standing, why="it does not answer")
        try:
            return OtherSide(name=name, closed=self.prove_closed(name, segment))
        except (Unreachable, OutcomeUnknown) as silent:
            return OtherSide(name=name, closed=standing, why=silent.message)
        except DriverError as denied:
            self.forget(name, segment)
            return OtherSide(name=name, closed=None, why=denied.message)

    def _spec(self, segment: str) -> SegmentSpec:
        """StatementFailed if the topology has it no more."""
        spec = self._world.topology.segments.get(segment)
        if spec is None:
            raise StatementFailed(f"there is no segment {segment} in this topology", hint="give the topology file that the run began with")
        return spec
