"""What a store costs in the outage: switchovers with SQLite and with three etcd members on loopback, alternately, under load."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from interlock.clock import SystemClock
from interlock.sandbox import pair
from interlock.sandbox.drill import drill
from interlock.sandbox.ledger import percentile
from interlock.sandbox.places import Sandbox
from servers.etcd_lab import etcd_cluster


def with_store(sandbox: Sandbox, url: str) -> Callable[[str], str]:
    environment = {**os.environ, "INTERLOCK_TOPOLOGY": sandbox.topology, "INTERLOCK_STORE": url}

    def switch(to: str) -> str:
        argv = [sys.executable, "-m", "interlock.cli.main", "switchover", "--to", to, "--yes", "--json"]
        done = subprocess.run(argv, capture_output=True, check=False, timeout=120, env=environment)
        if done.returncode != 0:
            raise SystemExit(f"interlock switchover --to {to}: exit code {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}")
        return str(msgspec.json.decode(done.stdout)["outcome"])

    return switch


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="switchovers with each store")
    parser.add_argument("--writers", type=int, default=8, help="half of them with pooled connections, half with a connection each time")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder, etcd_cluster(Path(folder)) as cluster:
        sandbox = pair.up(Path(folder) / "pair", clock=SystemClock())
        try:
            names = ["sqlite", "etcd"]
            ways = [with_store(sandbox, f"sqlite:///{sandbox.directory}/runs.db"), with_store(sandbox, cluster.url("bench"))]
            order = [which for number in range(said.runs) for which in ((0, 1) if number % 2 else (1, 0))]  # each both ways
            turns = iter(order)

            def switch(to: str) -> str:
                return ways[next(turns)](to)

            half = said.writers // 2
            report = drill(sandbox, switch, clock=SystemClock(), count=len(order), pooled=half, fresh=half, progress=print)
        finally:
            pair.down(Path(sandbox.directory))
    for which, name in enumerate(names):
        ms = [
            switch.outage_ms for turn, switch in zip(order, report.switches, strict=True) if turn == which and switch.outage_ms is not None
        ]
        print(f"{name:7} outage p50 {percentile(ms, 0.5) or 0:7.1f} ms   max {max(ms, default=0):7.1f} ms   of {len(ms)}")
    print(f"lost {len(report.lost)}, duplicated {len(report.duplicated)}, samples with two writers {report.samples.two}")
    return 0 if report.is_clean() else 1


if __name__ == "__main__":
    sys.exit(main())
