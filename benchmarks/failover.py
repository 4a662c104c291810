"""`make bench-failover`: our failover against the bare one, alternately, each on a fresh private pair under 16 writers.

The writer is killed, and at once a command is started. What counts is the time from its start, with all that Python imports, to the first
write that the survivor acknowledged to a client, by the clients' ledgers; ours gives its verdict and fences in that time. Of each failover
of ours every acknowledged write that the survivor lacks must stand in its report of what was lost, or the benchmark ends at once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.clock import SystemClock
from interlock.sandbox import members, pair
from interlock.sandbox.accounts import ADMIN
from interlock.sandbox.ledger import Entry, acknowledged, balance, percentile
from interlock.sandbox.load import load
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query

POOLED = FRESH = 8
LIMIT, LIMIT_MS = 1.5, 400.0
OLD, TO = "east", "west"
_COUNTS = {"mariadb": 30, "mysql": 10}
"""How many failovers of each kind a flavor has."""

_BARE = Path(__file__).with_name("bare_failover.py")
_REST_S = 0.5
_INTERLOCK = ("-m", "interlock.cli.main")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Milliseconds from the command's start. `parts` are those of `show RUN`, for ours; `lost` the acknowledged writes that are gone."""

    first_ms: float
    ended_ms: float
    lost: int
    parts: Mapping[str, float]


def ours(sandbox: Sandbox) -> tuple[Sequence[str], Callable[[str], Mapping[str, float]]]:
    """The command, as an operator types it, and what is made of its answer. The store is there, as after any other command."""
    carry_out((*_INTERLOCK, "runs"), sandbox)
    return (*_INTERLOCK, "failover", "--to", TO, "--yes", "--json"), lambda answer: parts_of(json.loads(answer))


def reference(sandbox: Sandbox) -> tuple[Sequence[str], Callable[[str], Mapping[str, float]]]:
    proxy = sandbox.proxy
    account = [sandbox.members[TO].socket, ADMIN, str(sandbox.password_file(ADMIN))]
    return [str(_BARE), sandbox.kind, *account, proxy.admin_socket, proxy.backend, TO, OLD], lambda _: {}


WAYS = {"ours": ours, "reference": reference}


def parts_of(document: Any) -> Mapping[str, float]:
    """How long each part took up to the flip, as `show RUN` has it; the verdict and the fence once more by themselves."""
    phases = {phase["phase"]: phase for phase in document["phases"]}
    steps = {step["action"]: step["ms"] for phase in document["phases"] for step in phase["steps"]}
    told = {"start-up": document["start_up_ms"]} | {name: phases[name]["ms"] for name in ("preflight", "fence", "catch_up", "flip")}
    return told | {"(verdict)": steps["cluster.is_dead"], "(fence outside)": steps["server.fence_outside"]}


def failed_over(way: str, kind: str) -> Measured:
    """One failover on a pair of its own."""
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder:
        sandbox = pair.up(Path(folder) / "pair", clock=clock, kind=kind)
        try:
            words, parts = WAYS[way](sandbox)
            with load(sandbox, pooled=POOLED, fresh=FRESH) as writing:
                clock.sleep(_REST_S)
                members.stop(Path(sandbox.directory), OLD, kill=True)
                began = clock.monotonic_s()
                answer = carry_out(words, sandbox)
                ended = clock.monotonic_s()
                clock.sleep(_REST_S)
                entries = writing.stop()
            lost = balance(entries, [row["k"] for row in query(sandbox, TO, "SELECT k FROM app.ledger")]).lost
            if way == "ours":
                see_told(lost, sandbox, json.loads(answer)["run"])
            return Measured(
                first_ms=(first_write(entries, sandbox) - began) * 1000,
                ended_ms=(ended - began) * 1000,
                lost=len(lost),
                parts=parts(answer),
            )
        finally:
            pair.down(Path(sandbox.directory))


def see_told(lost: Sequence[str], sandbox: Sandbox, run: str) -> None:
    """SystemExit unless each of them is in the report."""
    report = json.loads(carry_out((*_INTERLOCK, "losses", run, "--json"), sandbox))
    rows = [row for one in report["transactions"] for row in one["rows"] if row["table"] == "app.ledger"]
    untold = set(lost) - {row["after"]["k"] for row in rows}
    if report["state"] != "known" or untold:
        raise SystemExit(f"the losses are {report['state']}, and {len(untold)} of {len(lost)} are not told: {sorted(untold)[:5]}")


def carry_out(words: Sequence[str], sandbox: Sandbox) -> str:
    # whoever installed it has its modules compiled
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**kept, "INTERLOCK_TOPOLOGY": sandbox.topology, "INTERLOCK_STORE": f"sqlite:///{sandbox.directory}/runs.db"}
    done = subprocess.run([sys.executable, *words], capture_output=True, check=False, timeout=120, env=environment)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}")
    return done.stdout.decode()


def first_write(entries: Sequence[Entry], sandbox: Sandbox) -> float:
    """When the survivor acknowledged its first one."""
    survivor = sandbox.members[TO].server_id
    first = next((entry.ended_s for entry in acknowledged(entries) if entry.server == survivor), None)
    if first is None:
        raise SystemExit(f"{TO} acknowledged no write")
    return first


def measure(kind: str, count: int) -> Mapping[str, Sequence[Measured]]:
    """Of each way, but for the first: that one compiles and reads from the disk."""
    measured: dict[str, list[Measured]] = {way: [] for way in WAYS}
    for number in range(count + 1):
        for way, kept in measured.items():
            one = failed_over(way, kind)
            print(
                f"{kind} {number} of {count}: {way:9}  first write after {one.first_ms:6.0f} ms, command ended after {one.ended_ms:6.0f} ms"
                f", {one.lost} acknowledged writes lost",
                flush=True,
            )
            if number:
                kept.append(one)
    return measured


def told(kind: str, measured: Mapping[str, Sequence[Measured]]) -> bool:
    """Prints what came of it. Whether both limits are kept."""
    medians = {}
    for way, each in measured.items():
        first = [one.first_ms for one in each]
        medians[way] = percentile(first, 0.5) or 0.0
        print(
            f"{kind} {way:10} first write p50 {medians[way]:6.0f} ms   p99 {percentile(first, 0.99):6.0f} ms   max {max(first):6.0f} ms"
            f"   of {len(first)}; {sum(one.lost for one in each)} acknowledged writes lost{', all of them told' if way == 'ours' else ''}"
        )
    parts = [one.parts for one in measured["ours"]]
    halves = {name: percentile([each[name] for each in parts], 0.5) for name in parts[0]}
    print(f"{kind} ours, p50 of its parts: {', '.join(f'{name} {ms:.0f} ms' for name, ms in halves.items())}")
    ratio = medians["ours"] / medians["reference"]
    print(f"{kind} ratio {ratio:.2f} (limit {LIMIT}), p50 of ours {medians['ours']:.0f} ms (limit {LIMIT_MS:.0f})")
    return ratio <= LIMIT and medians["ours"] <= LIMIT_MS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flavor", choices=_COUNTS, action="append", help="one flavor only (default: each)")
    parser.add_argument("--runs", type=int, help=f"failovers of each way (default: {_COUNTS})")
    options = parser.parse_args()
    kinds: Sequence[str] = options.flavor or tuple(_COUNTS)
    measured = {kind: measure(kind, options.runs or _COUNTS[kind]) for kind in kinds}
    kept = [told(kind, each) for kind, each in measured.items()]
    print(f"load of the machine over the last minute {os.getloadavg()[0]:.1f}")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
