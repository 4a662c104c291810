"""How soon the command answers: `interlock --help`, `runs` and `playbook lint`, the best and the median of several calls."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile

from interlock.clock import SystemClock
from interlock.playbook.find import shipped_folder

LIMIT_S = 0.25
"""Of `interlock --help`, the best of the calls: the others say what else the machine did."""

_TIMES = 5
_COMMANDS = (("--help",), ("runs",), ("playbook", "lint", str(shipped_folder() / "switchover.yaml")))


def took_s(words: tuple[str, ...], state: str) -> float:
    clock = SystemClock()
    began = clock.monotonic_s()
    subprocess.run(
        [sys.executable, "-m", "interlock.cli.main", *words],
        check=True,
        stdout=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", "XDG_STATE_HOME": state},
    )
    return clock.monotonic_s() - began


def main() -> int:
    best: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as state:
        for words in _COMMANDS:
            took = [took_s(words, state) for _ in range(_TIMES)]
            name = " ".join(words[:2])
            best[name] = min(took)
            print(f"interlock {name:14} best {min(took) * 1000:6.0f} ms   median {statistics.median(took) * 1000:6.0f} ms   of {_TIMES}")
    print(f"limit of --help {LIMIT_S * 1000:.0f} ms")
    return 0 if best["--help"] <= LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
