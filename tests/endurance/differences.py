"""`make endurance-diff`: fifty comparisons of a pair of each flavor while clients write, with three rows that differ all the time and one
more that comes to differ in the middle. Exits 1 if one of the comparisons tells anything else.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from interlock.clock import SystemClock
from interlock.sandbox import pair
from servers.diff_lab import compared, plant, write
from servers.test_diff_under_load import ROWS, TABLE, UNTOUCHED, clients

RUNS = 50
PLANTED = (
    f"UPDATE app.t SET w='other' WHERE id={UNTOUCHED[0]}",
    f"DELETE FROM app.t WHERE id={UNTOUCHED[1]}",
    "INSERT INTO app.t VALUES (-1, 0, 'extra', 0)",
)
EXPECTED = {-1, UNTOUCHED[0], UNTOUCHED[1]}


def main() -> int:
    wrong = unsettled = 0
    for kind in ("mariadb", "mysql"):
        with tempfile.TemporaryDirectory(prefix="interlock-") as folder:
            sandbox = pair.up(Path(folder) / "pair", clock=SystemClock(), kind=kind)
            try:
                write(sandbox, TABLE, ROWS)
                plant(sandbox, "west", *PLANTED)
                with clients(sandbox):
                    for number in range(RUNS):
                        if number == RUNS // 2:
                            plant(sandbox, "west", f"UPDATE app.t SET w='more' WHERE id={UNTOUCHED[2]}")
                        (table,) = compared(sandbox, "app.t").tables
                        expected = EXPECTED | ({UNTOUCHED[2]} if number >= RUNS // 2 else set())
                        found = {one.key["id"] for one in table.differences}
                        wrong += found != expected
                        unsettled += bool(table.not_compared)
                        sys.stdout.write(f"{kind} {number}: {'as planted' if found == expected else f'{found} for {expected}'}\n")
            finally:
                pair.down(Path(folder) / "pair")
    sys.stdout.write(f"{wrong} of {2 * RUNS} wrong, {unsettled} with rows that were not settled\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
