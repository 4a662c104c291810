"""A run survives its machine: another one takes it over. And it stops in a safe, named state when etcd has lost its majority."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import hanging
from interlock.playbook.find import shipped_folder
from interlock.sandbox.drill import drill
from interlock.sandbox.places import Sandbox
from scenarios.command_line import environment, interlock
from scenarios.etcd_runs import BUSY, CLOCK, LEASE, Ended, Machine, losing_members
from scenarios.pair_state import open_sides, state_of
from servers.etcd_lab import Cluster, etcd_cluster

SWITCHOVER = str(shipped_folder() / "switchover.yaml")


@pytest.fixture
def machines(pair: Sandbox, etcd: Cluster) -> tuple[Machine, Machine]:
    prefix = etcd.url().rpartition("/")[2]
    first, second = (Machine(name=name, pair=pair, cluster=etcd, prefix=prefix) for name in ("ops1", "ops2"))
    return first, second


@pytest.mark.parametrize(
    ("verb", "step", "outcome"),
    [
        pytest.param("resume", "fenced", "succeeded", id="about the fence, resumed"),
        pytest.param("rollback", "flip/route.flip", "rolled_back", id="about the flip, rolled back"),
    ],
)
def test_a_run_whose_machine_is_gone_is_taken_over_by_another(
    pair: Sandbox, machines: tuple[Machine, Machine], verb: str, step: str, outcome: str
) -> None:
    first, second = machines
    before = open_sides(pair)

    def kill_and_take_over(_to: str) -> str:
        with first.begin("run", SWITCHOVER) as process:
            run = first.await_acting(process, step)
            process.kill()
            process.wait()
        assert f"@ops1, pid {process.pid}, run {run}" in second.refusal(run)
        return str(second.take_over(verb, run).said["outcome"])

    report = drill(pair, kill_and_take_over, clock=CLOCK, count=1, pooled=1, fresh=1)
    assert [switch.outcome for switch in report.switches] == [outcome]
    assert (report.lost, report.duplicated, report.resurrected, report.samples.two) == ((), (), (), 0)
    assert (open_sides(pair) == before) == (outcome == "rolled_back")


def test_an_old_holder_that_wakes_up_is_refused_and_does_nothing(pair: Sandbox, machines: tuple[Machine, Machine]) -> None:
    """While it sleeps its sessions hold the servers' locks: whoever has the run's lease after it ends them."""
    first, second = machines
    with first.begin("run", SWITCHOVER) as process:
        run = first.await_acting(process, "fenced")
        hanging.stop(process.pid)
        taken = _when_the_lease_is_over(second, run)
        assert (taken.code, taken.said["outcome"]) == (0, "succeeded"), taken
        was, count = state_of(pair), second.records()
        hanging.wake(process.pid)
        woken = first.end(process)
    assert woken.code == BUSY, woken
    assert (state_of(pair), second.records()) == (was, count)


def _when_the_lease_is_over(machine: Machine, run: str) -> Ended:
    while True:
        ended = machine.do("resume", run)
        if "@ops1, pid" not in str(ended.said):
            return ended


@pytest.fixture
def breakable() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder, etcd_cluster(Path(folder)) as cluster:
        yield cluster


# Members that end, instead of hanging: `make endurance`, by turns.
def test_without_etcds_majority_a_run_goes_back_before_its_next_effect(pair: Sandbox, breakable: Cluster, tmp_path: Path) -> None:
    before = state_of(pair)
    env = environment(pair, tmp_path) | {"INTERLOCK_STORE": breakable.url("runs", LEASE)}
    lost = breakable.members[:2]
    done = interlock("run", losing_members(tmp_path, lost, "STOP"), "--json", env=env)
    assert (done.code, done.document["outcome"]) == (4, "rolled_back"), done
    assert "etcd gave no answer within" in done.document["problems"][0]["what"]
    assert not any(step["action"] in {"server.open", "route.flip"} and step["result"] == "done" for step in _steps(done.document))
    assert state_of(pair) == before
    for member in lost:
        member.wake()
    breakable.await_health()
    (row,) = interlock("runs", "--json", env=env).document
    assert (row["outcome"], row["resumable"]) == (None, True)  # etcd could not be told
    refused = interlock("run", "switchover", "--json", env=env)
    assert (refused.code, state_of(pair)) == (3, before), refused
    back = interlock("rollback", row["run"], "--json", env=env)
    assert (back.code, state_of(pair)) == (4, before), back
    assert interlock("run", "switchover", "--json", env=env).code == 0


def _steps(document: dict[str, list[dict[str, list[dict[str, str]]]]]) -> list[dict[str, str]]:
    return [step for phase in document["phases"] for step in phase["steps"]]
