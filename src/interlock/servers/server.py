"""The driver of every flavor: each method of `ports.Server` a few lines over the rooms beside it, and the words its dialect's.

Three rules. What acts and what looks are different connections. In the outage each of fence, proof, wait and opening is one round trip on a
connection that was opened before. And Interlock's own account may pass `read_only`, so it never tries a write to prove a fence.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from interlock.clock import Clock, Deadline
from interlock.errors import BoundReached, DriverError, StatementFailed, WriteRefused
from interlock.model.codec import fields_of, from_plain
from interlock.model.effects import (
    ChannelEffect,
    EraseNote,
    Fence,
    KillSessions,
    Open,
    Repoint,
    RunSql,
    ServerEffect,
    SetEventScheduler,
    WriteNote,
)
from interlock.model.facts import (
    ChannelFacts,
    EventFacts,
    FenceProof,
    LoggedTransaction,
    SemiSyncFacts,
    ServerFacts,
    SessionFacts,
    WriteFacts,
)
from interlock.model.marks import Mark
from interlock.model.position import LogPoint, Position
from interlock.model.topology import SecretRef, ServerName, ServerSpec
from interlock.servers import canary, canary_writes, client_sessions, notes, operator_lock, privileges, semi_sync, settling
from interlock.servers.accounts import Accounts
from interlock.servers.channel_words import ChannelWords
from interlock.servers.dialect import Bookmark, Dialect
from interlock.servers.effects import all_marked, kill_sessions, run_sql
from interlock.servers.flavors import flavor_named
from interlock.servers.pool import Pool, Purpose
from interlock.servers.segments import SqlSegments
from interlock.servers.session import Row, Session, Setup, text_of
from interlock.servers.tables import SqlTables
from interlock.servers.trepctl import Replicator, ReplicatorEffect
from interlock.servers.versions import version_of

LOG_BOUND_S = 30.0
SCHEDULER_BOUND_S = 5.0
_ACCOUNTS_FOR_S = 10.0
_NEWEST = (99, 0, 0)


class SqlServer:
    """One server. Threads may share it. Nothing is connected until the first method that needs it."""

    def __init__(
        self,
        spec: ServerSpec,
        *,
        secrets: Callable[[SecretRef], str],
        clock: Clock,
        pair: tuple[ServerSpec, ...],
        recognise: Callable[[str], Dialect],
        supposed: Callable[[], Dialect],
        replicator: Replicator | None = None,
    ) -> None:
        """`recognise` tells by a greeting what the server speaks; what it is `supposed` to speak is for words while it does not answer.
        `replicator`: what replicates into it, if not the server itself.
        """
        self._spec = spec
        self._clock = clock
        self._pair = pair
        self._recognise = recognise
        self._supposed = supposed
        self._replicator = replicator
        self._attuned: Dialect | None = None
        self._pool = Pool(spec, secrets=secrets, clock=clock, setup=self._setup)
        self._held: Position | None = None
        self._bookmark: Bookmark | None = None
        self._accounts: tuple[Accounts, Deadline] | None = None

    def __repr__(self) -> str:
        return f"SqlServer({self.name})"

    @property
    def name(self) -> ServerName:
        return self._spec.name

    @property
    def spec(self) -> ServerSpec:
        return self._spec

    @property
    def spoken(self) -> Dialect | None:
        """What it was found to speak; None while it never answered."""
        return self._attuned

    # -- facts

    def facts(self) -> ServerFacts:
        return self._attune().facts(self._pool)

    def write_facts(self) -> WriteFacts:
        dialect = self._dialect
        return self._remembered(dialect.write_facts(self.name, self._pool.read(dialect.look)))

    def channels(self) -> tuple[ChannelFacts, ...]:
        return self._dialect.channels(self._pool, self._pair)

    def semi_sync(self) -> SemiSyncFacts:
        if flavor_named(self._dialect.flavor).channels is None:
            return SemiSyncFacts(server=self.name, words="")
        return semi_sync.facts(self.name, self._pool.read(semi_sync.LOOK))

    def sessions(self) -> tuple[SessionFacts, ...]:
        """The canary account is Interlock's alone, and left out by its name; see `is_client` for Interlock's other one."""
        access, ours = self._spec.access, self._pool.ids()
        canary_user = access.canary.user if access.canary is not None else None
        rows = [
            row
            for row in self._dialect.sessions(self._pool)
            if text_of(row["user"]) != canary_user and client_sessions.is_client(row, ours=ours, our_users={access.account.user})
        ]
        return self._as_sessions(rows)

    def ddl_running(self) -> tuple[SessionFacts, ...]:
        """Replicated DDL too: on a standby it holds up the catch-up."""
        rows = self._dialect.sessions(self._pool)
        return self._as_sessions(
            [row for row in rows if text_of(row["command"]) != "Sleep" and client_sessions.is_ddl(text_of(row["statement"]))]
        )

    def lock_holders(self) -> tuple[str, ...]:
        return self._dialect.lock_holders(self._pool)

    @property
    def segments(self) -> SqlSegments:
        return SqlSegments(self._pool, dialect=lambda: self._dialect, position=lambda: self.write_facts().position)

    @property
    def tables(self) -> SqlTables:
        return SqlTables(self._pool, dialect=lambda: self._dialect, supposed=self._supposed)

    def prepared_transactions(self) -> tuple[str, ...]:
        return self._dialect.prepared_transactions(self._pool)

    def events(self) -> tuple[EventFacts, ...]:
        rows = self._dialect.events(self._pool)
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
        return privileges.missing(self._pool, self._dialect, self._known_accounts)

    def noted(self, topology: str, /) -> tuple[Mark, ...]:
        return notes.noted(self._pool, topology)

    def logged_since(self, position: Position, /, limit: int) -> tuple[LoggedTransaction, ...]:
        """StatementFailed for a position of a kind that the server does not speak; BoundReached if LOG_BOUND_S is not enough."""
        deadline = Deadline.after(self._clock, LOG_BOUND_S)
        return self._speaking_of(position).logged_since(self._pool, position, limit, deadline=deadline, bookmark=self._bookmark)

    # -- proofs

    def proof_of_fence(self) -> FenceProof:
        seen = self.write_facts()
        if not seen.read_only:
            raise StatementFailed(f"{self.name} takes writes: read_only=0", hint="fence it first", server=self.name)
        own = self._dialect.written_here(self.name, seen.position)
        if seen.offline:  # the canary account's own connection was ended; a new one is refused, which is the proof
            self._pool.drop(keep=frozenset(Purpose) - {Purpose.CANARY})
        if self._spec.access.canary is None:
            untried = "not tried: the topology names no canary account"
            return FenceProof(server=self.name, position=seen.position, own=own, canary=untried, loose=seen.loose)
        try:
            canary_writes.write_with_canary_account(self._pool, f"fence-{self.name}")
        except WriteRefused:
            return FenceProof(server=self.name, position=seen.position, own=own, canary="refused", loose=seen.loose)
        raise StatementFailed(
            f"{self.name} took a canary write although read_only={1:d}",
            hint=f"{self._spec.access.canary.user} must not pass read_only: revoke READ_ONLY ADMIN, SUPER and ALL from it",
            server=self.name,
        )

    def write_canary(self, token: str, /) -> None:
        """With the canary account, if the topology names one. A missing table is made first, never on a read-only server."""
        canary_writes.write(self._pool, token, is_fenced=lambda: self.write_facts().read_only)

    def sees_canary(self, token: str, /) -> bool:
        return canary_writes.is_seen(self._pool, token)

    def wait_applied(self, position: Position, within_s: float, /) -> bool:
        """Containment decides, whatever the wait itself says."""
        dialect = self._speaking_of(position)
        held = self._held if self._held is not None else self.write_facts().position
        seen = dialect.wait(self._pool, self.name, position, held, max(within_s, 0.001))
        return self._remembered(seen).position.contains(position)

    # -- effects

    def script(self, effect: ServerEffect | ChannelEffect, /) -> tuple[str, ...]:
        """What `apply` sends. Of a server that never answered, the words of what it is supposed to be."""
        try:
            return self._words_of(effect, self._dialect)
        except DriverError:
            return self._words_of(effect, self._supposed())

    def apply(self, effect: ServerEffect | ChannelEffect, /, mark: str) -> Mapping[str, object]:
        """Fence and Open return the `position` right after; a Fence or Open that holds already has no effect in the server itself."""
        if self._replicator is not None and isinstance(effect, ReplicatorEffect):
            self._replicator.apply(effect)
            return {}
        statements = all_marked(self._words_of(effect, self._dialect), mark)
        if isinstance(effect, ChannelEffect):
            self._pool.act(statements, bound_s=effect.within_s, doing="replication")
            if isinstance(effect, Repoint):
                self._attuned = None  # its channels may use another kind of position now
            return {}
        match effect:
            case Fence(within_s=within_s) | Open(within_s=within_s):
                return self._set_read_only(effect, statements, within_s)
            case SetEventScheduler():
                self._pool.act(statements, bound_s=SCHEDULER_BOUND_S, doing="set the event scheduler")
                return {}
            case KillSessions(ids=ids):
                return kill_sessions(self._pool, ids, mark)
            case WriteNote(within_s=within_s) | EraseNote(within_s=within_s):
                self._pool.act(statements, bound_s=within_s, doing="note", harmless=canary.MISSING)
                return {}
            case RunSql(within_s=within_s):
                return run_sql(self._pool, statements, bounds=self._dialect.bounds(within_s), within_s=within_s)

    def settle(self) -> None:
        """The lock's connection stays, for the pair is still held. OutcomeUnknown names the connections that would not go."""
        settling.settle(self._pool)

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
            with contextlib.suppress(WriteRefused):  # the canary account, by a server that turns clients out
                self._pool.rows("SELECT 1", purpose=purpose)
        end = self._attune().end_of_log(self._pool)
        position = self.write_facts().position
        self._bookmark = Bookmark(position=position, at=end) if end is not None else None
        return fields_of(self._bookmark) if self._bookmark is not None else None

    def recall(self, kept: Mapping[str, object], /) -> None:
        with contextlib.suppress(ValueError):  # another version's: the log is read from a file's beginning then
            self._bookmark = from_plain(kept, Bookmark)

    def end_of_log(self) -> LogPoint | None:
        """Where its own log ends; None if it writes none."""
        return self._dialect.end_of_log(self._pool)

    def session(self, settings: str) -> Session:
        """A connection of its own, which begins with `settings`, for what reads or writes a lot. The caller closes it."""
        return self._pool.fresh(Purpose.WITNESS, settings=settings)

    def close(self) -> None:
        self._pool.drop()

    # -- parts

    def _setup(self, version: str) -> Setup:
        """How a connection to a server that greets like this begins. Pure until it is attuned: that needs a connection."""
        return self._recognise(version).setup

    @property
    def _dialect(self) -> Dialect:
        return self._attuned or self._attune()

    def _attune(self) -> Dialect:
        """Ask the server who it is and how its channels are set up; both may change while nobody runs anything."""
        version = self._pool.session(Purpose.WITNESS).version
        self._attuned = self._recognise(version).attuned(self._pool, self._pair)
        return self._attuned

    def _words_of(self, effect: ServerEffect | ChannelEffect, dialect: Dialect) -> tuple[str, ...]:
        if self._replicator is not None and isinstance(effect, ReplicatorEffect):
            return self._replicator.script(effect)
        if isinstance(effect, ChannelEffect):
            return self._channel_words(dialect).script(effect)
        return dialect.script(effect)

    def _channel_words(self, dialect: Dialect) -> ChannelWords:
        """Of the newest version there is, while the server has not told its own. StatementFailed if its flavor has none."""
        words = flavor_named(dialect.flavor).channels
        if words is None:
            raise StatementFailed(
                f"{self.name}: the replication of {dialect.flavor} is not changed by Interlock", hint="change it by hand", server=self.name
            )
        known = self._pool.known(Purpose.WITNESS)
        return words(version_of(known.version) if known is not None else _NEWEST)

    def _speaking_of(self, position: Position) -> Dialect:
        if not self._dialect.speaks(position):
            raise StatementFailed(
                f"{self.name} ({self._dialect.flavor}) can't wait for a position of another kind than its channels use: {position}",
                hint="let both channels use GTIDs of one flavor, or both file and offset; a pair of two flavors: docs/servers/mixed.md",
                server=self.name,
            )
        return self._dialect

    def _remembered(self, facts: WriteFacts) -> WriteFacts:
        self._held = facts.position
        return facts

    def _known_accounts(self) -> Accounts:
        """Read again every few seconds: `sessions` is asked many times while transactions drain."""
        if self._accounts is None or self._accounts[1].is_over():
            self._accounts = self._dialect.accounts(self._pool), Deadline.after(self._clock, _ACCOUNTS_FOR_S)
        return self._accounts[0]

    def _as_sessions(self, rows: list[Row]) -> tuple[SessionFacts, ...]:
        if not rows:
            return ()
        known, last = self._known_accounts(), self._dialect.last_statements(self._pool)
        return tuple(client_sessions.as_facts(row, known=known, last=last) for row in rows)

    def _set_read_only(self, effect: Fence | Open, statements: tuple[str, ...], within_s: float) -> Mapping[str, object]:
        dialect = self._dialect
        doing = "fence" if isinstance(effect, Fence) else "open"
        try:
            results = self._pool.act(statements, bound_s=dialect.bound_s(within_s), doing=doing)
        except BoundReached as stuck:
            raise BoundReached(
                f"{self.name}: {doing} had no effect within {within_s:g}s: {stuck.message}", hint=self._held_up_by(), server=self.name
            ) from stuck
        return {"position": self._remembered(dialect.write_facts(self.name, results[-len(dialect.look) :])).position}

    def _held_up_by(self) -> str:
        """Who may hold up a fence. Best effort: it is for a hint, and the error that it goes into matters more than its own."""
        try:
            locks = self.lock_holders()
            running = [str(one) for one in self.sessions() if one.command != "Sleep"]
        except DriverError as error:
            return f"what holds it up could not be found out: {error.message}"
        found = [*locks, *sorted(running)][:5]
        return f"held up by {'; '.join(found)}" if found else "nothing that holds it up was seen a moment later: try again"
