"""A dialect whose channel is Tungsten Replicator: the server's own words for everything, `trepctl` for replication into it.

Positions are files and offsets: the replicator writes as a client does, so the source's GTIDs do not come along. Its answers take a second,
so that the outage holds one of them: the one that tells that the standby has caught up. Everywhere else an older one is good enough. How
far a server has applied the other's log only grows: an old figure of a fenced server asks the other one for less of its *own* log, which it
has anyway, and an old figure of a standby says that it holds less than it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from interlock.clock import Deadline
from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.model.effects import ServerEffect
from interlock.model.facts import ChannelFacts, LoggedTransaction, ServerFacts, WriteFacts
from interlock.model.position import FilePosition, LogPoint, Position
from interlock.model.topology import ServerName, ServerSpec
from interlock.servers.accounts import Accounts
from interlock.servers.dialect import Bookmark, Dialect, Need
from interlock.servers.mariadb import MariaDB
from interlock.servers.mysql import MySQL
from interlock.servers.pool import Pool, Purpose
from interlock.servers.session import Result, Row, Setup
from interlock.servers.trepctl import Replicator

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Tungsten:
    inner: Dialect
    replicator: Replicator

    @property
    def flavor(self) -> str:
        return self.inner.flavor

    @property
    def needs(self) -> Sequence[Need]:
        return self.inner.needs

    @property
    def setup(self) -> Setup:
        return self.inner.setup

    @property
    def look(self) -> tuple[str, ...]:
        return self.inner.look

    def attuned(self, pool: Pool, pair: Sequence[ServerSpec]) -> Tungsten:
        """By files and offsets, whatever native channels there are or are not."""
        found = self.inner.attuned(pool, pair)
        match found:
            case MariaDB():
                by_files: Dialect = replace(found, by_file=tuple((f"{one.host}:{one.port}", one.name) for one in pair))
            case MySQL():
                by_files = replace(found, by_file=True)
            case _:
                raise StatementFailed(
                    f"{pool.spec.name} runs {found.flavor}, which is not driven behind Tungsten Replicator",
                    hint="MariaDB and MySQL are",
                    server=pool.spec.name,
                )
        return Tungsten(inner=by_files, replicator=self.replicator)

    # -- words

    def script(self, effect: ServerEffect, /) -> tuple[str, ...]:
        return self.inner.script(effect)

    def bounds(self, within_s: float) -> str:
        return self.inner.bounds(within_s)

    def bound_s(self, within_s: float) -> float:
        return self.inner.bound_s(within_s)

    # -- answers

    def write_facts(self, server: ServerName, results: Sequence[Result]) -> WriteFacts:
        seen = self.inner.write_facts(server, results)
        return replace(seen, position=self._with_applied(server, seen.position, self.replicator.recent().applied))

    def written_here(self, server: ServerName, position: Position) -> Position:
        return self.inner.written_here(server, position)

    def speaks(self, position: Position) -> bool:
        return position.is_origin or isinstance(position, FilePosition)

    # -- reads

    def facts(self, pool: Pool) -> ServerFacts:
        return self.inner.facts(pool)

    def channels(self, pool: Pool, pair: Sequence[ServerSpec]) -> tuple[ChannelFacts, ...]:
        """The replicator alone: what native channels there may be are not the pair's."""
        del pool, pair
        return (self.replicator.channel(),)

    def sessions(self, pool: Pool) -> tuple[Row, ...]:
        return self.inner.sessions(pool)

    def last_statements(self, pool: Pool) -> Mapping[int, str]:
        return self.inner.last_statements(pool)

    def lock_holders(self, pool: Pool) -> tuple[str, ...]:
        return self.inner.lock_holders(pool)

    def prepared_transactions(self, pool: Pool) -> tuple[str, ...]:
        return self.inner.prepared_transactions(pool)

    def events(self, pool: Pool) -> tuple[Row, ...]:
        return self.inner.events(pool)

    def accounts(self, pool: Pool) -> Accounts:
        return self.inner.accounts(pool)

    def wait(self, pool: Pool, server: ServerName, wanted: Position, held: Position, within_s: float) -> WriteFacts:
        """Ask the replicator again and again, with pauses that grow: its own `wait` takes a number of its own, not a point in a log."""
        del held
        deadline = Deadline.after(pool.clock, within_s)
        pause_s = _FIRST_PAUSE_S
        while True:
            applied = self.replicator.status().applied
            seen = self.inner.write_facts(server, pool.read(self.look, purpose=Purpose.WAIT))
            seen = replace(seen, position=self._with_applied(server, seen.position, applied))
            if seen.position.contains(wanted) or deadline.is_over():
                return seen
            pool.clock.sleep(min(pause_s, deadline.left_s()))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def end_of_log(self, pool: Pool) -> LogPoint | None:
        return self.inner.end_of_log(pool)

    def logged_since(
        self, pool: Pool, position: Position, limit: int, *, deadline: Deadline, bookmark: Bookmark | None
    ) -> tuple[LoggedTransaction, ...]:
        return self.inner.logged_since(pool, position, limit, deadline=deadline, bookmark=bookmark)

    def _with_applied(self, server: ServerName, position: Position, applied: LogPoint | None) -> FilePosition:
        own = position.of_server(server) if isinstance(position, FilePosition) else None
        points = {str(server): own, str(self.replicator.source): applied}
        return FilePosition.of({name: point for name, point in points.items() if point is not None})
