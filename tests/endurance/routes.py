"""`make bench-routes`: switchovers there and back through each type of route, under load; a row of docs/routes/*.md for each.

Everything runs on this machine. Consul, MaxScale, the Data Plane API and the service are stand-ins (`servers/http_stand_ins.py`), and what
goes where a key says is a small proxy of our own (`servers/follower.py`): the figures say what Interlock and the exchange with the API add.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from interlock.sandbox import pair as pairs
from interlock.sandbox.drill import DrillReport, drill
from scenarios.routed import CLOCK, KINDS, by_etcd, go, routed, wired
from servers.etcd_lab import etcd_cluster

HEAD = """\
| route | switchovers | succeeded | outage p50 / max, ms | errors: pooled / new each time | acknowledged / lost | load |
|---|---|---|---|---|---|---|
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kinds", nargs="*", default=[*KINDS, "etcd"])
    parser.add_argument("--count", type=int, default=20, help="switchovers for each; an even number, half of them there and half back")
    parser.add_argument("--clients", type=int, default=4, help="of each of the two kinds")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="interlock-"))
    clean = True
    sys.stdout.write(HEAD)
    try:
        for kind in options.kinds:
            report = drilled(kind, folder, count=options.count, clients=options.clients)
            clean = clean and report.is_clean()
            sys.stdout.write(f"{row(kind, report)}\n")
            sys.stdout.flush()
    finally:
        shutil.rmtree(folder)
    return 0 if clean else 1


def drilled(kind: str, folder: Path, *, count: int, clients: int) -> DrillReport:
    """On a pair of its own."""
    place = folder / kind
    sandbox = pairs.up(place / "pair", clock=CLOCK)
    try:
        with ExitStack() as stack:
            if kind == "etcd":
                (place / "etcd").mkdir()
                moved = by_etcd(sandbox, stack.enter_context(etcd_cluster(place / "etcd", size=3)))
            else:
                moved = KINDS[kind](sandbox)
            routed_to, _ = stack.enter_context(routed(sandbox, {"writes": moved}))
            wiring = stack.enter_context(wired(routed_to))
            switch: Callable[[str], str] = lambda to: str(go(wiring, to).outcome)  # noqa: E731 - one line
            return drill(routed_to, switch, clock=CLOCK, count=count, pooled=clients, fresh=clients)
    finally:
        pairs.down(place / "pair")


def row(kind: str, report: DrillReport) -> str:
    succeeded = sum(switch.outcome == "succeeded" for switch in report.switches)
    errors = " / ".join(str(sum(report.errors.get(each, {}).values())) for each in ("pooled", "fresh"))
    outage = f"{report.outage_p50_ms:.0f} / {report.outage_max_ms:.0f}" if report.outage_p50_ms and report.outage_max_ms else "-"
    load = f"{os.getloadavg()[0]:.0f}"
    lost = len(report.lost) + len(report.duplicated) + len(report.resurrected)
    return f"| {kind} | {len(report.switches)} | {succeeded} | {outage} | {errors} | {report.acknowledged} / {lost} | {load} |"


if __name__ == "__main__":
    sys.exit(main())
