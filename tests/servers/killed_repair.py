"""A repair that ends by SIGKILL at a chosen write of its journal: `killed_repair.py TOPOLOGY STORE KIND NUMBER`, then the command's words.

KIND and NUMBER are those of `scenarios/killed_command.py`. With number 0 it runs to its end and prints how many of each there were.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from interlock.bootstrap import Wiring, read_topology
from interlock.cli.arguments import parser
from interlock.cli.context import Context
from interlock.cli.mending import repair_differences
from interlock.cli.unblocking import unblock
from interlock.clock import SystemClock
from interlock.stores.database import open_database
from interlock.stores.open import sqlite_path
from scenarios.killed_command import DoomedStore, Fate


def main(words: Sequence[str]) -> int:
    topology, store, kind, number, *does = words
    wiring = Wiring(read_topology(Path(topology)), store)
    wiring.store.close()
    doomed = DoomedStore(open_database(sqlite_path(store)), SystemClock())
    doomed.fate = Fate(kind=kind, number=int(number), counted={})
    wiring.store = doomed
    wiring.world._store = doomed
    context = Context(options=parser().parse_args([*does, "--json"]))
    try:
        cluster = context.options.channel
        answer = unblock(context, wiring, cluster) if cluster else repair_differences(context, wiring)
    finally:
        wiring.close()
    sys.stdout.write(json.dumps(doomed.fate.counted) + "\n")
    return answer.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
