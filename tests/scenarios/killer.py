"""Runs that are killed at a moment of their journal and taken up again, as `make test` and `make drill-crashes` do it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from interlock.errors import ExitCode
from interlock.ports import RunHeader
from interlock.sandbox.drill import DrillReport, drill
from interlock.sandbox.places import Sandbox
from interlock.stores.open import open_store
from scenarios.command_line import environment, interlock
from scenarios.pair_state import CLOCK, open_sides

_PROGRAM = Path(__file__).with_name("killed_command.py")

_OUTCOMES = {0: "succeeded", 3: "refused", 4: "rolled_back"}

TWICE = ", killed again"
"""Behind a verb: the process that takes the run up is killed too, and `resume` takes it up from there."""

_STRIDE = 5
_RECORDS_OF_A_WAY_BACK = 14
_STATES = 2
_TRIES = 5
_WITHIN_S = 240
"""Some seconds, on an idle machine."""


@dataclass(slots=True, kw_only=True)
class Killer:
    """Runs that are killed, each taken up at once. `told` keeps what each ended with, by the moment at which it was killed; `twice`, how
    many were killed a second time; `longest_s`, how long the longest of those that took one up ran.
    """

    pair: Sandbox
    folder: Path
    playbook: str
    told: dict[str, int] = field(default_factory=dict)
    twice: int = 0
    moments: int = 0
    longest_s: float = 0.0

    @property
    def env(self) -> dict[str, str]:
        return environment(self.pair, self.folder)

    def count(self, kind: str) -> int:
        """How many such moments a run has. It switches over for that, there and back."""
        for to in ("west", "east"):
            done = self._do(kind, 0, "run", self.playbook, to)
            assert done.returncode == 0, done.stderr
        self.moments = int(json.loads(done.stdout)[kind])
        return self.moments

    def kill(self, to: str, kind: str, number: int, then: str) -> str:
        """The outcome. What `interlock` exits with fits it, and the pair is as it says."""
        before = open_sides(self.pair)
        self._kill_first(to, kind, number)
        header = self._newest()
        verb = then.removesuffix(TWICE)
        if verb != then and header.outcome is None:
            self._kill_again(kind, number, verb, header.run)
            verb, header = "resume", self._newest()
        began_s = CLOCK.monotonic_s()
        ended = interlock(verb, header.run, "--json", env=self.env, within_s=_WITHIN_S)
        self.longest_s = max(self.longest_s, CLOCK.monotonic_s() - began_s)
        where = f"{then} after {kind} {number}"
        outcome = header.outcome
        if outcome is not None:  # it had recorded its end
            assert ended.code == ExitCode.USAGE, (where, ended)
        else:
            assert ended.code in _OUTCOMES, (where, ended)
            outcome = ended.document["outcome"]
            assert outcome == _OUTCOMES[ended.code], (where, ended)
        self.told[where] = ended.code
        assert self._newest().outcome == outcome, where
        assert open_sides(self.pair) == ([to] if outcome == "succeeded" else before), where
        return str(outcome)

    def _newest(self) -> RunHeader:
        with closing(open_store(self.env["INTERLOCK_STORE"], CLOCK)) as store:
            return store.runs(None)[0]

    def bring_back(self, to: str) -> None:
        """The writes are on `to` afterwards."""
        if open_sides(self.pair) != [to]:
            done = interlock("switchover", "--to", to, env=self.env)
            assert done.code == 0, done

    def _kill_first(self, to: str, kind: str, number: int) -> None:
        """A machine too busy for the limits of the preflight refuses a run before it comes to its moment; another is begun then."""
        for _ in range(_TRIES):
            killed = self._do(kind, number, "run", self.playbook, to)
            if killed.returncode == -signal.SIGKILL:
                return
            assert killed.returncode == 0, killed
            assert json.loads(killed.stdout)["outcome"] in {"refused", "rolled_back"}, killed
        raise AssertionError(killed)

    def _kill_again(self, kind: str, number: int, verb: str, run: str) -> None:
        """At another record for each first one, so that all of them have their turn; the last ones may be past the end of this run."""
        left = _STATES if kind == "state" else self._left(number) if verb == "resume" else _RECORDS_OF_A_WAY_BACK
        killed = self._do(kind, 1 + number * _STRIDE % left, verb, run)
        assert killed.returncode in {-signal.SIGKILL, 0}, killed
        self.twice += killed.returncode != 0

    def _left(self, number: int) -> int:
        """How many records may follow that one, with those of a take-over."""
        return max(3, self.moments - number + 3)

    def _do(self, kind: str, number: int, *does: str) -> subprocess.CompletedProcess[str]:
        words = (self.pair.topology, self.env["INTERLOCK_STORE"], kind, str(number), *does)
        return subprocess.run(
            [sys.executable, str(_PROGRAM), *words], env=self.env, capture_output=True, text=True, timeout=90, check=False
        )


def assert_survives(killer: Killer, kind: str, numbers: Iterable[int], then: str) -> DrillReport:
    """Each moment in turn under two kinds of clients; the writes go there and back. What the clients saw."""
    moments = list(numbers)
    turn = iter(moments)
    report = drill(
        killer.pair, lambda to: killer.kill(to, kind, next(turn), then), clock=CLOCK, count=len(moments), pooled=1, fresh=1, rest_s=0.05
    )
    assert (report.lost, report.duplicated, report.resurrected, report.samples.two) == ((), (), (), 0)
    assert len(killer.told) == len(moments)
    listed = interlock("runs", "--json", env=killer.env).document
    assert len(listed) >= len(moments)
    assert not [row for row in listed if row["resumable"] or row["outcome"] is None]
    assert report.acknowledged > len(moments)
    return report
