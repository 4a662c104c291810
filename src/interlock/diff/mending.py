"""Mending rows on one side, and taking that back: a few rows in one transaction, each guarded by the whole row, none in the binary log.

What may be committed is `mend_fit.py`'s to say; a row that may not is left as it is, and told. A note of what was mended is committed with
the rows: so a repair that is killed does nothing twice, and `--undo` knows what to take back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import count

from interlock.dataclass import dataclass
from interlock.diff.mend_fit import Sides, unfit
from interlock.diff.mend_pace import Pace
from interlock.diff.mend_plan import ROWS_AT_ONCE, Mend, not_safe, portions, row_name
from interlock.errors import BoundReached, OutcomeUnknown, StatementFailed
from interlock.losses.applied import MENDED
from interlock.losses.sql import SETTINGS
from interlock.model.losses import Change
from interlock.servers import canary
from interlock.servers.quoting import marked
from interlock.servers.session import Session, text_of

UNLOGGED = f"{SETTINGS}, innodb_lock_wait_timeout=5, lock_wait_timeout=5, sql_log_bin=0"
_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """What became of one row: how many of it were changed; 0 with the reason `why`."""

    index: int
    what: str
    change: Change
    rows: int
    why: str = ""


class _Refused(Exception):
    """The server refused a statement; nothing of its transaction stands."""

    def __init__(self, mend: Mend, why: str) -> None:
        super().__init__(why)
        self.mend = mend
        self.why = why


def prove_unlogged(session: Session) -> None:
    """StatementFailed if what this connection writes would be logged."""
    told = session.rows("SELECT @@SESSION.sql_log_bin AS logged")[0]["logged"]
    if text_of(told) not in {"0", "OFF"}:
        raise StatementFailed(f"{session.server}: sql_log_bin is {text_of(told)} after it was set to 0", server=session.server)


def notes_name(comparison: str, onto: str) -> str:
    """Under which the notes of its repair stand in `interlock.mended` on that side."""
    return f"{comparison}/{onto}"


def mend(sides: Sides, mends: Sequence[Mend], *, pace: Pace) -> Iterator[list[Mended]]:
    """One result for each, a transaction's worth at a time: whoever takes no more of them leaves the rest as it is. A row that the server
    refuses is tried again as long as others make way.

    OutcomeUnknown if a commit's answer did not come: the next call knows what was mended.
    """
    prove_unlogged(sides.session)
    if mends:
        sides.session.run((canary.SCHEMA, MENDED.table), bound_s=_WITHIN_S, effect=True, doing="make the table of what was mended")
    numbers = count(1 + max((int(number) for number in MENDED.rows(sides.session, sides.name)), default=0))
    waiting = list(mends)
    while waiting:
        refused: list[_Refused] = []
        moved = False
        for portion in portions(waiting, pace.at_once(ROWS_AT_ONCE)):
            pace(len(portion))
            results = _mend_portion(sides, portion, refused, numbers)
            moved = moved or any(one.rows for one in results)
            yield results
        if not moved:
            yield [_left(one.mend, one.why) for one in refused]
            return
        waiting = [one.mend for one in refused]


def take_back(sides: Sides, mends: Sequence[Mend], *, since: int, pace: Pace) -> Iterator[list[Mended]]:
    """Those of these that the notes after the number `since` say were mended, the last note first; as in `mend`. A row that was written
    since stays, and is noted still.
    """
    prove_unlogged(sides.session)
    last_first = sorted(MENDED.rows(sides.session, sides.name).items(), key=lambda one: int(one[0]), reverse=True)
    places = {one.index: place for place, one in enumerate(mends)}
    for number, noted in last_first:
        portion = [mends[place] for place in sorted((places[index] for index in noted if index in places), reverse=True)]
        if portion and int(number) > since:
            pace(len(portion))
            yield _take_back_note(sides, number, noted, portion)


# -- one transaction ----------------------------------------------------------------------------------------------------------------------


def _mend_portion(sides: Sides, mends: Sequence[Mend], refused: list[_Refused], numbers: Iterator[int]) -> list[Mended]:
    """Begun anew without each row that can't be mended, until all that are left can."""
    left: dict[int, Mended] = {}
    going = list(mends)
    while going:
        try:
            why = _attempt(sides, going, left, numbers)
        except _Refused as one:
            refused.append(one)
            going = [mend for mend in going if mend is not one.mend and mend.index not in left]
            continue
        if not why:
            break
        left |= {mend.index: _left(mend, why[mend.index]) for mend in going if mend.index in why}
        going = [mend for mend in going if mend.index not in left]
    return [
        left.get(mend.index) or Mended(index=mend.index, what=row_name(mend.difference), change=mend.change, rows=mend.rows)
        for mend in mends
        if all(one.mend is not mend for one in refused)
    ]


def _attempt(sides: Sides, mends: Sequence[Mend], left: dict[int, Mended], numbers: Iterator[int]) -> dict[int, str]:
    """Commits and returns nothing; or changes nothing, and says which rows can't be mended, and why. Those that were written since go to
    `left`: their statements change nothing. `numbers` are for notes.
    """
    _send(sides, "START TRANSACTION")
    changed: list[Mend] = []
    for mend in mends:
        if _try(sides, mend, mend.sql):
            changed.append(mend)
        else:
            left[mend.index] = _left(mend, _why_not(mend, sides))
    why = unfit(sides, changed)
    if why or not changed:
        _send(sides, "ROLLBACK")
        return why
    _send(sides, MENDED.note(sides.name, str(next(numbers)), [mend.index for mend in changed]))
    _send(sides, "COMMIT")
    return {}


def _take_back_note(sides: Sides, number: str, noted: Collection[int], mends: Sequence[Mend]) -> list[Mended]:
    """`noted` are all rows of the note, `mends` those that are to be taken back now."""
    unsafe = {one.index: not_safe(one.wanted, one.present, one.table, sides.mended.cluster) for one in mends}
    refused = {index: why for index, why in unsafe.items() if why}
    while True:
        _send(sides, "START TRANSACTION")
        results: list[Mended] = []
        try:
            if _send(sides, MENDED.unnote(sides.name, number)) != 1:
                _send(sides, "ROLLBACK")
                return [_left(mend, "it was taken back already") for mend in mends]
            for mend in mends:
                why = refused.get(mend.index)
                rows = 0 if why else _try(sides, mend, mend.inverse)
                kept = Mended(index=mend.index, what=row_name(mend.difference), change=mend.change, rows=rows)
                results.append(kept if rows else _left(mend, why or "it was written since"))
        except _Refused as one:
            refused[one.mend.index] = one.why
            continue
        stay = set(noted) - {one.index for one in results if one.rows}
        if stay:
            _send(sides, MENDED.note(sides.name, number, sorted(stay)))
        _send(sides, "COMMIT")
        return results


def _try(sides: Sides, mend: Mend, statement: str) -> int:
    """How many rows it changed: none, or all that it should. _Refused once the transaction is gone."""
    try:
        rows = _send(sides, statement)
    except (StatementFailed, BoundReached) as error:
        _send(sides, "ROLLBACK")  # of a deadlock the server has done that already, and the next statement would stand alone
        raise _Refused(mend, error.message) from error
    if rows in {0, mend.rows}:
        return rows
    _send(sides, "ROLLBACK")
    raise _Refused(mend, f"{sides.mended.cluster} has {rows} of the {mend.rows} copies")


def _send(sides: Sides, statement: str) -> int:
    try:
        result = sides.session.run((marked(statement, f"{sides.name}/repair"),), bound_s=_WITHIN_S, effect=True, doing="mend rows")
    except OutcomeUnknown:
        sides.session.close()  # its end is the transaction's end, too
        raise
    return result[-1].affected


def _why_not(mend: Mend, sides: Sides) -> str:
    if mend.change is Change.INSERT:
        return f"{sides.mended.cluster} has a row of this key now"
    return f"{sides.mended.cluster} has it otherwise now"


def _left(mend: Mend, why: str) -> Mended:
    return Mended(index=mend.index, what=row_name(mend.difference), change=mend.change, rows=0, why=why)
