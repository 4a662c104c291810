"""A judgement with its reason. Never a bare bool."""

from __future__ import annotations

from interlock.dataclass import dataclass
from interlock.model.position import Position
from interlock.model.topology import ServerName


@dataclass(frozen=True, slots=True)
class Applied:
    """Something a server can be asked to wait for by itself: it has applied `position`."""

    server: ServerName
    position: Position


@dataclass(frozen=True, slots=True)
class Done:
    """It holds; nothing (more) is to be done. `warnings` are for the operator to read; they stop nothing."""

    why: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Act:
    """The effects are to be carried out. `once`: what they did can't be looked at, so a success is taken for done.

    If an effect fails, or has not taken hold when the step's time is over, the step has failed, unless `otherwise` says what it is then.
    """

    why: str
    once: bool = False
    otherwise: Done | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet. With `until`, the server blocks until then; otherwise the engine looks again after a pause.

    When the step's time is over it has failed, unless `otherwise` says what it is then. `hint` is for a person then.
    """

    why: str
    until: Applied | None = None
    otherwise: Done | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Refuse:
    """It must not, or can't. `hint` says what the operator can do."""

    why: str
    hint: str = ""


Verdict = Done | Act | Wait | Refuse
