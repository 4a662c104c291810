"""kill -9 of a run at the records of its journal, under a light load; then `interlock resume` or `interlock rollback` as a person types it.

Here at each sixth moment, from another one on for each way, and at each change of state; `make drill-crashes` does it at every one.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.sandbox.places import Sandbox
from scenarios.killer import Killer, assert_survives
from scenarios.pair_state import open_sides, state_of, switchover_with

_WAYS = {
    "resume after a kill before a record": ("before", "resume", 1, 6),
    "resume after a kill behind a record": ("after", "resume", 2, 6),
    "rollback after a kill behind a record": ("after", "rollback", 4, 6),
    "resume after a kill behind a change of state": ("state", "resume", 1, 1),
}


@pytest.fixture
def killer(fresh_pair: Sandbox, tmp_path: Path) -> Killer:
    return Killer(pair=fresh_pair, folder=tmp_path, playbook=switchover_with(tmp_path / "whole.yaml"))


@pytest.mark.parametrize(("kind", "then", "first", "step"), _WAYS.values(), ids=_WAYS)
def test_a_killed_run_is_taken_up_to_a_named_outcome_with_one_writer_and_nothing_lost(
    killer: Killer, kind: str, then: str, first: int, step: int
) -> None:
    before = state_of(killer.pair)
    assert_survives(killer, kind, range(first, killer.count(kind) + 1, step), then)
    wanted = {"resume": {0}, "rollback": {3, 4}}[then]
    assert wanted <= set(killer.told.values()) <= {0, 2, 3, 4}
    killer.bring_back("east")
    assert open_sides(killer.pair) == ["east"]
    assert state_of(killer.pair) == before
