"""Who takes writes, and may this server be opened now? The rule of promise 1 in one place.

Numbered as in `engine/INVARIANTS.md`: a server is opened only if (a) the lease is held, (b) every other master is proved fenced, by itself
or from outside, or a person answers for it, and (c) it holds the last position of each fenced one; where that can't be asked for, all that
it ever received from there.
"""

from __future__ import annotations

from collections.abc import Sequence

from interlock.dataclass import dataclass
from interlock.decisions.giving_up import is_given_up
from interlock.decisions.received import is_all_applied
from interlock.decisions.replication import two_kinds
from interlock.model.facts import ChannelFacts, FenceProof, WriteFacts
from interlock.model.fencing import AgentFacts
from interlock.model.position import Position
from interlock.model.topology import ServerName
from interlock.model.verdict import Applied, Done, Refuse, Verdict, Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherMaster:
    """A master that must not take writes. `proof` None: it did not prove it itself, for the reason `why`. Then `outside` says what closes
    it; or `accepted` is the sentence by which a person answers for it.
    """

    name: ServerName
    proof: FenceProof | None
    why: str = ""
    outside: AgentFacts | None = None
    accepted: str = ""

    @property
    def is_closed(self) -> bool:
        return self.proof is not None or self.outside is not None or bool(self.accepted)

    @property
    def closed_by(self) -> str:
        """For the record: its last position, or what stands for it."""
        if self.proof is not None:
            return str(self.proof.position)
        return f"fenced from outside by {self.outside.agent}: {self.outside.detail}" if self.outside else self.accepted or self.why


def has_stayed_fenced(before: FenceProof, now: FenceProof) -> Verdict:
    """A fenced server wrote nothing of its own since its fence was proved. An event that still ran, or a session that passes `read_only`,
    writes through a fence that reads back as closed.
    """
    if before.position.contains(now.own):
        return Done(f"{now.server} wrote nothing since its fence")
    return Refuse(
        f"{now.server} wrote {now.own} after its fence at {before.position}: something writes through read_only",
        f"find it on {now.server}: an event with a privileged definer, or a session of an account with READ ONLY ADMIN or ALL",
    )


def may_open(
    target: ServerName,
    position: Position,
    others: Sequence[OtherMaster],
    channels: Sequence[ChannelFacts] = (),
    *,
    lease_held: bool,
    given_up: str = "",
) -> Verdict:
    """Done: it may be opened, and warns of what was given up if it rests on that. Wait: it does not hold everything yet. Refuse: it must
    not be opened.

    `channels` are the target's, and count where another master can't be asked for its last position, or where a person has `given_up`
    what a broken one keeps back.
    """
    if not lease_held:
        return Refuse(f"{target} is not opened: this run's lease is not held", "see `interlock runs`: another run may hold the pair")
    for other in others:
        if not other.is_closed:
            return Refuse(
                f"{target} is not opened: {other.name} is not proved fenced ({other.why})",
                f"fence {other.name} (SET GLOBAL read_only=1), or prove it down, then resume",
            )
    rests_on: tuple[str, ...] = ()
    for other in others:
        if other.proof is None:
            applied = is_all_applied(target, other.name, position, channels)
            if not isinstance(applied, Done):
                return applied
        elif not position.can_be_compared_with(other.proof.position):
            return two_kinds(target, position, other.proof.position)
        elif not position.contains(other.proof.position):
            rests_on = (given_up,)
            if not is_given_up(target, other.name, channels, given_up):
                behind = position.behind(other.proof.position)
                return Wait(
                    f"{target} is {behind} transactions behind {other.name} ({position} has not reached {other.proof.position})",
                    Applied(target, other.proof.position),
                )
    if any(other.proof is None for other in others):
        return Done(f"{target} holds all that it received, and {', '.join(other.closed_by for other in others)}")
    if rests_on:
        return Done(f"nobody else takes writes, and a person answers for it: {given_up}", warnings=rests_on)
    return Done(f"{target} holds all that {', '.join(other.name for other in others)} acknowledged, and nobody else takes writes")


def writers(facts: Sequence[WriteFacts]) -> tuple[ServerName, ...]:
    """The servers that take client writes."""
    return tuple(seen.server for seen in facts if not seen.read_only)


def is_only_writer(expected: ServerName, facts: Sequence[WriteFacts]) -> Verdict:
    """Exactly one master takes writes, and it is `expected`."""
    open_now = writers(facts)
    match open_now:
        case (only,) if only == expected:
            return Done(f"{expected} takes the writes, and no other master does")
        case ():
            return Refuse(
                "no master takes writes",
                "see `interlock runs` for an unfinished run to resume or roll back; else open the right one by hand",
            )
        case (only,):
            return Refuse(
                f"{only} is the writer, not {expected}",
                f"if {only} is the right one, nothing is to be done; else name the clusters the other way round",
            )
        case _:
            return Refuse(
                f"{' and '.join(open_now)} all take writes at the same time",
                "SET GLOBAL read_only=1 on the one that should not, and compare the data before going on",
            )
