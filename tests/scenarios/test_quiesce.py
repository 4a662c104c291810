"""`interlock quiesce` as a person uses it before one side of the pair is compared and mended."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from interlock.sandbox.ledger import acknowledged
from interlock.sandbox.load import load
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from scenarios.command_line import Ended, environment, interlock
from scenarios.pair_state import CLOCK, behind_the_log, open_sides
from waiting import eventually

FLAVORS = ["fresh_pair", "fresh_mysql_pair"]
EAST_QUIET = ("quiesce", "--onto", "west", "--for", "4h", "--reason", "its disk", "--json")


@pytest.fixture(params=FLAVORS, ids=["mariadb", "mysql"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    found: Sandbox = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def env(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    return environment(sandbox, tmp_path)


def keys_on(sandbox: Sandbox, server: str) -> set[str]:
    return {row["k"] for row in query(sandbox, server, "SELECT k FROM app.ledger")}


def problems_of(ended: Ended) -> str:
    return " ".join(f"{problem['what']} {problem['hint']}" for problem in ended.document["problems"])


def test_all_load_goes_onto_one_cluster_and_comes_back_with_nothing_lost(sandbox: Sandbox, env: Mapping[str, str], tmp_path: Path) -> None:
    with load(sandbox, pooled=4, fresh=4) as writing:
        CLOCK.sleep(0.3)
        quiet = interlock(*EAST_QUIET, env=env)
        assert quiet.code == 0, quiet.outcome
        still = keys_on(sandbox, "east")
        CLOCK.sleep(0.5)
        assert keys_on(sandbox, "east") == still, "a stopped applier applies nothing"
        assert "east refuses writes" in quiet.document["certificate"]
        assert "its applier is stopped" in quiet.document["certificate"]
        _nothing_moves_the_writes_meanwhile(env, tmp_path)
        back = interlock("rejoin", "east", "--json", env=env)
        assert back.code == 0, back.outcome
        returned = interlock("switchover", "--to", "east", "--json", env=env)
        assert returned.code == 0, returned.outcome
        CLOCK.sleep(0.3)
        entries = writing.stop()
    assert open_sides(sandbox) == ["east"]
    wrote = {entry.key for entry in acknowledged(entries)}
    assert len(wrote) > 100
    assert wrote <= keys_on(sandbox, "east")
    assert interlock("status", "--json", env=env).document["problems"] == []


def _nothing_moves_the_writes_meanwhile(env: Mapping[str, str], tmp_path: Path) -> None:
    others = {**env, "INTERLOCK_STORE": f"sqlite://{tmp_path}/another.db"}
    for environ, by in ((env, "pair.not_held"), (others, "by a note on west")):
        refused = interlock("switchover", "--to", "east", "--json", env=environ)
        assert (refused.code, by in problems_of(refused), "its disk" in problems_of(refused)) == (3, True, True), problems_of(refused)
    (mark,) = (problem for problem in interlock("status", "--json", env=env).document["problems"] if "quiesced" in problem["what"])
    assert mark["hint"] == "`interlock rejoin east`"


def test_a_cluster_that_is_the_standby_already_is_quiesced_without_an_outage(sandbox: Sandbox, env: Mapping[str, str]) -> None:
    quiet = interlock("quiesce", "--onto", "east", "--for", "1h", "--reason", "look", "--applier", "running", "--json", env=env)
    assert quiet.code == 0, quiet.outcome
    assert open_sides(sandbox) == ["east"]
    assert "it goes on applying what east writes" in quiet.document["certificate"]
    query(sandbox, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('later', @@server_id)")
    assert eventually(lambda: "later" in keys_on(sandbox, "west"))


def test_a_release_ends_the_hold_in_the_store_and_on_the_servers(fresh_pair: Sandbox, tmp_path: Path) -> None:
    """For the day that the survivor dies: then nobody can rejoin anything."""
    env = environment(fresh_pair, tmp_path)
    assert interlock("quiesce", "--onto", "east", "--for", "1h", "--reason", "look", "--json", env=env).code == 0
    released = interlock("release", "west", "--json", env={**env, "INTERLOCK_STORE": f"sqlite://{tmp_path}/another.db"})
    assert [(mark["kind"], mark["subject"]) for mark in released.document["released"]] == [("quiesced", "west")]
    assert query(fresh_pair, "east", "SELECT * FROM interlock.note") == []
    assert interlock("release", "west", "--json", env=env).code == 0
    left = interlock("status", "--json", env=env).document["problems"]
    assert [problem["what"] for problem in left] == ["the channel from east to west does not run: stopped"], "what was stopped stays so"


def test_a_comparison_of_the_quiet_side_leaves_it_quiet_and_keeps_nobody_from_rejoining(env: Mapping[str, str]) -> None:
    assert interlock(*EAST_QUIET, env=env).code == 0
    assert interlock("diff", "--json", env=env).code == 0
    (channel,) = (one for one in interlock("status", "--json", env=env).document["channels"] if one["to"] == "east")
    assert not channel["running"]
    back = interlock("rejoin", "east", "--json", env=env)
    assert back.code == 0, back.outcome


def _duplicate(sandbox: Sandbox) -> None:
    """1062 on west: what east inserts is there already."""
    behind_the_log(sandbox, "west", "INSERT INTO app.ledger (id, k, server_id) VALUES (7777, 'both', 9)")
    query(sandbox, "east", "INSERT INTO app.ledger (id, k, server_id) VALUES (7777, 'both', @@server_id)")


def _missing(sandbox: Sandbox) -> None:
    """1032 on west: what east deletes is gone already."""
    query(sandbox, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('gone', @@server_id)")
    assert eventually(lambda: "gone" in keys_on(sandbox, "west"))
    behind_the_log(sandbox, "west", "DELETE FROM app.ledger WHERE k='gone'")
    query(sandbox, "east", "DELETE FROM app.ledger WHERE k='gone'")


BREAKS: Mapping[str, Any] = {"1062": _duplicate, "1032": _missing}


@pytest.fixture(params=BREAKS)
def broken(request: pytest.FixtureRequest, sandbox: Sandbox, env: Mapping[str, str]) -> Sandbox:
    """West does not apply any more what east goes on writing."""
    BREAKS[request.param](sandbox)
    query(sandbox, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('beyond', @@server_id)")

    def has_stopped() -> bool:
        channels = interlock("status", "--json", env=env).document["channels"]
        return any(request.param in (channel["error"] or "") for channel in channels)

    assert eventually(has_stopped)
    return sandbox


def test_what_a_broken_channel_keeps_back_is_given_up_by_name_or_nothing_is_done(broken: Sandbox, env: Mapping[str, str]) -> None:
    refused = interlock(*EAST_QUIET, env=env)
    assert (refused.code, open_sides(broken)) == (3, ["east"])
    (sentence,) = re.findall(r'--accept "(.*?)"', problems_of(refused))
    assert interlock(*EAST_QUIET, "--accept", f"{sentence} too", env=env).code == 3
    quiet = interlock(*EAST_QUIET, "--accept", sentence, env=env)
    assert quiet.code == 0, quiet.outcome
    assert (open_sides(broken), quiet.document["evidence"]["openings"][0]["given_up"]) == (["west"], sentence)
    assert any("given up: " in warning for warning in quiet.document["warnings"])
    assert ("beyond" in keys_on(broken, "east"), "beyond" in keys_on(broken, "west")) == (True, False)
    assert "west" in interlock("status", "--json", env=env).document["writer"]
    _comes_back_with_equal_data(broken, env)
    _is_still_told(quiet.document["run"], env)


def _is_still_told(quiesce: str, env: Mapping[str, str]) -> None:
    """A rejoin has taken it back and begun the log anew; nobody had asked before. By the run that gave it up, and by that which kept it."""
    kept_by = [run["run"] for run in interlock("runs", "--json", env=env).document if run["playbook"] == "rejoin"][-1]
    for run in (quiesce, kept_by):
        told = interlock("losses", run, "--json", env=env).document
        keys = [(row["after"] or row["before"])["k"] for each in told["transactions"] for row in each["rows"]]
        assert (told["state"], keys[-1:], len(keys)) == ("known", ["beyond"], 2), told


def _comes_back_with_equal_data(broken: Sandbox, env: Mapping[str, str]) -> None:
    """What was given up is kept and taken back; the row that broke the channel is all that is left, and keeps it from being welcome."""
    differs = interlock("rejoin", "east", "--json", env=env)
    assert (differs.code, "east differs from the writer in app.ledger" in problems_of(differs)) == (4, True), problems_of(differs)
    (comparison,) = re.findall(r"interlock repair (\S+)` shows", problems_of(differs))
    assert "beyond" not in keys_on(broken, "east")
    mended = interlock("repair", comparison, "--apply", "--yes", "--json", env=env)
    assert mended.code == 0, mended.err
    back = interlock("rejoin", "east", "--json", env=env)
    assert back.code == 0, back.outcome
    assert interlock("diff", "--json", env=env).code == 0
    assert keys_on(broken, "east") == keys_on(broken, "west")
    assert interlock("status", "--json", env=env).document["problems"] == []


def test_a_broken_channel_into_the_quiet_cluster_keeps_nobody(broken: Sandbox, env: Mapping[str, str]) -> None:
    quiet = interlock("quiesce", "--onto", "east", "--for", "1h", "--reason", "its data", "--json", env=env)
    assert quiet.code == 0, quiet.outcome
    assert open_sides(broken) == ["east"]
    assert "its applier stopped at" in quiet.document["certificate"]
    assert "with an error" in quiet.document["certificate"]


def test_a_log_that_would_be_purged_before_the_end_refuses_and_the_hint_mends_it(sandbox: Sandbox, env: Mapping[str, str]) -> None:
    query(sandbox, "west", "SET GLOBAL binlog_expire_logs_seconds=3600")
    refused = interlock(*EAST_QUIET, env=env)
    assert refused.code == 3
    (mend,) = re.findall(r"on west: (SET GLOBAL \S+);", problems_of(refused))
    query(sandbox, "west", mend)
    assert interlock("plan", "quiesce", "-i", "onto=west", "-i", "for=4h", "-i", "reason=x", "--json", env=env).code == 0
