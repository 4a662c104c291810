"""What a fleet is, and what became of its pairs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from interlock.dataclass import dataclass
from interlock.errors import ExitCode

FLEET_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,47}")
FLEET_NAME_RULE = "1 to 48 letters, digits, '_' or '-'"
"""No dot: it parts the fleet from the pair in the name of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """`name` is the topology's; `file` its absolute path."""

    name: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`at_once` runs at the most, none begun once `stop_after_failures` have failed. After `each_within_s` a run is asked to stop; after as
    long again it is killed, and can be resumed.
    """

    at_once: int
    stop_after_failures: int
    each_within_s: float


class Standing(StrEnum):
    """Where one pair stands. `FAILED` is every end but success."""

    NOT_STARTED = "not_started"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairReport:
    """`outcome` is the run's; None while it has none. `cpu_s` and `memory_mib` are what its process took, None if it was not measured."""

    topology: str
    file: str
    standing: Standing = Standing.NOT_STARTED
    run: str | None = None
    outcome: str | None = None
    exit_code: int | None = None
    outage_ms: float | None = None
    problems: tuple[Trouble, ...] = ()
    next_commands: tuple[str, ...] = ()
    took_s: float | None = None
    cpu_s: float | None = None
    memory_mib: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReport:
    """`succeeded`, `failed` and `not_started` count the pairs. `problems` are the fleet's own, not those of its pairs."""

    fleet: str
    playbook: str
    state: str
    exit_code: int
    inputs: Mapping[str, str]
    pairs: tuple[PairReport, ...]
    succeeded: int
    failed: int
    not_started: int
    running: int
    problems: tuple[Trouble, ...] = field(default=())


WORST_FIRST = (
    ExitCode.HALTED,
    ExitCode.CRASHED,
    ExitCode.STOPPED,
    ExitCode.ROLLED_BACK,
    ExitCode.USAGE,
    ExitCode.PAIR_BUSY,
    ExitCode.REFUSED,
)
"""By what it costs to look at it late: clients are shut out; perhaps they are, for a run has no end; nobody is, and something went wrong;
nothing was tried.
"""


def worst(codes: list[int]) -> int:
    """The exit code of all of them together: 0 if each is 0. A code that is not in the list counts as a crash."""
    known = {int(code) if code in WORST_FIRST else int(ExitCode.CRASHED) for code in codes if code != ExitCode.SUCCEEDED}
    return next((int(code) for code in WORST_FIRST if code in known), int(ExitCode.SUCCEEDED))
