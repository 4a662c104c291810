"""`make bench-audit`: how long an audit of a pair with many tables takes, and how much memory, as a person would start it.

The pair is a private one; making its tables takes minutes, auditing them seconds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from interlock.clock import SystemClock
from interlock.sandbox import pair
from interlock.sandbox.kinds import kind_named
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import connect, query, rows

LIMIT_S, LIMIT_KB = 20.0, 100_000
_MEASURED = (
    "import json, resource, sys\n"
    "from interlock.cli.main import main\n"
    "code = main(sys.argv[1:])\n"
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\n"
    "sys.exit(code)\n"
)


def main() -> int:
    """Exit code 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", default="mariadb")
    parser.add_argument("--tables", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder:
        sandbox = pair.up(Path(folder) / "pair", clock=SystemClock(), kind=options.kind, options={"table_definition_cache": "2000"})
        try:
            _fill(sandbox, options.tables)
            took_s, peak_kb, unfit = _audit(sandbox, Path(folder))
        finally:
            pair.down(Path(folder) / "pair")
    print(
        f"{options.kind}: {options.tables} tables on each side: {took_s:.1f}s (limit {LIMIT_S:g}s), {peak_kb / 1000:.0f} MB, {unfit} unfit"
    )
    return int(took_s > LIMIT_S or peak_kb > LIMIT_KB)


def _fill(sandbox: Sandbox, count: int) -> None:
    with closing(connect(sandbox, "east", read_timeout_s=600.0)) as east:
        for number in range(count):
            rows(
                east,
                f"CREATE TABLE app.t{number} (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(40), "
                "d DATETIME, e DECIMAL(10,2), f TEXT, KEY a (a), UNIQUE KEY b (b))",
            )
    kind = kind_named(sandbox.kind)
    position = next(iter(query(sandbox, "east", kind.position)[0].values()))
    while next(iter(query(sandbox, "west", kind.wait, position, 10)[0].values())) != 0:
        pass


def _audit(sandbox: Sandbox, folder: Path) -> tuple[float, int, int]:
    """Seconds with all that Python imports, kilobytes at the peak, and how much was unfit."""
    clock = SystemClock()
    words = [sys.executable, "-c", _MEASURED, "-t", sandbox.topology, "--store", f"sqlite://{folder}/runs.db", "--json", "audit"]
    began_s = clock.monotonic_s()
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return clock.monotonic_s() - began_s, int(done.stderr.split()[-1]), json.loads(done.stdout)["counts"]["unfit"]


if __name__ == "__main__":
    sys.exit(main())
