"""Reads for an audit: each bounded on the server, and what may not be read is noted, not fatal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from typing import Protocol

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.errors import BoundReached, NotPermitted, StatementFailed
from interlock.model.facts import ServerFacts
from interlock.model.versions import version_of
from interlock.servers.session import Row, Session

BOUND_S = 20.0
LOCK_S = 2
_BOUND = {
    "mariadb": f"SET SESSION max_statement_time={BOUND_S:g}, lock_wait_timeout={LOCK_S}, group_concat_max_len=4096",
    "mysql": f"SET SESSION max_execution_time={BOUND_S * 1000:.0f}, lock_wait_timeout={LOCK_S}, group_concat_max_len=4096",
}
SETTINGS = "SET SESSION time_zone='+00:00', sql_mode='STRICT_ALL_TABLES', wait_timeout=60, sql_quote_show_create=1"


class Audited(Protocol):
    """The part of a server's driver that is needed here."""

    def facts(self) -> ServerFacts: ...
    def session(self, settings: str) -> Session: ...


@dataclass(slots=True, kw_only=True)
class Reader:
    """A session of one server's audit. `missing` says what could not be read, and why."""

    session: Session
    flavor: str
    version: tuple[int, int, int]
    deadline: Deadline
    missing: list[str] = field(default_factory=list)

    def rows(self, what: str, statement: str) -> tuple[Row, ...]:
        """Without rows if it is not permitted, or not answered in time."""
        if self.deadline.is_over():
            self.missing.append(f"{what}: no time was left for it")
            return ()
        try:
            return self.session.rows(statement, bound_s=BOUND_S, doing=f"look at {what}")
        except (NotPermitted, StatementFailed, BoundReached) as error:
            self.missing.append(f"{what}: {error.message}")
            return ()

    def word(self, mariadb: str, mysql: str) -> str:
        return mysql if self.flavor == "mysql" else mariadb


@contextmanager
def reading(server: Audited, clock: Clock, within_s: float = BOUND_S) -> Iterator[Reader]:
    """On a connection of its own, each statement bounded on the server."""
    facts, session = server.facts(), server.session(SETTINGS)
    try:
        session.run((_BOUND[facts.flavor],), bound_s=BOUND_S, doing="bound the audit's reads")
        deadline = Deadline.after(clock, within_s)
        yield Reader(session=session, flavor=facts.flavor, version=version_of(facts.version), deadline=deadline)
    finally:
        session.close()
