"""The command line as a person uses it: a process of its own, on a sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.playbook.find import shipped_folder
from interlock.sandbox.places import Sandbox

PROGRAM = [sys.executable, "-m", "interlock.cli.main"]
_WITHIN_S = 180
"""Seconds on an idle machine; a run that hangs hangs for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """All of stdout, which must be one JSON document."""
        return json.loads(self.out)

    @property
    def outcome(self) -> str:
        """With its problems, unless it succeeded: a test that expected another one says why."""
        outcome = str(self.document["outcome"])
        return outcome if self.code == 0 else f"{outcome}: {self.document['problems']}"


def environment(sandbox: Sandbox | None, folder: Path) -> dict[str, str]:
    """Of a person who has exported what `sandbox up` says; state goes into `folder`."""
    own = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"), "COLUMNS": "100", "LANG": "C.UTF-8"}
    if sandbox is not None:
        own |= {"INTERLOCK_TOPOLOGY": sandbox.topology, "INTERLOCK_STORE": f"sqlite://{folder}/runs.db"}
    return own


def interlock(*words: str, env: Mapping[str, str], cwd: Path | None = None, within_s: float = _WITHIN_S) -> Ended:
    done = subprocess.run(
        [*PROGRAM, *words], env=dict(env), cwd=cwd, capture_output=True, text=True, timeout=within_s, check=False, stdin=subprocess.DEVNULL
    )
    return Ended(code=done.returncode, out=done.stdout, err=done.stderr)


def start(*words: str, env: Mapping[str, str]) -> subprocess.Popen[str]:
    """In a process group of its own, so that a test can signal it."""
    return subprocess.Popen(
        [*PROGRAM, *words],
        env=dict(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        process_group=0,
    )


def with_step(folder: Path, phase: str, step: str) -> str:
    """The shipped switchover with a step more, the first one of a phase; the new file's name."""
    text = (shipped_folder() / "switchover.yaml").read_text()
    mark = f"- phase: {phase}\n  steps:\n"
    assert mark in text
    path = folder / f"with-{phase}.yaml"
    path.write_text(text.replace(mark, f"{mark}  {step}\n"))
    return str(path)
