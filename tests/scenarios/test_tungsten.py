"""A pair whose channels are Tungsten Replicator's, by the stand-in for its `trepctl`."""

from __future__ import annotations

import ipaddress
import json
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import servers.trepctl_stand_in
from interlock.clock import SystemClock
from interlock.playbook.find import shipped_folder
from interlock.sandbox import pair as pairs
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from scenarios.command_line import environment, interlock
from scenarios.pair_state import eventually, open_sides

STAND_IN = Path(servers.trepctl_stand_in.__file__)
_WITHIN_S = 150.0
"""Each answer of the stand-in takes the start of a program: a third of a second, and many times that on a busy machine."""


def _replicate_by_the_stand_in(sandbox: Sandbox) -> None:
    """By file and offset, from an address that names no server of the topology: the same one, written as one number."""
    for name, other in (("east", "west"), ("west", "east")):
        source = sandbox.members[other]
        (log,) = query(sandbox, other, "SHOW MASTER STATUS")
        query(sandbox, name, "STOP SLAVE")
        query(
            sandbox,
            name,
            "CHANGE MASTER TO MASTER_HOST=%s, MASTER_PORT=%s, MASTER_LOG_FILE=%s, MASTER_LOG_POS=%s, MASTER_USE_GTID=no",
            str(int(ipaddress.IPv4Address(source.host))),
            source.port,
            log["File"],
            int(log["Position"]),
        )
        query(sandbox, name, "START SLAVE")


def _name_the_channels(sandbox: Sandbox) -> None:
    path = Path(sandbox.topology)
    text = path.read_text()
    for name, other in (("east", "west"), ("west", "east")):
        master = f"    master: {{host: {sandbox.members[name].host}, port: 3306}}\n"
        assert master in text
        words = json.dumps([sys.executable, str(STAND_IN), sandbox.directory, name])
        text = text.replace(master, f"{master}    channel: {{type: tungsten, service: {other}, trepctl: {words}}}\n")
    path.write_text(text)


def _holds(sandbox: Sandbox, server: str, key: str) -> bool:
    return bool(query(sandbox, server, "SELECT 1 AS one FROM app.ledger WHERE k = %s", key))


def _holds_number(sandbox: Sandbox, number: int) -> bool:
    return bool(query(sandbox, "west", "SELECT 1 AS one FROM app.ledger WHERE id = %s", number))


@pytest.fixture(scope="module")
def tungsten() -> Iterator[Sandbox]:
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder:
        sandbox = pairs.up(Path(folder) / "p", clock=SystemClock())
        try:
            _replicate_by_the_stand_in(sandbox)
            _name_the_channels(sandbox)
            yield sandbox
        finally:
            pairs.down(Path(folder) / "p")


@pytest.fixture
def env(tungsten: Sandbox, tmp_path: Path) -> dict[str, str]:
    return environment(tungsten, tmp_path)


def test_the_writes_move_there_and_back_and_every_row_arrives(tungsten: Sandbox, env: dict[str, str]) -> None:
    for writer, standby in (("west", "east"), ("east", "west")):
        moved = interlock("switchover", "--to", writer, "--yes", "--json", env=env, within_s=_WITHIN_S)
        assert moved.code == 0, moved.out + moved.err
        assert moved.document["outcome"] == "succeeded"
        assert open_sides(tungsten) == [writer]
        query(tungsten, writer, "INSERT INTO app.ledger (k, server_id) VALUES (%s, @@server_id)", f"on {writer}")
        assert eventually(partial(_holds, tungsten, standby, f"on {writer}"))


def test_status_tells_of_the_replicator_as_of_any_channel(env: dict[str, str]) -> None:
    seen = interlock("status", "--json", env=env, within_s=_WITHIN_S).document
    assert [(each["from"], each["to"], each["running"]) for each in seen["channels"]] == [("west", "east", True), ("east", "west", True)]
    assert seen["clusters"]["west"]["position"].startswith("east=binlog.")
    assert seen["problems"] == []


def test_a_replicator_that_is_offline_refuses_the_run(tungsten: Sandbox, env: dict[str, str]) -> None:
    query(tungsten, "west", "STOP SLAVE SQL_THREAD")
    try:
        ended = interlock("switchover", "--to", "west", "--yes", "--json", env=env, within_s=_WITHIN_S)
    finally:
        query(tungsten, "west", "START SLAVE SQL_THREAD")
    assert (ended.code, ended.document["outcome"]) == (3, "refused")
    assert "replication from east to west: the applier is stopped" in ended.document["problems"][0]["what"]
    assert open_sides(tungsten) == ["east"]


def test_a_replicator_with_an_error_refuses_the_run_with_its_words(tungsten: Sandbox, env: dict[str, str]) -> None:
    row = "INSERT INTO app.ledger (id, k, server_id) VALUES (7777, UUID(), @@server_id)"
    query(tungsten, "west", f"SET STATEMENT sql_log_bin=0 FOR {row}")
    query(tungsten, "east", row)
    try:
        assert eventually(lambda: bool(query(tungsten, "west", "SHOW SLAVE STATUS")[0]["Last_SQL_Error"]))
        ended = interlock("switchover", "--to", "west", "--yes", "--json", env=env, within_s=_WITHIN_S)
    finally:
        query(tungsten, "west", "SET STATEMENT sql_log_bin=0 FOR DELETE FROM app.ledger WHERE id = 7777")
        query(tungsten, "west", "START SLAVE")
    assert eventually(partial(_holds_number, tungsten, 7777))
    assert ended.document["outcome"] == "refused"
    assert "Duplicate entry" in ended.document["problems"][0]["what"]


def test_a_check_that_fails_after_the_flip_takes_everything_back(tungsten: Sandbox, env: dict[str, str], tmp_path: Path) -> None:
    text, mark = (shipped_folder() / "switchover.yaml").read_text(), "- phase: settle\n  steps:\n"
    assert mark in text
    path = tmp_path / "fails.yaml"
    path.write_text(text.replace(mark, f'{mark}  - check: command\n    with: {{run: ["false"], within: 5s}}\n'))
    ended = interlock("run", str(path), "-i", "to=west", "--yes", "--json", env=env, within_s=_WITHIN_S)
    assert (ended.code, ended.document["outcome"]) == (4, "rolled_back"), ended.out
    assert open_sides(tungsten) == ["east"]
