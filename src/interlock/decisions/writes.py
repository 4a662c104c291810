"""Who takes writes, and may this server be opened now? The rule of promise 1 in one place.

Numbered as in `engine/INVARIANTS.md`: a server is opened only if (a) the lease is held, (b) every other master is proved fenced, or its
fence was accepted by name, and (c) it holds the last position of each fenced one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from interlock.decisions.replication import two_kinds
from interlock.model.facts import FenceProof, WriteFacts
from interlock.model.position import Position
from interlock.model.topology import ServerName
from interlock.model.verdict import Applied, Done, Refuse, Verdict, Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherMaster:
    """A master that must not take writes. `proof` None: it could not be proved, for the reason `why`."""

    name: ServerName
    proof: FenceProof | None
    why: str = ""
    accepted: bool = False


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


def may_open(target: ServerName, position: Position, others: Sequence[OtherMaster], *, lease_held: bool) -> Verdict:
    """Done: it may be opened. Wait: it does not hold everything yet. Refuse: it must not be opened."""
    if not lease_held:
        return Refuse(f"{target} is not opened: this run's lease is not held", "see `interlock runs`: another run may hold the pair")
    for other in others:
        if other.proof is None and not other.accepted:
            return Refuse(
                f"{target} is not opened: {other.name} is not proved fenced ({other.why})",
                f"fence {other.name} (SET GLOBAL read_only=1), or prove it down, then resume",
            )
    for other in others:
        if other.proof is not None and not position.can_be_compared_with(other.proof.position):
            return two_kinds(target, position, other.proof.position)
        if other.proof is not None and not position.contains(other.proof.position):
            behind = position.behind(other.proof.position)
            return Wait(
                f"{target} is {behind} transactions behind {other.name} ({position} has not reached {other.proof.position})",
                Applied(target, other.proof.position),
            )
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
            return Refuse(f"{only} is the writer, not {expected}", f"name {only} as `from`, or do nothing: it is there already")
        case _:
            return Refuse(
                f"{' and '.join(open_now)} all take writes at the same time",
                "SET GLOBAL read_only=1 on the one that should not, and compare the data before going on",
            )
