"""Which pairs may begin, and what is left to do for each. Pure.

Three rules. Never more than `at_once` run. None begins once too many have failed, or once a person has said stop. A pair that succeeded is
never begun again: the default `to` is the standby, so a second run would take the writes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from interlock.dataclass import dataclass
from interlock.decisions.leases import Liveness
from interlock.engine.states import State
from interlock.fleet.model import Limits

T = TypeVar("T")


def may_begin(waiting: Sequence[T], *, running: int, failures: int, limits: Limits, stopping: bool) -> Sequence[T]:
    """The first ones of those that wait."""
    if stopping or failures >= limits.stop_after_failures:
        return ()
    return waiting[: max(0, limits.at_once - running)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Start a new run under this name."""

    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeUp:
    """Its run has no end and nobody carries it out: `interlock resume`."""

    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Await:
    """Its run is still carried out, by a process that outlived the fleet's: wait for it."""

    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Nothing to do, and why."""

    why: str


Work = Begin | TakeUp | Await
Move = Work | Leave


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A pair as the store shows it. `run` is the last one that the fleet named for it; `recorded` says whether it came to be, `outcome`
    how it ended, `holder` whether the process that carries it out lives.
    """

    attempts: int = 0
    run: str | None = None
    recorded: bool = False
    outcome: str | None = None
    holder: Liveness = Liveness.GONE


def run_name(fleet: str, pair: str, attempt: int) -> str:
    """`FLEET.PAIR`, then `FLEET.PAIR~2`. Names hold no `~` and fleets no dot, so no two are the same; and the store takes each name once:
    that is why a pair can't be begun twice, whoever was killed and when.
    """
    return f"{fleet}.{pair}" if attempt == 1 else f"{fleet}.{pair}~{attempt}"


def next_move(fleet: str, pair: str, seen: Seen) -> Move:
    """What a fleet does about a pair when it begins or goes on."""
    if seen.run is None:
        return Begin(run=run_name(fleet, pair, 1))
    if not seen.recorded:
        return Begin(run=seen.run)  # the same name: if its process should still come, one of the two finds the name taken
    match seen.outcome:
        case None:
            return Await(run=seen.run) if seen.holder is Liveness.ALIVE else TakeUp(run=seen.run)
        case State.SUCCEEDED.value:
            return Leave(why="it has succeeded")
        case State.HALTED.value:
            return Leave(why="it has halted, which needs a person")
        case _:
            return Begin(run=run_name(fleet, pair, seen.attempts + 1))


_ORDER = (Await, TakeUp, Begin)


def in_turn(moves: Sequence[tuple[T, Move]]) -> list[tuple[T, Work]]:
    """What is under way first, then what was left unfinished, then what is new; those to leave are left out."""
    return [(about, move) for kind in _ORDER for about, move in moves if isinstance(move, kind)]
