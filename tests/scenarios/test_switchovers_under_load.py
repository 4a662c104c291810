"""Switchovers there and back under sixteen writers, by the command that rehearses them: points 2, 3 and 9 of what must hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from interlock.model.codec import from_plain
from interlock.sandbox.drill import DrillReport
from interlock.sandbox.places import Sandbox
from scenarios.command_line import environment, interlock
from scenarios.pair_state import PairState, state_of, switchover_with

_INSPECT_DELAY_MS = 30_000  # of the sandbox's proxy
_TIMES = 20  # an even number: then every setting can be compared, also those that a switchover moves


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    code: int
    report: DrillReport
    before: PairState
    after: PairState


@pytest.fixture(scope="module")
def drilled(pair: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Drilled:
    env = environment(pair, tmp_path_factory.mktemp("drilled"))
    words = ("drill", "--dir", pair.directory, "--count", str(_TIMES), "--pooled", "8", "--fresh", "8", "--json")
    before = state_of(pair)
    done = interlock(*words, env=env, within_s=240)  # seconds on an idle machine; how busy this one is, nobody knows
    after = state_of(pair)
    plain = {name: value for name, value in done.document.items() if name not in {"clean", "exit_code"}}
    return Drilled(code=done.code, report=from_plain(plain, DrillReport), before=before, after=after)


def test_every_switchover_succeeds_and_no_acknowledged_write_is_lost_or_twice_there(drilled: Drilled) -> None:
    assert [switch.outcome for switch in drilled.report.switches] == ["succeeded"] * _TIMES
    assert (drilled.report.lost, drilled.report.duplicated, drilled.report.resurrected) == ((), (), ())
    assert drilled.report.acknowledged > _TIMES * 16
    assert drilled.code == 0


def test_no_sample_sees_two_writers(drilled: Drilled) -> None:
    assert drilled.report.samples.two == 0
    assert drilled.report.samples.one > 500


def test_every_setting_channel_and_endpoint_is_as_before(drilled: Drilled) -> None:
    assert drilled.after == drilled.before
    for (channel,) in drilled.after.channels.values():
        assert (channel["Slave_IO_Running"], channel["Slave_SQL_Running"], channel["Using_Gtid"]) == ("Yes", "Yes", "Slave_Pos")


def test_a_pooled_client_sees_one_error_at_the_most_and_one_with_a_connection_per_transaction_none(drilled: Drilled) -> None:
    """But those that passed the proxy before the hold, and reached the server later than anybody waits for them, for it stood still."""
    assert max(switch.most_errors_of_a_pooled_client for switch in drilled.report.switches) <= 1
    of_fresh = [switch.most_errors_of_a_fresh_client for switch in drilled.report.switches]
    assert max(of_fresh) <= 1
    assert sum(of_fresh) <= _TIMES // 10, drilled.report.errors


def test_no_client_is_held_until_the_proxy_gives_up(drilled: Drilled) -> None:
    """One that missed its release would wait for the whole `inspect-delay`, without an error."""
    assert drilled.report.longest_write_ms.keys() == {"pooled", "fresh"}
    assert 0 < max(drilled.report.longest_write_ms.values()) < _INSPECT_DELAY_MS, drilled.report.longest_write_ms


def test_a_switchover_takes_less_than_60_megabytes(pair: Sandbox, tmp_path: Path) -> None:
    """As the kernel counts it for the program itself (proc(5), VmHWM: the most that was ever resident)."""
    ask = "- id: memory\n    check: command\n    with: {run: [sh, -c, 'grep VmHWM /proc/$PPID/status'], matches: VmHWM}"
    done = interlock("run", switchover_with(tmp_path / "asks.yaml", put={"settle": ask}), "--json", env=environment(pair, tmp_path))
    (said,) = (step["detail"] for phase in done.document["phases"] for step in phase["steps"] if step["id"] == "memory")
    kb = int(said.split()[-2])
    assert 10_000 < kb < 60_000, said
