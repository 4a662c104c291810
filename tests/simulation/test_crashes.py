"""The crash matrix: kill -9 at every move of the tool, before and after each journal record, then every way to go on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from interlock.simulated.database import Flavor
from interlock.simulated.play import play
from interlock.simulated.schedules import Recovery, Schedule
from interlock.simulated.variants import TEXTS, playbooks

PLAYBOOKS = [*(name for name in playbooks() if name not in TEXTS), "fails-after-the-flip"]
CASES = [(name, flavor) for flavor in Flavor for name in PLAYBOOKS if flavor is Flavor.MARIADB or name != "fails-after-the-flip"]
RECOVERIES = {
    "resume": ((Recovery.RESUME,), False, False),
    "roll back": ((Recovery.ROLL_BACK,), False, False),
    "abandon": ((Recovery.ABANDON,), False, False),
    "power lost, resume": ((Recovery.RESUME,), True, False),
    "power lost, roll back": ((Recovery.ROLL_BACK,), True, False),
    "resume, killed again, resume": ((Recovery.RESUME, Recovery.RESUME), False, True),
    "resume, killed again, roll back": ((Recovery.RESUME, Recovery.ROLL_BACK), True, True),
    "roll back, killed again, resume": ((Recovery.ROLL_BACK, Recovery.RESUME), False, True),
}


EVERY = {"quiesce": 7, "rolling-ddl": 61}
"""Of a playbook that mostly does what switchover does, every so many moves; others for one kill than for two."""


def moves_of(playbook: str, flavor: Flavor, recoveries: Sequence[Recovery]) -> Iterable[int]:
    moves, every = play(Schedule(playbook=playbook, flavor=flavor, events=True)).moves, EVERY.get(playbook, 1)
    return range(len(recoveries) % every or 1, moves + 1, every)


@pytest.mark.parametrize(("recoveries", "power", "again"), RECOVERIES.values(), ids=RECOVERIES.keys())
@pytest.mark.parametrize(("playbook", "flavor"), CASES)
def test_a_run_that_is_killed_anywhere_ends_as_it_says(
    playbook: str, flavor: Flavor, recoveries: Sequence[Recovery], *, power: bool, again: bool
) -> None:
    broken: dict[int, list[str]] = {}
    for move in moves_of(playbook, flavor, recoveries):
        kills = (move, 1 + move * 7 % 90) if again else (move,)
        night = Schedule(playbook=playbook, flavor=flavor, events=True, kills=kills, power_fails=power, recoveries=tuple(recoveries))
        if violations := play(night).violations:
            broken[move] = violations
    assert broken == {}
