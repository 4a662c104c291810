"""A pair in memory and a pair of real servers, each driven in the same few ways. East takes the writes, west is its standby."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Protocol

from interlock.bootstrap import RealWorld, read_topology
from interlock.clock import Clock, Deadline, SystemClock
from interlock.hosts.secrets import Secrets
from interlock.model.effects import StartApplier, StopApplier
from interlock.ports import World
from interlock.sandbox import sql
from interlock.sandbox.kinds import kind_named
from interlock.sandbox.places import Sandbox
from interlock.simulated.pair import simulated_pair
from interlock.simulated.process import SimulatedProcess
from interlock.simulated.store import MemoryStore
from interlock.simulated.world import SimulatedWorld


class Bench(Protocol):
    """`first` and `second` are the worlds of two operators."""

    @property
    def first(self) -> World: ...
    @property
    def second(self) -> World: ...
    @property
    def clock(self) -> Clock: ...
    def write(self, server: str) -> None:
        """One row of a client, straight on a server."""
        ...

    def session(self, server: str) -> AbstractContextManager[int]:
        """A client's session with an open transaction; its number."""
        ...

    def applier_stopped(self, server: str) -> AbstractContextManager[None]: ...
    def put_back(self) -> None: ...


class SimulatedBench:
    def __init__(self) -> None:
        self.pair = simulated_pair(clients=0)
        self.clock = self.pair.clock
        store = MemoryStore(self.clock)
        self.first: World = SimulatedWorld(self.pair, SimulatedProcess("first"), store)
        self.second: World = SimulatedWorld(self.pair, SimulatedProcess("second"), store)
        self._rows = 0

    def write(self, server: str) -> None:
        self._rows += 1
        self.pair.database(server).commit(f"row {self._rows}")

    @contextmanager
    def session(self, server: str) -> Iterator[int]:
        session = self.pair.database(server).connect()
        session.began_s, session.rows_modified = self.clock.monotonic_s(), 1
        yield session.id
        self.pair.database(server).sessions.pop(session.id, None)

    @contextmanager
    def applier_stopped(self, server: str) -> Iterator[None]:
        channel = self.pair.to_west if server == "west" else self.pair.to_east
        channel.change(StopApplier(server=channel.target.name, channel=""))
        yield
        channel.change(StartApplier(server=channel.target.name, channel=""))

    def put_back(self) -> None:
        """It is thrown away."""


class RealBench:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.clock: Clock = SystemClock()
        topology = read_topology(Path(sandbox.topology))
        store = MemoryStore(self.clock)
        self._worlds = [RealWorld(topology, self.clock, Secrets(self.clock), store) for _ in range(2)]
        self.first: World = self._worlds[0]
        self.second: World = self._worlds[1]

    def write(self, server: str) -> None:
        with closing(sql.connect(self.sandbox, server, "app")) as client:
            sql.rows(client, "INSERT INTO app.ledger (k, server_id) VALUES (UUID(), @@server_id)")

    @contextmanager
    def session(self, server: str) -> Iterator[int]:
        with closing(sql.connect(self.sandbox, server, "app")) as client:
            sql.rows(client, "START TRANSACTION")
            sql.rows(client, "INSERT INTO app.ledger (k, server_id) VALUES (UUID(), @@server_id)")
            yield int(sql.query(self.sandbox, server, "SELECT MAX(id) AS id FROM information_schema.processlist WHERE user='app'")[0]["id"])

    @contextmanager
    def applier_stopped(self, server: str) -> Iterator[None]:
        noun = "REPLICA" if self.sandbox.kind == "mysql" else "SLAVE"
        sql.query(self.sandbox, server, f"STOP {noun} SQL_THREAD")
        yield
        sql.query(self.sandbox, server, f"START {noun} SQL_THREAD")

    def put_back(self) -> None:
        for name, read_only in (("west", 1), ("east", 0)):
            sql.query(self.sandbox, name, f"SET GLOBAL read_only={read_only}")
            sql.query(self.sandbox, name, "SET GLOBAL event_scheduler=OFF")
        self.close()

    def close(self) -> None:
        for world in self._worlds:
            world.close()


@contextmanager
def without_gtids(sandbox: Sandbox) -> Iterator[None]:
    """Both channels by file and offset, from where they stand, and by GTID again afterwards."""
    values: tuple[object, object]
    if sandbox.kind == "mysql":
        words = ("STOP REPLICA", "CHANGE REPLICATION SOURCE TO SOURCE_AUTO_POSITION={:d}", "START REPLICA")
        values = (0, 1)
    else:
        words, values = ("STOP SLAVE", "CHANGE MASTER TO MASTER_USE_GTID={}", "START SLAVE"), ("no", "slave_pos")
    try:
        _say(sandbox, words, values[0])
        yield
    finally:
        _say(sandbox, words, values[1])


def _say(sandbox: Sandbox, words: tuple[str, ...], value: object) -> None:
    for name in sandbox.members:
        for word in words:
            sql.query(sandbox, name, word.format(value))
    for name in sandbox.members:
        _await_channel(sandbox, name)


def _await_channel(sandbox: Sandbox, name: str) -> None:
    kind, deadline = kind_named(sandbox.kind), Deadline.after(SystemClock(), 60)
    while not all(sql.query(sandbox, name, kind.channel)[0][thread] == "Yes" for thread in kind.runs):
        assert not deadline.is_over(), f"{name} does not replicate"
        deadline.clock.sleep(0.01)
