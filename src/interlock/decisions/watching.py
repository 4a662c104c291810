"""May `watch --act failover` act now? A fold over what each look saw: state, look, time → state, and `Act` or `Wait` with its reason.

Four rules. Dead at every look for long enough, and at enough looks; one look that says anything else begins anew, and so does a pause
between two looks in which nobody watched. It must be possible to prove the fence: an automatic act accepts nothing on anybody's behalf.
Whatever people or other runs are doing on the pair comes first. And one act in a block period: a pair that was failed over a moment ago and
looks dead again is for people. An act that was refused has changed nothing: it is tried again, though not at once.
"""

from __future__ import annotations

from dataclasses import replace

from interlock.dataclass import dataclass
from interlock.model.liveness import Liveness
from interlock.model.verdict import Act, Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`after_s`: dead for so long, at `looks` looks at the least; looks further apart than that are no row. `block_s` after an act,
    `again_s` after one that was refused.
    """

    after_s: float = 5.0
    looks: int = 3
    block_s: float = 3600.0
    again_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """`writer` is the cluster that takes the writes, or did when that was last known; None if it never was. `in_the_way` says what of
    people or runs keeps the pair: a hold, a mark, an unfinished run; empty if nothing does. `since_act_s`: the last automatic act by
    anybody that was not refused, and `since_refusal_s` the last that was; None without one.
    """

    writer: str | None
    state: Liveness
    can_fence: bool
    in_the_way: str = ""
    since_act_s: float | None = None
    since_refusal_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Of one look, monotonic: the verdict is not older than `began_s`, nor younger than `judged_s`; all else was seen by `ended_s`."""

    began_s: float
    judged_s: float
    ended_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The looks in a row at which this writer was dead, since the verdict of the first one; the last one ended at `ended_s`. `acted_s` is
    when this watcher last acted, `refused_s` when it last began to and was refused.
    """

    writer: str | None = None
    since_s: float = 0.0
    ended_s: float = 0.0
    looks: int = 0
    acted_s: float | None = None
    refused_s: float | None = None

    def ended(self) -> Row:
        """No looks, and all that was done."""
        return Row(acted_s=self.acted_s, refused_s=self.refused_s)


def watch(row: Row, look: Look, times: Times, policy: Policy) -> tuple[Row, Act | Wait]:
    """The row with this look, and what follows. `acted` or `refused` is to be told of an act.

    A host or a proxy that says nothing is waited for at each look: so a pause is what lies between two of them, and a writer was dead no
    longer than from one verdict to the other.
    """
    if look.writer is None:
        return row.ended(), Wait("it is not known which cluster takes the writes")
    if look.state is not Liveness.DEAD:
        return row.ended(), Wait(f"{look.writer} is {look.state.value}")
    is_next = row.looks > 0 and row.writer == look.writer and 0 <= times.began_s - row.ended_s <= policy.after_s
    now = replace(
        row,
        writer=look.writer,
        since_s=row.since_s if is_next else times.judged_s,
        ended_s=times.ended_s,
        looks=row.looks + 1 if is_next else 1,
    )
    return now, _follows(now, look, times, policy)


def acted(row: Row, now_s: float) -> Row:
    """After an act, however it ended."""
    return replace(row.ended(), acted_s=now_s)


def refused(row: Row, now_s: float) -> Row:
    """After one that changed nothing, or did not begin."""
    return replace(row.ended(), refused_s=now_s)


def _follows(row: Row, look: Look, times: Times, policy: Policy) -> Act | Wait:
    for_s = max(0.0, times.began_s - row.since_s)
    seen = f"{look.writer} is dead for {for_s:.1f}s at {row.looks} looks"
    if for_s < policy.after_s or row.looks < policy.looks:
        return Wait(f"{seen}, {policy.after_s:g}s and {policy.looks} looks are wanted")
    if not look.can_fence:
        return Wait(f"{seen}; the topology has no fencing for {look.writer}, and what can't be proved only a person accepts")
    if look.in_the_way:
        return Wait(f"{seen}; {look.in_the_way}")
    act_s = _latest(row.acted_s, look.since_act_s, times.ended_s)
    if act_s is not None and act_s < policy.block_s:
        return Wait(f"{seen}; the last automatic act was {act_s:.0f}s ago, the block is {policy.block_s:g}s")
    refusal_s = _latest(row.refused_s, look.since_refusal_s, times.ended_s)
    if refusal_s is not None and refusal_s < policy.again_s:
        return Wait(f"{seen}; the last automatic act was refused {refusal_s:.0f}s ago, the next try comes after {policy.again_s:g}s")
    return Act(seen)


def _latest(own_at_s: float | None, since_s: float | None, now_s: float) -> float | None:
    """How long ago, by one's own clock or by the store; None for never. A wall clock that was set back makes nothing come to be."""
    ages = [age for age in (None if own_at_s is None else now_s - own_at_s, since_s) if age is not None]
    return max(0.0, min(ages)) if ages else None
