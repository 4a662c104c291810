"""What MariaDB speaks, 10.5.2 and newer. The words are in the rooms beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from interlock.clock import Deadline
from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.model.effects import ServerEffect
from interlock.model.facts import ChannelFacts, LoggedTransaction, ServerFacts, WriteFacts
from interlock.model.position import FilePosition, LogPoint, MariaDBPosition, Position
from interlock.model.topology import ServerName, ServerSpec
from interlock.servers import channel_words, file_positions, gtid_log, mariadb_facts, mariadb_log
from interlock.servers.accounts import Accounts
from interlock.servers.dialect import Bookmark, Flavor, Need
from interlock.servers.last_statements import last_statements
from interlock.servers.mariadb_accounts import accounts
from interlock.servers.mariadb_locks import lock_holders
from interlock.servers.mariadb_script import SETUP, WRITE_STATE, script, session_bounds
from interlock.servers.pool import Pool, Purpose
from interlock.servers.quoting import seconds, text
from interlock.servers.session import MARGIN_S, Result, Row, Setup, text_of
from interlock.servers.versions import Version, version_of

OWN_LOG, CHANNELS = "SHOW MASTER STATUS", "SHOW ALL SLAVES STATUS"
OLDEST = (10, 5, 2)
NEEDS = (
    Need(privilege="READ_ONLY ADMIN", what_for="to fence and to open"),
    Need(privilege="CONNECTION ADMIN", what_for="to end sessions, and to get in when all connections are taken"),
    Need(privilege="PROCESS", what_for="to see sessions and transactions"),
    Need(privilege="SLAVE MONITOR", what_for="to see the channels"),
    Need(privilege="BINLOG MONITOR", what_for="to see positions and the binary log"),
    Need(privilege="SUPER", what_for="to start and stop the event scheduler"),
    Need(privilege="SELECT", what_for="to see locks, events, accounts and data"),
)
"""Asked for on every version, also where SUPER still implies them (before 10.11 or 11.0.1, by the MariaDB KB page "SUPER"): what is printed
is what is checked, and an upgrade takes nothing away.
"""


CHANNEL_NEEDS = (
    Need(privilege="REPLICATION SLAVE ADMIN", what_for="only with replicas that follow the writer, or semi-synchronous replication"),
    Need(privilege="REPLICATION MASTER ADMIN", what_for="only with semi-synchronous replication"),
    Need(privilege="REPLICATION SLAVE", what_for="only to read from a binary log what an emergency lost"),
)
"""SUPER stands for both until 10.11 (tried on 10.11), and no more from 11.0.1 on (MariaDB KB, "SUPER")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MariaDB:
    """`domain` and `server_id` are its own, known once it is attuned. `by_file` holds the pair's servers by address if its channels from
    them use no GTIDs: then positions are files and offsets.
    """

    version: Version
    domain: int = 0
    server_id: int = 0
    by_file: tuple[tuple[str, ServerName], ...] = ()

    flavor = "mariadb"
    needs = NEEDS
    setup: Setup = SETUP

    @property
    def look(self) -> tuple[str, ...]:
        return (WRITE_STATE, OWN_LOG, CHANNELS) if self.by_file else (WRITE_STATE,)

    def attuned(self, pool: Pool, pair: Sequence[ServerSpec]) -> MariaDB:
        told, channels = pool.read(("SELECT @@GLOBAL.gtid_domain_id AS domain, @@GLOBAL.server_id AS server_id", CHANNELS))
        addresses = {address: one.name for one in pair for address in one.addresses}
        without = [row for row in channels.rows if mariadb_facts.address_of(row) in addresses and text_of(row["Using_Gtid"]) == "No"]
        return replace(
            self,
            domain=int(text_of(told.rows[0]["domain"])),
            server_id=int(text_of(told.rows[0]["server_id"])),
            by_file=tuple(addresses.items()) if without else (),
        )

    # -- words

    def script(self, effect: ServerEffect, /) -> tuple[str, ...]:
        return script(effect, self.look)

    def bounds(self, within_s: float) -> str:
        return session_bounds(within_s)

    def bound_s(self, within_s: float) -> float:
        return within_s

    # -- answers

    def write_facts(self, server: ServerName, results: Sequence[Result]) -> WriteFacts:
        row = results[0].rows[0]
        fence = mariadb_facts.fence_of(row)
        return WriteFacts(
            server=server,
            read_only=mariadb_facts.is_read_only(row),
            position=self._by_files(server, results) if self.by_file else mariadb_facts.held(row),
            event_scheduler=text_of(row["event_scheduler"]),
            fence=fence,
            lesser=mariadb_facts.lesser(fence),
        )

    def written_here(self, server: ServerName, position: Position) -> Position:
        match position:
            case MariaDBPosition():
                return position.written_by(self.domain, self.server_id)
            case FilePosition():
                return position.only(server)
            case _:
                return position

    def speaks(self, position: Position) -> bool:
        return position.is_origin or isinstance(position, FilePosition if self.by_file else MariaDBPosition)

    # -- reads

    def facts(self, pool: Pool) -> ServerFacts:
        before_s = pool.clock.wall().timestamp()
        row = pool.rows(mariadb_facts.SETTINGS)[0]
        middle_s = (before_s + pool.clock.wall().timestamp()) / 2
        log = pool.rows(OWN_LOG)
        return mariadb_facts.server_facts(pool.spec.name, row, log=log[0] if log else None, our_clock_s=middle_s)

    def channels(self, pool: Pool, pair: Sequence[ServerSpec]) -> tuple[ChannelFacts, ...]:
        rows = pool.rows(CHANNELS)
        busy = bool(self.by_file) and bool(pool.rows(mariadb_facts.BUSY_WORKERS)[0]["busy"])
        return tuple(mariadb_facts.channel(pool.spec.name, row, pair=pair, busy=busy) for row in rows)

    def sessions(self, pool: Pool) -> tuple[Row, ...]:
        return pool.rows(mariadb_facts.SESSIONS)

    def last_statements(self, pool: Pool) -> Mapping[int, str]:
        return last_statements(pool)

    def lock_holders(self, pool: Pool) -> tuple[str, ...]:
        return lock_holders(pool.session(Purpose.WITNESS))

    def prepared_transactions(self, pool: Pool) -> tuple[str, ...]:
        return tuple(text_of(row["data"]) for row in pool.rows("XA RECOVER"))

    def events(self, pool: Pool) -> tuple[Row, ...]:
        return pool.rows("SELECT db, name, definer FROM mysql.event WHERE status = 'ENABLED' ORDER BY db, name")

    def accounts(self, pool: Pool) -> Accounts:
        return accounts(pool.session(Purpose.WITNESS), self.version)

    def wait(self, pool: Pool, server: ServerName, wanted: Position, held: Position, within_s: float) -> WriteFacts:
        """One round trip: the server waits for what it was not seen to hold, then tells what it holds.

        What it holds already is not waited for: MASTER_GTID_WAIT looks at gtid_slave_pos only, and a domain that never came by
        replication (this server's own) blocks until the time-out (tried on 10.11). MASTER_POS_WAIT takes whole seconds, and 0 is for ever.
        """
        if not isinstance(wanted, MariaDBPosition):
            return file_positions.wait_by_polling(pool, self.look, lambda results: self.write_facts(server, results), wanted, within_s)
        missing = MariaDBPosition(tuple(one for one in wanted.gtids if not held.contains(MariaDBPosition((one,)))))
        waiting = (
            f"SET STATEMENT max_statement_time={seconds(within_s + MARGIN_S / 2)} FOR "
            f"SELECT MASTER_GTID_WAIT({text(str(missing))}, {seconds(within_s)}) AS waited"
        )
        statements = (waiting, *self.look) if missing.gtids else self.look
        results = pool.read(statements, purpose=Purpose.WAIT, bound_s=within_s + MARGIN_S / 2)
        return self.write_facts(server, results[-len(self.look) :])

    def end_of_log(self, pool: Pool) -> LogPoint | None:
        rows = pool.rows(OWN_LOG)
        return file_positions.log_point(rows[0]) if rows else None

    def logged_since(
        self, pool: Pool, position: Position, limit: int, *, deadline: Deadline, bookmark: Bookmark | None
    ) -> tuple[LoggedTransaction, ...]:
        session = pool.session(Purpose.WITNESS)
        if isinstance(position, MariaDBPosition):
            return gtid_log.logged_since(session, position, limit, deadline=deadline, bookmark=bookmark, words=mariadb_log.WORDS)
        return file_positions.logged_since(session, position, limit, deadline=deadline, begins=mariadb_log.begins)

    def _by_files(self, server: ServerName, results: Sequence[Result]) -> FilePosition:
        _, log, channels = results
        names = dict(self.by_file)
        applied = {
            names[address]: mariadb_facts.applied_point(row) for row in channels.rows if (address := mariadb_facts.address_of(row)) in names
        }
        return file_positions.position(server, log.rows, applied)


def _speaks(server: str, version: str) -> MariaDB:
    if version_of(version) < OLDEST:
        raise StatementFailed(
            f"{server} runs MariaDB {version}, older than 10.5.2", hint="its privileges and words differ; upgrade it first", server=server
        )
    return MariaDB(version=version_of(version))


MARIADB = Flavor(
    name="mariadb",
    greets=lambda version: "mariadb" in version.lower(),
    speaks=_speaks,
    newest=MariaDB(version=(12, 0, 0)),
    channels=channel_words.mariadb,
    channel_needs=CHANNEL_NEEDS,
)
