from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from interlock.decisions.leases import Liveness
from interlock.stores.holder import liveness, running_for_ms, this_holder


def test_this_process_is_named_and_lives() -> None:
    me = this_holder("r1")
    assert (me.pid, me.run) == (os.getpid(), "r1")
    assert me.user
    assert me.host
    assert liveness(me) is Liveness.ALIVE


def place_and_start(process_started: str) -> tuple[str, str]:
    place, _, start = process_started.rpartition("/")
    return place, start


@pytest.mark.parametrize(
    ("process_started", "expected"),
    [
        pytest.param("{place}/1", Liveness.GONE, id="its id is another process's now"),
        pytest.param("another-boot/pid:[1]/{start}", Liveness.UNKNOWN, id="another boot or machine"),
        pytest.param("{boot}/pid:[1]/{start}", Liveness.UNKNOWN, id="another container"),
        pytest.param("", Liveness.UNKNOWN, id="nothing known"),
        pytest.param("/", Liveness.UNKNOWN, id="nonsense"),
    ],
)
def test_only_a_process_of_this_boot_and_namespace_can_be_judged(process_started: str, expected: Liveness) -> None:
    me = this_holder("r1")
    place, start = place_and_start(me.process_started)
    told = process_started.format(place=place, start=start, boot=place.partition("/")[0])
    assert liveness(replace(me, process_started=told)) is expected


def test_a_process_that_ended_is_gone_even_before_its_parent_noticed() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as program:
        place, _ = place_and_start(this_holder("r1").process_started)
        with open(f"/proc/{program.pid}/stat", encoding="utf-8") as stat:  # noqa: PTH123
            start = stat.read().rpartition(")")[2].split()[19]
        other = replace(this_holder("r1"), pid=program.pid, process_started=f"{place}/{start}")
        assert liveness(other) is Liveness.ALIVE
        program.kill()
        os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
        assert liveness(other) is Liveness.GONE
    assert liveness(other) is Liveness.GONE


@pytest.mark.parametrize("pid", [2**22 + 1, 2**40])
def test_an_id_that_no_process_has_is_gone_unless_it_can_not_be_asked_for(pid: int) -> None:
    expected = Liveness.GONE if pid < 2**31 else Liveness.UNKNOWN
    assert liveness(replace(this_holder("r1"), pid=pid)) is expected


def test_how_long_it_runs_is_told_to_a_tick() -> None:
    program = "import time; time.sleep(0.3)\nfrom interlock.stores.holder import running_for_ms; print(running_for_ms())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 290 <= float(done.stdout) <= (running_for_ms() or 0.0)
