"""What the engine tells to whoever watches: a terminal, a log, a console. Observers hold no decisions and can't fail a run."""

from __future__ import annotations

from typing import Protocol

from interlock.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBegan:
    run: str
    playbook: str
    topology: str
    inputs: dict[str, str]
    resumed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged:
    state: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseBegan:
    phase: str
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseEnded:
    phase: str
    ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBegan:
    """`bound_s` is how long it may take at the most."""

    step: str
    action: str
    bound_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepWaits:
    step: str
    why: str
    left_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepActs:
    """`script` is word for word what is sent."""

    step: str
    why: str
    script: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded:
    """`result` is `done`, `skipped` or `failed`."""

    step: str
    action: str
    result: str
    detail: str
    ms: float
    hint: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoBegan:
    step: str
    script: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoEnded:
    """`result` is `undone`, `nothing_to_undo` or `failed`."""

    step: str
    result: str
    detail: str
    ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageBegan:
    """The first effect that clients may feel is about to be made."""

    bound_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageEnded:
    """Writes are taken again, by the run's own view; the prober's figure comes with the report. `held`: some route kept clients waiting
    meanwhile, and lets them through.
    """

    ms: float
    held: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    run: str
    outcome: str
    detail: str


RunEvent = (
    RunBegan
    | StateChanged
    | PhaseBegan
    | PhaseEnded
    | StepBegan
    | StepWaits
    | StepActs
    | StepEnded
    | UndoBegan
    | UndoEnded
    | OutageBegan
    | OutageEnded
    | RunEnded
)


class Observer(Protocol):
    def __call__(self, event: RunEvent, /) -> None: ...

    # `ask` is how a gate reaches a person


class Asker(Protocol):
    def __call__(self, question: str, /) -> bool:
        """Whether a person said yes. False when nobody can be asked."""
        ...
