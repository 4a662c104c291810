"""Commands on a cluster's host, one after the other, all of them within one bound."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import field, replace

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.errors import OutcomeUnknown, StatementFailed, Unreachable
from interlock.model.effects import RunCommand
from interlock.model.facts import CommandResult
from interlock.model.topology import ClusterName
from interlock.ports import Outside

_LEAST_S = 0.1
_SILENT_S = 10.0
"""So long a host that was silent is taken to be so still: a fencing looks again and again, and each look would wait for its whole bound."""


@dataclass(slots=True)
class Silence:
    """What was last heard of a host that does not answer, and until when that is taken for granted."""

    until_s: float = 0.0
    error: Unreachable | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnHost:
    """`sudo`: what changes or lists something is run by `sudo -n`. `within_s` bounds one command."""

    cluster: ClusterName
    outside: Outside
    clock: Clock
    sudo: bool
    within_s: float
    silence: Silence = field(default_factory=Silence)

    def order(self, *words: str, exits: tuple[int, ...] = (0,), as_root: bool = True) -> RunCommand:
        argv = ("sudo", "-n", *words) if self.sudo and as_root else words
        return RunCommand(argv=argv, within_s=self.within_s, exits=exits, host=self.cluster)

    def shell(self, script: str, *words: str) -> RunCommand:
        """By the host's own shell, as nobody but who logged in: `root` in the script is `sudo -n`, or nothing."""
        script = script.replace("root ", "sudo -n " if self.sudo else "")
        return RunCommand(argv=("sh", "-c", script, "interlock", *words), within_s=self.within_s, host=self.cluster)

    def look(self, order: RunCommand) -> CommandResult:
        """Unreachable if the host is silent: a question leaves nothing behind."""
        try:
            result = self._run(order)
        except OutcomeUnknown as unknown:
            raise Unreachable(unknown.message, hint=unknown.hint) from unknown
        if not isinstance(result, CommandResult):
            raise StatementFailed(f"{shlex.join(order.argv)} on the host of {self.cluster} has no exit code")
        return result

    def carry_out(self, orders: Sequence[RunCommand], within_s: float) -> None:
        """Each has what is left of the whole bound, at the most. OutcomeUnknown once it is over: what was begun may still go on there."""
        deadline = Deadline.after(self.clock, within_s)
        for order in orders:
            if deadline.left_s() < _LEAST_S:
                raise OutcomeUnknown(
                    f"host of {self.cluster}: {within_s:g}s were over before {shlex.join(order.argv)}", hint="look at how it stands"
                )
            self._run(replace(order, within_s=min(order.within_s, deadline.left_s())))

    def _run(self, order: RunCommand) -> object:
        silence = self.silence
        if silence.error is not None and self.clock.monotonic_s() < silence.until_s:
            raise Unreachable(silence.error.message, hint=silence.error.hint) from silence.error
        try:
            result = self.outside.run(order)
        except Unreachable as error:
            silence.until_s, silence.error = self.clock.monotonic_s() + _SILENT_S, error
            raise
        silence.error = None
        return result

    def script(self, orders: Sequence[RunCommand]) -> tuple[str, ...]:
        return tuple(line for order in orders for line in self.outside.script(order))
