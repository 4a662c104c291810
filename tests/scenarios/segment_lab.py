"""An active/active pair of real servers: two segments, each owned by one side, each with clients that write all the time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import DictCursor

from interlock.clock import SystemClock
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import connect, query, rows
from scenarios.command_line import environment, interlock
from waiting import eventually

PASSWORD = "only-In-This-Sandbox-1"
_TRUSTED = '["admin@%", "root@localhost"]'
_SEGMENTS = f"""\
segments:
  eu: {{schemas: [shop_eu], accounts: ["app_eu@%"], owner: east, route: writes, trusted: {_TRUSTED}}}
  us: {{schemas: [shop_us], accounts: ["app_us@%"], owner: west, trusted: {_TRUSTED}}}
"""
_PAUSE_S = 0.002


@dataclass(slots=True, kw_only=True)
class Writer:
    """One pooled client of a segment: it keeps its connection while that lives. `took_ms`: of each acknowledged write, by its end.

    `pause_s`: between two of its statements.
    """

    segment: str
    connect: Callable[[], Connection[DictCursor]]
    acknowledged: list[str] = field(default_factory=list)
    took_ms: list[tuple[float, float]] = field(default_factory=list)
    errors: dict[int, int] = field(default_factory=dict)
    statement: str = ""
    pause_s: float = _PAUSE_S

    def write_until(self, ended: threading.Event) -> None:
        clock, connection = SystemClock(), None
        name = f"{self.segment}-{clock.monotonic_s():.6f}-{id(self):x}"
        while not ended.is_set():
            key = f"{name}-{len(self.acknowledged)}-{sum(self.errors.values())}"
            try:
                connection = connection or self.connect()
                began_s = clock.monotonic_s()
                rows(connection, self.statement or f"INSERT INTO shop_{self.segment}.writes (k, server_id) VALUES (%s, @@server_id)", key)
            except pymysql.Error as error:
                self.errors[error.args[0]] = self.errors.get(error.args[0], 0) + 1
                with suppress(pymysql.Error):
                    if connection is not None:
                        connection.close()
                connection = None
                clock.sleep(self.pause_s)
                continue
            self.acknowledged.append(key)
            ended_s = clock.monotonic_s()
            self.took_ms.append((ended_s, (ended_s - began_s) * 1000))
            clock.sleep(self.pause_s)
        if connection is not None:
            connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """The pair, the environment of whoever works on it, and where the topology is."""

    pair: Sandbox
    env: Mapping[str, str]

    def run(self, *words: str) -> Any:
        """What `--json` prints; the command must not have crashed."""
        ended = interlock(*words, "--json", env=self.env)
        assert ended.code != 1, ended
        return ended.document

    def move(self, to: str, *words: str) -> Any:
        return self.run("segment", "move", "eu", "--to", to, *words)

    def status(self, segment: str) -> Any:
        return next(each for each in self.run("segment", "list") if each["segment"] == segment)

    def client(self, segment: str, server: str | None = None, user: str = "") -> Connection[DictCursor]:
        """Of the segment's account, unless one is named: straight to a server, or as its clients come."""
        place = self.pair.proxy if server is None else self.pair.members[server]
        return pymysql.connect(
            host=place.host,
            port=place.port,
            user=user or f"app_{segment}",
            password=PASSWORD,
            autocommit=True,
            connect_timeout=5,
            read_timeout=20,
            cursorclass=DictCursor,
        )

    def grants(self, server: str, segment: str = "eu") -> list[str]:
        return [str(next(iter(row.values()))) for row in query(self.pair, server, f"SHOW GRANTS FOR app_{segment}@'%'")]

    def written(self, server: str, segment: str) -> list[tuple[str, int]]:
        return [(row["k"], row["server_id"]) for row in query(self.pair, server, f"SELECT k, server_id FROM shop_{segment}.writes")]

    def sessions(self, server: str, segment: str) -> int:
        return len(query(self.pair, server, f"SELECT id FROM information_schema.processlist WHERE user = 'app_{segment}'"))

    @contextmanager
    def writers(self) -> Iterator[dict[str, Writer]]:
        """One client of each segment writes until the end of the block: `eu` by the route, `us` straight to west."""
        made = {segment: self.writer(segment) for segment in ("eu", "us")}
        with writing(tuple(made.values())):
            yield made

    def writer(self, segment: str) -> Writer:
        return Writer(segment=segment, connect=lambda: self.client(segment, {"us": "west"}.get(segment)))

    def assert_nothing_lost(self, writers: Mapping[str, Writer]) -> None:
        """Every acknowledged key is on both servers, once."""
        for segment, writer in writers.items():
            wanted = set(writer.acknowledged)
            for server in self.pair.members:
                assert eventually(lambda server=server, name=segment, keys=wanted: keys <= {key for key, _ in self.written(server, name)})  # type: ignore[misc]


@contextmanager
def writing(writers: Sequence[Writer]) -> Iterator[None]:
    """Each writes when the block begins, and after its end once more."""
    ended = threading.Event()
    threads = [threading.Thread(target=each.write_until, args=(ended,)) for each in writers]
    for thread in threads:
        thread.start()
    try:
        assert eventually(lambda: all(len(each.acknowledged) > 20 for each in writers))
        yield
        counts = [len(each.acknowledged) for each in writers]
        assert eventually(lambda: all(len(each.acknowledged) > count + 20 for each, count in zip(writers, counts, strict=True)))
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def active_active(pair: Sandbox, folder: Path) -> Shop:
    """Make a sandbox's pair active/active: both sides take writes, the segments are adopted, the topology names them."""
    query(pair, "west", "SET GLOBAL read_only=0")
    needs = ("CREATE USER", "BINLOG ADMIN") if pair.kind != "mysql" else ("CREATE USER",)
    statements = [f"GRANT {', '.join(needs)} ON *.* TO interlock"]
    for segment in ("eu", "us"):
        statements += [
            f"CREATE DATABASE shop_{segment}",
            f"CREATE TABLE shop_{segment}.writes (k VARCHAR(60) NOT NULL PRIMARY KEY, server_id INT NOT NULL)",
            f"CREATE TABLE shop_{segment}.prices (id INT PRIMARY KEY, price INT, note INT)",
            f"CREATE PROCEDURE shop_{segment}.nothing() SELECT 1",
            f"CREATE USER app_{segment}@'%' IDENTIFIED BY '{PASSWORD}'",
            f"GRANT SELECT, INSERT, DELETE ON shop_{segment}.* TO app_{segment}@'%'",
            f"GRANT SELECT (id, price), UPDATE (price) ON shop_{segment}.prices TO app_{segment}@'%' WITH GRANT OPTION",
            f"GRANT EXECUTE ON PROCEDURE shop_{segment}.nothing TO app_{segment}@'%'",
            f"GRANT ALL ON shop_{segment}.* TO interlock WITH GRANT OPTION",
        ]
    with closing(connect(pair, "east")) as admin:
        for statement in statements:
            rows(admin, statement)
    topology = folder / "topology.yaml"
    topology.write_text(Path(pair.topology).read_text() + _SEGMENTS)
    shop = Shop(pair=pair, env={**environment(pair, folder), "INTERLOCK_TOPOLOGY": str(topology)})
    assert eventually(lambda: len(query(pair, "west", "SHOW PROCEDURE STATUS WHERE Db = 'shop_us'")) == 1)
    for segment, owner in (("eu", "east"), ("us", "west")):
        adopted = shop.run("run", "adopt-segment", "-i", f"segment={segment}", "-i", f"owner={owner}")
        assert adopted["outcome"] == "succeeded", adopted["problems"]
    return shop
