"""Whole runs by the command line on the stand-in for Xpand: there and back under load, taken back, killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock.errors import ExitCode
from interlock.sandbox import ledger, sql
from interlock.sandbox.load import load
from interlock.sandbox.places import Sandbox
from interlock.sandbox.poller import poller
from scenarios.command_line import environment, interlock
from scenarios.killer import Killer
from scenarios.pair_state import open_sides, shape, switchover_with
from servers.xpands import Xpands, xpands
from waiting import eventually

_MOMENTS = 3


@pytest.fixture(scope="module")
def xpand() -> Iterator[Xpands]:
    """For tests that leave east open and both clusters whole."""
    with xpands() as made:
        yield made


@pytest.fixture
def fresh_xpand() -> Iterator[Xpands]:
    with xpands() as made:
        yield made


def test_writes_move_there_and_back_under_load_and_nothing_is_lost_or_written_twice(xpand: Xpands, tmp_path: Path) -> None:
    sandbox, env = xpand.sandbox, environment(xpand.sandbox, tmp_path)
    with poller(sandbox) as watching, load(sandbox, pooled=2, fresh=2) as writing:
        outcomes = [interlock("switchover", "--to", to, "--json", env=env).document["outcome"] for to in ("west", "east")]
        entries, samples = writing.stop(), watching.stop()
    assert outcomes == ["succeeded"] * 2
    assert (samples.two, samples.one > 100) == (0, True)
    for name in sandbox.members:
        assert balance(sandbox, name, entries, writing.prefix) == ledger.Balance(lost=(), duplicated=(), resurrected=())
    assert len(ledger.acknowledged(entries)) > 20
    written = sql.query(sandbox, "east", "SELECT DISTINCT server_id FROM app.ledger WHERE k LIKE %s", f"{writing.prefix}-%")
    assert {row["server_id"] for row in written} == {1, 2}


def test_a_check_that_fails_after_the_flip_takes_everything_back(xpand: Xpands, tmp_path: Path) -> None:
    sandbox = xpand.sandbox
    never = "- check: sql\n    with: {server: '${to}', query: 'SELECT 1 AS n', matches: '^2$'}"
    playbook = switchover_with(tmp_path / "fails.yaml", put={"verify": never})
    with load(sandbox, pooled=1, fresh=1) as writing:
        done = interlock("run", playbook, "-i", "to=west", "--json", env=environment(sandbox, tmp_path))
        entries = writing.stop()
    assert (done.code, done.document["outcome"]) == (ExitCode.ROLLED_BACK, "rolled_back")
    assert open_sides(sandbox) == ["east"]
    for name in sandbox.members:
        assert balance(sandbox, name, entries, writing.prefix) == ledger.Balance(lost=(), duplicated=(), resurrected=())


def test_a_killed_run_is_taken_up_to_a_named_outcome(fresh_xpand: Xpands, tmp_path: Path) -> None:
    """At a few moments here: what is tried is the driver, and the engine at each of them elsewhere."""
    sandbox = fresh_xpand.sandbox
    killer = Killer(pair=sandbox, folder=tmp_path, playbook=switchover_with(tmp_path / "whole.yaml"))
    moments = killer.count("after")
    to = "west"
    with poller(sandbox) as watching, load(sandbox, pooled=1, fresh=1) as writing:
        for number in range(3, moments, moments // _MOMENTS):
            if killer.kill(to, "after", number, "resume") == "succeeded":
                to = "east" if to == "west" else "west"
        entries, samples = writing.stop(), watching.stop()
    assert set(killer.told.values()) <= {0, 3, 4}
    assert 0 in killer.told.values()
    assert samples.two == 0
    for name in sandbox.members:
        assert balance(sandbox, name, entries, writing.prefix) == ledger.Balance(lost=(), duplicated=(), resurrected=())


def test_status_says_the_same_facts_in_the_same_words_as_of_mariadb(xpand: Xpands, pair: Sandbox, tmp_path: Path) -> None:
    ours, theirs = (interlock("status", "--json", env=environment(one, tmp_path)).document for one in (xpand.sandbox, pair))
    assert shape(ours) == shape(theirs)
    assert (ours["writer"], ours["problems"]) == (theirs["writer"], theirs["problems"]) == ("east", [])
    for name in ("east", "west"):
        mine, his = ours["clusters"][name], theirs["clusters"][name]
        assert {key: mine[key] for key in ("reachable", "read_only", "error")} == {
            key: his[key] for key in ("reachable", "read_only", "error")
        }
        assert (mine["flavor"], his["flavor"]) == ("xpand", "mariadb")
        assert mine["position"].startswith("east=pair.000001:")
    assert sorted(map(facts_of, ours["channels"])) == sorted(map(facts_of, theirs["channels"]))


def facts_of(channel: dict[str, object]) -> tuple[str, str, str, str]:
    return str(channel["from"]), str(channel["to"]), str(channel["running"]), str(channel["error"])


def balance(sandbox: Sandbox, name: str, entries: tuple[ledger.Entry, ...], prefix: str) -> ledger.Balance:
    """Once both have the same rows."""

    def keys(server: str) -> list[str]:
        return [str(row["k"]) for row in sql.query(sandbox, server, "SELECT k FROM app.ledger WHERE k LIKE %s", f"{prefix}-%")]

    assert eventually(lambda: len({tuple(sorted(keys(server))) for server in sandbox.members}) == 1)
    return ledger.balance(entries, keys(name))
