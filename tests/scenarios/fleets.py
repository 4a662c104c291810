"""Folders of topology files, and fleets of simulated pairs on them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scenarios.command_line import environment, with_step

SIMULATED = (sys.executable, "-P", str(Path(__file__).parent / "simulated_interlock.py"))
_WITHIN_S = 300
_NERVES = '- check: sql\n    with: {server: "${to}", query: SELECT nerves, matches: good}\n    on_failure: halt'
_MOOD = '- check: sql\n    with: {server: "${to}", query: SELECT mood, matches: good}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """One fleet called `f` on a folder of topology files, with a store of its own."""

    folder: Path
    env: Mapping[str, str]

    def run(self, *words: str) -> tuple[int, Any]:
        with self.start(*words) as process:
            out, err = process.communicate(timeout=_WITHIN_S)
        assert out, err
        return process.returncode, json.loads(out)

    def at_once(self) -> Fleet:
        """The same, whose runs pause no more."""
        return replace(self, env={**self.env, "SLOWLY_S": "0"})

    def start(self, *words: str) -> subprocess.Popen[str]:
        """`fleet run` with these words, or `fleet resume f` if they begin so."""
        rest = words[1:] if words[:1] == ("resume",) else words
        what = (
            ["resume", "f"]
            if rest != words
            else ["run", str(self.folder / "with-verify.yaml"), "--name", "f", "--topologies", self._topologies]
        )
        return subprocess.Popen(
            [*SIMULATED, "fleet", *what, *rest, "--json"],
            env=dict(self.env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )

    @property
    def _topologies(self) -> str:
        return str(self.folder / "topologies")


def simulated_fleet(folder: Path, names: Sequence[str], *, slowly_s: float = 0.0) -> Fleet:
    """Pairs of these names; each run pauses `slowly_s` when it begins."""
    (folder / "topologies").mkdir()
    for number, name in enumerate(names):
        (folder / "topologies" / f"{name}.yaml").write_text(topology(name, number))
    with_step(folder, "verify", f"{_NERVES}\n  {_MOOD}")
    env = {**environment(None, folder), "INTERLOCK_STORE": f"sqlite://{folder}/runs.db", "SLOWLY_S": str(slowly_s)}
    return Fleet(folder=folder, env=env)


def topology(name: str, number: int) -> str:
    """Nobody connects to what it names."""
    place = f"10.{number // 250}.{number % 250}"
    return f"""\
topology: {name}
access: {{user: interlock, password: {{env: NONE}}, tls: off}}
clusters:
  east: {{master: {{host: {place}.1}}}}
  west: {{master: {{host: {place}.2}}}}
routes:
  writes: {{type: command, flip: [/bin/true, "{{to}}"], show: [/bin/true]}}
"""
