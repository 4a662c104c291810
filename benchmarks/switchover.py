"""`make bench`: our switchover against the bare six steps, alternately, there and back, on one private pair under 16 writers.

The outage of both is taken from the same ledgers: from the last write that the old writer acknowledged to the first by the new one.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from interlock.clock import SystemClock
from interlock.sandbox import pair, sql
from interlock.sandbox.drill import DrillReport, drill
from interlock.sandbox.ledger import percentile
from interlock.sandbox.places import Sandbox

POOLED = FRESH = 8
AIM, LIMIT = 1.2, 1.5


def ours(sandbox: Sandbox) -> Callable[[str], str]:
    """The command, as an operator types it."""
    environment = {**os.environ, "INTERLOCK_TOPOLOGY": sandbox.topology, "INTERLOCK_STORE": f"sqlite:///{sandbox.directory}/runs.db"}

    def switch(to: str) -> str:
        argv = [sys.executable, "-m", "interlock.cli.main", "switchover", "--to", to, "--yes", "--json"]
        done = subprocess.run(argv, capture_output=True, check=False, timeout=120, env=environment)
        if done.returncode != 0:
            raise SystemExit(f"interlock switchover --to {to}: exit code {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}")
        return str(msgspec.json.decode(done.stdout)["outcome"])

    return switch


def reference(sandbox: Sandbox) -> Callable[[str], str]:
    """The bare six steps: nothing is checked, nothing written down, whatever the state of things."""
    backend = sandbox.proxy.backend

    def switch(to: str) -> str:
        (old,) = (name for name in sandbox.members if name != to)
        # the connections are there before the first step, and new each time: ours ends the old writer's sessions
        with closing(sql.connect(sandbox, old)) as from_, closing(sql.connect(sandbox, to)) as onto:
            sql.rows(from_, "SET GLOBAL read_only=1")
            position = sql.value(from_, "SELECT @@gtid_binlog_pos")
            if sql.value(onto, "SELECT MASTER_GTID_WAIT(%s, 10)", position) != 0:
                raise SystemExit(f"{to} did not catch up with {position} in 10s")
            sql.rows(onto, "SET GLOBAL read_only=0")
            tell(
                sandbox.proxy.admin_socket,
                f"set server {backend}/{to} state ready; set server {backend}/{old} state maint; shutdown sessions server {backend}/{old}",
            )
        return "succeeded"

    return switch


def tell(path: str, commands: str) -> None:
    """HAProxy answers a connection's one line of commands and hangs up."""
    with socket.socket(socket.AF_UNIX) as proxy:
        proxy.connect(path)
        proxy.sendall(commands.encode() + b"\n")
        said = b"".join(iter(lambda: proxy.recv(4096), b"")).strip()
    if said:
        raise SystemExit(f"the proxy said: {said.decode()}")


def measure(pairs_of_runs: int) -> tuple[DrillReport, Sequence[float], Sequence[float]]:
    """The report, and the outages of ours and of the reference, in ms."""
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder:
        sandbox = pair.up(Path(folder) / "pair", clock=SystemClock())
        try:
            bare = reference(sandbox)
            ways = [ours(sandbox), bare]
            order = [way for number in range(pairs_of_runs) for way in (ways if number % 2 else reversed(ways))]  # each both ways
            turns = iter(order)

            def switch(to: str) -> str:
                return next(turns)(to)

            report = drill(sandbox, switch, clock=SystemClock(), count=len(order), pooled=POOLED, fresh=FRESH, progress=print)
        finally:
            pair.down(Path(sandbox.directory))
    taken = [(way is bare, switch.outage_ms) for way, switch in zip(order, report.switches, strict=True) if switch.outage_ms is not None]
    return report, [ms for is_bare, ms in taken if not is_bare], [ms for is_bare, ms in taken if is_bare]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=30, help="switchovers of each kind")
    report, our_ms, bare_ms = measure(parser.parse_args().runs)
    our_p50, bare_p50 = percentile(our_ms, 0.5), percentile(bare_ms, 0.5)
    if our_p50 is None or not bare_p50:
        raise SystemExit("no outage was measured: the load acknowledged nothing")
    ratio = our_p50 / bare_p50
    print(f"ours       p50 {our_p50:7.1f} ms   max {max(our_ms):7.1f} ms   of {len(our_ms)}")
    print(f"reference  p50 {bare_p50:7.1f} ms   max {max(bare_ms):7.1f} ms   of {len(bare_ms)}")
    print(f"ratio      {ratio:.2f} (limit {LIMIT}, aim {AIM})")
    print(f"lost {len(report.lost)}, duplicated {len(report.duplicated)}, samples with two writers {report.samples.two}")
    return 0 if report.is_clean() and ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
