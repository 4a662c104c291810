"""Reads for an audit: each bounded on the server, and what may not be read is noted, not fatal."""

from __future__ import annotations

from dataclasses import field

from interlock.clock import Deadline
from interlock.dataclass import dataclass
from interlock.errors import BoundReached, NotPermitted, StatementFailed
from interlock.servers.session import Row, Session

BOUND_S = 20.0
LOCK_S = 2
_BOUND = {
    "mariadb": f"SET SESSION max_statement_time={BOUND_S:g}, lock_wait_timeout={LOCK_S}, group_concat_max_len=4096",
    "mysql": f"SET SESSION max_execution_time={BOUND_S * 1000:.0f}, lock_wait_timeout={LOCK_S}, group_concat_max_len=4096",
}
SETTINGS = "SET SESSION time_zone='+00:00', sql_mode='STRICT_ALL_TABLES', wait_timeout=60"


@dataclass(slots=True, kw_only=True)
class Reader:
    """A session of one server's audit. `missing` says what could not be read, and why."""

    session: Session
    flavor: str
    version: tuple[int, int, int]
    deadline: Deadline
    missing: list[str] = field(default_factory=list)

    def begin(self) -> None:
        self.session.run((_BOUND[self.flavor],), bound_s=BOUND_S, doing="bound the audit's reads")

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
