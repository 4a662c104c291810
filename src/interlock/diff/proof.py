"""Whether rows truly differ while the writer goes on: read on both sides so that both answers belong to one position.

The other side's rows are locked for a moment (never the writer's), so that no transaction which touches them is applied there. Then, in
this order: the writer's log is read up to a point L; its rows are read in a snapshot that shows all of L; its position P is read; and the
other side is waited for until it holds P. Let T1, T2 … be the writer's transactions that touch these rows, in order.

1. What the other side showed is the work of T1 … Tj: the lock waits for one that is under way, and keeps out the next.
2. Whatever it had applied stood in the writer's log before, so L has T1 … Tj, and the snapshot shows them at least: T1 … Ti with i ≥ j.
3. P has all that the snapshot shows. The other side came to hold P with its rows still locked, so none of T1 … Ti came after Tj: i ≤ j.

So both answers are the work of the same transactions, and if they differ, the data does. If the other side does not come to hold P in time,
because these rows are written all the while, nothing is said, and it is tried again. docs/adr/0026-differences-at-one-position.md
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Generic, TypeVar

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.diff.ends import End, is_mariadb
from interlock.errors import BoundReached, DriverError, StatementFailed, Unreachable
from interlock.model.position import FilePosition, LogPoint, Position
from interlock.servers.session import Session, text_of

T = TypeVar("T")

BEHIND_S = 10.0
"""How long the other side may need to come near before its rows are locked."""
LOCKED_S = 0.5
"""How long they are locked at the most, while it is waited for."""
_SEEN_S = 2.0
_ASKED_S = 30.0
"""What one question may take. Rows by their key take none of it; a table without a key is read whole."""
_IDLE_S = 10
"""The server ends a connection that holds locks and asks for nothing any more: its machine may be gone."""
_LOCKING = ("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", "START TRANSACTION READ ONLY")
"""Within it every SELECT locks what it reads, and the gaps, and asks for no other privilege (MySQL manual, "InnoDB Locking Reads")."""
_SNAPSHOT = ("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled(Generic[T]):
    """What each side answered at one position, the writer's."""

    writer: T
    other: T
    position: str


class Unsettled(Exception):
    """Why nothing can be said now."""


class StandsStill(Unsettled):
    """The other side does not follow the writer at all: trying again is of no use."""


class Proof:
    """Connections for proofs. One proof is under way at a time; threads may share it."""

    def __init__(self, writer: End, other: End, *, clock: Clock) -> None:
        self._writer, self._other = writer, other
        self._clock = clock
        self._turn = Lock()
        self._sessions: dict[str, Session] = {}

    def settle(self, ask: Callable[[Session], T]) -> Settled[T]:
        """`ask` reads the same on either side, in the transaction that is open. Unsettled says why it can't be told now."""
        with self._turn:
            self._catch_up()
            try:
                with _transaction(self._session(self._other, "locking"), _LOCKING) as locking:
                    other = ask(locking)
                    self._hand_back()
                    writer = self._seen_by_the_writer(ask)
                    position = self._writer.logged(self._session(self._writer, "looking"))
                    if writer != other and not self._other.reaches(position, LOCKED_S):
                        raise self._behind()
                    locking.rows("SELECT 1", doing="see that the rows are still locked")
            except (BoundReached, Unreachable, StatementFailed) as error:  # a deadlock (1213) is the last
                raise Unsettled(error.message) from error
            return Settled(writer=writer, other=other, position=str(position))

    def settle_at_rest(self, ask: Callable[[Session], T]) -> Settled[T]:
        """For tables whose rows can't be locked one by one: settled only if nothing at all is written on either side meanwhile."""
        with self._turn:
            self._catch_up()
            before = self._logged()
            other, writer = (ask(self._session(end, "looking")) for end in (self._other, self._writer))
            if before != self._logged() or not self._other.server.wait_applied(before[0], 0.001):
                raise Unsettled("something was written meanwhile, and rows of its engine can't be locked")
            return Settled(writer=writer, other=other, position=str(before[0]))

    def _logged(self) -> tuple[Position, Position]:
        writer, other = (end.logged(self._session(end, "looking")) for end in (self._writer, self._other))
        return writer, other

    def close(self) -> None:
        for session in self._sessions.values():
            session.close()

    def _catch_up(self) -> None:
        """Both sides hold what the other one has, as far as they are told by it; so that the lock is short."""
        for end, source in ((self._other, self._writer), (self._writer, self._other)):
            position = source.logged(self._session(source, "looking"))
            if end.server.wait_applied(position, 0.001):
                continue
            if not self._is_told(end, source):
                if end is self._other:
                    raise self._behind()
                continue
            if not end.reaches(position, BEHIND_S):
                raise Unsettled(f"{end.server.name} is more than {BEHIND_S:g}s behind {source.server.name}")

    def follows(self) -> bool:
        """Whether what the writer writes comes to the other side at all."""
        return self._is_told(self._other, self._writer)

    def _behind(self) -> Unsettled:
        name = self._other.server.name
        if self.follows():
            return Unsettled(f"{name} did not come to hold what the writer had, with these rows locked")
        return StandsStill(f"{name} does not hold what the writer has, and nothing comes to it: look at its channel")

    def _hand_back(self) -> None:
        """What the other side has written itself is at the writer's, too: otherwise that would be a difference only by being on its way."""
        written = self._other.logged(self._session(self._other, "looking"))
        if not self._writer.server.wait_applied(written, LOCKED_S / 2) and self._is_told(self._writer, self._other):
            raise Unsettled(f"{self._writer.server.name} does not hold yet what {self._other.server.name} wrote itself")

    def _is_told(self, end: End, source: End) -> bool:
        """Whether what is written at the source comes to this end at all."""
        return end.lead is not None or any(
            channel.source == source.server.name and channel.applier and channel.receiver == "Yes" for channel in end.server.channels()
        )

    def _seen_by_the_writer(self, ask: Callable[[Session], T]) -> T:
        """In a snapshot that shows all that stands in its log by now."""
        session = self._session(self._writer, "reading")
        deadline = Deadline.after(self._clock, _SEEN_S)
        if is_mariadb(session):
            log = self._writer.server.end_of_log()
            while not deadline.is_over():
                with _transaction(session, _SNAPSHOT):
                    if log is None or _snapshot_point(session).reaches(log):
                        return ask(session)
                self._clock.sleep(0.005)
            raise Unsettled(f"{self._writer.server.name} does not show what stands in its log")
        logged = self._writer.logged(self._session(self._writer, "looking"))
        if isinstance(logged, FilePosition):  # nothing tells what can be seen: a lock waits for what is under way
            with _transaction(session, _LOCKING):
                return ask(session)
        while not self._writer.server.write_facts().position.contains(logged):
            if deadline.is_over():
                raise Unsettled(f"{self._writer.server.name} does not show what stands in its log")
            self._clock.sleep(0.005)
        with _transaction(session, _SNAPSHOT):
            return ask(session)

    def _session(self, end: End, purpose: str) -> Session:
        name = f"{end.cluster} {purpose}"
        known = self._sessions.get(name)
        if known is not None and known.idle_s() > _IDLE_S / 2:
            known.close()
        if known is None or not known.alive:
            known = self._sessions[name] = end.session(bound_s=_ASKED_S)
            if purpose == "locking":
                known.run((f"SET SESSION innodb_lock_wait_timeout=1, lock_wait_timeout=1, wait_timeout={_IDLE_S}",), bound_s=2.0)
        return known


@contextmanager
def _transaction(session: Session, begin: tuple[str, ...]) -> Iterator[Session]:
    session.run(begin, bound_s=2.0, doing="begin to read")
    try:
        yield session
    finally:
        with suppress(DriverError):  # a connection that is gone keeps no lock
            session.run(("ROLLBACK",), bound_s=2.0)


def _snapshot_point(session: Session) -> LogPoint:
    """Where the log stood for the snapshot that is open (MariaDB KB, "Enhancements for START TRANSACTION WITH CONSISTENT SNAPSHOT")."""
    told = {text_of(row["Variable_name"]): text_of(row["Value"]) for row in session.rows("SHOW STATUS LIKE 'binlog_snapshot_%'")}
    return LogPoint.of(told["Binlog_snapshot_file"], int(told["Binlog_snapshot_position"]))
