"""Fencing by a team's own programs: real ones, run here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from interlock.clock import SystemClock
from interlock.errors import BoundReached, StatementFailed
from interlock.fencing.registry import names_of
from interlock.model.effects import FenceOutside, ReleaseOutside
from interlock.ports import FenceAgent
from servers.fencing_parts import EAST, agent_of

CLOCK = SystemClock()


def hook(folder: Path, text: str) -> str:
    path = folder / "power"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return str(path)


def agent(program: str, **settings: object) -> FenceAgent:
    said = {"type": "command", "fence": (program, "off", "{cluster}"), "show": (program, "show", "{cluster}"), "fenced": "off"}
    return agent_of({**said, **settings})


def fence(within_s: float = 60.0) -> FenceOutside:
    return FenceOutside(cluster=EAST, agent="command", within_s=within_s)


@pytest.mark.parametrize(
    ("show", "fenced", "detail"),
    [
        pytest.param("echo off", True, "`show` says 'off'", id="it-says-the-word"),
        pytest.param("echo '  off  '", True, "`show` says 'off'", id="around-it-are-blanks"),
        pytest.param("echo on", False, "`show` says 'on'", id="it-says-another"),
        pytest.param("echo off and on", False, "`show` says 'off and on'", id="more-than-the-word"),
        pytest.param("echo off; exit 3", None, "ended with 3", id="it-fails-and-can-not-tell"),
        pytest.param("sleep 9", None, "longer than 0.2s", id="it-does-not-end"),
    ],
)
def test_it_is_fenced_when_show_says_so_and_it_can_not_tell_when_show_fails(
    tmp_path: Path, show: str, *, fenced: bool | None, detail: str
) -> None:
    facts = agent(hook(tmp_path, show), within=0.2 if show == "sleep 9" else 60.0).facts()
    assert (facts.fenced, facts.whole, facts.cluster) == (fenced, True, EAST)
    assert detail in facts.detail


def test_a_program_that_is_not_there_could_not_tell_and_can_not_fence(tmp_path: Path) -> None:
    missing = agent(str(tmp_path / "nothing"))
    assert missing.facts().fenced is None
    with pytest.raises(StatementFailed, match="no such file"):
        missing.apply(fence())


def test_the_cluster_is_named_to_the_program_and_a_failure_is_told(tmp_path: Path) -> None:
    made = agent(hook(tmp_path, f'echo "$@" >> {tmp_path}/said; [ "$1" != off ] || {{ echo no power >&2; exit 4; }}'))
    with pytest.raises(StatementFailed, match="ended with 4, allowed: 0; it said: no power"):
        made.apply(fence())
    assert (tmp_path / "said").read_text() == "off east\n"
    assert made.script(fence()) == (f"{tmp_path}/power off east",)


@pytest.mark.parametrize("text", ["sleep 60", "trap '' TERM; sleep 60 & wait; sleep 60"], ids=["hangs", "hangs-and-ignores-its-end"])
def test_a_program_that_hangs_is_ended_within_the_bound_of_the_effect(tmp_path: Path, text: str) -> None:
    made, began_s = agent(hook(tmp_path, text), within=60.0), CLOCK.monotonic_s()
    with pytest.raises(BoundReached):
        made.apply(fence(within_s=2.0))
    assert CLOCK.monotonic_s() - began_s < 50


@pytest.mark.parametrize(
    ("was", "release", "error"),
    [
        pytest.param(False, True, None, id="as-it-was-open"),
        pytest.param(True, True, None, id="it-was-closed-and-stays-so"),
        pytest.param(None, True, "before the fence it could not tell", id="unknown-is-not-opened"),
        pytest.param(False, False, "has no `release`", id="without-a-release"),
        pytest.param(True, False, None, id="closed-before-needs-no-release"),
    ],
)
def test_a_release_runs_only_when_it_was_seen_open(tmp_path: Path, *, was: bool | None, release: bool, error: str | None) -> None:
    program = hook(tmp_path, f"[ $1 != on ] || touch {tmp_path}/released; echo on")
    made = agent(program, release=(program, "on", "{cluster}") if release else None)
    back = ReleaseOutside(cluster=EAST, agent="command", seen=replace(made.facts(), fenced=was))
    if error is None:
        made.apply(back)
    else:
        with pytest.raises(StatementFailed, match=error):
            made.apply(back)
    assert (tmp_path / "released").exists() == (was is False and release)


def test_what_is_not_whole_says_so(tmp_path: Path) -> None:
    assert not agent(hook(tmp_path, "echo off"), whole=False).facts().whole


def test_two_of_a_type_have_names_of_their_own() -> None:
    said = ({"type": "command"}, {"type": "service"}, {"type": "command"}, {"type": "command", "name": "cloud"})
    assert names_of(said) == ("command", "service", "command-2", "cloud")
