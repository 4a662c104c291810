"""Two operators at the same moment; fifty of these races are `make endurance-races`."""

from __future__ import annotations

from pathlib import Path

from faults.races import race
from interlock.sandbox.places import Sandbox


def test_of_two_operators_exactly_one_works(fresh_pair: Sandbox, tmp_path: Path) -> None:
    """Once with a store for both, once with one for each."""
    raced = race(fresh_pair, tmp_path, 2)
    assert [each.one_worked for each in raced.races] == [True] * 2, raced.races
    assert (raced.samples.two, raced.proof.violations, raced.lost, raced.duplicated) == (0, (), (), ())
    assert raced.turns_of_writing == 2
