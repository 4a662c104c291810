"""What may be done about a lost row, judged by the row that the survivor has now. Pure.

Three rules. A key's lost changes are one chain: its first `before` is what the old writer found, its last `after` what it left. A row that
is as the chain left it needs nothing; one that is as the chain found it can take the chain again. Anything else is a person's to decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from interlock.dataclass import dataclass
from interlock.model.losses import Cell, Image, LossKind, Odd, RowChange

RowId = tuple[str, str, tuple[Cell, ...]]
"""Schema, table, and the values of the key's columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """All lost changes of one key: None is a row that is not there. `problem` is that of the first change that can't be judged."""

    first: Image | None
    last: Image | None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    kind: LossKind
    why: str


def keys_of(change: RowChange) -> tuple[RowId, ...]:
    """The rows that a change touches: two if it moves a row to another key, none if the table has no key or the image lacks it."""
    found: list[RowId] = []
    for image in (change.before, change.after):
        if image is None or not change.key or any(name not in image for name in change.key):
            continue
        row = (change.schema, change.table, tuple(image[name] for name in change.key))
        if row not in found:
            found.append(row)
    return tuple(found)


def fold(changes: Iterable[RowChange]) -> dict[RowId, Chain]:
    """The chain of each key, in the order of the log. A change that moves a row ends one key's row and begins the other's."""
    chains: dict[RowId, Chain] = {}
    for change in changes:
        touched = keys_of(change)
        for row in touched:
            before = change.before if len(touched) == 1 or row == touched[0] else None
            after = change.after if len(touched) == 1 or row == touched[-1] else None
            known = chains.get(row)
            chains[row] = Chain(
                first=known.first if known else before,
                last=after,
                problem=(known.problem if known else "") or change.problem or _broken(known, before),
            )
    return chains


def judge(chain: Chain, now: Image | None, collisions: Sequence[str] = ()) -> Judgement:
    """`now` is the survivor's row of that key. `collisions` names its other rows that have a unique value of the chain's last row."""
    if chain.problem:
        return Judgement(kind=LossKind.CONFLICTING, why=chain.problem)
    if chain.last == now:
        why = "the row is as it was left" if now is not None else "the row is gone, as it was left"
        return Judgement(kind=LossKind.ALREADY_THERE, why=why)
    if chain.first != now:
        return Judgement(kind=LossKind.CONFLICTING, why=_difference(chain.first, now))
    if collisions:
        return Judgement(kind=LossKind.CONFLICTING, why=f"another row has its unique value: {'; '.join(collisions)}")
    odd = sorted({cell.why for cell in (chain.last or {}).values() if isinstance(cell, Odd)})
    if odd:
        return Judgement(kind=LossKind.CONFLICTING, why=f"a value can't be written again exactly: {'; '.join(odd)}")
    return Judgement(kind=LossKind.REAPPLICABLE, why="nobody wrote the row since" if now is not None else "there is no such row since")


def agreed(changes: Sequence[RowChange], judged: Mapping[RowId, Judgement]) -> dict[RowId, Judgement]:
    """Rows between which a change moved something are judged alike, or a person decides on all of them: one can't be put back alone."""
    found = dict(judged)
    moves = [rows for change in changes if len(rows := keys_of(change)) > 1]
    settled = False
    while not settled:
        settled = True
        for rows in moves:
            if len({found[row].kind for row in rows}) > 1:
                settled = False
                why = next((found[row].why for row in rows if found[row].kind is LossKind.CONFLICTING), "")
                told = f"a row moved between two keys, and at the other: {why}" if why else "only a part of what was moved is there"
                for row in rows:
                    if found[row].kind is not LossKind.CONFLICTING:
                        found[row] = Judgement(kind=LossKind.CONFLICTING, why=told)
    return found


def judge_change(change: RowChange, judged: Mapping[RowId, Judgement]) -> Judgement:
    """Of one lost change, by what its rows' chains were judged and `agreed`."""
    rows = keys_of(change)
    if change.problem:
        return Judgement(kind=LossKind.CONFLICTING, why=change.problem)
    if not rows:
        return Judgement(kind=LossKind.CONFLICTING, why="the table has no key: nobody can tell which row it is")
    return judged[rows[0]]


def _broken(known: Chain | None, before: Image | None) -> str:
    """Images of one log follow one another; if they do not, something between them was not read."""
    if known is None or known.problem or known.last == before:
        return ""
    return "the log does not tell every change of this row"


def _difference(before: Image | None, now: Image | None) -> str:
    if now is None:
        return "the row is gone since"
    if before is None:
        return "a row of this key was written since"
    names = [name for name in now if name not in before or before[name] != now[name]]
    odd = sorted({cell.why for name in names for cell in (before.get(name), now[name]) if isinstance(cell, Odd)})
    if odd:
        return f"it can't be compared: {'; '.join(odd)}"
    return f"written since: {', '.join(names)}"
