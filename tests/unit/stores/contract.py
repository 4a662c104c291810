"""What the contract suite needs to know of each kind of store. A new kind joins by a name in `KINDS` and a case in `place`."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from interlock.decisions.leases import Liveness
from interlock.model.marks import Mark, MarkKind
from interlock.ports import Holder, Record, RunHeader, Store
from interlock.simulated.store import MemoryStore
from interlock.stores.database import open_database
from interlock.stores.etcd import EtcdStore
from interlock.stores.etcd_url import etcd_place
from interlock.stores.sqlite import SqliteStore
from servers.etcd_lab import Cluster

START = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)


class HandClock:
    """Time moves when a test says so. `passed` is told of it: what else lives by this time."""

    def __init__(self, passed: Callable[[datetime], None] = lambda _: None) -> None:
        self.now = START
        self.passed = passed

    def monotonic_s(self) -> float:
        return (self.now - START).total_seconds()

    def wall(self) -> datetime:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.now += timedelta(seconds=seconds)
        self.passed(self.now)


@dataclass(slots=True)
class Place:
    """Where one store lies: `open` gives a handle to it, as another process would get one. `seen` is what is found out of each pid."""

    open: Callable[[], Store]
    clock: HandClock
    seen: dict[int, Liveness] = field(default_factory=dict)
    opened: list[Store] = field(default_factory=list)

    def another(self) -> Store:
        """A handle that is closed with the place."""
        self.opened.append(self.open())
        return self.opened[-1]

    def close(self) -> None:
        for store in self.opened:
            store.close()


def _sqlite(folder: Path, clock: HandClock, look: Callable[[Holder], Liveness]) -> Callable[[], Store]:
    return lambda: SqliteStore(open_database(folder / "store" / "interlock.db"), clock, look)


def _memory(_: Path, clock: HandClock, look: Callable[[Holder], Liveness]) -> Callable[[], Store]:
    store = MemoryStore(clock, look)
    return lambda: store


def _etcd(cluster: Cluster, clock: HandClock, look: Callable[[Holder], Liveness]) -> Callable[[], Store]:
    """etcd ends leases by its own time. By the test's time, it is told to end those that were not renewed for as long as they stand."""
    where = etcd_place(cluster.url(), {})
    clock.passed = lambda now: _end_leases(cluster, where.prefix, now)
    return lambda: EtcdStore(where, clock, look)


def _end_leases(cluster: Cluster, prefix: str, now: datetime) -> None:
    ends = {topology: datetime.fromisoformat(json.loads(value)["expires_at"]) for topology, value, _ in _below(cluster, f"{prefix}/lease/")}
    for topology, _, lease in _below(cluster, f"{prefix}/alive/"):
        if ends[topology] <= now:
            cluster.ask("lease/revoke", {"ID": lease})


def _below(cluster: Cluster, folder: str) -> list[tuple[str, bytes, str]]:
    """Name, value and lease of each key."""
    found = cluster.ask("kv/range", {"key": _coded(folder), "range_end": _coded(f"{folder[:-1]}0")}).get("kvs", ())
    return [(b64decode(kv["key"]).decode().removeprefix(folder), b64decode(kv["value"]), kv.get("lease", "0")) for kv in found]


def _coded(text: str) -> str:
    return b64encode(text.encode()).decode()


KINDS = ("sqlite", "memory", "etcd")


def place(kind: str, folder: Path, cluster: Callable[[], Cluster]) -> Place:
    """`cluster` is only called for a place that needs it."""
    seen: dict[int, Liveness] = {}
    clock = HandClock()

    def look(holder: Holder) -> Liveness:
        return seen.get(holder.pid, Liveness.UNKNOWN)

    match kind:
        case "sqlite":
            opens = _sqlite(folder, clock, look)
        case "memory":
            opens = _memory(folder, clock, look)
        case _:
            opens = _etcd(cluster(), clock, look)
    return Place(open=opens, clock=clock, seen=seen)


def header(run: str, *, topology: str = "shop", minutes: float = 0, outcome: str | None = None) -> RunHeader:
    began = START + timedelta(minutes=minutes)
    return RunHeader(run=run, playbook="switchover", topology=topology, started_at=began, state="preflight", outcome=outcome)


def record(seq: int, **body: object) -> Record:
    return Record(seq=seq, kind="step", at=START + timedelta(milliseconds=seq), body=body)


def holder(pid: int, *, run: str = "r1", host: str = "ops1") -> Holder:
    return Holder(user="anna", host=host, pid=pid, process_started=f"boot/pid:[1]/{pid}", run=run)


def hold(*, topology: str = "shop", minutes: float = 0, by: str = "anna@ops1", until: datetime | None = None) -> Mark:
    return Mark(
        topology=topology,
        kind=MarkKind.HOLD,
        subject="",
        by=by,
        at=START + timedelta(minutes=minutes),
        reason="disk of east's is replaced",
        until=until,
    )


def failed(cluster: str, *, topology: str = "shop", minutes: float = 0) -> Mark:
    at = START + timedelta(minutes=minutes)
    return Mark(topology=topology, kind=MarkKind.FAILED, subject=cluster, by="anna@ops1", at=at, reason="it is dead", run="r1")
