"""What `interlock watch` prints, and which of its words make no sense."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from interlock.cli.main import main
from interlock.cli.watch import teller
from interlock.decisions.watching import Policy
from interlock.engine.watcher import Watcher
from interlock.simulated.pair import SimulatedPair, simulated_pair
from interlock.simulated.process import SimulatedProcess
from interlock.simulated.store import MemoryStore
from interlock.simulated.world import SimulatedWorld


def watcher_of(pair: SimulatedPair, *, as_json: bool) -> Watcher:
    store = MemoryStore(pair.clock)
    world = SimulatedWorld(pair, SimulatedProcess("watch"), store)
    return Watcher(world=world, store=store, clock=pair.clock, policy=Policy(), tell=teller(as_json=as_json))


def test_only_what_changed_is_told_a_line_for_each_subject(capsys: pytest.CaptureFixture[str]) -> None:
    pair = simulated_pair(clients=0)
    watcher = watcher_of(pair, as_json=False)
    watcher.look()
    first = capsys.readouterr().out.splitlines()
    assert first[0] == "2026-03-01T03:00:00Z writer: east takes the writes"
    assert len(first) == len({line.split(": ")[0] for line in first}) == 9
    watcher.look()
    assert capsys.readouterr().out == ""
    pair.east.crash()
    watcher.look()
    told = capsys.readouterr().out
    assert "east: dead: east is dead: refused here, west's receiver can't connect, it does not run on east's host" in told
    assert "writer: no single writer is seen" in told
    assert "Z west: " not in told


def test_two_writers_are_told_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    pair = simulated_pair(clients=0)
    pair.west.set_read_only(on=False)
    watcher_of(pair, as_json=False).look()
    assert "Z writer: east and west take writes at the same time\n" in capsys.readouterr().out


def test_a_receiver_that_tries_again_is_no_news(capsys: pytest.CaptureFixture[str]) -> None:
    pair = simulated_pair(clients=0)
    watcher = watcher_of(pair, as_json=False)
    told = []
    for attempt in (1, 2):
        pair.to_west.stop(
            f"Error connecting to source 'repl@east'. This was attempt {attempt}/10. Message: Can't connect to server on 'east'"
        )
        watcher.look()
        told.append(capsys.readouterr().out)
    assert "channel east to west: does not run: Can't connect to server on 'east'" in told[0]
    assert told[1] == ""


def test_as_json_each_line_is_an_object_with_all_that_was_seen(capsys: pytest.CaptureFixture[str]) -> None:
    pair = simulated_pair(clients=0)
    watcher = watcher_of(pair, as_json=True)
    watcher.look()
    pair.east.hang()
    watcher.look()
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["at"], first["changed"]["east"], first["seen"]["writer"]) == ("2026-03-01T03:00:00Z", "alive", "east")
    assert second["changed"]["east"].startswith("hung: east hangs")
    assert second["seen"]["masters"]["east"]["state"] == "hung"
    assert second["seen"]["was_writer"] == "east"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--every", "1"), "--every '1' is no time"),
        (("--every", "0s"), "--every '0s' is no time"),
        (("--after", "soon"), "--after 'soon' is no time"),
        (("--block", "0s"), "--block '0s' is no time"),
        (("--act", "switchover"), "there is no PLAYBOOK 'switchover'"),
    ],
    ids=["no unit", "no time", "no number", "no block", "what it can't do"],
)
def test_a_word_that_makes_no_sense_is_named(words: Sequence[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", *words]) == 2
    assert said in capsys.readouterr().err
