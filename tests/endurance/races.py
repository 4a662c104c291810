"""Fifty real races of two operators: exactly one works. `make endurance-races`; it ends with 1 if not, and prints its figures as JSON."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from faults.races import race
from interlock.clock import SystemClock
from interlock.sandbox import pair as pairs


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=50)
    options = arguments.parse_args()
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder:
        sandbox = pairs.up(Path(folder) / "pair", clock=clock)
        try:
            began_s = clock.monotonic_s()
            raced = race(sandbox, Path(folder), options.count)
        finally:
            pairs.down(Path(folder) / "pair")
    worked = sum(each.one_worked for each in raced.races)
    quiet = (raced.samples.two, raced.proof.violations, raced.lost, raced.duplicated) == (0, (), (), ())
    held = worked == options.count == raced.turns_of_writing and quiet
    figures = {
        "races": len(raced.races),
        "exactly one worked": worked,
        "minutes": round((clock.monotonic_s() - began_s) / 60, 1),
        "exit codes": {" and ".join(map(str, codes)): times for codes, times in raced.codes.items()},
        "writing passed over, by the binary logs": raced.turns_of_writing,
        "samples": {"one writer": raced.samples.one, "none": raced.samples.none, "two": raced.samples.two},
        "lost": raced.lost,
        "duplicated": raced.duplicated,
        "not as it must be": [f"{each.codes} {each.open_sides}: {each.told}" for each in raced.races if not each.one_worked],
        "held": held,
    }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
