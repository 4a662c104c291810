"""The connections to one server, each with one purpose, so that none waits behind another.

Opened when first needed, kept, replaced when dead.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from enum import StrEnum

from interlock.clock import Clock
from interlock.errors import DriverError, OutcomeUnknown, RefusedButAlive, StatementFailed, Unreachable
from interlock.model.topology import Account, SecretRef, ServerSpec
from interlock.servers.orphans import end_orphan
from interlock.servers.session import IDLE_BEFORE_PING_S, READ_BOUND_S, Result, Row, Session, Setup, open_session, tls_context


class Purpose(StrEnum):
    ACT = "act"
    WITNESS = "witness"  # every read and proof: another connection than the one that acts
    WAIT = "wait"  # blocks in the server while the witness looks at the channels
    LOCK = "lock"  # its end releases GET_LOCK, so nothing else may break it
    CANARY = "canary"  # another account, without any right to pass read_only
    UNLOGGED = "unlogged"  # what it does stands on this server alone, and in no binary log


class Pool:
    """Threads may share it. `setup` tells by the version in a greeting how a connection begins; StatementFailed if that is not known."""

    def __init__(self, spec: ServerSpec, *, secrets: Callable[[SecretRef], str], clock: Clock, setup: Callable[[str], Setup]) -> None:
        self.spec = spec
        self.clock = clock
        self._secrets = secrets
        self._setup = setup
        self._sessions: dict[Purpose, Session] = {}
        self._opening = threading.RLock()
        self._tls: ssl.SSLContext | None = None
        self._place = 0
        self.suspects: set[int] = set()
        """Connections whose last effect may still land: to a hung server it lies unread in a socket, and shows in no process list."""

    def session(self, purpose: Purpose) -> Session:
        """The live connection of this purpose. Unreachable, RefusedButAlive; StatementFailed if nobody drives such a server."""
        with self._opening:
            known = self._sessions.get(purpose)
            if known is None or not known.alive:
                known = self._sessions[purpose] = self.fresh(purpose)
            return known

    def ready(self, purpose: Purpose) -> Session:
        """Tried with a ping after a pause, so that no effect is sent into a connection that died meanwhile."""
        session = self.session(purpose)
        if session.idle_s() < IDLE_BEFORE_PING_S:
            return session
        try:
            session.ping()
        except Unreachable:
            session.close()
        return self.session(purpose)

    def known(self, purpose: Purpose) -> Session | None:
        """The connection of this purpose if it is open already."""
        session = self._sessions.get(purpose)
        return session if session is not None and session.alive else None

    def fresh(self, purpose: Purpose, *, settings: str | None = None, several: bool = True) -> Session:
        """A connection that the pool does not keep: the caller closes it. `settings` replaces its first SET."""
        access = self.spec.access
        if access.tls is not None and self._tls is None:
            self._tls = tls_context(access.tls, server=self.spec.name)
        account = access.account if purpose is not Purpose.CANARY else access.canary
        if account is None:
            raise StatementFailed(
                f"{self.spec.name}: the topology names no canary account", hint="set access.canary", server=self.spec.name
            )
        session = self._connect(account, several=several)
        try:
            setup = self._setup(session.version)  # before the first statement, which only its own flavor understands
            session.setup = setup
            unlogged = ", sql_log_bin=0" if purpose is Purpose.UNLOGGED else ""
            session.run(((settings or setup.first) + unlogged,), bound_s=READ_BOUND_S, doing="set up the session")
        except DriverError:
            session.close()
            raise
        return session

    def rows(self, statement: str, *, purpose: Purpose = Purpose.WITNESS, bound_s: float = READ_BOUND_S) -> tuple[Row, ...]:
        return self.read((statement,), purpose=purpose, bound_s=bound_s)[0].rows

    def read(self, statements: Sequence[str], *, purpose: Purpose = Purpose.WITNESS, bound_s: float = READ_BOUND_S) -> tuple[Result, ...]:
        """Reads in one round trip. A kept connection that the server had ended meanwhile is replaced, once; a time-out
        is not tried again.
        """
        session = self.session(purpose)
        began_s = self.clock.monotonic_s()
        try:
            return session.run(statements, bound_s=bound_s)
        except Unreachable:
            if self.clock.monotonic_s() - began_s >= bound_s:
                raise
            return self.session(purpose).run(statements, bound_s=bound_s)

    def act(
        self, statements: Sequence[str], *, bound_s: float, doing: str, session: Session | None = None, harmless: Collection[int] = ()
    ) -> tuple[Result, ...]:
        """An effect, in one round trip. If its outcome is unknown, its connection is ended from another one first; the message says whether
        it is proved gone.
        """
        acting = session or self.ready(Purpose.ACT)
        self.suspects.add(acting.id)  # before it is sent: an interrupt may end this wait too
        try:
            results = acting.run(statements, bound_s=bound_s, effect=True, doing=doing, harmless=harmless)
        except OutcomeUnknown as lost:
            raise OutcomeUnknown(f"{lost.message}; {self._end(acting.id)}", hint=lost.hint, server=self.spec.name) from lost
        except DriverError:
            self.suspects.discard(acting.id)  # an answer came: nothing is under way
            raise
        self.suspects.discard(acting.id)
        return results

    def ids(self) -> frozenset[int]:
        """Our own connections that are open, as far as is known here."""
        return frozenset(session.id for session in list(self._sessions.values()) if session.alive)

    def drop(self, *, keep: frozenset[Purpose] = frozenset()) -> None:
        with self._opening:
            for purpose in [one for one in self._sessions if one not in keep]:
                self._sessions.pop(purpose).close()

    def _connect(self, account: Account, *, several: bool) -> Session:
        """To the first address that lets us in, from the one that did last: a node that is down is not a cluster that is down."""
        specs = [replace(self.spec, host=host, port=port) for host, port in self.spec.places]
        failed: list[str] = []
        for turn in range(len(specs)):
            place = (self._place + turn) % len(specs)
            try:
                session = open_session(specs[place], account, secrets=self._secrets, clock=self.clock, tls=self._tls, several=several)
            except (Unreachable, RefusedButAlive) as error:
                if len(specs) == 1:
                    raise
                failed.append(error.message)
                last = error
            else:
                self._place = place
                return session
        raise type(last)(f"{self.spec.name}: no address lets us in: {'; '.join(failed)}", hint=last.hint, server=self.spec.name)

    def _end(self, orphan: int) -> str:
        try:
            other = self.fresh(Purpose.ACT)
        except DriverError as error:
            return f"its connection {orphan} could not be proved gone ({error.message})"
        try:
            gone, words = end_orphan(other, orphan, clock=self.clock)
        finally:
            other.close()
        if gone:
            self.suspects.discard(orphan)
        return words
