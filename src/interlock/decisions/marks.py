"""What the notes on a pair let pass: may a run begin, may a cluster take the writes, may somebody hold the pair, or release it.

A hold is a person's word to other people, so nothing but a person ends it: one that has expired still holds, and says so. Whose it is
makes no difference to a run: who held the pair and then forgot it is kept from moving the writes just the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from interlock.decisions.leases import utc
from interlock.model.marks import Mark, MarkKind
from interlock.model.topology import ClusterName, ServerName
from interlock.model.verdict import Act, Done, Refuse


def holds(marks: Sequence[Mark]) -> tuple[Mark, ...]:
    """Those that a person set, and those of a quiesce."""
    return tuple(mark for mark in marks if mark.kind in {MarkKind.HOLD, MarkKind.QUIESCED})


def failed_mark(cluster: str, marks: Sequence[Mark]) -> Mark | None:
    """None if the cluster is not marked as failed."""
    return mark_of(MarkKind.FAILED, cluster, marks)


def mark_of(kind: MarkKind, cluster: str, marks: Sequence[Mark]) -> Mark | None:
    return next((mark for mark in marks if mark.kind is kind and mark.subject == cluster), None)


def is_not_held(marks: Sequence[Mark], now: datetime, *, but_quiesced: str = "") -> Done | Refuse:
    """Whether a run may begin. A hold on one cluster holds the pair: no run leaves the other side alone. That `but_quiesced` is quiesced
    does not count: the run is the one that ends it.
    """
    held = [hold for hold in holds(marks) if not (hold.kind is MarkKind.QUIESCED and hold.subject == but_quiesced)]
    if not held:
        return Done("nobody holds the pair")
    return Refuse("; ".join(told(hold, now) for hold in held), " and ".join(dict.fromkeys(f"`{end_of(hold)}`" for hold in held)))


def by_a_note(server: ServerName, held: Refuse) -> Refuse:
    """The same, where it is a server that says so: the store need not know of it."""
    return Refuse(f"by a note on {server}: {held.why}", f"{held.hint} with the store that it was made with, or `interlock release`")


def may_take_writes(cluster: ClusterName, marks: Sequence[Mark]) -> Done | Refuse:
    """Whether the cluster is not one from which a failover took the writes."""
    mark = failed_mark(cluster, marks)
    if mark is None:
        return Done(f"{cluster} is not marked as failed")
    return Refuse(f"{cluster} {failed_since(mark)}, and has not rejoined", f"`interlock rejoin {cluster}` first")


def may_hold(wanted: Mark, marks: Sequence[Mark], now: datetime) -> Act | Refuse:
    """Whether `wanted` may be noted. One's own hold is replaced; another's stands, whatever part of the pair it names."""
    others = [hold for hold in holds(marks) if hold.by != wanted.by]
    if others:
        return Refuse("; ".join(told(hold, now) for hold in others), _ask(others))
    is_again = any(hold.subject == wanted.subject for hold in holds(marks))
    return Act(f"{subject(wanted)} is held {'on' if is_again else 'from now on'}")


def may_release(cluster: str, by: str, of: str | None, marks: Sequence[Mark], now: datetime) -> tuple[Mark, ...] | Refuse:
    """The holds that `by` may take away: of this cluster, or those that people set on the pair if it is empty. Another's is to be named
    with its owner `of`, and a quiesce with its cluster: nobody ends by habit what keeps somebody else safe.
    """
    standing = [
        hold
        for hold in holds(marks)
        if (hold.subject == cluster if cluster else hold.kind is MarkKind.HOLD) and (of is None or hold.by == of)
    ]
    if cluster and not standing and holds(marks):
        whose = f" by {of}" if of is not None else " by itself"
        return Refuse(f"{cluster} is not held{whose}: {'; '.join(told(hold, now) for hold in holds(marks))}", "`interlock release`")
    if of is not None and not standing and holds(marks):
        return Refuse(f"nothing is held by {of}: {'; '.join(told(hold, now) for hold in holds(marks))}", _ask(holds(marks)))
    others = [hold for hold in standing if hold.by not in {by, of}]
    if others:
        return Refuse("; ".join(told(hold, now) for hold in others), _ask(others))
    return tuple(standing)


def told(hold: Mark, now: datetime) -> str:
    """`the pair is held by anna@ops1 since …, until …: disk of east's is replaced`; or `east is quiesced by …`."""
    if hold.until is None:
        ends = ""
    elif hold.until <= now:
        last = "it rejoins" if hold.kind is MarkKind.QUIESCED else "it is released"
        ends = f", which has expired at {utc(hold.until)} and holds until {last}"
    else:
        ends = f", until {utc(hold.until)}"
    return f"{subject(hold)} is {held_how(hold)} by {hold.by} since {utc(hold.at)}{ends}: {hold.reason}"


def held_how(hold: Mark) -> str:
    return "quiesced" if hold.kind is MarkKind.QUIESCED else "held"


def failed_since(mark: Mark) -> str:
    run = f" (run {mark.run})" if mark.run else ""
    return f"is marked as failed since {utc(mark.at)}{run}"


def subject(mark: Mark) -> str:
    return mark.subject or "the pair"


def end_of(hold: Mark) -> str:
    """The command that ends it."""
    if hold.kind is MarkKind.QUIESCED:
        return f"interlock rejoin {hold.subject}"
    return f"interlock release {hold.subject}".rstrip()


def _ask(others: Sequence[Mark]) -> str:
    owners = sorted({hold.by for hold in others})
    releases = " and ".join(f"`interlock release --of {one}`" for one in owners)
    return f"ask {' and '.join(owners)}; or, if nobody works on it any more: {releases}"
