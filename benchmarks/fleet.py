"""What a fleet takes for each pair: 100 simulated pairs, 10 at once, and 4 sandboxes under load, 2 at once."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from interlock.clock import SystemClock
from interlock.sandbox import pair
from interlock.sandbox.ledger import percentile
from interlock.sandbox.load import load
from scenarios.command_line import PROGRAM, environment
from scenarios.fleets import SIMULATED, simulated_fleet


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as place:
        simulated, real = Path(place) / "simulated", Path(place) / "real"
        simulated.mkdir()
        real.mkdir()
        fleet = simulated_fleet(simulated, [f"p{number:02}" for number in range(100)])
        words = ["run", str(simulated / "with-verify.yaml"), "--topologies", str(simulated / "topologies"), "--at-once", "10"]
        _measure("100 simulated pairs, 10 at once", [*SIMULATED, "fleet", *words], dict(fleet.env))
        with ExitStack() as after:
            (real / "topologies").mkdir()
            for name in ("p0", "p1", "p2", "p3"):
                sandbox = pair.up(Path(place) / name, clock=SystemClock())
                after.callback(pair.down, Path(place) / name)
                after.enter_context(load(sandbox, pooled=1, fresh=1, pause_s=0.02))
                text = Path(sandbox.topology).read_text().replace("topology: sandbox", f"topology: {name}")
                (real / "topologies" / f"{name}.yaml").write_text(text)
            words = ["run", "switchover", "--topologies", str(real / "topologies"), "--at-once", "4"]
            env = environment(None, real) | {"INTERLOCK_STORE": f"sqlite://{real}/runs.db"}
            _measure("4 real pairs at once, 2 clients on each", [*PROGRAM, "fleet", *words], env)
    return 0


def _measure(what: str, argv: list[str], env: dict[str, str]) -> None:
    clock = SystemClock()
    began = clock.monotonic_s()
    read, write = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_CLOSE, read)]
    pid = os.posix_spawn(argv[0], [*argv, "--json"], env, file_actions=actions)
    os.close(write)
    with os.fdopen(read, "rb") as out:
        document: Any = msgspec.json.decode(out.read())
    _, status, usage = os.wait4(pid, 0)
    pairs = document["pairs"]
    took_s = clock.monotonic_s() - began
    cpu, memory = [each["cpu_s"] for each in pairs], [each["memory_mib"] for each in pairs]
    outages = [each["outage_ms"] for each in pairs]
    print(f"{what}: exit code {os.waitstatus_to_exitcode(status)}, {document['succeeded']} succeeded, {took_s:.1f}s")
    print(f"  each pair's process: cpu p50 {percentile(cpu, 0.5):.2f}s max {max(cpu):.2f}s, memory max {max(memory):.0f} MiB")
    print(f"  outage p50 {percentile(outages, 0.5):.0f}ms max {max(outages):.0f}ms")
    own_s = usage.ru_utime + usage.ru_stime - sum(cpu)  # wait4 counts what it waited for itself, too
    print(f"  the fleet's own process: cpu {own_s:.1f}s, memory at most {usage.ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    sys.exit(main())
