"""The two servers of a comparison, and the connections that read them. Everything read is bounded on the server; nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from interlock.dataclass import dataclass
from interlock.diff.leading import Lead
from interlock.diff.sql import TEXTS
from interlock.errors import Refused
from interlock.losses.sql import SETTINGS
from interlock.model.position import MySQLPosition, Position
from interlock.servers import mysql_facts
from interlock.servers.server import SqlServer
from interlock.servers.session import Result, Row, Session, text_of

T = TypeVar("T")

STATEMENT_S = 60.0
"""What one statement may take on a server before it ends it."""
_FLAVORS = frozenset({"mariadb", "mysql"})


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One side: the cluster's name, and its master. `lead`: its applier stands, and is led on where it has to hold something."""

    cluster: str
    server: SqlServer
    lead: Lead | None = None

    def reaches(self, position: Position, within_s: float) -> bool:
        """Whether it comes to hold the position in so many seconds."""
        if self.lead is None or self.server.wait_applied(position, 0.001):
            return self.server.wait_applied(position, within_s)
        return self.lead.reaches(position, within_s)

    def session(self, bound_s: float = STATEMENT_S) -> Session:
        """A connection of its own, for reading. The caller closes it. Refused for a flavor whose tables are not compared."""
        session = self.server.session(SETTINGS)
        spoken = self.server.spoken
        if spoken is None:
            self.server.write_facts()  # asks the server who it is
            spoken = self.server.spoken
        if spoken is None or spoken.flavor not in _FLAVORS:
            session.close()
            flavor = spoken.flavor if spoken is not None else "something unknown"
            raise Refused(f"{self.server.name} speaks {flavor}, whose tables are not compared", hint="compare pairs of MariaDB or MySQL")
        session.run((spoken.bounds(bound_s), TEXTS, "SET SESSION TRANSACTION READ ONLY"), bound_s=2.0, doing="set up the session")
        return session

    def logged(self, session: Session) -> Position:
        """A position that holds every transaction whose rows can be seen, or were ever seen by a replica, when it is asked for.

        MariaDB counts a transaction in when it writes the log, before the rows can be seen; file and offset do, too. MySQL does when they
        can be seen already: until then it names them in `gtid_owned`, which is read first (sql/rpl_gtid_owned.cc, sql/binlog.cc:
        assign_automatic_gtids_to_flush_group, update_commit_group).
        """
        told = "" if is_mariadb(session) else text_of(session.rows(mysql_facts.OWNED)[0]["owned"])
        position = self.server.write_facts().position
        if not isinstance(position, MySQLPosition):
            return position
        return MySQLPosition.parse(f"{position},{mysql_facts.owned(told)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """A connection to each side, for one thread that works on both at the same time."""

    writer: Session
    other: Session
    bound_s: float
    helper: ThreadPoolExecutor

    def rows(self, statement: str, *, doing: str) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
        """The same question on both, at the same time; the writer's answer first."""
        (ours,), (theirs,) = self.run((statement,), doing=doing)
        return ours.rows, theirs.rows

    def run(self, statements: Sequence[str], *, doing: str) -> tuple[tuple[Result, ...], tuple[Result, ...]]:
        """Several, in one round trip."""
        answer = self.helper.submit(self.other.run, statements, bound_s=self.bound_s, doing=doing)
        try:
            return self.writer.run(statements, bound_s=self.bound_s, doing=doing), answer.result()
        finally:
            answer.exception()  # nothing is left under way, whatever the writer said

    def each(self) -> Sequence[Session]:
        return (self.writer, self.other)


@contextmanager
def both(writer: End, other: End, *, bound_s: float = STATEMENT_S) -> Iterator[Both]:
    """`bound_s` is what each statement may take."""
    with ExitStack() as stack:
        sessions = []
        for end in (writer, other):
            session = end.session(bound_s)
            stack.callback(session.close)
            sessions.append(session)
        helper = ThreadPoolExecutor(max_workers=1, thread_name_prefix="interlock-diff")
        stack.callback(helper.shutdown)
        yield Both(writer=sessions[0], other=sessions[1], bound_s=bound_s, helper=helper)


def is_mariadb(session: Session) -> bool:
    return "mariadb" in session.version.lower()
