"""The MariaDB driver, 10.5.2 and newer: every method of `ports.Server`, each a few lines over the rooms beside it.

Three rules. What acts and what looks are different connections. In the outage each of fence, proof, wait and opening is one round trip on a
connection that was opened before. And Interlock's own account passes `read_only`, so it never tries a write to prove a fence.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from interlock.clock import Clock, Deadline
from interlock.errors import BoundReached, DriverError, OutcomeUnknown, StatementFailed, WriteRefused
from interlock.model.codec import fields_of, from_plain
from interlock.model.effects import Fence, KillSessions, Open, RunSql, ServerEffect, SetEventScheduler
from interlock.model.facts import (
    ChannelFacts,
    EventFacts,
    FenceProof,
    LoggedTransaction,
    ServerFacts,
    SessionFacts,
    WriteFacts,
)
from interlock.model.position import MariaDBPosition, Position
from interlock.model.topology import SecretRef, ServerName, ServerSpec
from interlock.servers import grants, mariadb_canary, mariadb_facts, operator_lock
from interlock.servers.mariadb_accounts import Accounts, accounts
from interlock.servers.mariadb_effects import kill_sessions, marked_script, run_sql
from interlock.servers.mariadb_facts import text_of
from interlock.servers.mariadb_locks import lock_holders
from interlock.servers.mariadb_log import Bookmark, logged_since
from interlock.servers.mariadb_script import SCHEDULER_BOUND_S, WRITE_STATE, script
from interlock.servers.orphans import kill_and_prove_gone
from interlock.servers.pool import Pool, Purpose
from interlock.servers.quoting import MARK_PATTERN, seconds, text
from interlock.servers.session import MARGIN_S, READ_BOUND_S, Row, Session

LOG_BOUND_S = 30.0
ROWS_AT_MOST = 1000
_ACCOUNTS_FOR_S = 10.0
_LOCK_NAME_MAX = 64  # MySQL's limit, which MariaDB's is above


class MariaDBServer:
    """One MariaDB server. Threads may share it. Nothing is connected until the first method that needs it."""

    def __init__(self, spec: ServerSpec, *, secrets: Callable[[SecretRef], str], clock: Clock, pair: tuple[ServerSpec, ...]) -> None:
        self._spec = spec
        self._clock = clock
        self._pair = pair
        self._pool = Pool(spec, secrets=secrets, clock=clock)
        self._held = MariaDBPosition()
        self._bookmark: Bookmark | None = None
        self._known_identity: tuple[int | None, int] | None = None
        self._accounts: tuple[Accounts, Deadline] | None = None

    def __repr__(self) -> str:
        return f"MariaDBServer({self.name})"

    @property
    def name(self) -> ServerName:
        return self._spec.name

    @property
    def spec(self) -> ServerSpec:
        return self._spec

    # -- facts

    def facts(self) -> ServerFacts:
        before_s = self._clock.wall().timestamp()
        row = self._pool.rows(mariadb_facts.SETTINGS)[0]
        middle_s = (before_s + self._clock.wall().timestamp()) / 2
        log = self._pool.rows("SHOW MASTER STATUS")
        return mariadb_facts.server_facts(self.name, row, log=log[0] if log else None, our_clock_s=middle_s)

    def write_facts(self) -> WriteFacts:
        return self._write_facts(self._pool.rows(WRITE_STATE)[0])

    def channels(self) -> tuple[ChannelFacts, ...]:
        return tuple(mariadb_facts.channel(self.name, row, pair=self._pair) for row in self._pool.rows("SHOW ALL SLAVES STATUS"))

    def sessions(self) -> tuple[SessionFacts, ...]:
        """The canary account is Interlock's alone, and left out by its name; see `is_client` for Interlock's other one."""
        access, ours = self._spec.access, self._pool.ids()
        canary_user = access.canary.user if access.canary is not None else None
        rows = [
            row
            for row in self._pool.rows(mariadb_facts.SESSIONS)
            if text_of(row["user"]) != canary_user and mariadb_facts.is_client(row, ours=ours, our_users={access.account.user})
        ]
        return self._as_sessions(rows)

    def ddl_running(self) -> tuple[SessionFacts, ...]:
        """Replicated DDL too: on a standby it holds up the catch-up."""
        rows = self._pool.rows(f"{mariadb_facts.SESSIONS} WHERE p.command <> 'Sleep' AND p.info IS NOT NULL")
        return self._as_sessions([row for row in rows if mariadb_facts.is_ddl(text_of(row["statement"]))])

    def lock_holders(self) -> tuple[str, ...]:
        return lock_holders(self._pool.session(Purpose.WITNESS))

    def prepared_transactions(self) -> tuple[str, ...]:
        return tuple(text_of(row["data"]) for row in self._pool.rows("XA RECOVER"))

    def events(self) -> tuple[EventFacts, ...]:
        rows = self._pool.rows("SELECT db, name, definer FROM mysql.event WHERE status = 'ENABLED' ORDER BY db, name")
        known = self._known_accounts() if rows else Accounts()
        return tuple(
            EventFacts(
                schema=text_of(row["db"]),
                name=text_of(row["name"]),
                definer=text_of(row["definer"]),
                passes_read_only=known.definer_passes(text_of(row["definer"])),
            )
            for row in rows
        )

    def missing_privileges(self) -> tuple[str, ...]:
        """Of Interlock's own account, and of the canary account if the topology names one."""
        session = self._pool.session(Purpose.WITNESS)
        found = grants.missing(_grants_of(session), account=_account_of(session))
        if self._spec.access.canary is None:
            return found
        session = self._pool.session(Purpose.CANARY)
        return found + grants.missing_of_canary(_grants_of(session), account=_account_of(session))

    def logged_since(self, position: Position, /, limit: int) -> tuple[LoggedTransaction, ...]:
        """StatementFailed for a position that is not MariaDB's; BoundReached if LOG_BOUND_S is not enough."""
        return logged_since(
            self._pool.session(Purpose.WITNESS),
            self._own_kind(position),
            limit,
            deadline=Deadline.after(self._clock, LOG_BOUND_S),
            bookmark=self._bookmark,
        )

    # -- proofs

    def proof_of_fence(self) -> FenceProof:
        seen = self.write_facts()
        if not seen.read_only:
            raise StatementFailed(f"{self.name} takes writes: read_only=0", hint="fence it first", server=self.name)
        own = self._own_kind(seen.position).written_by(*self._identity())
        if self._spec.access.canary is None:
            return FenceProof(server=self.name, position=seen.position, own=own, canary="not tried: the topology names no canary account")
        try:
            mariadb_canary.write_with_canary_account(self._pool, f"fence-{self.name}")
        except WriteRefused:
            return FenceProof(server=self.name, position=seen.position, own=own, canary="refused")
        raise StatementFailed(
            f"{self.name} took a canary write although read_only={1:d}",
            hint=f"{self._spec.access.canary.user} must not pass read_only: revoke READ_ONLY ADMIN, SUPER and ALL from it",
            server=self.name,
        )

    def write_canary(self, token: str, /) -> None:
        """With the canary account, if the topology names one. A missing table is made first, never on a read-only server."""
        mariadb_canary.write(self._pool, token)

    def sees_canary(self, token: str, /) -> bool:
        return mariadb_canary.is_seen(self._pool, token)

    def wait_applied(self, position: Position, within_s: float, /) -> bool:
        """One round trip: the server waits for what it was not seen to hold, then tells what it holds; containment decides.

        What it holds already is not waited for: MASTER_GTID_WAIT looks at gtid_slave_pos only, and a domain that never came by
        replication (this server's own) blocks until the time-out (tried on 10.11).
        """
        wanted, within_s = self._own_kind(position), max(within_s, 0.001)
        missing = MariaDBPosition(tuple(one for one in wanted.gtids if not self._held.contains(MariaDBPosition((one,)))))
        if missing.gtids and not self._held.gtids:
            self.write_facts()
            missing = MariaDBPosition(tuple(one for one in wanted.gtids if not self._held.contains(MariaDBPosition((one,)))))
        waiting = (
            f"SET STATEMENT max_statement_time={seconds(within_s + MARGIN_S / 2)} FOR "
            f"SELECT MASTER_GTID_WAIT({text(str(missing))}, {seconds(within_s)}) AS waited"
        )
        statements = (waiting, WRITE_STATE) if missing.gtids else (WRITE_STATE,)
        results = self._pool.read(statements, purpose=Purpose.WAIT, bound_s=within_s + MARGIN_S / 2)
        return self._write_facts(results[-1].rows[0]).position.contains(wanted)

    # -- effects

    def script(self, effect: ServerEffect, /) -> tuple[str, ...]:
        return script(effect)

    def apply(self, effect: ServerEffect, /, mark: str) -> Mapping[str, object]:
        """Fence and Open return the `position` right after; a Fence or Open that holds already has no effect in the server itself."""
        match effect:
            case Fence(within_s=within_s) | Open(within_s=within_s):
                return self._set_read_only(effect, within_s, mark)
            case SetEventScheduler():
                self._pool.act(marked_script(effect, mark), bound_s=SCHEDULER_BOUND_S, doing="set the event scheduler")
                return {}
            case KillSessions():
                return kill_sessions(self._pool, effect, mark)
            case RunSql():
                return run_sql(self._pool, effect, mark)

    def settle(self) -> None:
        """The lock's connection stays, for the pair is still held. OutcomeUnknown names the connections that would not go."""
        fresh = self._pool.fresh(Purpose.ACT)
        try:
            rows = fresh.rows(
                "SELECT id FROM information_schema.processlist WHERE user = SUBSTRING_INDEX(USER(), '@', 1) "
                f"AND id <> CONNECTION_ID() AND info LIKE {text(MARK_PATTERN)}"
            )
            ending = {int(text_of(row["id"])) for row in rows} | self._pool.suspects
            self._pool.drop(keep=frozenset({Purpose.LOCK}))
            left = kill_and_prove_gone(fresh, ending, clock=self._clock)
        finally:
            fresh.close()
        self._pool.suspects = set(left)
        if left:
            raise OutcomeUnknown(
                f"{self.name}: connections {', '.join(map(str, left))} are still there after a KILL",
                hint="see SHOW PROCESSLIST",
                server=self.name,
            )

    # -- one operator at a time

    def take_lock(self, name: str, /, *, owner: str = "", again: bool = False) -> None:
        operator_lock.take(self._pool, name, owner=owner, again=again)

    def holds_lock(self, name: str, /) -> bool:
        return operator_lock.is_held(self._pool, name)

    def release_lock(self, name: str, /) -> None:
        operator_lock.release(self._pool, name)

    def warm_up(self) -> Mapping[str, object] | None:
        """Keeps where the log ends, for `logged_since`."""
        purposes = [Purpose.ACT, Purpose.WITNESS, Purpose.WAIT, *([Purpose.CANARY] if self._spec.access.canary is not None else [])]
        for purpose in purposes:
            self._pool.rows("SELECT 1", purpose=purpose)
        self._known_identity = None
        self._identity()
        log, state = self._pool.read(("SHOW MASTER STATUS", WRITE_STATE))
        position = self._write_facts(state.rows[0]).position
        if log.rows and isinstance(position, MariaDBPosition):
            file, offset = text_of(log.rows[0]["File"]), int(text_of(log.rows[0]["Position"]))
            self._bookmark = Bookmark(position=position, file=file, offset=offset)
        return fields_of(self._bookmark) if self._bookmark is not None else None

    def recall(self, kept: Mapping[str, object], /) -> None:
        with contextlib.suppress(ValueError):  # another version's: the log is read from a file's beginning then
            self._bookmark = from_plain(kept, Bookmark)

    def close(self) -> None:
        self._pool.drop()

    # -- parts

    def _write_facts(self, row: Row) -> WriteFacts:
        facts = mariadb_facts.write_facts(self.name, row)
        self._held = mariadb_facts.held(row)
        return facts

    def _identity(self) -> tuple[int | None, int]:
        """Its GTID domain and server id, read once: a proof in the outage must not ask again."""
        if self._known_identity is None:
            seen = self.facts()
            self._known_identity = (seen.gtid_domain_id, seen.server_id)
        return self._known_identity

    def _own_kind(self, position: Position) -> MariaDBPosition:
        if not isinstance(position, MariaDBPosition):
            raise StatementFailed(f"{self.name}: {position} is not a position of MariaDB", server=self.name)
        return position

    def _known_accounts(self) -> Accounts:
        """Read again every few seconds: `sessions` is asked many times while transactions drain."""
        if self._accounts is None or self._accounts[1].is_over():
            self._accounts = accounts(self._pool.session(Purpose.WITNESS)), Deadline.after(self._clock, _ACCOUNTS_FOR_S)
        return self._accounts[0]

    def _as_sessions(self, rows: list[Row]) -> tuple[SessionFacts, ...]:
        if not rows:
            return ()
        known, last = self._known_accounts(), self._last_statements()
        return tuple(
            mariadb_facts.session(row, passes_read_only=known.passes(text_of(row["user"]), text_of(row["host"])), last=last) for row in rows
        )

    def _last_statements(self) -> Mapping[int, str]:
        """What each session ran last: only performance_schema knows, and MariaDB starts without it."""
        rows = self._pool.session(Purpose.WITNESS).run(
            (mariadb_facts.LAST_STATEMENTS,), bound_s=READ_BOUND_S, harmless=mariadb_facts.NO_PERFORMANCE_SCHEMA
        )
        return {int(text_of(row["id"])): text_of(row["statement"]) for result in rows for row in result.rows}

    def _set_read_only(self, effect: Fence | Open, within_s: float, mark: str) -> Mapping[str, object]:
        doing = "fence" if isinstance(effect, Fence) else "open"
        try:
            results = self._pool.act(marked_script(effect, mark), bound_s=within_s, doing=doing)
        except BoundReached as stuck:
            raise BoundReached(
                f"{self.name}: {doing} had no effect within {within_s:g}s: {stuck.message}", hint=self._held_up_by(), server=self.name
            ) from stuck
        return {"position": self._write_facts(results[-1].rows[0]).position}

    def _held_up_by(self) -> str:
        """Who may hold up a fence. Best effort: it is for a hint, and the error that it goes into matters more than its own."""
        try:
            locks = self.lock_holders()
            running = [str(one) for one in self.sessions() if one.command != "Sleep"]
        except DriverError as error:
            return f"what holds it up could not be found out: {error.message}"
        found = [*locks, *sorted(running)][:5]
        return f"held up by {'; '.join(found)}" if found else "nothing that holds it up was seen a moment later: try again"


def _grants_of(session: Session) -> list[str]:
    return [text_of(next(iter(row.values()))) for row in session.rows("SHOW GRANTS")]


def _account_of(session: Session) -> str:
    user, _, host = text_of(session.rows("SELECT CURRENT_USER() AS account")[0]["account"]).rpartition("@")
    return f"{text(user)}@{text(host)}"
