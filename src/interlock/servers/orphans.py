"""Statements that nobody waits for any more: ended from another connection, and proved gone.

Why: a `SET GLOBAL read_only=1` whose client had given up landed after the roll-back, and the server stayed read-only for good. Only a KILL
that was seen to take effect cancels a statement.
"""

from __future__ import annotations

from collections.abc import Collection

from interlock.clock import Clock, Deadline
from interlock.errors import DriverError
from interlock.servers.quoting import marked
from interlock.servers.session import Session

GONE_WITHIN_S = 2.0
_LOOK_EVERY_S = 0.01


def present(session: Session, ids: Collection[int]) -> tuple[int, ...]:
    """Which of these connections the server still has. A killed one that rolls back is still there."""
    if not ids:
        return ()
    wanted = ",".join(str(int(one)) for one in sorted(ids))
    rows = session.rows(f"SELECT id FROM {session.processlist} p WHERE id IN ({wanted})", doing="look for killed sessions")
    return tuple(int(str(row["id"])) for row in rows)


def kill(session: Session, one: int, *, mark: str) -> None:
    """KILL one connection; that it is gone already (1094, ER_NO_SUCH_THREAD) is no error."""
    session.run((marked(f"KILL {one:d}", mark),), bound_s=GONE_WITHIN_S, doing=f"kill session {one}", harmless=(1094,))


def kill_and_prove_gone(session: Session, ids: Collection[int], *, clock: Clock, mark: str = "settle") -> tuple[int, ...]:
    """KILL each, and look until none is left or the time is up; returns those that are still there."""
    for one in sorted(ids):
        kill(session, one, mark=mark)
    deadline = Deadline.after(clock, GONE_WITHIN_S)
    left = present(session, ids)
    while left and not deadline.is_over():
        clock.sleep(_LOOK_EVERY_S)
        left = present(session, left)
    return left


def end_orphan(session: Session, one: int, *, clock: Clock) -> tuple[bool, str]:
    """End an orphan: whether it is proved gone, and the same in words, for the message of an OutcomeUnknown."""
    try:
        left = kill_and_prove_gone(session, (one,), clock=clock)
    except DriverError as error:
        return False, f"its connection {one} could not be proved gone ({error.message})"
    if left:
        return False, f"its connection {one} is still in the process list after a KILL"
    return True, f"its connection {one} was killed and is proved gone"
