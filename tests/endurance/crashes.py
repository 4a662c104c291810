"""kill -9 of a run at every record of its journal and every change of its state, each taken up by `resume` and by `rollback`; under load.

And at every record once more with the process that takes it up killed too. `make drill-crashes` runs the whole of it, some four hundred
runs on two pairs at once; `crashes.py KIND…` a part of it. It ends with 1 if a moment does not end as it must.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from interlock.clock import SystemClock
from interlock.sandbox import pair
from scenarios.killer import TWICE, Killer, assert_survives
from scenarios.pair_state import switchover_with

_PAIRS = 2
_WAYS = {
    "before": ("resume", "rollback", f"rollback{TWICE}"),
    "after": ("resume", "rollback", f"resume{TWICE}"),
    "state": ("resume", "rollback", f"resume{TWICE}", f"rollback{TWICE}"),
}
"""How a run is taken up, by the moments at which it is killed."""


def main(kinds: Sequence[str]) -> int:
    ways = [(kind, then) for kind in kinds or _WAYS for then in _WAYS[kind]]
    with ThreadPoolExecutor(_PAIRS) as pool:
        held = list(pool.map(lambda way: _survives(*way), ways))
    return 0 if all(held) else 1


def _survives(kind: str, then: str) -> bool:
    """Every moment of this kind, on a pair of its own; says what came of it."""
    clock = SystemClock()
    began_s = clock.monotonic_s()
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder:
        sandbox = pair.up(Path(folder) / "pair", clock=clock)
        killer = Killer(pair=sandbox, folder=Path(folder), playbook=switchover_with(Path(folder) / "whole.yaml"))
        try:
            report = assert_survives(killer, kind, range(1, killer.count(kind) + 1), then)
        except (AssertionError, subprocess.TimeoutExpired) as wrong:
            _say(f"{then} after a kill ({kind}): NOT AS IT MUST BE, after {killer.told}: {wrong}")
            return False
        finally:
            pair.down(Path(sandbox.directory))
    codes = ", ".join(f"{count} times {code}" for code, count in sorted(Counter(killer.told.values()).items()))
    again = f", {killer.twice} killed twice" if TWICE in then else ""
    samples = report.samples.one + report.samples.two + report.samples.none
    _say(
        f"{then} after a kill ({kind}): {len(killer.told)} moments{again}, exit codes {codes}, each within {killer.longest_s:.0f} s; "
        f"{report.acknowledged} acknowledged, none lost; {samples} samples, none with two writers; {clock.monotonic_s() - began_s:.0f} s"
    )
    return True


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
