"""Two hundred real switchovers under sixty-four writers: no acknowledged key lost, no sample and no binary log that shows two writers.

`make endurance-switchovers`. It ends with 1 if anything is not as it must be, and prints its figures as JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from interlock.clock import SystemClock
from interlock.model.codec import from_plain
from interlock.sandbox import pair as pairs
from interlock.sandbox.binlog_proof import prove
from interlock.sandbox.drill import DrillReport
from scenarios.command_line import PROGRAM, environment

_WITHIN_S = 3 * 3600.0


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=200)
    arguments.add_argument("--pooled", type=int, default=32)
    arguments.add_argument("--fresh", type=int, default=32)
    options = arguments.parse_args()
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder:
        sandbox = pairs.up(Path(folder) / "pair", clock=clock)
        try:
            began_s = clock.monotonic_s()
            words = ["drill", "--dir", sandbox.directory, "--json", "--count", str(options.count)]
            writers = ["--pooled", str(options.pooled), "--fresh", str(options.fresh)]
            env = environment(sandbox, Path(folder))
            done = subprocess.run([*PROGRAM, *words, *writers], env=env, stdout=subprocess.PIPE, timeout=_WITHIN_S, check=False)
            plain = json.loads(done.stdout)  # progress goes to our own stderr
            took_s = clock.monotonic_s() - began_s
            report = from_plain({name: value for name, value in plain.items() if name not in {"clean", "exit_code"}}, DrillReport)
            proof = prove(sandbox)
        finally:
            pairs.down(Path(folder) / "pair")
    outcomes = [switch.outcome for switch in report.switches]
    held = report.is_clean() and len(outcomes) == options.count and not proof.violations and proof.only_in_one == 0
    figures = {
        "switchovers": {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))},
        "minutes": round(took_s / 60, 1),
        "acknowledged": report.acknowledged,
        "lost": report.lost,
        "duplicated": report.duplicated,
        "refused, yet there": report.resurrected,
        "samples": {
            "one writer": report.samples.one,
            "none": report.samples.none,
            "two": report.samples.two,
            "not known": report.samples.unknown,
        },
        "binary logs": {"transactions": proof.transactions, "turns": len(proof.turns), "violations": proof.violations},
        "outage_ms": {"p50": report.outage_p50_ms, "p99": report.outage_p99_ms, "max": report.outage_max_ms},
        "most errors of a pooled client": max(switch.most_errors_of_a_pooled_client for switch in report.switches),
        "errors": report.errors,
        "held": held,
    }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
