"""One connection to one server, every statement bounded twice: by the server, and MARGIN_S later by us.

Two rules. A time-out is not a cancel: after our own bound the connection is never used again, and its statement is another connection's
business (`orphans.py`). And a password lives in no attribute, message or repr of ours.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import pymysql
from pymysql.constants import CLIENT
from pymysql.cursors import DictCursor

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.errors import OutcomeUnknown, StatementFailed, Unreachable
from interlock.model.topology import Account, SecretRef, ServerSpec, Tls
from interlock.servers.translate import GONE_CODES, Number, code_of, is_client_timeout, its_own_number, translated, words_of

READ_BOUND_S = 2.0
MARGIN_S = 1.0
CONNECT_S = 3.0
IDLE_BEFORE_PING_S = 5.0
PROGRAM_NAME = "interlock"

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How a connection begins: its first statement (bounds, time zone, and the sql_mode that `quoting.py` relies on). `processlist` is what
    stands behind FROM to see every connection, with the columns id, user, host, command, time and info. Not `several`: it takes one
    statement at a time. Not `releases_all`: it has no RELEASE_ALL_LOCKS().
    """

    first: str
    processlist: str = "information_schema.processlist"
    several: bool = True
    releases_all: bool = True
    number: Number = its_own_number


def text_of(value: object) -> str:
    """A column as text; NULL is empty. Some columns of information_schema come as bytes."""
    if value is None:
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one statement gave: its rows by column name, how many rows it changed, and of how much it warned."""

    rows: tuple[Row, ...]
    affected: int
    warnings: int = 0


class Session:
    """A connection. Threads may share it; one round trip is under way at a time."""

    def __init__(self, connection: pymysql.connections.Connection[DictCursor], *, server: str, clock: Clock) -> None:
        self.server = server
        self.id = int(connection.thread_id())  # type: ignore[no-untyped-call]
        self.version = str(connection.get_server_info())  # type: ignore[no-untyped-call]
        self._connection = connection
        self._clock = clock
        self._used_at_s = clock.monotonic_s()
        self._turn = threading.Lock()
        self.setup = Setup(first="")

    def __repr__(self) -> str:
        return f"Session({self.server}, id={self.id})"

    @property
    def processlist(self) -> str:
        return self.setup.processlist

    @property
    def alive(self) -> bool:
        """As far as is known here: False once a time-out or a lost connection was seen."""
        return bool(self._connection.open)

    def run(
        self, statements: Sequence[str], *, bound_s: float, effect: bool = False, doing: str = "", harmless: Collection[int] = ()
    ) -> tuple[Result, ...]:
        """Send the statements in one round trip (or one each, to a server that takes no more); the results in their order. The
        statements carry the server's own bound of `bound_s`.

        We wait MARGIN_S longer. With `effect`, a wait that ends without an answer is OutcomeUnknown; otherwise Unreachable. Any error
        reply is translated, but those of `harmless` numbers end quietly with no result; the statements after it were not begun (the
        protocol's rule for several statements in one packet).
        """
        text = ";\n".join(statements)
        with self._turn:
            try:
                return self._round_trips([text] if self.setup.several else statements, bound_s + MARGIN_S)
            except pymysql.Error as error:
                if self.setup.number(code_of(error), words_of(error)) in harmless:
                    return ()
                raise self._judged(error, bound_s=bound_s, effect=effect, doing=doing or _summary(text)) from error

    def rows(self, statement: str, *, bound_s: float = READ_BOUND_S, doing: str = "") -> tuple[Row, ...]:
        """The rows of one read."""
        return self.run((statement,), bound_s=bound_s, doing=doing)[0].rows

    def packets(self, command: int, payload: bytes, *, doing: str, bound_s: float = READ_BOUND_S) -> Iterator[bytes]:
        """What answers a command of the protocol other than a statement, packet by packet without the leading OK byte, until its end; each
        within `bound_s`. Nothing else can be asked of this connection meanwhile.
        """
        with self._turn:
            try:
                self._connection._read_timeout = bound_s + MARGIN_S  # type: ignore[attr-defined]  # noqa: SLF001 - as in _round_trip
                self._connection._execute_command(command, payload)  # type: ignore[attr-defined]  # noqa: SLF001 - no public way
                while True:
                    packet = self._connection._read_packet()  # type: ignore[no-untyped-call]  # noqa: SLF001 - no public way
                    if packet.is_eof_packet():
                        return
                    yield packet.get_all_data()[1:]
            except pymysql.Error as error:
                raise self._judged(error, bound_s=bound_s, effect=False, doing=doing) from error

    def idle_s(self) -> float:
        return self._clock.monotonic_s() - self._used_at_s

    def ping(self) -> None:
        """Unreachable if the connection is gone."""
        self.rows("SELECT 1", doing="ping")

    def close(self) -> None:
        if self._connection.open:
            self._connection.close()

    def _round_trips(self, texts: Sequence[str], patience_s: float) -> tuple[Result, ...]:
        """All of them within `patience_s`."""
        end_s = self._clock.monotonic_s() + patience_s
        return tuple(result for text in texts for result in self._round_trip(text, max(0.001, end_s - self._clock.monotonic_s())))

    def _round_trip(self, text: str, patience_s: float) -> tuple[Result, ...]:
        self._connection._read_timeout = patience_s  # type: ignore[attr-defined]  # noqa: SLF001 - no public way to bound one statement
        results = []
        with self._connection.cursor() as cursor:
            affected = cursor.execute(text)
            results.append(Result(rows=tuple(cursor.fetchall()), affected=affected, warnings=cursor.warning_count))
            while cursor.nextset():
                results.append(Result(rows=tuple(cursor.fetchall()), affected=cursor.rowcount, warnings=cursor.warning_count))
        self._used_at_s = self._clock.monotonic_s()
        return tuple(results)

    def _judged(self, error: pymysql.Error, *, bound_s: float, effect: bool, doing: str) -> Exception:
        lost = code_of(error) in GONE_CODES
        if lost:
            self.close()
        patience = f"no answer {bound_s + MARGIN_S:g}s after it was sent" if is_client_timeout(error) else words_of(error)
        if lost and effect:
            return OutcomeUnknown(f"{self.server}: {doing}: {patience}", hint="look again before anything is decided", server=self.server)
        if lost and is_client_timeout(error):
            return Unreachable(f"{self.server}: {doing}: {patience}", hint="the server hangs, or the way to it does", server=self.server)
        return translated(error, server=self.server, doing=doing, number=self.setup.number)


def tls_context(tls: Tls, *, server: str) -> ssl.SSLContext:
    """Made once for each server: loading authorities takes tens of milliseconds. StatementFailed if a file can't be used."""
    try:
        context = ssl.create_default_context(cafile=tls.ca)
        if tls.cert is not None:
            context.load_cert_chain(tls.cert, keyfile=tls.key)
    except (OSError, ssl.SSLError) as error:
        raise StatementFailed(f"{server}: a file of `tls:` can't be used: {error}", hint="see ca, cert and key", server=server) from error
    # Certificates that servers make for themselves fail the strict profile that newer Pythons ask for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.check_hostname = tls.verify_name
    return context


def open_session(
    spec: ServerSpec,
    account: Account,
    *,
    secrets: Callable[[SecretRef], str],
    clock: Clock,
    tls: ssl.SSLContext | None,
    several: bool = True,
) -> Session:
    """Log in. Unreachable, RefusedButAlive. `several` allows several statements in one packet."""
    password = b"" if account.password is None else secrets(account.password).encode()
    try:
        connection = pymysql.connect(
            host=spec.host,
            port=spec.port,
            user=account.user,
            password=password,
            autocommit=True,
            charset="utf8mb4",
            cursorclass=DictCursor,
            client_flag=CLIENT.MULTI_STATEMENTS if several else 0,
            connect_timeout=CONNECT_S,
            read_timeout=CONNECT_S,  # connect_timeout ends at the TCP handshake; a hung server sends no greeting
            write_timeout=CONNECT_S,
            program_name=PROGRAM_NAME,
            **({"ssl_disabled": True} if tls is None else {"ssl": tls}),
        )
    except pymysql.Error as error:
        raise translated(error, server=spec.name, doing=f"log in as {account.user} at {spec.host}:{spec.port}") from error
    return Session(connection, server=spec.name, clock=clock)


def _summary(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 120 else line[:117] + "…"
