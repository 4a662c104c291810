"""`ports.Outside` in memory: programs are functions, and what they change is a dictionary of theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field

from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.model.effects import CallHttp, CopyLogs, OutsideEffect, RunCommand
from interlock.model.facts import CommandResult, HttpResult

Program = Callable[[Sequence[str]], tuple[int, str]]
"""From the arguments to an exit code and what is printed. It may raise a DriverError."""


@dataclass(slots=True, kw_only=True)
class Programs:
    """The programs of a machine by their names, and the calls that were made of them. A URL is a program of that name.

    `otherwise` gets the whole call of a program that is not known; without it there is no such program.
    """

    known: dict[str, Program] = field(default_factory=dict)
    calls: list[tuple[str, ...]] = field(default_factory=list)
    otherwise: Program | None = None

    def call(self, argv: tuple[str, ...]) -> tuple[int, str]:
        self.calls.append(argv)
        program = self.known.get(argv[0])
        if program is None and self.otherwise is not None:
            return self.otherwise(argv)
        if program is None:
            raise StatementFailed(f"{argv[0]}: no such program")
        return program(argv[1:])


class SimulatedOutside:
    def __init__(self, programs: Programs, move: Callable[[], None]) -> None:
        self._programs = programs
        self._move = move

    def script(self, effect: OutsideEffect, /) -> tuple[str, ...]:
        match effect:
            case RunCommand(argv=argv):
                return (" ".join(argv),)
            case CallHttp(method=method, url=url):
                return (f"{method} {url}",)
            case CopyLogs(cluster=cluster, first=first):
                return (f"copy logs of {cluster} from {first}",)

    def run(self, effect: OutsideEffect, /) -> CommandResult | HttpResult:
        self._move()
        match effect:
            case RunCommand(argv=argv, exits=exits):
                code, printed = self._programs.call(argv)
                if code not in exits:
                    raise StatementFailed(f"{' '.join(argv)} ended with {code}, expected {exits}: {printed}")
                self._move()
                return CommandResult(argv=argv, exit_code=code, stdout=printed, stderr="")
            case CallHttp(method=method, url=url, statuses=statuses):
                status, body = self._programs.call((url, method))
                if status not in statuses:
                    raise StatementFailed(f"{method} {url} answered {status}")
                self._move()
                return HttpResult(method=method, url=url, status=status, body=body)
            case CopyLogs(cluster=cluster, first=first):
                _, printed = self._programs.call(("copy logs", cluster, first))
                self._move()
                return CommandResult(argv=("copy logs", cluster), exit_code=0, stdout=printed, stderr="")
