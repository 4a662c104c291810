"""kill -9 of a run at every record of its journal and every change of its state, each taken up by `resume` and by `rollback`; under load.

`make drill-crashes` runs the whole of it, some four hundred runs. It ends with 1 at the first moment that does not end as it must.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from interlock.clock import SystemClock
from interlock.sandbox import pair
from scenarios.killer import Killer, assert_survives
from scenarios.pair_state import switchover_with

_WAYS = [(kind, then) for then in ("resume", "rollback") for kind in ("before", "after", "state")]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder:
        sandbox = pair.up(Path(folder) / "pair", clock=SystemClock())
        try:
            for kind, then in _WAYS:
                store = Path(folder) / f"{kind}-{then}"
                store.mkdir()
                killer = Killer(pair=sandbox, folder=store, playbook=switchover_with(store / "whole.yaml"))
                killer.bring_back("east")
                try:
                    assert_survives(killer, kind, range(1, killer.count(kind) + 1), then)
                except AssertionError as wrong:
                    sys.stderr.write(f"{wrong}\n")
                    return 1
                codes = sorted(killer.told.values())
                counted = ", ".join(f"{codes.count(code)} times {code}" for code in dict.fromkeys(codes))
                sys.stdout.write(f"{then} after a kill ({kind}): {len(codes)} moments, exit codes {counted}; nothing lost, one writer\n")
                sys.stdout.flush()
        finally:
            pair.down(Path(sandbox.directory))
    return 0


if __name__ == "__main__":
    sys.exit(main())
