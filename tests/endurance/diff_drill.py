"""`make drill-diff`: two hundred differences of every kind among millions of rows, found and mended while the survivor takes writes.

On a pair of each flavor, with the commands as a person types them: differences are planted on east behind replication's back, all load is
quiesced onto west, `diff` must find exactly what was planted, `repair` mends the rows, a person drops the column and the table that are too
many, `rejoin` and `switchover` lead back. Eight clients write rows of the compared table and of a ledger all the while. Prints what each
step took; ends with 1 if anything is not as it must be.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pymysql

from interlock.clock import SystemClock
from interlock.dataclass import dataclass
from interlock.sandbox import pair, sql
from interlock.sandbox.ledger import acknowledged
from interlock.sandbox.load import load
from interlock.sandbox.places import Sandbox
from scenarios.command_line import Ended, environment, interlock
from servers.diff_lab import caught_up, plant

_CLOCK = SystemClock()
_WITHIN_S = 3600.0
_WRITERS = 4
_STEP = 100_000
_DISTANCE = 1000
"""Between rows that may be planted; clients write the others."""
_TABLE = (
    "CREATE TABLE app.orders (id INT UNSIGNED PRIMARY KEY, customer INT NOT NULL, at DATETIME(6), price DECIMAL(12,2), weight DOUBLE, "
    "ratio FLOAT, state VARCHAR(20) COLLATE utf8mb4_general_ci NOT NULL, note VARCHAR(100)) ENGINE=InnoDB"
)
_ROW = (
    "{i}, {i} * 7919 MOD 100000, '2020-01-01' + INTERVAL {i} SECOND, {i} / 100, {i} / 7e0, {i} / 3e0, "
    "ELT(1 + {i} MOD 3, 'paid', 'open', 'élan'), IF({i} MOD 10, CONCAT('note ', {i}), '')"
)
_MADE = ("CREATE TABLE app.small (id INT PRIMARY KEY)", "INSERT INTO app.small VALUES (1), (2), (3)")
_TOO_MANY = ("CREATE TABLE app.leftover (id INT PRIMARY KEY)", "ALTER TABLE app.small ADD COLUMN more INT")
_DROPPED = ("DROP TABLE app.leftover", "ALTER TABLE app.small DROP COLUMN more")

Difference = tuple[str, str, int, tuple[str, ...]]
"""Kind, cluster, key and columns of a row that differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plant:
    """What is done to `count` rows of east alone; `told` is how `diff` tells each: kind, cluster and columns. `beyond`: rows that are not
    there otherwise.
    """

    statement: str
    count: int
    told: tuple[str, str, tuple[str, ...]]
    beyond: bool = False


def _changed(column: str, value: str, count: int) -> _Plant:
    return _Plant(statement=f"UPDATE app.orders SET {column}={value} WHERE id={{id}}", count=count, told=("changed", "east", (column,)))


_PLANTS = (
    _Plant(statement="DELETE FROM app.orders WHERE id={id}", count=30, told=("missing_on", "east", ())),
    _Plant(statement=f"INSERT INTO app.orders VALUES ({_ROW.format(i='{id}')})", count=30, told=("missing_on", "west", ()), beyond=True),
    _changed("customer", "-customer-1", 28),
    _changed("note", "NULL", 25),
    _changed("state", "UPPER(state)", 20),
    _changed("state", "CONCAT(state, ' ')", 10),
    _changed("weight", "weight*(1e0+3e-16)", 20),
    _changed("ratio", "ratio*1.0000001e0", 15),
    _changed("price", "price+0.01", 10),
    _changed("at", "at + INTERVAL 1 MICROSECOND", 10),
)
"""With the table and the column that are too many, two hundred."""


def planted(rows: int) -> tuple[dict[Difference, str], list[str]]:
    """The differences, and the statements that make them: spread over the table."""
    expected: dict[Difference, str] = {}
    number, step = 0, rows // _DISTANCE // sum(one.count for one in _PLANTS) * _DISTANCE
    for one in _PLANTS:
        for _ in range(one.count):
            number += 1
            id_ = number * step + (rows if one.beyond else 0)
            kind, cluster, columns = one.told
            expected[kind, cluster, id_, columns] = one.statement.format(id=id_)
    return expected, list(expected.values())


def fill(sandbox: Sandbox, rows: int) -> None:
    """On each side by itself, without a log: replication would take longer than all the rest."""
    row = _ROW.format(i="n")
    number = "1+" + "+".join(f"{one}.d*{10**power}" for power, one in enumerate("abcde"))
    digits = ", ".join(f"app.digits {one}" for one in "abcde")
    inserts = [
        f"INSERT INTO app.orders SELECT {row} FROM (SELECT {base}+{number} AS n FROM {digits}) AS s WHERE n <= {rows} ORDER BY n"
        for base in range(0, rows, _STEP)
    ]
    made = ("CREATE TABLE app.digits (d INT PRIMARY KEY)", "INSERT INTO app.digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda server: plant(sandbox, server, *made, *_MADE, _TABLE, *inserts), sandbox.members))


@contextmanager
def clients(sandbox: Sandbox, rows: int) -> Iterator[list[int]]:
    """Each changes a row every few milliseconds through the proxy, none that was planted; how many were acknowledged."""
    stop, done = Event(), [0] * _WRITERS

    def work(number: int) -> None:
        turn = number
        while not stop.is_set():
            try:
                with closing(sql.connect_as_client(sandbox)) as connection:
                    while not stop.is_set():
                        turn += _WRITERS
                        id_ = turn * 7919 % rows
                        if id_ % _DISTANCE:
                            sql.rows(connection, f"UPDATE app.orders SET customer=customer+1 WHERE id={id_}")
                            done[number] += 1
                        _CLOCK.sleep(0.005)
            except pymysql.Error:
                _CLOCK.sleep(0.005)  # it is led elsewhere

    threads = [Thread(target=work, args=(number,)) for number in range(_WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        stop.set()
        for thread in threads:
            thread.join()


class Drill:
    """One pair. `typed` runs a command and tells what it took; what is not as it must be is told, and kept in `wrong`."""

    def __init__(self, sandbox: Sandbox, env: Mapping[str, str]) -> None:
        self.sandbox = sandbox
        self.env = env
        self.wrong: list[str] = []

    def typed(self, *words: str, code: int = 0) -> Any:
        """What it tells as JSON; `code` is how it must end."""
        ended: Ended = self.timed("interlock " + " ".join(words), lambda: interlock(*words, "--json", env=self.env, within_s=_WITHIN_S))
        self.must(f"{words[0]} ended with {ended.code}: {ended.out[-1500:]} {ended.err[-500:]}", holds=ended.code == code)
        return ended.document

    def timed(self, what: str, work: Callable[[], Any]) -> Any:
        began_s = _CLOCK.monotonic_s()
        result = work()
        _say(f"  {_CLOCK.monotonic_s() - began_s:7.1f} s  {what}")
        return result

    def must(self, otherwise: str, *, holds: bool) -> None:
        if not holds:
            self.wrong.append(otherwise)
            _say(f"  NOT AS IT MUST BE: {otherwise}")

    def run(self, rows: int) -> None:
        self.timed(f"(filled with {rows:,} rows on either side)", lambda: fill(self.sandbox, rows))
        expected, statements = planted(rows)
        with clients(self.sandbox, rows) as changed, load(self.sandbox, pooled=_WRITERS // 2, fresh=_WRITERS // 2) as writing:
            plant(self.sandbox, "east", *statements, *_TOO_MANY)
            self.typed("quiesce", "--onto", "west", "--for", "4h", "--reason", "drill")
            self._found(self.typed("diff", code=3), expected)
            self.typed("repair", "--apply", "--yes")
            plant(self.sandbox, "east", *_DROPPED)
            self._equal(self.typed("diff"))
            self.typed("rejoin", "east")
            self.typed("switchover", "--to", "east")
            entries = writing.stop()
        caught_up(self.sandbox)
        self._equal(self.typed("diff"))
        keys = {entry.key for entry in acknowledged(entries)}
        for server in self.sandbox.members:
            there = {row["k"] for row in sql.query(self.sandbox, server, "SELECT k FROM app.ledger")}
            self.must(f"{len(keys - there)} acknowledged writes are not on {server}", holds=keys <= there)
        _say(f"  {len(keys):,} acknowledged inserts, none lost; {sum(changed):,} rows of the compared table changed meanwhile")

    def _found(self, told: Mapping[str, Any], expected: Mapping[Difference, str]) -> None:
        rows = {
            (one["kind"], one["cluster"], int(one["key"]["id"]), tuple(one["columns"]))
            for table in told["tables"]
            for one in table["differences"]
            if one["key"]
        }
        shapes = {(table["table"], one["kind"]) for table in told["tables"] for one in table["differences"] if not one["key"]}
        lacks, more = sorted(set(expected) - rows), sorted(rows - set(expected))
        self.must(f"not found: {lacks[:5]}; not planted: {more[:5]}", holds=not lacks and not more)
        self.must(f"declared differently: {shapes}", holds=shapes == {("app.leftover", "extra_table"), ("app.small", "schema")})
        left = [one for table in told["tables"] for one in table["not_compared"] if table["table"] != "app.small"]
        self.must(f"not compared: {left}", holds=not left)
        _say(f"             {told['differences']} differences in {told['rows']:,} rows, {told['rows_per_s']:,} rows/s")

    def _equal(self, told: Mapping[str, Any]) -> None:
        self.must(f"{told['differences']} differences, {told['not_compared']} not compared", holds=bool(told["equal"]))


def drill(kind: str, rows: int) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder:
        sandbox = pair.up(Path(folder) / "pair", clock=_CLOCK, kind=kind, options={"innodb_buffer_pool_size": "512M"})
        try:
            _say(f"{kind}:")
            run = Drill(sandbox, environment(sandbox, Path(folder)))
            run.run(rows)
            return run.wrong
        finally:
            pair.down(Path(folder) / "pair")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kind", action="append", help="mariadb, mysql (default: both, one after the other)")
    options.add_argument("--rows", type=int, default=5_000_000)
    told = options.parse_args()
    wrong = [one for kind in told.kind or ("mariadb", "mysql") for one in drill(kind, told.rows)]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
