"""May `watch --act failover` act now? A fold over what each look saw: state, look, time → state, and `Act` or `Wait` with its reason.

Four rules. Dead at every look for long enough, and at enough looks; one look that says anything else begins anew, and so does a pause
between two looks in which nobody watched. It must be possible to prove the fence: an automatic act accepts nothing on anybody's behalf.
Whatever people or other runs are doing on the pair comes first. And one act in a block period: a pair that was failed over a moment ago and
looks dead again is for people.
"""

from __future__ import annotations

from interlock.dataclass import dataclass
from interlock.model.liveness import Liveness
from interlock.model.verdict import Act, Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`after_s`: dead for so long, at `looks` looks at the least; looks further apart than that are no row. `block_s` after an act."""

    after_s: float = 5.0
    looks: int = 3
    block_s: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """`writer` is the cluster that takes the writes, or did when that was last known; None if it never was. `in_the_way` says what of
    people or runs keeps the pair: a hold, a mark, an unfinished run; empty if nothing does. `since_act_s`: the last automatic act by
    anybody, None without one.
    """

    writer: str | None
    state: Liveness
    can_fence: bool
    in_the_way: str = ""
    since_act_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The looks in a row at which this writer was dead. Times are monotonic. `acted_s` is when this watcher last acted."""

    writer: str | None = None
    since_s: float = 0.0
    last_s: float = 0.0
    looks: int = 0
    acted_s: float | None = None


def watch(row: Row, look: Look, now_s: float, policy: Policy) -> tuple[Row, Act | Wait]:
    """The row with this look, and what follows. `acted` is to be told of an act."""
    if look.writer is None:
        return Row(acted_s=row.acted_s), Wait("it is not known which cluster takes the writes")
    if look.state is not Liveness.DEAD:
        return Row(acted_s=row.acted_s), Wait(f"{look.writer} is {look.state.value}")
    is_next = row.looks > 0 and row.writer == look.writer and 0 <= now_s - row.last_s <= policy.after_s
    now = Row(
        writer=look.writer,
        since_s=row.since_s if is_next else now_s,
        last_s=now_s,
        looks=row.looks + 1 if is_next else 1,
        acted_s=row.acted_s,
    )
    return now, _follows(now, look, now_s, policy)


def acted(row: Row, now_s: float) -> Row:
    """After an act, whatever its outcome."""
    return Row(acted_s=now_s if row.acted_s is None else max(now_s, row.acted_s))


def _follows(row: Row, look: Look, now_s: float, policy: Policy) -> Act | Wait:
    for_s = now_s - row.since_s
    seen = f"{look.writer} is dead for {for_s:.1f}s at {row.looks} looks"
    own_s = None if row.acted_s is None else now_s - row.acted_s
    since = [each for each in (own_s, look.since_act_s) if each is not None]
    if for_s < policy.after_s or row.looks < policy.looks:
        return Wait(f"{seen}, {policy.after_s:g}s and {policy.looks} looks are wanted")
    if not look.can_fence:
        return Wait(f"{seen}; the topology has no fencing for {look.writer}, and what can't be proved only a person accepts")
    if look.in_the_way:
        return Wait(f"{seen}; {look.in_the_way}")
    if since and min(since) < policy.block_s:
        return Wait(f"{seen}; the last automatic act was {max(0.0, min(since)):.0f}s ago, the block is {policy.block_s:g}s")
    return Act(seen)
