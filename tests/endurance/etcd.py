"""Long proofs of the store in etcd: kill -9 of the tool with a take-over by another machine, and losses of etcd's majority; all under load.

`make endurance` runs 50 of the first and 20 of the second. It ends with 1 if an outcome, a key or a writer is not as it must be.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from interlock.clock import SystemClock
from interlock.sandbox import pair
from interlock.sandbox.drill import DrillReport, drill
from interlock.sandbox.ledger import percentile
from interlock.sandbox.places import Sandbox
from scenarios.command_line import environment, interlock
from scenarios.etcd_runs import CLOCK, LEASE, Machine, losing_members
from scenarios.test_etcd_runs import SWITCHOVER
from servers.etcd_lab import Cluster, etcd_cluster

RECORDS = 66
"""Of a switchover that nobody disturbs."""


def kills(sandbox: Sandbox, cluster: Cluster, count: int, seed: int) -> tuple[DrillReport, bool]:
    """Killed at a record that chance chose, once or, every fifth time, twice; then resumed, or rolled back every third time."""
    machines = [Machine(name=name, pair=sandbox, cluster=cluster, prefix="kills") for name in ("ops1", "ops2", "ops3")]
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to hide
    outcomes: Counter[str] = Counter()
    last_run = [""]

    def switch(_to: str) -> str:
        number = outcomes.total()
        at = chance.randrange(2, RECORDS)
        with machines[0].begin("run", SWITCHOVER) as process:
            run = machines[0].await_records(process, at, not_of=last_run[0])
            process.kill()
            process.wait()
        last_run[0] = run
        verb = "rollback" if number % 3 == 2 else "resume"
        began_s = CLOCK.monotonic_s()
        if number % 5 == 4:
            with machines[1].begin(verb, run) as process:
                CLOCK.sleep(chance.uniform(2, 6))
                process.kill()
                process.wait()
        ended = machines[2].take_over(verb, run)
        outcome = str(ended.said.get("outcome") or ended.said.get("message") or ended.err)
        outcomes[f"{verb}: {outcome}"] += 1
        say(f"  {number + 1}: killed at record {at}, {verb}: {outcome}, {CLOCK.monotonic_s() - began_s:.1f} s ({machines[2].slowest(run)})")
        return outcome

    report = drill(sandbox, switch, clock=CLOCK, count=count, pooled=4, fresh=4)
    say(f"kills: {dict(outcomes)}")
    allowed = ("succeeded", "rolled_back", "refused", "UsageError: run ")  # it had ended when it was killed
    good = all(switch.outcome.startswith(allowed) for switch in report.switches)
    return report, good and not _unfinished(machines[0])


def _unfinished(machine: Machine) -> list[str]:
    env = {"INTERLOCK_STORE": machine.cluster.url(machine.prefix), "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    return [row["run"] for row in interlock("runs", "--json", env=env).document if row["outcome"] is None]


def losses(sandbox: Sandbox, cluster: Cluster, folder: Path, count: int) -> tuple[DrillReport, bool]:
    """Two of three members hang, or are killed, in the middle of the run, right after the fence."""
    env = environment(sandbox, folder) | {"INTERLOCK_STORE": cluster.url("losses", LEASE)}
    outcomes: Counter[str] = Counter()

    def switch(_to: str) -> str:
        number = outcomes.total()
        lost = [member for index, member in enumerate(cluster.members) if index != number % 3]
        playbook = losing_members(folder, lost, "KILL" if number % 2 else "STOP")
        done = interlock("run", playbook, "--json", env=env)
        for member in lost:
            if member.has_ended():
                member.start()
            member.wake()
        cluster.await_health()
        (run, *_) = interlock("runs", "--json", env=env).document
        back = interlock("rollback", run["run"], "--json", env=env)
        outcomes[f"{done.document['outcome']}, then {back.document['outcome']}"] += 1
        say(f"  {number + 1}: {done.document['outcome']} (exit code {done.code}), outage {done.document['outage_ms']} ms")
        return str(done.document["outcome"])

    report = drill(sandbox, switch, clock=CLOCK, count=count, pooled=4, fresh=4)
    say(f"losses: {dict(outcomes)}")
    return report, set(outcomes) == {"rolled_back, then rolled_back"}


def _is_well(name: str, report: DrillReport, as_it_must_be: bool) -> bool:  # noqa: FBT001 - the other half of what a proof gives
    well = as_it_must_be and not (report.lost or report.duplicated or report.resurrected or report.samples.two)
    outages = [switch.outage_ms for switch in report.switches if switch.outage_ms is not None]
    say(
        f"{name}: {len(report.switches)} runs, {report.acknowledged} writes acknowledged, lost {len(report.lost)}, duplicated "
        f"{len(report.duplicated)}, samples with two writers {report.samples.two}, outage p50 {percentile(outages, 0.5) or 0:.0f} ms, "
        f"max {max(outages, default=0):.0f} ms: {'well' if well else 'NOT AS IT MUST BE'}"
    )
    return well


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--losses", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder, etcd_cluster(Path(folder)) as cluster:
        sandbox = pair.up(Path(folder) / "pair", clock=SystemClock())
        try:
            well = _is_well("kills", *kills(sandbox, cluster, said.kills, said.seed))
            well = _is_well("losses", *losses(sandbox, cluster, Path(folder), said.losses)) and well
        finally:
            pair.down(Path(sandbox.directory))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
