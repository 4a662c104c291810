"""The servers of each hostgroup at run time: their status, their connections, and who waits for one.

As ProxySQL has it: OFFLINE_SOFT gets nothing new and keeps what is in use; OFFLINE_HARD, or a row that is gone, drops what is idle at once
and cuts a statement that runs; a connection that a client keeps is found broken when the client comes to use it. With more servers
ONLINE than `max_num_online_servers`, or none, a statement waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import field
from random import Random

from interlock.dataclass import dataclass
from interlock.sandbox.proxysql.wire import Gone, Refused, Stream, log_in

_RETRY_S = 0.001  # mysql-connect_retries_delay
_RETRIES = 10  # mysql-connect_retries_on_failure; here of those alone that the server itself refuses

Key = tuple[int, str, int]


@dataclass(slots=True, kw_only=True, eq=False)
class Connection:
    stream: Stream
    server: Server
    user: str
    database: str
    running: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Server:
    row: Mapping[str, str]
    used: set[Connection] = field(default_factory=set)
    free: list[Connection] = field(default_factory=list)
    made: int = 0
    failed: int = 0
    statements: int = 0

    @property
    def status(self) -> str:
        return self.row["status"].upper()

    @property
    def host(self) -> str:
        return self.row["hostname"]

    @property
    def port(self) -> int:
        return int(self.row["port"])


class Hostgroups:
    def __init__(self) -> None:
        self.servers: dict[Key, Server] = {}
        self._most: dict[int, int] = {}
        self._random = Random(1)  # noqa: S311 - to spread the load

    def load(self, rows: Sequence[Mapping[str, str]], most_online: Mapping[int, int]) -> None:
        """All of `LOAD MYSQL SERVERS TO RUNTIME`, at once."""
        self._most = dict(most_online)
        named = {_key(row): row for row in rows}
        for key, row in named.items():
            self.servers.setdefault(key, Server(row=row)).row = row
        for key, server in self.servers.items():
            if key not in named:
                server.row = {**server.row, "status": "OFFLINE_HARD"}
            if server.status == "OFFLINE_HARD":
                _drop(server)

    def move(self, server: tuple[str, int], source: int, target: int, *, leave: bool) -> None:
        """As the monitor does: copied with all that its row has, ONLINE, where it is not yet. `leave`: it stays in `source`, too."""
        row = self.servers[source, *server].row
        there = self.servers.get((target, *server))
        if there is None or there.status == "OFFLINE_HARD":
            copied = {**row, "hostgroup_id": str(target), "status": "ONLINE"}
            self.servers.setdefault((target, *server), Server(row=copied)).row = copied
        if not leave:
            self.remove(server, source)

    def remove(self, server: tuple[str, int], hostgroup: int) -> None:
        gone = self.servers.get((hostgroup, *server))
        if gone is not None:
            gone.row = {**gone.row, "status": "OFFLINE_HARD"}
            _drop(gone)

    def has(self, server: tuple[str, int], hostgroup: int) -> bool:
        known = self.servers.get((hostgroup, *server))
        return known is not None and known.status != "OFFLINE_HARD"

    def runtime(self) -> list[Mapping[str, str]]:
        """Rows of `runtime_mysql_servers`; an OFFLINE_HARD server is forgotten once nothing uses it."""
        self.servers = {key: s for key, s in self.servers.items() if s.status != "OFFLINE_HARD" or s.used}
        return [server.row for server in self.servers.values()]

    async def take(self, hostgroup: int, user: str, password: str, database: str, within_s: float) -> Connection:
        """A connection to a server that is ONLINE, from the pool or a new one. TimeoutError after `within_s`, Refused after some tries."""
        refused = 0
        async with asyncio.timeout(within_s):
            while True:
                server = self._choose(hostgroup)
                if server is not None:
                    try:
                        return await self._connect(server, user, password, database)
                    except (OSError, Gone) as error:
                        server.failed += 1
                        refused += isinstance(error, Refused)
                        if refused > _RETRIES:
                            raise
                await asyncio.sleep(_RETRY_S)

    def give_back(self, connection: Connection, *, whole: bool) -> None:
        """To the pool, if the connection is `whole` and its server still takes clients."""
        server = connection.server
        server.used.discard(connection)
        if whole and server.status == "ONLINE" and not connection.stream.is_over:
            server.free.append(connection)
        else:
            connection.stream.close()

    def _choose(self, hostgroup: int) -> Server | None:
        online = [s for key, s in self.servers.items() if key[0] == hostgroup and s.status == "ONLINE" and int(s.row["weight"])]
        online = [s for s in online if len(s.used) < int(s.row["max_connections"])]
        if not online or len(online) > self._most.get(hostgroup, 1_000_000):
            return None
        return self._random.choices(online, [int(server.row["weight"]) for server in online])[0]

    async def _connect(self, server: Server, user: str, password: str, database: str) -> Connection:
        while server.free:
            match = next((c for c in server.free if (c.user, c.database) == (user, database)), None)
            if match is None:
                break
            server.free.remove(match)
            if not match.stream.is_over:
                server.used.add(match)
                return match
            match.stream.close()
        reader, writer = await asyncio.open_connection(server.host, server.port)
        connection = Connection(stream=Stream(reader, writer), server=server, user=user, database=database)
        try:
            await log_in(connection.stream, user, password, database)
        except BaseException:
            writer.close()
            raise
        if server.status != "ONLINE":  # it was taken out while we logged in
            writer.close()
            raise Gone("the server is not ONLINE any more")
        server.made += 1
        server.used.add(connection)
        return connection


def _key(row: Mapping[str, str]) -> Key:
    return int(row["hostgroup_id"]), row["hostname"], int(row["port"])


def _drop(server: Server) -> None:
    for connection in (*server.free, *(c for c in server.used if c.running)):
        connection.stream.close()
    server.free.clear()
