"""The acceptance of the switchover on MySQL 9.7: there and back under load, a check that fails, kill -9 and resume, the same words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock.sandbox import binlog_proof
from interlock.sandbox.drill import drill
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from scenarios.command_line import environment, interlock
from scenarios.killer import Killer, assert_survives
from scenarios.pair_state import CLOCK, open_sides, shape, state_of, switchover_with
from servers.offline_lab import let_in

_TIMES = 2  # an even number: then every setting can be compared, also those that a switchover moves
_FAILS = '- check: command\n    with: {run: [echo, "not well"], matches: "all is well"}'


@pytest.fixture(scope="module")
def moved(mysql_pair: Sandbox) -> Iterator[Sandbox]:
    """The pair after one switchover there and back: from then on, each server has opened and fenced once."""
    yield mysql_pair
    assert open_sides(mysql_pair) == ["east"]


def test_switchovers_there_and_back_under_load_lose_nothing_and_leave_everything_as_it_was(moved: Sandbox, tmp_path: Path) -> None:
    env = environment(moved, tmp_path)
    for to in ("west", "east"):
        assert interlock("switchover", "--to", to, env=env).code == 0
    before = state_of(moved)
    report = drill(
        moved,
        lambda to: interlock("switchover", "--to", to, "--json", env=env).outcome,
        clock=CLOCK,
        count=_TIMES,
        pooled=8,
        fresh=8,
    )
    assert [switch.outcome for switch in report.switches] == ["succeeded"] * _TIMES
    assert (report.lost, report.duplicated, report.resurrected, report.samples.two) == ((), (), (), 0)
    assert report.acknowledged > _TIMES * 16
    assert sum(report.errors["fresh"].values()) <= 1  # on a busy machine, one may reach the server later than anybody waits for
    assert max(switch.most_errors_of_a_pooled_client for switch in report.switches) <= 1
    assert state_of(moved) == before
    proof = binlog_proof.prove(moved)
    assert (proof.violations, len(proof.turns) > _TIMES) == ((), True)


@pytest.mark.parametrize("phase", ["catch_up", "verify"])
def test_a_check_that_fails_is_rolled_back_under_load_with_everything_as_before(moved: Sandbox, tmp_path: Path, phase: str) -> None:
    """Also what was persisted: a way back restores what was, and no constant."""
    query(moved, "east", "SET PERSIST super_read_only=1")
    query(moved, "east", "SET GLOBAL read_only=0")
    before, env = state_of(moved), environment(moved, tmp_path)
    words = ("run", switchover_with(tmp_path / "fails.yaml", put={phase: _FAILS}), "--json")
    report = drill(moved, lambda _: str(interlock(*words, env=env).document["outcome"]), clock=CLOCK, count=1, pooled=4, fresh=4)
    assert [switch.outcome for switch in report.switches] == ["rolled_back"]
    assert (report.lost, report.duplicated, report.resurrected, report.samples.two) == ((), (), (), 0)
    assert (open_sides(moved), state_of(moved)) == (["east"], before)
    query(moved, "east", "RESET PERSIST super_read_only")


@pytest.mark.parametrize(("kind", "then"), [("state", "resume"), ("after", "rollback")])
def test_a_killed_run_is_taken_up_with_one_writer_and_nothing_lost(moved: Sandbox, tmp_path: Path, kind: str, then: str) -> None:
    killer = Killer(pair=moved, folder=tmp_path, playbook=switchover_with(tmp_path / "whole.yaml"))
    last = killer.count(kind)
    assert_survives(killer, kind, range(2, last + 1, 1 if kind == "state" else max(1, last // 2)), then)
    killer.bring_back("east")


def test_status_says_the_same_facts_in_the_same_words(moved: Sandbox, pair: Sandbox, tmp_path: Path) -> None:
    mysql, mariadb = (interlock("status", "--json", env=environment(each, tmp_path)).document for each in (moved, pair))
    assert shape(mysql) == shape(mariadb)
    assert {name: one["flavor"] for name, one in mysql["clusters"].items()} == {"east": "mysql", "west": "mysql"}
    for name in ("east", "west"):
        assert mysql["clusters"][name]["read_only"] == mariadb["clusters"][name]["read_only"]
    said = interlock("status", env=environment(moved, tmp_path)).out
    assert all(word in said for word in ("east takes the writes", "mysql 9.7.4", "open", "fenced", "no problems seen")), said


def test_the_harder_fence_goes_there_and_back_under_load(moved: Sandbox, tmp_path: Path) -> None:
    """`fence: offline_mode`: the side that does not take writes lets administrators in, and who replicates from it."""
    whole = Path(moved.topology).read_text()
    harder = tmp_path / "harder.yaml"
    harder.write_text(whole.replace("port: 3306}", "port: 3306, fence: offline_mode}"))
    assert harder.read_text().count("offline_mode") == 2
    env = {**environment(moved, tmp_path), "INTERLOCK_TOPOLOGY": str(harder)}
    refused = interlock("switchover", "--to", "west", "--json", env=env)
    assert refused.code == 3
    assert "CONNECTION_ADMIN ON *.* TO the account repl" in str(refused.document["problems"])
    patient = ("-i", "max_outage=25s", "-i", "max_lag=25s", "-i", "fence=10s")
    with let_in(moved):
        report = drill(
            moved,
            lambda to: interlock("switchover", "--to", to, *patient, "--json", env=env, within_s=180).outcome,
            clock=CLOCK,
            count=_TIMES,
            pooled=4,
            fresh=4,
        )
        assert [switch.outcome for switch in report.switches] == ["succeeded"] * _TIMES
        assert (report.lost, report.duplicated, report.resurrected, report.samples.two) == ((), (), (), 0)
        offline = "SELECT @@GLOBAL.offline_mode AS offline"
        assert [query(moved, name, offline)[0]["offline"] for name in ("east", "west")] == [0, 1]
