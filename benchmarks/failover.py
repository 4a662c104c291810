"""`make bench-failover`: our failover against the bare one, alternately, each on a fresh private pair under 16 writers.

The writer is killed, and at once a command is started. What counts is the time from its start, with all that Python imports, to the first
write that the survivor acknowledged to a client, by the clients' ledgers.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from interlock.clock import SystemClock
from interlock.sandbox import members, pair
from interlock.sandbox.accounts import ADMIN
from interlock.sandbox.ledger import Entry, acknowledged, percentile
from interlock.sandbox.load import load
from interlock.sandbox.places import Sandbox

POOLED = FRESH = 8
LIMIT, LIMIT_MS = 1.5, 400.0
OLD, TO = "east", "west"

_BARE = Path(__file__).with_name("bare_failover.py")
_REST_S = 0.5

Words = Callable[[Sandbox], Sequence[str]]


def ours(_: Sandbox) -> Sequence[str]:
    """The command, as an operator types it."""
    return ["-m", "interlock.cli.main", "failover", "--to", TO, "--yes", "--json"]


def reference(sandbox: Sandbox) -> Sequence[str]:
    proxy = sandbox.proxy
    account = [sandbox.members[TO].socket, ADMIN, str(sandbox.password_file(ADMIN))]
    return [str(_BARE), *account, proxy.admin_socket, proxy.backend, TO, OLD]


def failed_over(words: Words) -> tuple[float, float]:
    """From the start of the command to the first write acknowledged by the survivor, and to the command's end, in ms."""
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder:
        sandbox = pair.up(Path(folder) / "pair", clock=clock)
        try:
            with load(sandbox, pooled=POOLED, fresh=FRESH) as writing:
                clock.sleep(_REST_S)
                members.stop(Path(sandbox.directory), OLD, kill=True)
                began = clock.monotonic_s()
                carry_out(words(sandbox), sandbox)
                ended = clock.monotonic_s()
                clock.sleep(_REST_S)
                return (first_write(writing.stop(), sandbox) - began) * 1000, (ended - began) * 1000
        finally:
            pair.down(Path(sandbox.directory))


def carry_out(words: Sequence[str], sandbox: Sandbox) -> None:
    # whoever installed it has its modules compiled
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**kept, "INTERLOCK_TOPOLOGY": sandbox.topology, "INTERLOCK_STORE": f"sqlite:///{sandbox.directory}/runs.db"}
    done = subprocess.run([sys.executable, *words], capture_output=True, check=False, timeout=120, env=environment)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}")


def first_write(entries: Sequence[Entry], sandbox: Sandbox) -> float:
    """When the survivor acknowledged its first one."""
    survivor = sandbox.members[TO].server_id
    first = next((entry.ended_s for entry in acknowledged(entries) if entry.server == survivor), None)
    if first is None:
        raise SystemExit(f"{TO} acknowledged no write")
    return first


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="failovers of each kind")
    runs: int = parser.parse_args().runs
    ways: dict[str, Words] = {"ours": ours, "reference": reference}
    first_ms: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(runs + 1):
        for name, words in ways.items():
            first, whole = failed_over(words)
            print(f"{number} of {runs}: {name:9}  first write after {first:6.0f} ms, command ended after {whole:6.0f} ms", flush=True)
            if number:  # the first of each compiles and reads from the disk
                first_ms[name].append(first)
    medians = {name: percentile(ms, 0.5) or 0.0 for name, ms in first_ms.items()}
    for name, ms in first_ms.items():
        print(f"{name:10} p50 {medians[name]:7.1f} ms   max {max(ms):7.1f} ms   of {runs}")
    ratio = medians["ours"] / medians["reference"]
    print(f"ratio      {ratio:.2f} (limit {LIMIT}), p50 of ours {medians['ours']:.0f} ms (limit {LIMIT_MS:.0f})")
    print(f"load of the machine over the last minute {os.getloadavg()[0]:.1f}")
    return 0 if ratio <= LIMIT and medians["ours"] <= LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())
