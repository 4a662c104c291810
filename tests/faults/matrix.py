"""Which cases run: a few in `make test`, all of them by `make faults`. INTERLOCK_FAULTS is `all`, or `2/3` for the second of three."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

import pytest
from _pytest.mark.structures import ParameterSet

from faults.stage import Moment

Row = tuple[str, Moment, bool]
"""A fault's name, when it strikes, and whether it is healed three seconds later; otherwise only once the command has ended."""


def cases(faults: Iterable[str], always: Collection[Row]) -> list[ParameterSet]:
    """Every fault at every moment, healed and not, or a part of them; or those of `always` alone."""
    every: list[Row] = [(fault, moment, healed) for fault in faults for moment in Moment for healed in (True, False)]
    unknown = set(always) - set(every)
    assert not unknown, unknown
    chosen = [row for row in every if row in always] if not (wanted := os.environ.get("INTERLOCK_FAULTS")) else _part(every, wanted)
    return [pytest.param(*row, id=f"{row[0]}, {row[1]}, {'healed' if row[2] else 'for good'}") for row in chosen]


def _part(every: list[Row], wanted: str) -> list[Row]:
    number, of = (1, 1) if wanted == "all" else map(int, wanted.split("/"))
    return every[number - 1 :: of]


def allowed(moment: Moment, *, healed: bool) -> set[str]:
    """The outcomes that may come of a fault. One that strikes before the first effect and stays must be refused; one that passes must not
    need a person; one that stays after it may.
    """
    if moment in {Moment.BEFORE, Moment.PREFLIGHT}:
        return {"refused", "succeeded"} if healed else {"refused"}
    return {"succeeded", "rolled_back"} if healed else {"succeeded", "rolled_back", "halted"}
