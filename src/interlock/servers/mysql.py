"""What MySQL and Percona's builds of it speak, 5.7.8 and newer. The words are in the rooms beside it, by version in `mysql_words.py`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from interlock.clock import Deadline
from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.model.effects import ServerEffect
from interlock.model.facts import ChannelFacts, LoggedTransaction, ServerFacts, WriteFacts
from interlock.model.position import FilePosition, LogPoint, MySQLPosition, Position
from interlock.model.topology import ServerName, ServerSpec
from interlock.servers import channel_words, file_positions, gtid_log, mysql_facts, mysql_log
from interlock.servers.accounts import Accounts
from interlock.servers.dialect import Bookmark, Flavor, Need
from interlock.servers.last_statements import last_statements
from interlock.servers.mysql_accounts import accounts
from interlock.servers.mysql_locks import lock_holders
from interlock.servers.mysql_script import SETUP, script, session_bounds, whole_seconds, write_state
from interlock.servers.mysql_words import NEED_TO_KEEP_AN_OFF, OLDEST, Words, words
from interlock.servers.pool import Pool, Purpose
from interlock.servers.quoting import seconds, text
from interlock.servers.session import MARGIN_S, READ_BOUND_S, Result, Row, Setup, text_of
from interlock.servers.versions import Version, version_of

_NO_PERFORMANCE_SCHEMA = frozenset({1142, 1146, 1683})
_OTHERS = re.compile("mariadb|xpand|clustrix|tidb|vitess|oceanbase", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A server of the pair that this one replicates from, on a channel without GTIDs."""

    name: ServerName
    address: str
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MySQL:
    """`uuid` is its own, known once it is attuned. `by_file`: its channels from the pair (`follows`) use no GTIDs; then positions
    are files and offsets. `starts_open`: it is fenced, and it is persisted that it is not. `offline`: a fence is `offline_mode`,
    too.
    """

    version: Version
    words: Words
    uuid: str = ""
    by_file: bool = False
    follows: tuple[Followed, ...] = ()
    starts_open: bool = False
    offline: bool = False

    flavor = "mysql"
    setup: Setup = SETUP

    @property
    def needs(self) -> Sequence[Need]:
        return (*self.words.needs, NEED_TO_KEEP_AN_OFF) if self.starts_open else self.words.needs

    @property
    def look(self) -> tuple[str, ...]:
        state = write_state(self.words)
        return (state, self.words.own_log, self.words.channels) if self.by_file else (state,)

    def attuned(self, pool: Pool, pair: Sequence[ServerSpec]) -> MySQL:
        who = "SELECT @@GLOBAL.server_uuid AS uuid, @@GLOBAL.gtid_mode AS gtid_mode"
        told, state, channels = pool.read((who, write_state(self.words), self.words.channels))
        addresses = {address: one.name for one in pair for address in one.addresses}
        ours = [row for row in map(mysql_facts.modern, channels.rows) if mysql_facts.address_of(row) in addresses]
        by_file = text_of(told.rows[0]["gtid_mode"]) != "ON" or any(not mysql_facts.uses_gtids(row) for row in ours)
        follows = (
            Followed(name=addresses[mysql_facts.address_of(row)], address=mysql_facts.address_of(row), channel=text_of(row["Channel_Name"]))
            for row in ours
        )
        starts_open = mysql_facts.starts_open(state.rows[0])
        return replace(self, uuid=text_of(told.rows[0]["uuid"]), by_file=by_file, follows=tuple(follows), starts_open=starts_open)

    # -- words

    def script(self, effect: ServerEffect, /) -> tuple[str, ...]:
        return script(effect, self.words, self.look, offline=self.offline)

    def bounds(self, within_s: float) -> str:
        return session_bounds(within_s)

    def bound_s(self, within_s: float) -> float:
        return float(whole_seconds(within_s))

    # -- answers

    def write_facts(self, server: ServerName, results: Sequence[Result]) -> WriteFacts:
        row = results[0].rows[0]
        offline = mysql_facts.is_on(row["offline_mode"])
        fence = mysql_facts.fence_of(row)
        return WriteFacts(
            server=server,
            read_only=mysql_facts.is_on(row["read_only"]) or mysql_facts.is_on(row["super_read_only"]),
            position=self._by_files(server, results) if self.by_file else MySQLPosition.parse(text_of(row["executed"]).replace("\n", "")),
            event_scheduler=text_of(row["event_scheduler"]),
            fence=fence,
            loose=mysql_facts.is_loose(row),
            fleeting=self.words.persists and mysql_facts.is_fleeting(row),
            offline=offline,
            lacks="offline_mode is off" if self.offline and not offline and mysql_facts.is_on(row["read_only"]) else "",
            lesser=mysql_facts.lesser(fence),
        )

    def written_here(self, server: ServerName, position: Position) -> Position:
        match position:
            case MySQLPosition():
                return position.written_by(self.uuid)
            case FilePosition():
                return position.only(server)
            case _:
                return position

    def speaks(self, position: Position) -> bool:
        return position.is_origin or isinstance(position, FilePosition if self.by_file else MySQLPosition)

    # -- reads

    def facts(self, pool: Pool) -> ServerFacts:
        before_s = pool.clock.wall().timestamp()
        row = pool.rows(mysql_facts.settings(self.words))[0]
        middle_s = (before_s + pool.clock.wall().timestamp()) / 2
        log, channels = pool.read((self.words.own_log, self.words.channels))
        told = [mysql_facts.modern(one) for one in channels.rows]
        return mysql_facts.server_facts(pool.spec.name, row, log=log.rows, channels=told, our_clock_s=middle_s)

    def channels(self, pool: Pool, pair: Sequence[ServerSpec]) -> tuple[ChannelFacts, ...]:
        rows = [mysql_facts.modern(row) for row in pool.rows(self.words.channels)]
        workers = _instrumented(pool, mysql_facts.WORKER_ERRORS) if any(row.get("Last_SQL_Error") for row in rows) else ()
        beats = {text_of(row["channel"]): row for row in (_instrumented(pool, mysql_facts.heartbeats(self.words)) if rows else ())}
        counted = _instrumented(pool, mysql_facts.BUSY_WORKERS) if self.by_file else ()
        busy = bool(self.by_file) and (not counted or bool(counted[0]["busy"]))
        return tuple(
            mysql_facts.channel(pool.spec.name, row, pair=pair, workers=workers, beats=beats.get(text_of(row["Channel_Name"])), busy=busy)
            for row in rows
        )

    def sessions(self, pool: Pool) -> tuple[Row, ...]:
        return pool.rows(mysql_facts.SESSIONS)

    def last_statements(self, pool: Pool) -> Mapping[int, str]:
        return last_statements(pool)

    def lock_holders(self, pool: Pool) -> tuple[str, ...]:
        return lock_holders(pool)

    def prepared_transactions(self, pool: Pool) -> tuple[str, ...]:
        return tuple(text_of(row["data"]) for row in pool.rows("XA RECOVER"))

    def events(self, pool: Pool) -> tuple[Row, ...]:
        return pool.rows(mysql_facts.EVENTS)

    def accounts(self, pool: Pool) -> Accounts:
        return accounts(pool.session(Purpose.WITNESS), self.words)

    def wait(self, pool: Pool, server: ServerName, wanted: Position, held: Position, within_s: float) -> WriteFacts:
        """One round trip: the server waits for what it was not seen to hold, then tells what it holds. To both of its waits a time of 0 is
        for ever. That for a GTID goes on when the applier stops. SOURCE_POS_WAIT takes parts of a second (tried on 9.7; its older name is
        not relied on for that), and ends at once, with NULL, while no applier runs: then the server is asked again and again.
        """
        deadline = Deadline.after(pool.clock, within_s)
        if not (self.by_file and self.words.pos_wait == "MASTER_POS_WAIT"):
            statements = (*self._waiting(wanted, held, within_s), *self.look)
            results = pool.read(statements, purpose=Purpose.WAIT, bound_s=within_s * max(1, len(self.follows)) + MARGIN_S / 2)
            seen = self.write_facts(server, results[-len(self.look) :])
            if not self.by_file or seen.position.contains(wanted) or deadline.is_over():
                return seen
        left_s = max(0.0, deadline.left_s())
        return file_positions.wait_by_polling(pool, self.look, lambda results: self.write_facts(server, results), wanted, left_s)

    def end_of_log(self, pool: Pool) -> LogPoint | None:
        rows = pool.rows(self.words.own_log)
        return file_positions.log_point(rows[0]) if rows else None

    def logged_since(
        self, pool: Pool, position: Position, limit: int, *, deadline: Deadline, bookmark: Bookmark | None
    ) -> tuple[LoggedTransaction, ...]:
        session = pool.session(Purpose.WITNESS)
        if isinstance(position, FilePosition) or self.by_file:
            return file_positions.logged_since(session, position, limit, deadline=deadline, begins=mysql_log.begins)
        wanted = position if isinstance(position, MySQLPosition) else MySQLPosition()
        return gtid_log.logged_since(session, wanted, limit, deadline=deadline, bookmark=bookmark, words=mysql_log.WORDS)

    # -- parts

    def _waiting(self, wanted: Position, held: Position, within_s: float) -> tuple[str, ...]:
        bound = f"/*+ MAX_EXECUTION_TIME({max(1, round((within_s + MARGIN_S / 2) * 1000)):d}) */"
        match wanted:
            case MySQLPosition() if not held.contains(wanted):
                return (f"SELECT {bound} WAIT_FOR_EXECUTED_GTID_SET({text(str(wanted))}, {seconds(within_s)}) AS waited",)
            case FilePosition():
                points = ((followed, wanted.of_server(followed.name)) for followed in self.follows)
                return tuple(
                    f"SELECT {bound} {self.words.pos_wait}"
                    f"({text(point.file)}, {point.offset:d}, {seconds(within_s)}, {text(followed.channel)}) AS waited"
                    for followed, point in points
                    if point is not None and not held.contains(wanted.only(followed.name))
                )
            case _:
                return ()

    def _by_files(self, server: ServerName, results: Sequence[Result]) -> FilePosition:
        _, log, channels = results
        points = {mysql_facts.address_of(row): mysql_facts.applied_point(row) for row in map(mysql_facts.modern, channels.rows)}
        return file_positions.position(server, log.rows, {one.name: points.get(one.address) for one in self.follows})


def _instrumented(pool: Pool, statement: str) -> tuple[Row, ...]:
    """Rows of the performance schema; none where it is switched off."""
    results = pool.session(Purpose.WITNESS).run((statement,), bound_s=READ_BOUND_S, harmless=_NO_PERFORMANCE_SCHEMA)
    return tuple(row for result in results for row in result.rows)


def _greets(version: str) -> bool:
    return version_of(version) != (0, 0, 0) and _OTHERS.search(version) is None


def _speaks(server: str, version: str) -> MySQL:
    numbers = version_of(version)
    if numbers < OLDEST:
        raise StatementFailed(
            f"{server} runs MySQL {version}, older than {'.'.join(map(str, OLDEST))}",
            hint="it has no bounds on statements, and no read_only that stops administrators; upgrade it first",
            server=server,
        )
    return MySQL(version=numbers, words=words(numbers))


MYSQL = Flavor(
    name="mysql",
    greets=_greets,
    speaks=_speaks,
    newest=MySQL(version=(9, 7, 0), words=words((9, 7, 0))),
    channels=channel_words.mysql,
    channel_needs=(
        Need(privilege="REPLICATION_SLAVE_ADMIN", what_for="only with replicas that follow the writer, or semi-synchronous replication"),
    ),
)
