"""Two operators at once: exactly one of them works at any time, and nothing is done twice."""

from __future__ import annotations

from collections import Counter

import pytest

from interlock.model.effects import RunSql
from interlock.simulated.play import Night
from interlock.simulated.schedules import Rival, Schedule
from interlock.simulated.variants import playbooks

RACES, AT_ONCE = 250, 50


@pytest.mark.parametrize("first", range(0, RACES, AT_ONCE))
@pytest.mark.parametrize("rival", Rival)
def test_of_two_operators_one_works(rival: Rival, first: int) -> None:
    for number in range(first, first + AT_ONCE):
        schedule = Schedule(playbook=("bones", "switchover")[number % 2], rival=rival, rival_at_s=(number + 1) / RACES * 0.6)
        night = Night(schedule, playbooks()[schedule.playbook], tell=False)
        night.play()
        assert night.pair.violations == [], schedule
        counts = Counter((sent.process, repr(sent.effect)) for sent in night.pair.sent if not isinstance(sent.effect, RunSql))
        assert max(counts.values()) == 1, schedule
        assert sum(end.endswith("succeeded") for end in night.ends) >= 1, night.ends
