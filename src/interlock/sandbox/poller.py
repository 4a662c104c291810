"""Looks at both servers every few milliseconds and counts how many of them take writes. In a process of its own, on warm connections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from interlock.clock import Clock, SystemClock
from interlock.dataclass import dataclass
from interlock.model.codec import from_plain
from interlock.sandbox.accounts import WATCH
from interlock.sandbox.child import Child, child, say_ready, serve
from interlock.sandbox.places import Sandbox

_MOST_MOMENTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """How many samples saw two, one or no server that takes writes; `unknown`: one of them could not be asked.

    `two_at_s` are the monotonic times of the first hundred that saw two.
    """

    two: int = 0
    one: int = 0
    none: int = 0
    unknown: int = 0
    two_at_s: tuple[float, ...] = ()


class Poller:
    def __init__(self, program: Child) -> None:
        self._program = program

    def stop(self) -> Samples:
        return from_plain(self._program.stop(), Samples)


@contextmanager
def poller(sandbox: Sandbox, *, every_s: float = 0.005) -> Iterator[Poller]:
    """It samples already on entry. Its account has no right but to log in, so no fence or check minds it."""
    config = {
        "sockets": [member.socket for member in sandbox.members.values()],
        "user": WATCH,
        "password_file": str(sandbox.password_file(WATCH)),
        "every_s": every_s,
    }
    with child("interlock.sandbox.poller", config) as program:
        yield Poller(program)


class _Watched:
    """One server on a warm connection, made again when it is lost (a switchover ends client sessions, and this is one)."""

    def __init__(self, path: str, user: str, password: str) -> None:
        self._path, self._user, self._password = path, user, password
        self._connection: Connection[Cursor] | None = None

    def takes_writes(self) -> bool | None:
        """None if it can't be asked."""
        for _ in range(2):
            try:
                self._connection = self._connection or self._connect()
                with self._connection.cursor() as cursor:
                    cursor.execute("SELECT @@global.read_only")
                    (read_only,) = cursor.fetchone() or (None,)
                    return not read_only
            except (pymysql.err.Error, OSError):
                self.close()
        return None

    def _connect(self) -> Connection[Cursor]:
        return pymysql.connect(
            unix_socket=self._path,
            user=self._user,
            password=self._password,
            autocommit=True,
            ssl_disabled=True,
            connect_timeout=1,
            read_timeout=1,
        )

    def close(self) -> None:
        if self._connection is not None and self._connection.open:
            self._connection.close()
        self._connection = None


Look = Callable[[], bool | None]


def sample(first: Look, second: Look) -> str:
    """`first` is asked before and after `second`: two count as writers only if there was an instant at which both were."""
    before, other, after = first(), second(), first()
    if before is None or other is None or after is None:
        return "unknown"
    if before and after and other:
        return "two"
    return "one" if other or before or after else "none"


def _work(config: dict[str, Any], stop: Event) -> object:
    clock: Clock = SystemClock()
    password = Path(config["password_file"]).read_text().rstrip("\n")
    first, second = (_Watched(path, config["user"], password) for path in config["sockets"])
    counted: Counter[str] = Counter()
    two_at_s: list[float] = []
    sample(first.takes_writes, second.takes_writes)
    say_ready()
    while not stop.is_set():
        begun = clock.monotonic_s()
        seen = sample(first.takes_writes, second.takes_writes)
        counted[seen] += 1
        if seen == "two" and len(two_at_s) < _MOST_MOMENTS:
            two_at_s.append(begun)
        clock.sleep(config["every_s"] - (clock.monotonic_s() - begun))
    first.close()
    second.close()
    return {**counted, "two_at_s": two_at_s}


if __name__ == "__main__":
    serve(_work)
