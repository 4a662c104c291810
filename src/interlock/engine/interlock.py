"""The interlock: the only way to an open server. Rule and numbering in `INVARIANTS.md`; the judgement itself is `decisions/writes.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from interlock.actions.fencing import look_at
from interlock.clock import Deadline
from interlock.decisions.fencing import proof_among
from interlock.decisions.replication import is_caught_up
from interlock.decisions.writes import OtherMaster, has_stayed_fenced, may_open
from interlock.engine.guard import Guard
from interlock.engine.journal import Journal, RecordKind
from interlock.errors import DriverError, OutcomeUnknown, StatementFailed, StepFailed, StoreFailed, Unreachable
from interlock.model.effects import Open
from interlock.model.facts import FenceProof, WriteFacts
from interlock.model.marks import Mark, MarkKind
from interlock.model.position import Position
from interlock.model.topology import ServerName
from interlock.model.verdict import Done, Refuse, Wait
from interlock.ports import World

_SLICE_S = 0.2
"""How long the server blocks at a time, before its applier is looked at."""


class Interlock:
    """Proofs of this run, made under its lease, and the opening that rests on them."""

    def __init__(self, world: World, guard: Guard, journal: Journal) -> None:
        self._world = world
        self._guard = guard
        self._journal = journal
        self._standing: dict[ServerName, FenceProof] = {}
        self._found_loose: set[ServerName] = set()
        self._accepted: dict[ServerName, str] = {}
        self._given_up: dict[ServerName, str] = {}
        self._failed: dict[ServerName, Mark] | None = None

    def accept(self, server: ServerName, sentence: str) -> None:
        """A person answers for it: what could not be proved of it stops no opening of this run. On the disk before anything rests on it."""
        self._journal.write(RecordKind.ACCEPTED, durable=True, server=server, sentence=sentence)
        self.recall_accepted({server: sentence})

    def recall_accepted(self, accepted: Mapping[ServerName, str]) -> None:
        """What the journal says was accepted."""
        self._accepted.update(accepted)

    def give_up(self, server: ServerName, sentence: str) -> None:
        """A person gives up what the server lacks. On the disk before anything rests on it."""
        self._journal.write(RecordKind.GIVEN_UP, durable=True, server=server, sentence=sentence)
        self.recall_given_up({server: sentence})

    def recall_given_up(self, given_up: Mapping[ServerName, str]) -> None:
        """What the journal says was given up."""
        self._given_up.update(given_up)

    def given_up(self, server: ServerName) -> str:
        """The sentence by which a person gave up what the server lacks; empty if nobody did."""
        return self._given_up.get(server, "")

    def see_marks(self) -> None:
        """Read, under the lease, which clusters a failover took the writes from: they are not opened before they have rejoined."""
        failed = {mark.subject: mark for mark in self._world.marks.all() if mark.kind is MarkKind.FAILED}
        self._failed = {master.name: failed[master.cluster] for master in self._world.topology.masters() if master.cluster in failed}

    def prove_fenced(self, server: ServerName) -> FenceProof:
        """Prove it now, and let the proof stand. DriverError if it can't be proved, or administrators may still write.

        A loose fence counts only where `prove_as_found` saw it, and as long as this run has neither fenced nor opened that server.
        """
        proof = self._world.server(server).proof_of_fence()
        if not proof.loose:
            self._found_loose.discard(server)
        elif server not in self._found_loose:
            raise StatementFailed(
                f"{server} is read-only, and administrators may still write: super_read_only=0",
                hint=f"SET GLOBAL super_read_only=1 on {server}",
                server=server,
            )
        return self._stands(proof)

    def prove_as_found(self, server: ServerName) -> FenceProof:
        """As `prove_fenced`, before the run's first effect: a standby may be loosely fenced for good, and nobody changes that here."""
        proof = self._world.server(server).proof_of_fence()
        if proof.loose:
            self._found_loose.add(server)
        return self._stands(proof)

    def prove_put_back(self, server: ServerName) -> None:
        """Of a fence that is again as it was seen: if it is loose, no opening may rest on it."""
        proof = self._world.server(server).proof_of_fence()
        if not proof.loose:
            self._stands(proof)

    def _stands(self, proof: FenceProof) -> FenceProof:
        server = proof.server
        self._standing[server] = proof
        self._journal.write(RecordKind.PROVED, server=server, position=proof.position, canary=proof.canary)
        return proof

    def forget(self, server: ServerName) -> None:
        """Something touches the server: what was proved of it no longer stands."""
        self._standing.pop(server, None)

    def open(self, effect: Open, deadline: Deadline, mark: str, sending: Callable[[], None]) -> None:
        """Open the server as soon as it may be, before the deadline. StepFailed, with the reason, if it may not: then nothing was sent.

        The caller has checked lease and locks; they are checked again here after each wait.
        """
        self.see_not_failed(effect.server)
        target = self._world.server(effect.server)
        (others, position), has_waited = self._look(effect.server), False
        given_up = self.given_up(effect.server)
        while True:
            channels = target.channels() if given_up or any(other.proof is None for other in others) else ()
            match may_open(effect.server, position, others, channels, lease_held=True, given_up=given_up):
                case Done() if has_waited:
                    (others, position), has_waited = self._look(effect.server), False
                case Done(_, warnings):
                    break
                case Refuse(why, hint):
                    raise StepFailed(why, hint=hint, server=effect.server)
                case Wait(why, until):
                    broken = is_caught_up(effect.server, position, until.position, target.channels()) if until else None
                    if isinstance(broken, Refuse):
                        raise StepFailed(broken.why, hint=broken.hint, server=effect.server)
                    if deadline.is_over():
                        raise StepFailed(why, hint=f"let {effect.server} catch up, then resume", server=effect.server)
                    has_waited = True
                    if until:
                        target.wait_applied(until.position, min(_SLICE_S, deadline.left_s()))
                    self._guard.check({effect.server})
                    position = target.write_facts().position
                case _:
                    raise StepFailed(f"{effect.server} may not be opened", server=effect.server)
        self._journal.write(
            RecordKind.OPENING,
            server=effect.server,
            position=position,
            others={other.name: other.closed_by for other in others},
            given_up="; ".join(warnings),
        )
        self.forget(effect.server)
        self._found_loose.discard(effect.server)
        sending()
        target.apply(effect, mark=mark)

    def see_not_failed(self, server: ServerName) -> None:
        """StepFailed if it failed and has not rejoined. A store that says nothing stops nobody's way back (see Guard.lenient)."""
        if self._failed is None:
            try:
                self.see_marks()
            except StoreFailed:
                if not self._guard.lenient:
                    raise
        mark = (self._failed or {}).get(server)
        if mark is not None and mark.run != self._journal.run:
            raise StepFailed(
                f"{server} is not opened: {mark.reason}, and it has not rejoined since",
                hint=f"`interlock rejoin {mark.subject}` first",
                server=server,
            )

    def _look(self, server: ServerName) -> tuple[list[OtherMaster], Position]:
        """At the other masters, and at what this one holds, at the same time: clients wait. What it holds only grows, and a fence that is
        proved stays where it is, so it does not matter which of them is read first.
        """
        looks: list[Callable[[], OtherMaster | WriteFacts]] = [
            partial(self._other, name) for name in self._world.topology.other_masters(server)
        ]
        found = self._world.gather([*looks, self._world.server(server).write_facts])
        (facts,) = (each for each in found if isinstance(each, WriteFacts))
        return [each for each in found if isinstance(each, OtherMaster)], facts.position

    def _other(self, name: ServerName) -> OtherMaster:
        """Proved anew at the last moment. What does not answer then stands by its earlier proof; what has written since has none."""
        standing = self._standing.get(name)
        if self._guard.is_silent(name):  # it was silent a moment ago: clients wait, and another time-out tells nothing
            return OtherMaster(name=name, proof=standing) if standing else self._from_outside(name, "it does not answer")
        try:
            proof = self.prove_fenced(name)
        except (Unreachable, OutcomeUnknown) as silent:
            # It says nothing. What was proved under this lease stands, for nothing has touched it since.
            return OtherMaster(name=name, proof=standing) if standing else self._from_outside(name, silent.message)
        except DriverError as denied:
            self.forget(name)
            return OtherMaster(name=name, proof=None, why=denied.message)
        match has_stayed_fenced(standing or proof, proof):
            case Refuse(why):
                self.forget(name)
                return OtherMaster(name=name, proof=None, why=why)
            case _:
                return OtherMaster(name=name, proof=proof)

    def is_closed_outside(self, server: ServerName) -> bool:
        """Whether a way of fencing says so: whatever the server itself would say, no client can write to it."""
        return proof_among(look_at(self._world, self._world.topology.server(server).cluster).agents) is not None

    def _from_outside(self, name: ServerName, why: str) -> OtherMaster:
        """It says nothing of itself, and never did in this run. The agents are asked anew, for somebody may have let it start meanwhile."""
        proof = proof_among(look_at(self._world, self._world.topology.server(name).cluster).agents)
        if proof is not None:
            self._journal.write(RecordKind.PROVED_OUTSIDE, server=name, agent=proof.agent, detail=proof.detail)
        return OtherMaster(name=name, proof=None, why=why, outside=proof, accepted=self._accepted.get(name, ""))
