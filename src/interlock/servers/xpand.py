"""What Xpand (ClustrixDB) speaks, 5.3 and newer, as its documentation says: there is none to try it on (docs/servers/xpand.md).

Positions are points in named binlogs, channels are named slaves, a cluster answers at several addresses. No GTIDs, no events, no
RELEASE_ALL_LOCKS, no SHOW BINLOG EVENTS, no bound on statements that a session could set.
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
from interlock.servers import dumped_log, file_positions, xpand_facts
from interlock.servers.accounts import Accounts
from interlock.servers.dialect import Bookmark, Flavor, Need
from interlock.servers.pool import Pool, Purpose
from interlock.servers.quoting import text
from interlock.servers.session import Result, Row, Setup, text_of
from interlock.servers.xpand_script import SETUP, WRITE_STATE, script

CHANNELS = "SHOW SLAVE STATUS"
NEEDS = (
    Need(privilege="SUPER", what_for="to fence and to open, and to end sessions"),
    Need(privilege="REPLICATION CLIENT", what_for="to see the channels and the positions"),
    Need(privilege="REPLICATION SLAVE", what_for="to see what is in a binary log"),
    Need(privilege="PROCESS", what_for="to see sessions"),
    Need(privilege="SELECT", what_for="to see sessions, transactions and data"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Xpand:
    """`binlog` is the name of the one that the pair replicates by, `names` the pair's servers by each of their addresses: both known once
    it is attuned.
    """

    binlog: str = ""
    names: tuple[tuple[str, ServerName], ...] = ()

    flavor = "xpand"
    needs: Sequence[Need] = NEEDS
    setup: Setup = SETUP

    @property
    def own_log(self) -> str:
        return f"SHOW MASTER STATUS {text(self.binlog)}" if self.binlog else "SHOW MASTER STATUS"

    @property
    def look(self) -> tuple[str, ...]:
        return (WRITE_STATE, self.own_log, CHANNELS)

    def attuned(self, pool: Pool, pair: Sequence[ServerSpec]) -> Xpand:
        """StatementFailed where the cluster has several binlogs and the topology names none of them."""
        names = tuple((address, one.name) for one in pair for address in one.addresses)
        if pool.spec.binlog is not None:
            return replace(self, binlog=pool.spec.binlog, names=names)
        logs = {LogPoint.of(text_of(row["File"]), 0).base.removesuffix(".") for row in pool.rows("SHOW MASTER STATUS")}
        if len(logs) > 1:
            raise StatementFailed(
                f"{pool.spec.name} has {len(logs)} binlogs ({', '.join(sorted(logs))}), and which one replicates is not said",
                hint="set `binlog:` for this server in the topology",
                server=pool.spec.name,
            )
        return replace(self, binlog=next(iter(logs), ""), names=names)

    # -- words

    def script(self, effect: ServerEffect, /) -> tuple[str, ...]:
        return script(effect, self.look)

    def bounds(self, within_s: float) -> str:
        """No session has a bound of its own; its client ends what takes longer."""
        del within_s
        return self.setup.first

    def bound_s(self, within_s: float) -> float:
        return within_s

    # -- answers

    def write_facts(self, server: ServerName, results: Sequence[Result]) -> WriteFacts:
        state, log, channels = results
        names = dict(self.names)
        applied = {
            names[address]: xpand_facts.applied_point(row) for row in channels.rows if (address := xpand_facts.address_of(row)) in names
        }
        return WriteFacts(
            server=server,
            read_only=xpand_facts.is_read_only(server, state.rows[0]),
            position=file_positions.position(server, log.rows, applied),
            event_scheduler="DISABLED",
        )

    def written_here(self, server: ServerName, position: Position) -> Position:
        return position.only(server) if isinstance(position, FilePosition) else position

    def speaks(self, position: Position) -> bool:
        return position.is_origin or isinstance(position, FilePosition)

    # -- reads

    def facts(self, pool: Pool) -> ServerFacts:
        before_s = pool.clock.wall().timestamp()
        row = pool.rows(xpand_facts.IDENTITY)[0]
        middle_s = (before_s + pool.clock.wall().timestamp()) / 2
        variables, log = pool.read((xpand_facts.VARIABLES, self.own_log))
        return xpand_facts.server_facts(pool.spec.name, row, variables.rows, logs=bool(log.rows), our_clock_s=middle_s)

    def channels(self, pool: Pool, pair: Sequence[ServerSpec]) -> tuple[ChannelFacts, ...]:
        names = {address: one.name for one in pair for address in one.addresses}
        return tuple(xpand_facts.channel(pool.spec.name, row, names) for row in pool.rows(CHANNELS))

    def sessions(self, pool: Pool) -> tuple[Row, ...]:
        return pool.rows(xpand_facts.SESSIONS)

    def last_statements(self, pool: Pool) -> Mapping[int, str]:
        """`sessions` has them already."""
        del pool
        return {}

    def lock_holders(self, pool: Pool) -> tuple[str, ...]:
        """None is known of: FLUSH is not supported, and its own locks are those of transactions, which `sessions` shows."""
        del pool
        return ()

    def prepared_transactions(self, pool: Pool) -> tuple[str, ...]:
        """There is no XA RECOVER among its statements."""
        del pool
        return ()

    def events(self, pool: Pool) -> tuple[Row, ...]:
        """Privileges, EVENT: "Events are unsupported"."""
        del pool
        return ()

    def accounts(self, pool: Pool) -> Accounts:
        """Which of its privileges pass read_only is not documented: not known of anybody."""
        del pool
        return Accounts(readable=False)

    def wait(self, pool: Pool, server: ServerName, wanted: Position, held: Position, within_s: float) -> WriteFacts:
        """It has no statement that waits: look again and again, with pauses that grow."""
        del held
        return file_positions.wait_by_polling(pool, self.look, lambda results: self.write_facts(server, results), wanted, within_s)

    def end_of_log(self, pool: Pool) -> LogPoint | None:
        rows = pool.rows(self.own_log)
        return file_positions.log_point(rows[0]) if rows else None

    def logged_since(
        self, pool: Pool, position: Position, limit: int, *, deadline: Deadline, bookmark: Bookmark | None
    ) -> tuple[LoggedTransaction, ...]:
        """As a replica reads it: SHOW BINLOG EVENTS is among what Xpand does not support (Administrative Statements)."""
        del bookmark
        server, end = pool.spec.name, self.end_of_log(pool)
        if end is None:
            raise StatementFailed(f"{server} writes no binary log", hint="CREATE BINLOG", server=server)
        files = [text_of(row["Log_name"]) for row in pool.rows("SHOW BINARY LOGS")]
        ours = [file for file in files if LogPoint.of(file, 0).base == end.base]
        start = position.of_server(server) if isinstance(position, FilePosition) else None
        start = start if start is not None else LogPoint.of(ours[0], 4)
        if start.file not in ours:
            raise StatementFailed(f"{server}: its binary log {start.file} is gone", hint="it was trimmed or dropped since", server=server)
        session = pool.fresh(Purpose.WITNESS)
        try:
            return dumped_log.logged_since(session, start, end, limit, deadline=deadline)
        finally:
            session.close()


def _greets(version: str) -> bool:
    return any(name in version.lower() for name in ("xpand", "clustrix"))


XPAND = Flavor(name="xpand", greets=_greets, speaks=lambda server, version: Xpand(), newest=Xpand())  # noqa: ARG005 - one for all
