"""Twenty real switchovers there and back between MySQL 9.7 and MariaDB under eight writers, by the shipped playbook and its own limits.

`make endurance-mixed`. It ends with 1 if anything is not as it must be, and prints its figures as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from itertools import cycle, islice
from pathlib import Path

from interlock.clock import SystemClock
from interlock.sandbox import ledger
from interlock.sandbox.load import load
from interlock.sandbox.poller import poller
from scenarios.command_line import environment, interlock
from servers.mixed_lab import changed_nothing, keys, mixed
from waiting import eventually

_CLOCK = SystemClock()
_WITHIN_S = 600.0
_REST_S = 0.3


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=20)
    arguments.add_argument("--mariadb", default="mariadb", help="which one stands in the west: mariadb or mariadb-11.8")
    arguments.add_argument("--pooled", type=int, default=4)
    arguments.add_argument("--fresh", type=int, default=4)
    options = arguments.parse_args()
    moves: list[tuple[str, str, float, float]] = []
    with mixed({"east": "mysql", "west": options.mariadb}) as sandbox, tempfile.TemporaryDirectory(prefix="interlock-") as folder:
        env = environment(sandbox, Path(folder))
        began_s = _CLOCK.monotonic_s()
        with poller(sandbox) as watching, load(sandbox, pooled=options.pooled, fresh=options.fresh) as writing:
            for to in islice(cycle(("west", "east")), options.count):
                _CLOCK.sleep(_REST_S)
                at_s = _CLOCK.monotonic_s()
                outcome = str(interlock("switchover", "--to", to, "--json", env=env, within_s=_WITHIN_S).document["outcome"])
                moves.append((to, outcome, at_s, _CLOCK.monotonic_s()))
                sys.stderr.write(f"{len(moves)} of {options.count}: to {to}, {outcome}\n")
            entries, samples = writing.stop(), watching.stop()
        minutes = (_CLOCK.monotonic_s() - began_s) / 60
        same = eventually(lambda: keys(sandbox, "east", writing.prefix) == keys(sandbox, "west", writing.prefix), _WITHIN_S)
        balance = ledger.balance(entries, keys(sandbox, "east", writing.prefix))
        acks = ledger.acknowledged(entries)
        unsendable = changed_nothing(sandbox, "west")
        numbers = {name: member.server_id for name, member in sandbox.members.items()}
    outages = [ledger.outage_ms(acks, at_s, ended_s, numbers[to]) for to, _, at_s, ended_s in moves]
    known = [outage for outage in outages if outage is not None]
    outcomes = [outcome for _, outcome, _, _ in moves]
    whole = same and balance == ledger.Balance(lost=(), duplicated=(), resurrected=())
    held = set(outcomes) == {"succeeded"} and whole and samples.two == 0 and not unsendable
    figures = {
        "switchovers": {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))},
        "minutes": round(minutes, 1),
        "acknowledged": len(acks),
        "lost": balance.lost,
        "duplicated": balance.duplicated,
        "refused, yet there": balance.resurrected,
        "the same keys on both": same,
        "transactions that can stop MySQL": len(unsendable),
        "samples": {"one writer": samples.one, "none": samples.none, "two": samples.two, "not known": samples.unknown},
        "outage_ms": {"p50": ledger.percentile(known, 0.50), "max": max(known, default=None)},
        "errors": ledger.errors_by_kind(entries),
        "held": held,
    }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
