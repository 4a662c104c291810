"""A checked playbook. Values under `with:` are literals of the kind that the action declares, or templates still to be resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.playbook.catalogue import ActionSpec
from interlock.playbook.expressions import Condition, Template


class OnFailure(StrEnum):
    ROLL_BACK = "roll_back"
    HALT = "halt"
    CONTINUE = "continue"  # of a step only: the failure is reported as a warning, and the run goes on; only for checks


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """`default` is a literal, or the word `writer`, `standby` or `other` for a cluster; `differs_from` writer, standby, or another input's
    name. `other` is the cluster that `differs_from` is not.
    """

    name: str
    kind: Kind
    required: bool
    default: object = None
    differs_from: str | None = None
    choices: tuple[str, ...] = ()
    doc: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """`times` further attempts after the first, `pause_s` apart. A step whose result is unknown is looked at before it is tried again."""

    times: int
    pause_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. `id` is unique in the playbook (given, or made from the phase and the action). `undo` replaces the action's own undo when
    it is not None; an empty tuple means that nothing is undone.
    """

    id: str
    spec: ActionSpec
    args: Mapping[str, object]
    when: Condition | None = None
    foreach: Template | None = None
    timeout_s: float | None = None
    retry: Retry | None = None
    undo: tuple[Step, ...] | None = None
    on_failure: OnFailure | None = None
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """Steps that run at the same time, and all end before the next one begins."""

    id: str
    steps: tuple[Step, ...]
    when: Condition | None = None
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    name: str
    steps: tuple[Step | Parallel, ...]
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbook:
    """`text` is the file as it was read, kept in the journal so that a run resumes by what it began with."""

    name: str
    version: int
    summary: str
    phases: tuple[Phase, ...]
    inputs: Mapping[str, Input] = field(default_factory=dict)
    on_failure: OnFailure = OnFailure.ROLL_BACK
    rollback_within_s: float = 30.0
    text: str = ""
    path: str = ""
