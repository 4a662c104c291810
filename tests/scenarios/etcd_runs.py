"""Runs whose store is in etcd: killed or stopped at a record of their journal, and taken over by another machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from interlock.bootstrap import read_topology
from interlock.clock import Deadline, SystemClock
from interlock.errors import PairBusy
from interlock.sandbox.places import Sandbox
from interlock.stores.etcd import EtcdStore
from interlock.stores.etcd_url import etcd_place
from scenarios.command_line import with_step
from scenarios.other_machine import holder_on
from servers.etcd_lab import Cluster, Member

CLOCK = SystemClock()
LEASE = "?lease=3s"
BUSY = 6
_WITHIN_S = 180.0
_TESTS = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    code: int
    said: dict[str, Any]
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One that runs Interlock, by its name. `prefix` is where the store's keys are."""

    name: str
    pair: Sandbox
    cluster: Cluster
    prefix: str

    @contextmanager
    def begin(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        store = self.cluster.url(self.prefix, LEASE)
        with subprocess.Popen(
            [sys.executable, "-m", "scenarios.other_machine", self.name, self.pair.topology, store, *words],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(_TESTS)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def end(self, process: subprocess.Popen[str]) -> Ended:
        out, err = process.communicate(timeout=_WITHIN_S)
        return Ended(code=process.returncode, said=json.loads(out) if out else {}, err=err)

    def do(self, *words: str) -> Ended:
        with self.begin(*words) as process:
            return self.end(process)

    def refusal(self, run: str) -> str:
        """What one from here is told who wants the lease at this moment."""
        store = EtcdStore(etcd_place(self.cluster.url(self.prefix, LEASE), {}), CLOCK)
        try:
            store.take_lease(read_topology(Path(self.pair.topology)).name, holder_on(self.name)(run))
        except PairBusy as busy:
            return busy.message
        finally:
            store.close()
        return "it was taken"

    def take_over(self, verb: str, run: str) -> Ended:
        """As soon as the lease of the one that is gone has ended."""
        deadline = Deadline.after(CLOCK, _WITHIN_S)
        while True:
            ended = self.do(verb, run)
            if ended.code != BUSY or deadline.is_over():
                return ended

    def slowest(self, run: str) -> str:
        """What took longest since the run was taken over, with its seconds."""
        store = EtcdStore(etcd_place(self.cluster.url(self.prefix), {}), CLOCK)
        try:
            records = store.records(run)
        finally:
            store.close()
        taken = max((number for number, record in enumerate(records) if record.kind == "taken_over"), default=0)
        gaps = [((after.at - before.at).total_seconds(), after) for before, after in pairwise(records[taken:])]
        seconds, record = max(gaps, key=lambda gap: gap[0], default=(0.0, records[-1]))
        return f"{record.kind} {record.body.get('step', '')} {seconds:.1f} s"

    def records(self) -> tuple[str, int]:
        """The newest run, and how many records it has by now; read without any code of ours."""
        folder = f"{self.prefix}/last/"
        asked = {
            "key": _coded(folder),
            "range_end": _coded(f"{folder[:-1]}0"),
            "sort_order": "DESCEND",
            "sort_target": "CREATE",
            "limit": 1,
        }
        found = self.cluster.ask("kv/range", asked).get("kvs", ())
        if not found:
            return "", 0
        return b64decode(found[0]["key"]).decode().removeprefix(folder), int(b64decode(found[0]["value"]))

    def await_records(self, process: subprocess.Popen[str], count: int, *, not_of: str = "") -> str:
        """The run that has got so far, or has ended."""
        while True:
            run, seen = self.records()
            if run and run != not_of and (seen >= count or process.poll() is not None):
                return run
            assert process.poll() is None, self.end(process)

    def await_acting(self, process: subprocess.Popen[str], step: str) -> str:
        """The run whose newest records say that this step's effect follows."""
        while True:
            run, seen = self.records()
            folder = f"{self.prefix}/record/{run}/"
            asked = {"key": _coded(folder), "range_end": _coded(f"{folder[:-1]}0"), "sort_order": "DESCEND", "limit": 5}
            if seen and any(_acts(step, row) for row in self.cluster.ask("kv/range", asked).get("kvs", ())):
                return run
            assert process.poll() is None, self.end(process)


def _acts(step: str, row: dict[str, str]) -> bool:
    return any(record["kind"] == "acting" and record["body"]["step"] == step for record in json.loads(b64decode(row["value"]))["records"])


def losing_members(folder: Path, members: Sequence[Member], way: str) -> str:
    """The shipped switchover, which right after its fence stops (STOP) or ends (KILL) these members of etcd; the new file's name."""
    pids = ", ".join(f"'{member.pid}'" for member in members)
    return with_step(folder, "catch_up", f"- check: command\n    with: {{run: [kill, -{way}, {pids}]}}")


def _coded(text: str) -> str:
    return b64encode(text.encode()).decode()
