"""Every seeded bug is noticed: a watch that sees nothing would pass every other test of this room."""

from __future__ import annotations

import pytest

from simulation.mutants import MUTANTS, Mutant, nights_from, nights_until_noticed


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS.keys())
def test_a_seeded_bug_is_noticed(mutant: Mutant) -> None:
    assert nights_until_noticed(mutant, mutant.among or nights_from(mutant.first, mutant.within)), f"nobody noticed that {mutant.bug}"


def test_there_are_enough_of_them() -> None:
    assert len(MUTANTS) >= 25
