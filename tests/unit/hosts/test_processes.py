"""Programs run here: bounded, alone, and gone when they are said to be."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from interlock.clock import Deadline, SystemClock
from interlock.errors import BoundReached, StatementFailed
from interlock.hosts.local import Here
from interlock.hosts.processes import OUTPUT_LIMIT
from interlock.model.effects import CallHttp, RunCommand
from interlock.model.facts import CommandResult
from interlock.model.topology import ClusterName, SshSpec

CLOCK = SystemClock()
EAST = ClusterName("east")


def run(*argv: str, within_s: float = 60, **more: object) -> CommandResult:
    result = Here(CLOCK).run(RunCommand(argv=argv, within_s=within_s, **more))  # type: ignore[arg-type]
    assert isinstance(result, CommandResult)
    return result


def test_words_reach_the_program_as_they_are() -> None:
    odd = "a; b | $(c) `d` 'e' \"f\"\n*"
    assert run("printf", "%s", odd).stdout == odd


def test_output_exit_code_and_signal_are_told() -> None:
    assert run("sh", "-c", "echo out; echo err >&2; exit 3", exits=(3,)) == CommandResult(
        argv=("sh", "-c", "echo out; echo err >&2; exit 3"), exit_code=3, stdout="out\n", stderr="err\n"
    )
    assert run("sh", "-c", "kill -9 $$", exits=(-9,)).exit_code == -9


def test_an_exit_code_that_is_not_allowed_is_a_failure_with_the_programs_words() -> None:
    with pytest.raises(StatementFailed, match="sh ended with 7, allowed: 0, 1; it said: not today"):
        run("sh", "-c", "echo not today >&2; exit 7", exits=(0, 1))


def test_there_is_no_input_and_no_terminal() -> None:
    assert run("cat").stdout == ""
    assert run("sh", "-c", "test -t 0 || test -t 1 || echo none").stdout == "none\n"


def test_the_environment_holds_what_is_said_and_no_secret_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_PASSWORD", "hunter2!")
    seen = dict(line.split("=", 1) for line in run("env", env={"TO": "west"}).stdout.splitlines())
    assert seen["TO"] == "west"
    assert "PATH" in seen
    assert "INTERLOCK_PASSWORD" not in seen


def test_output_is_cut_and_never_blocks_the_program() -> None:
    code = "import sys; sys.stdout.write('x' * 3_000_000); sys.stderr.write('y' * 3_000_000)"
    result = run(sys.executable, "-c", code)
    assert (len(result.stdout), len(result.stderr)) == (OUTPUT_LIMIT, OUTPUT_LIMIT)


def test_undecodable_output_is_kept_readable() -> None:
    assert run("printf", r"\377ok").stdout == "�ok"


@pytest.mark.parametrize("script", ["sleep 60", "trap '' TERM; sleep 60 & wait; sleep 60"], ids=["obedient", "deaf to SIGTERM"])
def test_at_its_bound_a_program_and_its_children_are_ended_and_gone(tmp_path: Path, script: str) -> None:
    note = tmp_path / "pids"
    began = CLOCK.monotonic_s()
    with pytest.raises(BoundReached, match=r"sh was ended: it ran longer than 1s"):
        run("sh", "-c", f"sleep 61 & echo $$ $! >{note}; {script}", within_s=1)
    assert CLOCK.monotonic_s() - began < 50
    for pid in note.read_text().split():
        assert not runs(int(pid))


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_child_that_keeps_the_output_open_does_not_make_a_program_late(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    began = CLOCK.monotonic_s()
    assert run("sh", "-c", f"sleep 100 & echo $! >{note}; echo done").stdout == "done\n"
    assert CLOCK.monotonic_s() - began < 60
    os.kill(int(note.read_text()), 9)
    deadline = Deadline.after(CLOCK, 60)
    while runs(int(note.read_text())):
        assert not deadline.is_over()
        CLOCK.sleep(0.01)


def test_what_cannot_be_started_is_named(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("echo hi\n")
    with pytest.raises(StatementFailed, match=f"{plain} can't be run: it is not executable"):
        run(str(plain))
    with pytest.raises(StatementFailed, match=r"./nowhere can't be run: no such file"):
        run("./nowhere")
    plain.chmod(0o755)
    with pytest.raises(StatementFailed, match="Exec format error") as failed:
        run(str(plain))
    assert "#!/bin/sh" in failed.value.hint
    with pytest.raises(StatementFailed, match="null byte"):
        run("echo", "a\0b")


@pytest.mark.parametrize(
    ("effect", "line"),
    [
        (RunCommand(argv=("./flip", "a b"), within_s=1), "./flip 'a b'"),
        (RunCommand(argv=("./flip",), within_s=1, env={"TO": "x y"}), "env 'TO=x y' ./flip"),
        (RunCommand(argv=("ip", "a"), within_s=1, host=EAST), "ssh -p 2222 ops@10.0.0.1 'ip a'"),
        (
            CallHttp(method="POST", url="http://h/x", within_s=1, headers={"Authorization": "Bearer tok", "Accept": "a/b"}, body="{}"),
            "POST http://h/x -H 'Authorization: ***' -H 'Accept: a/b' '{}'",
        ),
    ],
    ids=["here", "env", "host", "http"],
)
def test_plan_prints_what_a_person_could_type(effect: RunCommand | CallHttp, line: str) -> None:
    assert Here(CLOCK, {EAST: SshSpec(host="10.0.0.1", user="ops", port=2222)}).script(effect) == (line,)


def test_a_cluster_without_ssh_has_no_host_to_run_on() -> None:
    with pytest.raises(StatementFailed, match="cluster east has no host") as failed:
        run("true", host=EAST)
    assert failed.value.hint == "add `ssh` to clusters.east"
