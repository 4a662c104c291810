"""Nights on the pair in memory: the real engine, actions and playbooks, and every promise watched after every event."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import find, given, settings

from interlock.simulated.__main__ import main
from interlock.simulated.play import play
from interlock.simulated.schedules import FaultKind, Schedule, schedule_of
from interlock.simulated.variants import drawn, expected_end, playbooks
from simulation.mutants import MUTANTS, in_force
from simulation.strategies import schedules

NIGHTS, AT_ONCE = 2000, 100


@pytest.mark.parametrize("first", range(0, NIGHTS, AT_ONCE))
def test_every_promise_is_kept_every_night(first: int) -> None:
    broken = {seed: violations for seed in range(first, first + AT_ONCE) if (violations := play(schedule_of(seed, drawn())).violations)}
    assert broken == {}, f"tell its story: python -m interlock.simulated --seed {min(broken)}"


@given(schedules())
@settings(max_examples=150, derandomize=True, deadline=None, database=None)
def test_every_promise_is_kept_whatever_the_night_is_made_of(schedule: Schedule) -> None:
    assert play(schedule).violations == []


@pytest.mark.parametrize("name", playbooks())
def test_a_night_without_a_fault_ends_as_the_playbook_says(name: str) -> None:
    played = play(Schedule(playbook=name))
    assert played.ends[0] == expected_end(playbooks()[name], answer=True)
    assert played.violations == []


@pytest.mark.parametrize("seed", range(0, 400, 40))
def test_a_seed_plays_the_same_night_again(seed: int) -> None:
    first, second = (play(schedule_of(seed, drawn()), tell=True) for _ in range(2))
    assert (first.story, first.ends, first.moves) == (second.story, second.ends, second.moves)


def test_the_nights_bring_every_fault_and_every_playbook() -> None:
    nights = [schedule_of(seed, drawn()) for seed in range(NIGHTS)]
    assert {fault.kind for night in nights for fault in night.faults} == set(FaultKind)
    assert {night.playbook for night in nights} == set(playbooks())


def test_a_failure_is_shrunk_to_what_it_takes() -> None:
    """An opening without a catch-up shows on the way back alone: no fault, no kill and no second client is needed."""
    quick = settings(
        max_examples=200, derandomize=True, deadline=None, database=None, phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink)
    )
    with in_force(MUTANTS["opening-before-catch-up"]):
        least = find(schedules(), lambda schedule: bool(play(schedule).violations), settings=quick)
    assert (least.faults, least.kills, least.store, least.sickness, len(least.clients)) == ((), (), None, None, 1)


def test_a_seed_tells_its_story(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "7"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("seed 7: playbook ")
    assert "process 1: run" in told


def test_a_broken_promise_is_told_with_its_seed(capsys: pytest.CaptureFixture[str]) -> None:
    with in_force(MUTANTS["intent-not-synced"]):
        assert main(["--nights", "20"]) == 1
    assert "and no intent of it is on the disk" in capsys.readouterr().out
