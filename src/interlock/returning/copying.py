"""By which means the writer's data can be copied from here, the best first; and how a copy begins.

A dump needs nothing but two programs here; CLONE and mariadb-backup move pages and are far quicker for much data, but start the server
again, and mariadb-backup needs both hosts. Another means is one more class with the methods of `Copy`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import field
from typing import Protocol

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.decisions.returning import best_first
from interlock.errors import StatementFailed
from interlock.losses.live import PLAIN_SETTINGS
from interlock.model.returning import CopyFacts
from interlock.model.topology import SecretRef
from interlock.returning import backup, clone, dump, note
from interlock.returning.backup_hosts import MEANS as BACKUP
from interlock.returning.backup_hosts import BackupHosts, SeenHosts, see_hosts
from interlock.returning.programs import Programs, find_programs
from interlock.servers.orphans import kill_and_prove_gone
from interlock.servers.quoting import marked, name, text
from interlock.servers.server import SqlServer
from interlock.servers.session import Session, text_of

_BOUND_S = 60.0
_SEEN_S = 60.0
"""So long a look at both hosts holds for those who only ask: each takes half a second, and a rejoin asks several times."""
_NOT_COPIED = f"'information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo', {text(note.SCHEMA)}"
"""What a server says of its own way back is nobody else's: neither dropped nor loaded."""


class Copy(Protocol):
    """One copy of the writer's data, in threads of its own."""

    def facts(self) -> CopyFacts: ...
    def start(self) -> None: ...
    def stop(self) -> None:
        """StatementFailed if it is not seen to end."""
        ...

    def settle(self) -> None:
        """The server's log says what came, and its note still says that it is under way: what else the copy left there goes."""
        ...

    def adopted(self) -> None:
        """The server's log says what came, and nothing else is left."""
        ...


@dataclass(slots=True, kw_only=True)
class Copier:
    """From `writer` to `server`. `hosts` by which files can be copied; or why not."""

    server: SqlServer
    writer: SqlServer
    hosts: BackupHosts | str
    secret: Callable[[SecretRef], str]
    clock: Clock
    environ: Mapping[str, str]
    _seen: tuple[Deadline, SeenHosts | str] | None = field(default=None)

    def means(self, size_bytes: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Those that can be had, the best for so much data first; and why others can't."""
        flavor = self.server.facts().flavor
        pages = BACKUP if flavor == "mariadb" else clone.MEANS
        why_no_pages = self._why_no_backup() if flavor == "mariadb" else clone.why_not(self.server, self.writer)
        reasons = {dump.MEANS: self._why_no_dump(flavor), pages: why_no_pages}
        order = best_first(size_bytes, rows=dump.MEANS, pages=pages)
        return tuple(one for one in order if not reasons[one]), tuple(why for why in reasons.values() if why)

    def size(self) -> tuple[int, int]:
        """Of the writer's data: bytes, about, and tables."""
        asked = (
            "SELECT COALESCE(SUM(DATA_LENGTH), 0) AS bytes, COUNT(*) AS tables FROM information_schema.TABLES "
            f"WHERE TABLE_TYPE='BASE TABLE' AND TABLE_SCHEMA NOT IN ({_NOT_COPIED})"
        )
        with closing(self.writer.session(PLAIN_SETTINGS)) as session:
            (row,) = session.rows(asked, bound_s=_BOUND_S)
        return int(text_of(row["bytes"])), int(text_of(row["tables"]))

    def prepare(self, session: Session, means: str, mark: str) -> None:
        """End what an earlier process left behind, and throw away what the copy would not replace. `session` writes unlogged."""
        self._end_late_ones(session, mark)
        if means == dump.MEANS:
            for schema in _schemas(session):
                session.run((marked(f"DROP DATABASE {name(schema)}", mark),), bound_s=_BOUND_S, effect=True, doing=f"drop {schema}")

    def begin(self, means: str, bytes_per_s: int) -> Copy:
        """It is under way. StatementFailed if the means can't be had any more."""
        size_bytes, tables = self.size()
        copy: Copy
        if means == clone.MEANS:
            copy = clone.CloneCopy(
                self.server, self.writer, size_bytes=size_bytes, bytes_per_s=bytes_per_s, secret=self.secret, clock=self.clock
            )
        elif means == BACKUP:
            copy = self._backup(bytes_per_s)
        else:
            copy = self._dump(size_bytes, tables, bytes_per_s)
        copy.start()
        return copy

    def script(self, means: str, bytes_per_s: int) -> tuple[str, ...]:
        server, writer = self.server.name, self.writer.name
        at_most = f", at most {bytes_per_s / 1e6:g} MB/s" if bytes_per_s else ""
        if means == clone.MEANS:
            place = f"{self.writer.spec.host}:{self.writer.spec.port}"
            return (f"{server}: CLONE INSTANCE FROM …@{place}{at_most}; it starts again", f"{server}: its channel is led to {writer}")
        if means == BACKUP and isinstance(self.hosts, BackupHosts):
            return (
                f"host of {writer}: mariadb-backup --backup --stream=xbstream, into mbstream on the host of {server}{at_most}",
                f"host of {server}: mariadb-backup --prepare; {self.hosts.unit} is stopped",
                f"host of {server}: its data directory is put aside, and the new one takes its place",
                f"host of {server}: {self.hosts.unit} is started, with {self.hosts.options}: read_only, without channels and events",
            )
        words = " ".join(dump.dump_words(self.server.facts().flavor, ("…",), bounds=True))
        return (
            f"{server}: SET sql_log_bin=0; DROP DATABASE … (all but the server's own)",
            f"dump {writer} {words} into a client of {server}{at_most}",
        )

    def _dump(self, size_bytes: int, tables: int, bytes_per_s: int) -> dump.DumpCopy:
        flavor = self.server.facts().flavor
        programs = find_programs(flavor, self.environ)
        if not isinstance(programs, Programs):
            raise StatementFailed(f"{self.server.name}: its data can't be copied: {programs}", server=self.server.name)
        with closing(self.writer.session(PLAIN_SETTINGS)) as session:
            schemas = _schemas(session)
        what = dump.Copied(
            flavor=flavor,
            source=self.writer.spec,
            target=self.server.spec,
            schemas=schemas,
            tables=tables,
            size_bytes=size_bytes,
            bytes_per_s=bytes_per_s,
        )
        return dump.DumpCopy(what, programs, secret=self.secret, clock=self.clock)

    def _backup(self, bytes_per_s: int) -> backup.BackupCopy:
        seen = self._see_hosts()
        if isinstance(self.hosts, str) or isinstance(seen, str):
            raise StatementFailed(f"{self.server.name}: its data can't be copied by {BACKUP}: {seen}", server=self.server.name)
        return backup.BackupCopy(self.server, self.writer, self.hosts, seen, bytes_per_s=bytes_per_s, secret=self.secret, clock=self.clock)

    def _why_no_backup(self) -> str:
        if self._seen is None or self._seen[0].is_over():
            self._seen = (Deadline.after(self.clock, _SEEN_S), self._see_hosts())
        found = self._seen[1]
        return f"{BACKUP}: {found}" if isinstance(found, str) else ""

    def _see_hosts(self) -> SeenHosts | str:
        return self.hosts if isinstance(self.hosts, str) else see_hosts(self.hosts, self.server, self.writer)

    def _why_no_dump(self, flavor: str) -> str:
        found = find_programs(flavor, self.environ)
        return "" if isinstance(found, Programs) else f"dump: {found}"

    def _end_late_ones(self, session: Session, mark: str) -> None:
        """Of a process that was killed: its client may still be at its last statement, the server at its CLONE."""
        (row,) = session.rows(f"SELECT IS_USED_LOCK({text(dump.LOCK)}) AS id", bound_s=_BOUND_S)
        ids = [int(text_of(each["id"])) for each in (row, *session.rows(clone.CLONING, bound_s=_BOUND_S)) if each["id"] is not None]
        if ids and kill_and_prove_gone(session, ids, clock=self.clock, mark=mark):
            raise StatementFailed(f"{self.server.name}: sessions {ids} of an earlier copy are still there", server=self.server.name)


def _schemas(session: Session) -> list[str]:
    asked = f"SELECT SCHEMA_NAME AS n FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN ({_NOT_COPIED}) ORDER BY 1"
    return [text_of(row["n"]) for row in session.rows(asked, bound_s=_BOUND_S)]
