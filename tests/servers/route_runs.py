"""Whole switchovers through a route that is not the sandbox's own, under load, and with the route's endpoint struck in the middle."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from interlock.clock import SystemClock
from interlock.playbook.find import shipped_folder
from interlock.sandbox.drill import DrillReport, drill
from interlock.sandbox.places import Sandbox
from interlock.sandbox.poller import poller
from scenarios.command_line import environment, interlock, start
from scenarios.pair_state import Rendezvous, open_sides, rendezvous, writer_and_standby

CLOCK = SystemClock()
TIMES = int(os.environ.get("INTERLOCK_FLIPS", "2"))
"""Switchovers under load: 20 for the figures in docs/routes."""

BEFORE, VERIFY, AFTER = "  - do: route.flip\n", "  - check: route.canary\n", "  - do: events.hand_over\n"
"""In front of which step the endpoint is struck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """A pair whose topology has one route, under another address for clients than the sandbox's proxy."""

    sandbox: Sandbox
    env: Mapping[str, str]
    folder: Path


def routed(sandbox: Sandbox, folder: Path, *, route: str, clients: tuple[str, int], clusters: Mapping[str, str] | None = None) -> Routed:
    """`route` is what stands under `routes:`, each line indented; `clusters` are lines more for each cluster."""
    text = Path(sandbox.topology).read_text()
    text = re.sub(r"(?ms)^routes:.*?(?=^\S|\Z)", f"routes:\n{route}", text)
    for name, lines in (clusters or {}).items():
        text = text.replace(f"  {name}:\n", f"  {name}:\n{lines}")
    path = folder / "topology.yaml"
    path.write_text(text)
    moved = replace(sandbox, topology=str(path), proxy=replace(sandbox.proxy, host=clients[0], port=clients[1]))
    return Routed(sandbox=moved, env=environment(moved, folder), folder=folder)


def switch_there_and_back(pair: Routed) -> DrillReport:
    """Under eight pooled and eight fresh clients, each run a command of its own."""

    def switch(to: str) -> str:
        done = interlock("switchover", "--to", to, "--json", env=pair.env)
        assert done.code == 0, done.err + done.out
        return str(done.document["outcome"])

    report = drill(pair.sandbox, switch, clock=CLOCK, count=TIMES, pooled=8, fresh=8)
    sys.stdout.write(
        f"{TIMES} flips: outage p50 {report.outage_p50_ms:.0f} ms, max {report.outage_max_ms:.0f} ms, errors {report.errors}, "
        f"most of one pooled client {max(switch.most_errors_of_a_pooled_client for switch in report.switches)}, "
        f"acknowledged {report.acknowledged}, a run takes {sorted(switch.took_ms for switch in report.switches)[TIMES // 2]:.0f} ms\n"
    )
    return report


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """How a run ended whose endpoint was struck; `old` is the side that had the writes."""

    report: Any
    old: str
    new: str
    open_sides: list[str]

    @property
    def outcome(self) -> str:
        return str(self.report["outcome"])

    @property
    def writer(self) -> str:
        """Where the writes must be after this outcome."""
        return self.new if self.outcome == "succeeded" else self.old


def strike(pair: Routed, step: str, blow: Callable[[str, str], object]) -> Struck:
    """A switchover that waits in front of `step` until `blow(old, new)` has been struck. Nobody may see two writers."""
    old, new = writer_and_standby(pair.sandbox)
    with _stopping_at(pair, step) as (playbook, met), poller(pair.sandbox) as watching:
        process = start("run", playbook, "-i", f"to={new}", "--json", env=pair.env)
        try:
            met.await_run()
            blow(old, new)
            met.let_go()
            out, err = process.communicate(timeout=180)
        finally:
            process.kill()
        samples = watching.stop()
    assert samples.two == 0
    assert out, err
    return Struck(report=json.loads(out), old=old, new=new, open_sides=open_sides(pair.sandbox))


@contextmanager
def _stopping_at(pair: Routed, step: str) -> Iterator[tuple[str, Rendezvous]]:
    folder = pair.folder / f"struck-{CLOCK.monotonic_s()}"
    folder.mkdir()
    text = (shipped_folder() / "switchover.yaml").read_text()
    assert step in text
    with rendezvous(folder) as met:
        path = folder / "switchover.yaml"
        path.write_text(text.replace(step, f"  {met.step}\n{step}"))
        yield str(path), met
