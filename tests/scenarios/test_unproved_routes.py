"""A route that can't be read back, in whole runs: looked at by a client, taken at the operator's word, or refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from interlock.engine.report import RunReport
from interlock.sandbox.places import Sandbox
from scenarios.pair_state import open_sides, switchover_with
from scenarios.routed import Moved, by_command, go, sandbox_with, wired
from servers.follower import lead

FAILS = '- check: command\n    with: {run: [echo, "not well"], matches: "all is well"}'


@pytest.fixture
def blind(pair: Sandbox) -> Iterator[Moved]:
    """A program that flips, and nothing that shows."""
    with by_command(pair) as moved:
        yield replace(moved, settings={"type": "command", "flip": moved.settings["flip"]})


def file_of(moved: Moved) -> Path:
    flip = moved.settings["flip"]
    assert isinstance(flip, list)
    return Path(str(flip[2]).partition(".new && mv ")[0].rpartition(">")[2])


@pytest.mark.parametrize(("more", "tell_clients"), [({}, True), ({"unproved": True}, False)], ids=["by a client", "at its word"])
def test_it_goes_there_and_back_and_comes_home_when_a_later_check_fails(
    pair: Sandbox, blind: Moved, tmp_path: Path, more: dict[str, object], *, tell_clients: bool
) -> None:
    sandbox = sandbox_with(pair, {"blind": blind}, tell_clients=tell_clients, **more)
    fails = Path(switchover_with(tmp_path / "fails.yaml", put={"settle": FAILS}))

    def run(to: str, playbook: Path | None = None) -> RunReport:
        with wired(sandbox) as wiring:  # each as a program of its own
            return go(wiring, to, playbook=playbook)

    assert run("west", fails).outcome == "rolled_back"
    assert (lead(file_of(blind)), open_sides(sandbox)) == ("east", ["east"])
    report = run("west")
    assert (report.outcome, lead(file_of(blind)), open_sides(sandbox)) == ("succeeded", "west", ["west"])
    assert ("taken at its word" in str(report.warnings)) is not tell_clients
    assert run("east").outcome == "succeeded"
    assert lead(file_of(blind)) == "east"


def test_without_clients_and_without_the_operators_word_it_is_refused_before_anything_is_touched(pair: Sandbox, blind: Moved) -> None:
    with wired(sandbox_with(pair, {"blind": blind}, tell_clients=False)) as wiring:
        report = go(wiring, "west")
    assert (report.outcome, lead(file_of(blind)), open_sides(pair)) == ("refused", "east", ["east"])
    assert report.problems[0].what.endswith("route blind can't be read back, and no canary can be sent through it")
    assert "`unproved: true` in routes.blind" in report.problems[0].hint


def test_a_flip_that_did_nothing_is_found_out_by_the_client_and_taken_back(pair: Sandbox, blind: Moved) -> None:
    """It ends with 0 and moves nobody."""
    idle = replace(blind, settings={**blind.settings, "flip": ["true", "{to}"]})
    with wired(sandbox_with(pair, {"blind": idle})) as wiring:
        report = go(wiring, "west")
    assert (report.outcome, open_sides(pair)) == ("rolled_back", ["east"])
    assert "blind leads to east" in report.problems[0].what
