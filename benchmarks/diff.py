"""`make bench-diff`: our comparison of a pair against pt-table-checksum's and the servers' own bare scan, in turns on one pair, idle and
under writers; and how much memory it takes as the table grows. Each is timed from its program's start to its end.

pt-table-checksum (Percona Toolkit, in Debian) has each chunk's checksum computed by the writer and again by the other side's applier. The
bare scan is one statement on both servers at once, and no comparison: `SELECT COUNT(*), BIT_XOR(CRC32(every column))`. What the servers
spend on a row (both together) is shown beside, for it does not depend on what else runs on the machine.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Thread

from interlock.clock import SystemClock
from interlock.sandbox import pair, sql
from interlock.sandbox.places import Sandbox
from slower_cores import children, slower_cores

CLOCK = SystemClock()
AIM = 2.5
COLUMNS = (
    "id INT UNSIGNED PRIMARY KEY, customer INT NOT NULL, at DATETIME, price DECIMAL(12,2), state VARCHAR(20) NOT NULL, note VARCHAR(200)"
)
VALUES = (
    "{i}, {i} * 7919 MOD 100000, '2020-01-01' + INTERVAL {i} SECOND, {i} / 100, CONCAT('s', {i} MOD 5), REPEAT(CONCAT('note ', {i}), 8)"
)
CRC = "CRC32(CONCAT_WS('#', id, customer, at, price, state, note, CONCAT(ISNULL(at), ISNULL(price), ISNULL(note))))"
_STEP = 100_000


def fill(sandbox: Sandbox, table: str, rows: int) -> None:
    """On each side by itself, without a log: replication would take longer than all the rest."""
    fenced = {"mysql": "super_read_only"}.get(sandbox.kind, "read_only")
    for server in sandbox.members:
        with closing(sql.connect(sandbox, server, read_timeout_s=600)) as admin:
            before = sql.value(admin, "SELECT @@GLOBAL.read_only")
            sql.rows(admin, "SET GLOBAL read_only=0")
            sql.rows(admin, "SET SESSION sql_log_bin=0")
            sql.rows(admin, f"CREATE TABLE app.{table} ({COLUMNS}) ENGINE=InnoDB")
            sql.rows(admin, "CREATE TABLE IF NOT EXISTS app.digits (d INT PRIMARY KEY)")
            sql.rows(admin, "INSERT IGNORE INTO app.digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
            tens = ["a", "b", "c", "d", "e"]
            number = "+".join(f"{one}.d*{10**power}" for power, one in enumerate(tens))
            joined = ", ".join(f"app.digits {one}" for one in tens)
            for base in range(0, rows, _STEP):
                each = VALUES.format(i=f"({base}+1+{number})")
                sql.rows(admin, f"INSERT INTO app.{table} SELECT {each} FROM {joined} ORDER BY 1 LIMIT {min(_STEP, rows - base)}")
            sql.rows(admin, f"ANALYZE TABLE app.{table}")
            if before:
                sql.rows(admin, f"SET GLOBAL {fenced}=1")


@contextmanager
def writers(sandbox: Sandbox, count: int) -> Iterator[list[float]]:
    """Each changes a row of its own thread's every 10 ms, and notes how long it took, in seconds."""
    stop, took = Event(), list[float]()

    def work(number: int) -> None:
        with closing(sql.connect(sandbox, "east")) as connection:
            turn = number
            while not stop.is_set():
                began_s = CLOCK.monotonic_s()
                sql.rows(connection, f"UPDATE app.t SET customer=customer+1 WHERE id={1 + turn * 9973 % 100_000}")
                took.append(CLOCK.monotonic_s() - began_s)
                turn += count
                CLOCK.sleep(0.01)

    threads = [Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield took
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def ours(sandbox: Sandbox, table: str, parallel: int) -> int:
    """The most memory that the command took, in KiB."""
    environment = {**os.environ, "INTERLOCK_TOPOLOGY": sandbox.topology, "INTERLOCK_STORE": f"sqlite:///{sandbox.directory}/runs.db"}
    words = ["diff", "--json", "--table", f"app.{table}", "--parallel", str(parallel), "--max-load", "100", "--max-lag", "60s"]
    program = [sys.executable, "-m", "interlock.cli.main", *words]
    with subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        told = child.stdout.read() if child.stdout is not None else b""
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"interlock diff: exit code {child.returncode}\n{told.decode()[-2000:]}")
    return usage.ru_maxrss


def theirs(sandbox: Sandbox, table: str, rows: int) -> None:
    """With pt-table-checksum's own defaults, told where the other side is."""
    east, west, password = sandbox.members["east"], sandbox.members["west"], sandbox.password("admin")
    with closing(sql.connect(sandbox, "east")) as connection:
        sql.rows(connection, "CREATE DATABASE IF NOT EXISTS percona")
        sql.rows(connection, "CREATE OR REPLACE TABLE percona.dsns (id INT PRIMARY KEY, parent_id INT, dsn VARCHAR(255) NOT NULL)")
        sql.rows(connection, "INSERT INTO percona.dsns VALUES (1, NULL, %s)", f"h={west.host},P={west.port},u=admin,p={password}")
    words = ["--no-check-binlog-format", "--recursion-method=dsn=D=percona,t=dsns", "--no-version-check", f"--tables=app.{table}"]
    program = ["pt-table-checksum", *words, f"h={east.host},P={east.port},u=admin,p={password}"]
    done = subprocess.run(program, capture_output=True, check=False, timeout=1800)
    if not re.search(rf"\b{rows}\b.*app\.{table}", done.stdout.decode()):
        raise SystemExit(f"pt-table-checksum: exit code {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}")


def bare(sandbox: Sandbox, table: str) -> None:
    def scan(server: str) -> object:
        with closing(sql.connect(sandbox, server, read_timeout_s=600)) as connection:
            return sql.value(connection, f"SELECT CONCAT(COUNT(*), ' ', BIT_XOR({CRC})) FROM app.{table}")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(scan, sandbox.members))


def cpu_s(sandbox: Sandbox) -> float:
    """What both servers have used."""
    stats = [
        Path(f"/proc/{one.pid}/stat").read_text().rpartition(")")[2].split() for one in sandbox.processes if one.name in sandbox.members
    ]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


@contextmanager
def as_if(sandbox: Sandbox, cores: int | None) -> Iterator[None]:
    """As if the machine had so many cores, as many times slower; as it is if None."""
    if cores is None:
        yield
        return
    servers = [one.pid for one in sandbox.processes if one.name in sandbox.members]
    with slower_cores((os.cpu_count() or 1) / cores, lambda: [*servers, os.getpid(), *children(os.getpid())]):
        yield


def measure(sandbox: Sandbox, *, rows: int, turns: int, load: int, parallel: Sequence[int], cores: int | None) -> None:
    ways = [f"ours, --parallel {count}" for count in parallel]
    can: dict[str, Callable[[], object]] = {
        **{way: partial(ours, sandbox, "t", count) for way, count in zip(ways, parallel, strict=True)},
        "pt-table-checksum": lambda: theirs(sandbox, "t", rows),
        "bare scan": lambda: bare(sandbox, "t"),
    }
    if sandbox.kind == "mysql":
        del can["pt-table-checksum"]  # Debian's speaks no MySQL 9
    speeds, waits, spent = ({name: list[float]() for name in can} for _ in range(3))
    for _ in range(turns):
        for name, measured in can.items():
            with as_if(sandbox, cores), writers(sandbox, load) as took:
                began_s, before_s = CLOCK.monotonic_s(), cpu_s(sandbox)
                measured()
                speeds[name].append(rows / (CLOCK.monotonic_s() - began_s))
                spent[name].append((cpu_s(sandbox) - before_s) / rows)
            waits[name] += took
    print(f"  {f'{load} writers' if load else 'idle'}:")
    for name in can:
        p99 = f", writers' p99 {sorted(waits[name])[int(len(waits[name]) * 0.99)] * 1000:.1f} ms" if waits[name] else ""
        print(f"    {name:20} {statistics.median(speeds[name]):>12,.0f} rows/s, {statistics.median(spent[name]) * 1e6:.1f} µs/row{p99}")
    if "pt-table-checksum" in speeds:
        ratios = [statistics.median(speeds[way]) / statistics.median(speeds["pt-table-checksum"]) for way in ways]
        told = ", ".join(f"{ratio:.1f}" for ratio in ratios)
        print(f"    {told} times pt-table-checksum; at least {AIM} times is aimed at; load of the machine {os.getloadavg()[0]:.1f}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kind", default="mariadb")
    options.add_argument("--rows", type=int, default=5_000_000)
    options.add_argument("--turns", type=int, default=3, help="0 for the memory alone")
    options.add_argument("--parallel", type=int, nargs="*", default=[2, 1])
    options.add_argument("--pool", default="1G", help="the servers' buffer pools; smaller than the table, and the disk is measured")
    options.add_argument("--writers", type=int, default=8)
    options.add_argument("--cores", type=int, help="as if the machine had so many, as many times slower (cgroups of version 1)")
    options.add_argument("--memory", type=int, nargs="*", default=[100_000, 1_000_000, 10_000_000])
    told = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder:
        sandbox = pair.up(Path(folder) / "pair", clock=CLOCK, kind=told.kind, options={"innodb_buffer_pool_size": told.pool})
        try:
            if told.turns:
                fill(sandbox, "t", told.rows)
                print(f"{told.kind}, {told.rows:,} rows, buffer pools of {told.pool}, from start to end:")
                for load in (0, told.writers):
                    measure(sandbox, rows=told.rows, turns=told.turns, load=load, parallel=told.parallel, cores=told.cores)
            for rows in told.memory:
                fill(sandbox, f"m{rows}", rows)
                print(f"  {rows:>12,} rows: {ours(sandbox, f'm{rows}', told.parallel[0]) / 1024:.0f} MiB at the most")
        finally:
            pair.down(Path(folder) / "pair")


if __name__ == "__main__":
    main()
