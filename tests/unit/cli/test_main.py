from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from interlock.cli.crash import crashed
from interlock.cli.main import main

_OPENS_TOO_EARLY = """\
playbook: early
version: 1
summary: Opens without a fence.
phases:
- phase: go
  steps:
  - do: server.opne
    with: {server: west, withn: 2s}
"""


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No topology, no store and no playbooks but the test's own."""
    for name in ("INTERLOCK_TOPOLOGY", "INTERLOCK_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["status"], 2),
        (["nonsense"], 2),
        ([], 2),
        (["show", "x"], 2),
        (["runs", "--store", "ftp://x"], 2),
        (["status", "-t", "missing.yaml"], 2),
        (["run", "missing"], 2),
        (["playbook", "graph", "missing"], 2),
        (["runs", "--store", "sqlite:."], 3),
    ],
    ids=["no topology", "no such command", "no command", "no such run", "no store", "no file", "no playbook", "no graph", "broken store"],
)
def test_errors_have_their_exit_code_and_one_json_document(words: Sequence[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == code
    plain = capsys.readouterr()
    assert plain.out == ""
    assert plain.err.startswith("interlock: ") or ":0:0: " in plain.err
    assert main([*words, "--json"]) == code
    said = json.loads(capsys.readouterr().out)
    assert said["exit_code"] == code
    assert said["problems"][0]["what"]


def test_no_topology_says_both_ways_to_give_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 2
    said = capsys.readouterr().err
    assert "-t FILE" in said
    assert "INTERLOCK_TOPOLOGY" in said


def test_lint_prints_every_problem_where_it_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "early.yaml").write_text(_OPENS_TOO_EARLY)
    assert main(["playbook", "lint", "early.yaml"]) == 2
    said = capsys.readouterr().out
    assert "early.yaml:7:9: " in said
    assert "  hint: did you mean 'server.open'?" in said
    assert main(["playbook", "lint", "early.yaml", "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert {(each["line"], each["file"]) for each in document["problems"]} >= {(7, str(tmp_path / "early.yaml"))}


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["playbook", "list"], "switchover"),
        (["playbook", "show", "switchover"], "\n- phase: preflight\n"),
        (["playbook", "graph", "switchover"], "flowchart TD"),
        (["playbook", "schema"], '"title": "Interlock playbook"'),
        (["playbook", "schema", "topology"], '"title": "Interlock topology"'),
        (["grants"], "GRANT PROCESS ON *.*"),
        (["runs"], "no runs yet"),
        (["--version"], "interlock "),
    ],
    ids=["list", "show", "graph", "schema", "topology schema", "grants", "runs", "version"],
)
def test_what_needs_no_pair_works_without_one(words: Sequence[str], wanted: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert wanted in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    json.loads(capsys.readouterr().out)


def test_a_shipped_playbook_that_is_shown_can_be_linted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["playbook", "show", "switchover"]) == 0
    (tmp_path / "mine.yaml").write_text(capsys.readouterr().out)
    assert main(["playbook", "lint", "mine.yaml"]) == 0


def test_a_reader_that_leaves_early_is_no_error() -> None:
    program = [sys.executable, "-m", "interlock.cli.main", "playbook", "schema"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(120) == 0


def test_a_crash_is_a_line_and_a_private_file_without_secrets(tmp_path: Path) -> None:
    answer = crashed(RuntimeError("login with hunter22 failed"), lambda text: text.replace("hunter22", "***"))
    assert answer.exit_code == 1
    line = answer.text(80)
    assert "Traceback" not in line
    (file,) = (tmp_path / "state" / "interlock").glob("crash-*.txt")
    assert str(file) in line
    assert "RuntimeError: login with *** failed" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
