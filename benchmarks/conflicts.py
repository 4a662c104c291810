"""`python benchmarks/conflicts.py`: violations and conflicts that were planted into a million rows of traffic on both sides of a pair: what
of them is found, and how fast the two logs are read.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

from interlock.bootstrap import read_topology
from interlock.clock import Deadline, SystemClock
from interlock.hosts.secrets import Secrets
from interlock.losses.conflicts import Ownership, find_conflicts
from interlock.model.topology import ClusterName, SegmentSpec
from interlock.sandbox import pair, sql
from interlock.sandbox.places import Sandbox
from interlock.servers.registry import make_server

CLOCK = SystemClock()
VIOLATIONS, CONFLICTS = 100, 50
ROWS_AT_ONCE = 100
OWNS = {"east": "shop_eu", "west": "shop_us"}


def prepare(sandbox: Sandbox) -> None:
    sql.query(sandbox, "west", "SET GLOBAL read_only=0")
    for side, schema in (*OWNS.items(), ("east", "shared")):
        sql.query(sandbox, side, f"CREATE DATABASE {schema}")
        sql.query(
            sandbox, side, f"CREATE TABLE {schema}.t (id INT PRIMARY KEY, customer INT, state VARCHAR(20), at DATETIME, a INT, b INT)"
        )
    for schema, numbers in (("shared", range(1, CONFLICTS + 1)), ("shop_eu", range(-VIOLATIONS, 0))):
        sql.query(sandbox, "east", f"INSERT INTO {schema}.t (id) VALUES {', '.join(f'({number})' for number in numbers)}")
    catch_up(sandbox)


def traffic(sandbox: Sandbox, side: str, first: int, rows: int) -> None:
    with closing(sql.connect(sandbox, side)) as connection:
        for start in range(first, first + rows, ROWS_AT_ONCE):
            values = ", ".join(f"({number}, {number % 997}, 'new', NOW(), 1, 2)" for number in range(start, start + ROWS_AT_ONCE))
            sql.rows(connection, f"INSERT INTO {OWNS[side]}.t VALUES {values}")


def both(sandbox: Sandbox, first: int, rows: int) -> None:
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda side: traffic(sandbox, side, first, rows // 2), OWNS))


def plant(sandbox: Sandbox) -> None:
    with closing(sql.connect(sandbox, "west")) as west:
        for number in range(1, VIOLATIONS + 1):
            sql.rows(west, f"UPDATE shop_eu.t SET a = 1 WHERE id = -{number}")
    catch_up(sandbox)
    with apart(sandbox):
        for side in OWNS:
            with closing(sql.connect(sandbox, side)) as connection:
                for number in range(1, CONFLICTS + 1):
                    sql.rows(connection, f"UPDATE shared.t SET state = '{side}' WHERE id = {number}")


@contextmanager
def apart(sandbox: Sandbox) -> Iterator[None]:
    for side in OWNS:
        sql.query(sandbox, side, "STOP SLAVE SQL_THREAD")
    yield
    for side in OWNS:
        sql.query(sandbox, side, "START SLAVE SQL_THREAD")


def catch_up(sandbox: Sandbox) -> None:
    deadline = Deadline.after(CLOCK, 300)
    while True:
        east, west = (sql.query(sandbox, side, "SELECT @@gtid_binlog_pos AS held")[0]["held"] for side in OWNS)
        if sorted(east.split(",")) == sorted(west.split(",")):
            return
        if deadline.is_over():
            raise SystemExit(f"the sides do not catch up: {east} and {west}")
        CLOCK.sleep(0.1)


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rows", type=int, default=1_000_000)
    rows = words.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder:
        sandbox = pair.up(Path(folder) / "p", clock=CLOCK)
        try:
            prepare(sandbox)
            both(sandbox, 1, rows // 2)
            catch_up(sandbox)
            plant(sandbox)
            both(sandbox, rows, rows // 2)
            catch_up(sandbox)
            topology, secrets = read_topology(Path(sandbox.topology)), Secrets(CLOCK)
            masters = {
                one.cluster: make_server(one, secrets=secrets.read, clock=CLOCK, pair=topology.servers()) for one in topology.masters()
            }
            segments = {
                schema: SegmentSpec(name=schema, schemas=(schema,), accounts=(), owner=ClusterName(side), route=None)
                for side, schema in OWNS.items()
            }
            ownership = Ownership(segments=segments, owners={name: spec.owner for name, spec in segments.items()})
            report = find_conflicts("bench", masters, ownership, None, clock=CLOCK)
        finally:
            pair.down(Path(folder) / "p")
    found = {"violations": len(report.violations), "conflicts": len(report.conflicts)}
    told = {"rows": sum(each.rows for each in report.logs), "seconds": round(report.seconds, 1), "rows_per_s": round(report.rows_per_s)}
    json.dump(told | found, sys.stdout)
    sys.stdout.write("\n")
    return 0 if found == {"violations": VIOLATIONS, "conflicts": CONFLICTS} else 1


if __name__ == "__main__":
    sys.exit(main())
