"""Every exception, by what the operator does next.

::

    InterlockError                     message (subject, observed, limit), then a hint
    ├── UsageError                     change the command or the file; nothing was touched            exit 2
    │   └── InvalidFile                every problem of a file at once, each with its line
    ├── Refused                        nothing was changed; mend what the message says                exit 3
    ├── PairBusy                       another run holds the pair; wait for it or look at it          exit 6
    ├── StepFailed                     the engine is going back (or halts); read the report           exit 4 or 5
    ├── Halted                         everything is fenced; a person runs the printed commands       exit 5
    ├── LeaseLost                      another operator took over; this run stops before its next effect
    ├── StoreFailed                    the journal cannot be written; no effect follows
    └── DriverError                    what a server, proxy or host answered, translated once, at the driver's edge
        ├── Unreachable                no connection, or it went away
        ├── RefusedButAlive            it answers and lets nobody in (too many connections, wrong password, blocked)
        ├── NotPermitted               a privilege is missing
        ├── WriteRefused               the server is read-only: a write was refused
        ├── BoundReached               the *server's* own bound ended the statement: it had no effect
        ├── OutcomeUnknown             the *client's* bound ended the wait: the statement may still land
        └── StatementFailed            any other error of a server, proxy, host or hook
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum

from interlock.dataclass import dataclass


class ExitCode(IntEnum):
    """What the command returns to the shell. Values are part of the contract and never change."""

    SUCCEEDED = 0
    CRASHED = 1
    USAGE = 2
    REFUSED = 3
    ROLLED_BACK = 4
    HALTED = 5
    PAIR_BUSY = 6
    STOPPED = 130


class InterlockError(Exception):
    """Base of all of them: `message` says subject, observed and limit; `hint` says what to do."""

    def __init__(self, message: str, *, hint: str = "", server: str | None = None, step: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.server = server
        self.step = step


class UsageError(InterlockError):
    """The command line or a file is wrong. Nothing was touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a file. Lines and columns count from 1; 0 means the file as a whole."""

    file: str
    line: int
    column: int
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.what}"


class InvalidFile(UsageError):
    """A topology or playbook that cannot be used; carries every problem, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        ordered = sorted(problems, key=lambda problem: (problem.file, problem.line, problem.column))
        lines = [str(p) + (f"\n  hint: {p.hint}" if p.hint else "") for p in ordered]
        super().__init__("\n".join(lines))
        self.problems = tuple(ordered)


class Refused(InterlockError):
    """A check said no before the first effect. Nothing was changed."""


class PairBusy(InterlockError):
    """Another run holds the lease or the lock of this pair."""


class StepFailed(InterlockError):
    """A step failed; the engine decides what follows. `on_failure` is the step's own word on that, if it has one; `outputs` what it saw,
    if its action tells that of a failure too.
    """

    on_failure: str | None = None
    outputs: Mapping[str, object] | None = None


class Halted(InterlockError):
    """The run stopped with everything fenced; a person is needed."""


class LeaseLost(InterlockError):
    """The lease or a server's lock is no longer ours: nothing may be changed any more."""


class StoreFailed(InterlockError):
    """The store could not record something; no effect may follow."""


class DriverError(InterlockError):
    """What a server, proxy, host or hook answered."""


class Unreachable(DriverError):
    """No connection could be made, or it ended."""


class RefusedButAlive(DriverError):
    """The peer runs and let us not in: too many connections, wrong password, host blocked."""


class NotPermitted(DriverError):
    """The account lacks a privilege."""


class WriteRefused(DriverError):
    """The server is read-only and said so."""


class BoundReached(DriverError):
    """The server ended the statement at its own bound; it had no effect."""


class OutcomeUnknown(DriverError):
    """The client stopped waiting; the statement may still take effect. Look again before deciding."""


class StatementFailed(DriverError):
    """Any other error, with the peer's own words."""
