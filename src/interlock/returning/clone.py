"""A physical copy by MySQL's own CLONE: the server fetches the writer's data itself, page by page, and starts again with them.

It restarts by itself under a supervisor (systemd, mysqld_safe); else it ends with error 3707, and is waited for. What it then has is all of
the writer's, accounts and channels too: its channel is led to the writer before anything else. Sources: MySQL manual, "The Clone Plugin",
"Cloning for Replication", performance_schema's clone_status (kept over the restart) and clone_progress. Tried on 9.7.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace

from interlock.clock import Clock, Deadline
from interlock.errors import DriverError, OutcomeUnknown, StatementFailed, Unreachable
from interlock.losses.live import PLAIN_SETTINGS
from interlock.model.position import MySQLPosition
from interlock.model.returning import CopyFacts
from interlock.model.topology import SecretRef
from interlock.servers.quoting import text
from interlock.servers.server import SqlServer
from interlock.servers.session import Session, text_of

MEANS = "clone"
_NOT_SUPERVISED, _NO_SUCH_TABLE = 3707, 1146
_STATEMENT_S = 86_400.0
_START_S = 3600.0
_LOOK_S = 0.5
_STOPPED = "it was stopped"
_MB = 1 << 20
CLONING = "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE INFO LIKE 'CLONE INSTANCE%'"


class CloneCopy:
    """One copy, under way from `start` on, at `bytes_per_s` at the most (0: as fast as it goes). Its facts may be asked by any thread."""

    def __init__(
        self, server: SqlServer, writer: SqlServer, *, size_bytes: int, bytes_per_s: int, secret: Callable[[SecretRef], str], clock: Clock
    ) -> None:
        self._server = server
        self._writer = writer
        self._bytes_per_s = bytes_per_s
        self._secret = secret
        self._clock = clock
        self._facts = CopyFacts(means=MEANS, of_bytes=size_bytes)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="interlock-clone", daemon=True)

    def facts(self) -> CopyFacts:
        return self._facts

    def start(self) -> None:
        self._thread.start()

    def settle(self) -> None:
        """It needed nothing beside the data."""

    def adopted(self) -> None:
        self._facts = replace(self._facts, adopted=True)

    def stop(self) -> None:
        """The server is left with what came, which is nothing of use."""
        self._stopped.set()
        with suppress(DriverError), closing(self._server.session(PLAIN_SETTINGS)) as session:
            for row in session.rows(CLONING):
                session.run((f"KILL QUERY {int(text_of(row['id'])):d}",), bound_s=_LOOK_S * 10, effect=True, harmless={1094})
        self._thread.join(_LOOK_S * 20)
        if self._thread.is_alive():
            raise StatementFailed(f"{self._server.name}: the CLONE was stopped, and has not ended", server=self._server.name)

    def _run(self) -> None:
        try:
            self._copy()
        except (DriverError, ValueError) as error:
            self._facts = replace(self._facts, error=_STOPPED if self._stopped.is_set() else str(error))

    def _copy(self) -> None:
        failed: list[DriverError] = []
        statement = threading.Thread(target=self._clone, args=(failed,), name="interlock-clone-statement", daemon=True)
        statement.start()
        while statement.is_alive():
            statement.join(_LOOK_S)
            with suppress(DriverError):
                self._see_progress()
        if failed:
            raise failed[0]
        self._facts = replace(self._facts, doing=f"{self._server.name} starts again with the data, or is to be started")
        position = self._await_start()
        self._lead_channel_to_writer()
        self._facts = replace(self._facts, position=position, doing="")

    def _clone(self, failed: list[DriverError]) -> None:
        """Ends with the connection, since the server restarts."""
        spec, access = self._writer.spec, self._writer.spec.access
        password = "" if access.account.password is None else self._secret(access.account.password)
        tls = " REQUIRE SSL" if access.tls is not None else ""
        order = f"CLONE INSTANCE FROM {text(access.account.user)}@{text(spec.host)}:{spec.port:d} IDENTIFIED BY {text(password)}{tls}"
        try:
            with closing(self._server.session(PLAIN_SETTINGS)) as session:
                for setting in (
                    f"SET GLOBAL clone_valid_donor_list={text(f'{spec.host}:{spec.port}')}",
                    f"SET GLOBAL clone_max_data_bandwidth={-(-self._bytes_per_s // _MB):d}",
                ):
                    session.run((setting,), bound_s=_LOOK_S * 20, effect=True, doing="prepare CLONE")
                session.run((order,), bound_s=_STATEMENT_S, effect=True, doing="CLONE INSTANCE", harmless={_NOT_SUPERVISED})
        except (OutcomeUnknown, Unreachable):
            return  # it restarts: what came of it, it tells then
        except DriverError as error:
            failed.append(error)

    def _see_progress(self) -> None:
        asked = "SELECT COALESCE(SUM(DATA), 0) AS sent, COALESCE(SUM(ESTIMATE), 0) AS size FROM performance_schema.clone_progress"
        with closing(self._server.session(PLAIN_SETTINGS)) as session:
            (row,) = session.rows(asked)
        size = int(text_of(row["size"])) or self._facts.of_bytes
        self._facts = replace(self._facts, sent_bytes=int(text_of(row["sent"])), of_bytes=size)

    def _await_start(self) -> MySQLPosition:
        """What it holds then. StatementFailed if the CLONE failed; Unreachable if nobody starts the server."""
        deadline = Deadline.after(self._clock, _START_S)
        while True:
            try:
                with closing(self._server.session(PLAIN_SETTINGS)) as session:
                    state, why = clone_state(session)
                    if state == "Completed":
                        (row,) = session.rows("SELECT @@GLOBAL.gtid_executed AS held")
                        return MySQLPosition.parse(text_of(row["held"]))
                    if state != "In Progress":
                        raise StatementFailed(f"{self._server.name}: CLONE: {state}: {why}", server=self._server.name)
            except Unreachable:
                if deadline.is_over() or self._stopped.is_set():
                    raise
            if self._stopped.is_set():
                raise StatementFailed(_STOPPED)
            self._clock.sleep(_LOOK_S)

    def _lead_channel_to_writer(self) -> None:
        """The channel that came is the writer's own, which leads to this server. Its account is one that both sides know."""
        spec = self._writer.spec
        place = f"SOURCE_HOST={text(spec.host)}, SOURCE_PORT={spec.port:d}"
        with closing(self._server.session(PLAIN_SETTINGS)) as session:
            session.run(("SET GLOBAL super_read_only=0",), bound_s=_LOOK_S * 20, effect=True, doing="write past the fence")
            for row in session.rows("SELECT CHANNEL_NAME AS name FROM performance_schema.replication_connection_configuration"):
                channel = text(text_of(row["name"]))
                for line in ("STOP REPLICA", "RESET REPLICA", f"CHANGE REPLICATION SOURCE TO {place}"):
                    session.run(
                        (f"{line} FOR CHANNEL {channel}",), bound_s=_LOOK_S * 60, effect=True, doing="lead the channel to the writer"
                    )


def clone_state(session: Session) -> tuple[str, str]:
    """Of the last CLONE into the server, empty if there was none; and its error."""
    asked = "SELECT STATE AS state, ERROR_MESSAGE AS why FROM performance_schema.clone_status"
    results = session.run((asked,), bound_s=_LOOK_S * 20, harmless={_NO_SUCH_TABLE}, doing="see the last CLONE")
    rows = [row for one in results for row in one.rows]
    return (text_of(rows[0]["state"]), text_of(rows[0]["why"])) if rows else ("", "")


def why_not(server: SqlServer, writer: SqlServer) -> str:
    """Why it can't be had; empty if it can. The manual's own conditions: one version, and the plugin on both."""
    ours, theirs = server.facts(), writer.facts()
    if ours.version != theirs.version:
        return f"clone: {ours.server} is {ours.version} and {theirs.server} {theirs.version}"
    for one in (server, writer):
        with closing(one.session(PLAIN_SETTINGS)) as session:
            rows = session.rows("SELECT PLUGIN_STATUS AS status FROM information_schema.PLUGINS WHERE PLUGIN_NAME='clone'")
        if not rows or text_of(rows[0]["status"]) != "ACTIVE":
            return f"clone: the plugin is not active on {one.name} (INSTALL PLUGIN clone SONAME 'mysql_clone.so')"
    return ""
