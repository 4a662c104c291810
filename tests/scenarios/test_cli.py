from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import pytest

from interlock.clock import Deadline, SystemClock
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from scenarios.command_line import PROGRAM, Ended, environment, interlock, start, with_step
from scenarios.pair_state import rendezvous

_FAILS = '- check: command\n    with: {run: [echo, "not well"], matches: "all is well"}'
_TAKES_A_SECOND = "- check: command\n    with: {run: [sleep, '1']}"
_GATE = "- gate: may it change anything?"


@pytest.fixture
def env(pair: Sandbox, tmp_path: Path) -> dict[str, str]:
    return environment(pair, tmp_path)


def _open_side(pair: Sandbox) -> list[str]:
    return [name for name in pair.members if not query(pair, name, "SELECT @@read_only AS fenced")[0]["fenced"]]


def _standby(pair: Sandbox) -> str:
    (writer,) = _open_side(pair)
    return "west" if writer == "east" else "east"


def test_a_switchover_moves_the_writes_and_can_be_shown(pair: Sandbox, env: dict[str, str]) -> None:
    to = _standby(pair)
    done = interlock("switchover", "--to", to, "--json", env=env)
    assert (done.code, _open_side(pair)) == (0, [to]), done
    report = done.document
    assert {"run", "playbook", "outcome", "exit_code", "outage_ms", "phases", "evidence", "problems"} <= report.keys()
    assert (report["outcome"], report["exit_code"], report["problems"]) == ("succeeded", 0, [])
    assert report["outage_ms"] > 0
    for phase in report["phases"]:
        assert {"phase", "ms", "steps"} <= phase.keys()
        for step in phase["steps"]:
            assert {"id", "action", "result", "ms", "detail"} <= step.keys()
            assert step["action"]
    shown = interlock("show", report["run"], env=env)
    assert shown.code == 0
    assert f"{to} opened" in shown.out
    assert "wrote nothing after its fence" in shown.out
    assert interlock("show", report["run"], "--json", env=env).document == report


def test_runs_lists_the_newest_first_and_says_what_can_be_taken_up(pair: Sandbox, env: dict[str, str]) -> None:
    for _ in range(2):
        assert interlock("run", "switchover", env=env).code == 0
    rows = interlock("runs", "--json", env=env).document
    assert [row["resumable"] for row in rows] == [False, False]
    assert {"run", "playbook", "topology", "state", "outcome", "started_at", "resumable"} <= rows[0].keys()
    assert rows[0]["started_at"] > rows[1]["started_at"]
    assert len(_open_side(pair)) == 1


def test_status_tells_roles_channels_and_routes(pair: Sandbox, env: dict[str, str]) -> None:
    (writer,) = _open_side(pair)
    seen = interlock("status", "--json", env=env).document
    assert seen["writer"] == writer
    assert {"reachable", "flavor", "version", "read_only", "position", "sessions"} <= seen["clusters"]["east"].keys()
    assert {(c["from"], c["to"], c["running"]) for c in seen["channels"]} == {("east", "west", True), ("west", "east", True)}
    assert {"from", "to", "running", "lag_s", "error"} <= seen["channels"][0].keys()
    assert [(r["route"], r["to"]) for r in seen["routes"]] == [("writes", writer)]
    assert seen["problems"] == []
    assert f"{writer} takes the writes" in interlock("status", env=env).out


def test_a_plan_shows_what_a_run_sends_and_changes_nothing(pair: Sandbox, env: dict[str, str]) -> None:
    before = _open_side(pair)
    to = _standby(pair)
    planned = interlock("plan", "switchover", "-i", f"to={to}", env=env)
    assert (planned.code, _open_side(pair)) == (0, before), planned
    sent = [line for step in _steps(interlock("switchover", "--to", to, "--json", env=env)) for line in step["script"]]
    assert sent
    assert "expected outage: not known yet" in planned.out
    assert "the last run of switchover on this pair" in interlock("plan", "switchover", env=env).out
    flat = re.sub(r"\s+", "", planned.out)  # statements are wrapped at the terminal's width
    assert [line for line in sent if re.sub(r"\s+", "", line) not in flat] == []


def _steps(done: Ended) -> list[dict[str, list[str]]]:
    return [step for phase in done.document["phases"] for step in phase["steps"]]


@pytest.mark.parametrize("phase", ["fence", "verify"])
def test_a_check_that_fails_after_the_first_effect_is_rolled_back(pair: Sandbox, env: dict[str, str], tmp_path: Path, phase: str) -> None:
    before = _open_side(pair)
    step = _FAILS if phase == "verify" else f"- do: route.hold\n    with: {{route: all}}\n  {_FAILS}"
    done = interlock("run", with_step(tmp_path, phase, step), env=env)
    assert (done.code, _open_side(pair)) == (4, before), done
    assert "rolled back" in done.out
    assert "way back, last effect first" in done.out
    assert "not well" in done.out


def test_a_refused_plan_exits_3_and_says_every_reason(fresh_pair: Sandbox, tmp_path: Path) -> None:
    env = environment(fresh_pair, tmp_path)
    query(fresh_pair, "west", "STOP SLAVE SQL_THREAD")
    planned = interlock("plan", "switchover", "-i", "max_outage=40s", env=env)
    assert planned.code == 3
    assert "would be refused" in planned.out
    assert re.findall(r"✗ preflight/([a-z._]+)", planned.out) == ["replication.healthy", "route.hold_outlasts"]
    ran = interlock("run", "switchover", "-i", "max_outage=40s", "--json", env=env)
    assert (ran.code, ran.document["outcome"], _open_side(fresh_pair)) == (3, "refused", ["east"])
    assert ran.document["problems"][0]["what"]


def test_two_at_once_one_works_and_the_other_exits_6(pair: Sandbox, env: dict[str, str], tmp_path: Path) -> None:
    with rendezvous(tmp_path) as met, start("run", with_step(tmp_path, "preflight", met.step), env=env) as first:
        met.await_run(first)
        second = interlock("run", "switchover", "--json", env=env)
        met.let_go()
        first.communicate(timeout=120)
        assert first.returncode == 0
    assert (second.code, second.document["exit_code"], second.document["outcome"]) == (6, 6, None)
    assert "unfinished" in second.err
    assert len(_open_side(pair)) == 1


def _await_line(process: subprocess.Popen[str], wanted: str) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if wanted in line:
            return line
    raise AssertionError(f"it never said {wanted}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_stop_before_the_first_effect_refuses(pair: Sandbox, env: dict[str, str], tmp_path: Path, number: signal.Signals) -> None:
    before = _open_side(pair)
    with rendezvous(tmp_path) as met, start("run", with_step(tmp_path, "drain", met.step), env=env) as process:
        met.await_run(process)
        process.send_signal(number)
        _await_line(process, "stop requested")
        met.let_go()
        out, err = process.communicate(timeout=120)
    assert (process.returncode, _open_side(pair)) == (3, before), (out, err)


def test_a_stop_after_the_opening_goes_on_to_the_end(pair: Sandbox, env: dict[str, str], tmp_path: Path) -> None:
    to = _standby(pair)
    with rendezvous(tmp_path) as met, start("run", with_step(tmp_path, "settle", met.step), env=env) as process:
        met.await_run(process)
        process.send_signal(signal.SIGINT)
        _await_line(process, "it goes on to the end")
        met.let_go()
        out, err = process.communicate(timeout=120)
    assert (process.returncode, _open_side(pair)) == (0, [to]), (out, err)


@pytest.mark.parametrize("end", ["resume", "rollback"])
def test_a_second_stop_ends_it_there_and_the_run_can_be_taken_up(pair: Sandbox, env: dict[str, str], tmp_path: Path, end: str) -> None:
    before, to = _open_side(pair), _standby(pair)
    with rendezvous(tmp_path) as met, start("run", with_step(tmp_path, "settle", met.step), "--json", env=env) as process:
        met.await_run(process)
        process.send_signal(signal.SIGINT)
        _await_line(process, "stop requested")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    run = json.loads(out)["run"]
    assert f"stopped; interlock resume {run} | interlock rollback {run}" in err
    assert interlock("status", env=env).err.startswith(f"warning: run {run}")
    (row,) = interlock("runs", "--json", env=env).document
    assert (row["resumable"], row["outcome"]) == (True, None)
    done = interlock(end, run, env=env)
    expected = (0, [to]) if end == "resume" else (4, before)
    assert ((done.code, _open_side(pair)), done.err.count("warning: run")) == (expected, 0), done


def test_a_gate_asks_nobody_in_a_script_and_is_let_through_by_yes(pair: Sandbox, env: dict[str, str], tmp_path: Path) -> None:
    before, to = _open_side(pair), _standby(pair)
    playbook = with_step(tmp_path, "drain", _GATE)
    refused = interlock("run", playbook, env=env)
    assert (refused.code, _open_side(pair)) == (3, before), refused
    assert "--yes" in refused.out
    assert interlock("--yes", "run", playbook, env=env).code == 0
    assert _open_side(pair) == [to]


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("\n", 3)], ids=["yes", "no is the default"])
def test_a_terminal_is_asked_at_a_gate_and_shows_the_run_as_it_goes(env: dict[str, str], tmp_path: Path, answer: str, code: int) -> None:
    playbook = with_step(tmp_path, "drain", f"{_TAKES_A_SECOND}\n  {_GATE}")
    ours, theirs = pty.openpty()
    terminal = {**env, "TERM": "xterm"}
    with subprocess.Popen(
        [*PROGRAM, "run", playbook], env=terminal, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as it:
        os.close(theirs)
        seen = _read_until(ours, b"[y/N]")
        os.write(ours, answer.encode())
        seen += _read_until(ours, None)
        assert it.wait(120) == code, seen
    os.close(ours)
    text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", seen).decode()
    assert "▶ command" in text
    assert "left)" in text
    assert "may it change anything?" in text


def _read_until(terminal: int, wanted: bytes | None) -> bytes:
    seen = b""
    deadline = Deadline.after(SystemClock(), 120.0)
    while (wanted is None or wanted not in seen) and not deadline.is_over():
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # EIO: the other side is closed (pty(7))
            return seen
        seen += chunk
    return seen


def test_the_password_is_nowhere_to_be_seen(pair: Sandbox, env: dict[str, str], tmp_path: Path) -> None:
    said = [interlock(*words, env=env) for words in (("run", "switchover"), ("status", "--json"), ("plan", "switchover"), ("runs",))]
    run = interlock("runs", "--json", env=env).document[0]["run"]
    said.append(interlock("show", run, "--json", env=env))
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("runs.db*"))
    for account in ("interlock", "interlock_canary"):
        secret = pair.password(account)
        assert not [each for each in said if secret in each.out + each.err]
        assert secret.encode() not in stored
