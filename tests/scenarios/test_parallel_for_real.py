"""Steps of a `parallel` on threads, on real servers: they share sessions, the journal and the state of the run, twenty times over."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock.bootstrap import Wiring, read_topology
from interlock.engine.execution import Stop
from interlock.playbook.load import parse_playbook
from interlock.playbook.tree import Playbook
from interlock.sandbox.places import Sandbox
from scenarios.pair_state import writer_and_standby

_TIMES = 20
_CHECKS = (
    "replication.healthy\n      with: {both_ways: true, max_lag: 5s}",
    "transactions.none_older_than\n      with: {server: '${from}', age: 60s}",
    "pair.one_writer\n      with: {server: '${from}'}",
    "sql\n      with: {server: '${from}', query: 'SELECT @@read_only', matches: '0'}",
    "sql\n      with: {server: '${to}', query: 'SELECT @@read_only', matches: '1'}",
    "sql\n      with: {server: '${to}', query: 'SELECT SLEEP(0.02)', matches: '0'}",
    "command\n      with: {run: [sh, -c, 'echo well'], matches: well}",
    "command\n      with: {run: [sleep, '0.02']}",
)


@pytest.fixture
def _hasty_threads() -> Iterator[None]:
    """Threads take turns after a microsecond instead of five milliseconds: what two may do at once, they do."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual_s)


@pytest.fixture
def wiring(pair: Sandbox, tmp_path: Path) -> Iterator[Wiring]:
    wired = Wiring(read_topology(Path(pair.topology)), f"sqlite://{tmp_path}/runs.db")
    yield wired
    wired.close()


def playbook(wiring: Wiring, folder: Path) -> Playbook:
    """Eight checks at once, then four effects at once, each of which leaves a line in a file of its own."""
    effects = [f"command\n      with: {{run: [sh, -c, 'echo done >> {folder}/{n}']}}\n      undo: none" for n in range(4)]
    text = (
        "playbook: side-by-side\nversion: 1\nsummary: Much at the same time.\n"
        "inputs:\n  to: {type: cluster, default: standby}\n  from: {type: cluster, default: writer}\nphases:\n"
        f"- phase: look\n  steps:\n  - parallel:\n{_steps('check', _CHECKS)}"
        f"- phase: change\n  steps:\n  - parallel:\n{_steps('do', effects)}"
    )
    return parse_playbook(text, file="side-by-side.yaml", catalogue=wiring.catalogue)


def _steps(verb: str, steps: tuple[str, ...] | list[str]) -> str:
    return "".join(f"    - id: {verb}{number}\n      {verb}: {step}\n" for number, step in enumerate(steps))


@pytest.mark.usefixtures("_hasty_threads")
def test_steps_at_the_same_time_succeed_each_time_and_leave_a_journal_without_gaps(pair: Sandbox, wiring: Wiring, tmp_path: Path) -> None:
    before = writer_and_standby(pair)
    played = playbook(wiring, tmp_path)
    runs = []
    for number in range(_TIMES):
        report = wiring.engine(lambda _: None, lambda _: False, Stop()).start(played, {}, f"run{number:02d}")
        assert (report.outcome, report.problems) == ("succeeded", []), report
        runs.append(report.run)
    for run in runs:
        records = wiring.store.records(run)
        assert [record.seq for record in records] == list(range(1, len(records) + 1))
        assert sorted(str(record.body["step"]) for record in records if record.kind == "done") == sorted(
            [*(f"check{n}" for n in range(8)), *(f"do{n}" for n in range(4))]
        )
        assert [record.body["event"] for record in records if record.kind == "moved"] == ["intend", "succeed"]
        for effect in (f"do{n}" for n in range(4)):
            kinds = [record.kind for record in records if record.body.get("step") == effect]
            assert kinds == ["intended", "acting", "done"]
    assert [(tmp_path / str(n)).read_text() for n in range(4)] == ["done\n" * _TIMES] * 4
    assert writer_and_standby(pair) == before
