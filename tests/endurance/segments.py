"""A segment's moves there and back while both segments are written: what its own clients and its neighbour's feel of them.

`make drill-segments`. The neighbour's writes are measured in windows of the same length: in which nothing happens, in which `interlock plan
move-segment` looks at the pair and changes nothing (so that what a second program on the same cores costs is known), and in which the
segment moves. It ends with 1 if a move did not succeed, a write was lost, or the neighbour saw an error; and prints its figures as JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from interlock.clock import Deadline, SystemClock
from interlock.sandbox import pair as pairs
from scenarios.command_line import interlock
from scenarios.segment_lab import Shop, Writer, active_active, writing

CLOCK = SystemClock()


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--kind", default="mariadb", choices=("mariadb", "mysql"))
    arguments.add_argument("--moves", type=int, default=20)
    arguments.add_argument("--window", type=float, default=3.0, help="seconds, longer than a move takes")
    arguments.add_argument("--clients", type=int, default=4, help="of each segment")
    arguments.add_argument("--pause", type=float, default=0.01, help="seconds between two statements of a client")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder:
        sandbox = pairs.up(Path(folder) / "pair", clock=CLOCK, kind=options.kind)
        try:
            figures = drill(active_active(sandbox, Path(folder)), options)
        finally:
            pairs.down(Path(folder) / "pair")
    sys.stdout.write(json.dumps({"kind": options.kind, **figures}, indent=2) + "\n")
    return 0 if figures["held"] else 1


def drill(shop: Shop, options: argparse.Namespace) -> Mapping[str, object]:
    writers = {segment: [replace(shop.writer(segment), pause_s=options.pause) for _ in range(options.clients)] for segment in ("eu", "us")}
    windows: dict[str, list[tuple[float, float]]] = {"nothing": [], "plan": [], "move": []}
    outcomes: list[str] = []
    problems: list[str] = []

    def plan(to: str) -> None:
        interlock("plan", "move-segment", "-i", "segment=eu", "-i", f"to={to}", "--json", env=shop.env)

    def move(to: str) -> None:
        report = shop.move(to)
        outcomes.append(str(report["outcome"]))
        problems.extend(str(problem["what"]) for problem in report["problems"])

    load: list[float] = []
    with writing([*writers["eu"], *writers["us"]]):
        for number in range(options.moves):
            to = ("west", "east")[number % 2]
            for name, act in (("nothing", lambda _: None), ("plan", plan), ("move", move)):
                windows[name].append(_window(act, to, options.window))
            load.append(os.getloadavg()[0])
    for segment, each in writers.items():
        for writer in each:
            shop.assert_nothing_lost({segment: writer})
    errors = {segment: sum(sum(writer.errors.values()) for writer in each) for segment, each in writers.items()}
    p99 = {name: [_p99_ms(writers["us"], *window) for window in each] for name, each in windows.items()}
    return {
        "moves": {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))},
        "problems": problems,
        "clients of each segment": options.clients,
        "pause_ms": options.pause * 1000,
        "writes": {segment: sum(len(writer.acknowledged) for writer in each) for segment, each in writers.items()},
        "load average": round(statistics.median(load), 1),
        "segment that moves: outage_ms": _spread(_longest_gaps_ms(writers["eu"], windows["move"])),
        "neighbour: p99_ms in windows": {name: _spread(each) for name, each in p99.items()},
        "neighbour: p99 in a move to that without": round(statistics.median(p99["move"]) / statistics.median(p99["nothing"]), 2),
        "neighbour: p99 in a move to that in a plan": round(statistics.median(p99["move"]) / statistics.median(p99["plan"]), 2),
        "neighbour: highest to median p99 without": round(max(p99["nothing"]) / statistics.median(p99["nothing"]), 2),
        "errors": errors,
        "held": set(outcomes) == {"succeeded"} and errors["us"] == 0,
    }


def _window(act: Callable[[str], None], to: str, length_s: float) -> tuple[float, float]:
    """From its beginning to its end, at least so long: what an act leaves behind counts with it."""
    began_s, deadline = CLOCK.monotonic_s(), Deadline.after(CLOCK, length_s)
    act(to)
    CLOCK.sleep(deadline.left_s())
    return began_s, CLOCK.monotonic_s()


def _p99_ms(writers: Sequence[Writer], began_s: float, ended_s: float) -> float:
    took = sorted(ms for writer in writers for at_s, ms in writer.took_ms if began_s <= at_s < ended_s)
    return took[int(len(took) * 0.99)] if took else (ended_s - began_s) * 1000


def _longest_gaps_ms(writers: Sequence[Writer], windows: Sequence[tuple[float, float]]) -> list[float]:
    """Of each window: the longest time in which none of them had a write acknowledged."""
    found = []
    for began_s, ended_s in windows:
        at = [began_s, *sorted(at_s for writer in writers for at_s, _ in writer.took_ms if began_s <= at_s < ended_s), ended_s]
        found.append(max(later - earlier for earlier, later in itertools.pairwise(at)) * 1000)
    return found


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"least": round(min(values), 1), "median": round(statistics.median(values), 1), "most": round(max(values), 1)}


if __name__ == "__main__":
    sys.exit(main())
