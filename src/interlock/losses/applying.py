"""Putting lost rows back on the writer, and taking that back: each lost transaction in one transaction, all of its rows or none.

Every statement is guarded by the whole row. One that changes no row ends its transaction without effect, and is told. A note of what was
put back is committed with it, so that a repair which is killed does nothing twice, whoever goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from interlock.dataclass import dataclass
from interlock.errors import BoundReached, OutcomeUnknown, StatementFailed
from interlock.losses.applied import PUT_BACK
from interlock.losses.putting_back import PlannedTransaction, named
from interlock.servers import canary
from interlock.servers.quoting import marked
from interlock.servers.session import Session

_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of one transaction: how many of its rows were written, 0 with the reason `why`."""

    position: str
    rows: int
    why: str = ""


def put_back(session: Session, run: str, plans: Sequence[PlannedTransaction], *, check: Callable[[], None]) -> Iterator[Applied]:
    """One result for each transaction that has something to be put back. `check` is asked before each: it raises if the pair is not ours.

    OutcomeUnknown if a commit's answer did not come: what was put back is told by the next call.
    """
    plans = [plan for plan in plans if plan.rows]
    if plans:
        check()
        session.run((canary.SCHEMA, PUT_BACK.table), bound_s=_WITHIN_S, effect=True, doing="make the table of what was put back")
    for plan in plans:
        check()
        its_note = PUT_BACK.note(run, plan.position, [row.index for row in plan.rows])
        yield _whole(session, run, plan, its_note, [(named(row.row), row.sql) for row in plan.rows])


def take_back(session: Session, run: str, plans: Sequence[PlannedTransaction], *, check: Callable[[], None]) -> Iterator[Applied]:
    """The same with the inverse: what was put back and not written since goes away again, with its note."""
    for plan in plans:
        check()
        yield _whole(session, run, plan, PUT_BACK.unnote(run, plan.position), [(named(row.row), row.inverse) for row in plan.rows])


def _whole(session: Session, run: str, plan: PlannedTransaction, its_note: str, rows: Sequence[tuple[str, str]]) -> Applied:
    try:
        _send(session, run, "START TRANSACTION")
        if _send(session, run, its_note) != 1:
            return _nothing(session, run, plan, "it was not put back, or that was taken back already")
        for what, sql in rows:
            if _send(session, run, sql) != 1:
                return _nothing(session, run, plan, f"{what}: the row was written since")
        _send(session, run, "COMMIT")
    except (StatementFailed, BoundReached) as refused:
        return _nothing(session, run, plan, refused.message)
    return Applied(position=plan.position, rows=len(rows))


def _nothing(session: Session, run: str, plan: PlannedTransaction, why: str) -> Applied:
    try:
        _send(session, run, "ROLLBACK")
    except OutcomeUnknown:
        session.close()  # its end is the transaction's end, too
        raise
    return Applied(position=plan.position, rows=0, why=why)


def _send(session: Session, run: str, statement: str) -> int:
    result = session.run((marked(statement, f"{run}/repair"),), bound_s=_WITHIN_S, effect=True, doing="put lost rows back")
    return result[-1].affected
