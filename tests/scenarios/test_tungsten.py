"""A pair whose channels are Tungsten Replicator's, by the stand-in for its `trepctl`."""

from __future__ import annotations

import ipaddress
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

import servers.trepctl_stand_in
from interlock.bootstrap import RealWorld, read_topology
from interlock.clock import SystemClock
from interlock.decisions.received import is_all_applied
from interlock.errors import BoundReached, Unreachable
from interlock.hosts.secrets import Secrets
from interlock.model.effects import SendHeartbeat, StartReceiver, StopReceiver
from interlock.model.topology import ServerName
from interlock.model.verdict import Done
from interlock.sandbox import pair as pairs
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from interlock.simulated.store import MemoryStore
from scenarios.command_line import environment, interlock
from scenarios.pair_state import open_sides, shape, switchover_with
from waiting import eventually

CLOCK = SystemClock()
EAST, WEST = ServerName("east"), ServerName("west")
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


def test_the_writes_move_there_and_back_after_a_heartbeat_and_every_row_arrives(
    tungsten: Sandbox, env: dict[str, str], tmp_path: Path
) -> None:
    """The heartbeat is the shipped switchover's with a step in its drain, as docs/servers/tungsten.md says."""
    step = '- do: replication.heartbeat\n    with: {server: "${to}", source: "${from}", within: 60s}'
    playbook = switchover_with(tmp_path / "with-a-heartbeat.yaml", put={"drain": step})
    for writer, standby in (("west", "east"), ("east", "west")):
        moved = interlock("run", playbook, "-i", f"to={writer}", "--yes", "--json", env=env, within_s=_WITHIN_S)
        assert moved.code == 0, moved.out + moved.err
        assert moved.document["outcome"] == "succeeded"
        assert open_sides(tungsten) == [writer]
        query(tungsten, writer, "INSERT INTO app.ledger (k, server_id) VALUES (%s, @@server_id)", f"on {writer}")
        assert eventually(partial(_holds, tungsten, standby, f"on {writer}"), _WITHIN_S)
        (beat,) = query(tungsten, writer, f"SELECT name FROM tungsten_{standby}.heartbeat")
        assert beat["name"].startswith("interlock ")


def test_status_tells_of_the_replicator_as_of_any_channel(env: dict[str, str], pair: Sandbox, tmp_path: Path) -> None:
    seen = interlock("status", "--json", env=env, within_s=_WITHIN_S).document
    assert shape(seen) == shape(interlock("status", "--json", env=environment(pair, tmp_path), within_s=_WITHIN_S).document)
    assert [(each["from"], each["to"], each["running"]) for each in seen["channels"]] == [("west", "east", True), ("east", "west", True)]
    assert seen["clusters"]["west"]["position"].startswith("east=binlog.")
    assert seen["problems"] == []


def test_a_receiver_that_is_stopped_has_applied_what_came_and_gets_no_more_until_it_starts(tungsten: Sandbox) -> None:
    with closing(RealWorld(read_topology(Path(tungsten.topology)), CLOCK, Secrets(CLOCK), MemoryStore(CLOCK))) as world:
        west = world.server("west")
        query(tungsten, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('before', @@server_id)")
        assert eventually(partial(_holds, tungsten, "west", "before"))
        west.apply(StopReceiver(server=WEST, channel="east"), "m")
        try:
            (stopped,) = west.channels()
            assert is_all_applied(WEST, EAST, west.write_facts().position, (stopped,)) == Done(
                f"west has applied all that it received from east ({stopped.received})"
            )
            query(tungsten, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('meanwhile', @@server_id)")
            assert not west.wait_applied(world.server("east").write_facts().position, 0.5)
            assert not _holds(tungsten, "west", "meanwhile")
        finally:
            west.apply(StartReceiver(server=WEST, channel="east"), "m")
        assert eventually(partial(_holds, tungsten, "west", "meanwhile"))
        assert (west.channels()[0].receiver, west.channels()[0].applier) == ("Yes", True)


def test_a_heartbeat_that_the_standby_does_not_apply_is_named(tungsten: Sandbox) -> None:
    with closing(RealWorld(read_topology(Path(tungsten.topology)), CLOCK, Secrets(CLOCK), MemoryStore(CLOCK))) as world:
        query(tungsten, "west", "STOP SLAVE")
        try:
            with pytest.raises(BoundReached, match=r"west: east has not applied number \d+, a heartbeat of east"):
                world.server("west").apply(SendHeartbeat(server=WEST, channel="east", within_s=1.0), "m")
        finally:
            query(tungsten, "west", "START SLAVE")
        world.server("west").apply(SendHeartbeat(server=WEST, channel="east", within_s=_WITHIN_S), "m")


def test_a_purge_ends_the_sessions_that_hold_a_run_s_locks(tungsten: Sandbox) -> None:
    """Why no action sends it: `sessions.kill` ends clients, and nobody else."""
    with closing(RealWorld(read_topology(Path(tungsten.topology)), CLOCK, Secrets(CLOCK), MemoryStore(CLOCK))) as world:
        east = world.server("east")
        east.take_lock("a run's")
        words = [sys.executable, str(STAND_IN), tungsten.directory, "east", "-service", "east", "purge", "-y"]
        said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        assert int(said.rpartition(": ")[2]) >= 1
        with pytest.raises(Unreachable, match=r"Lost connection|gone away"):
            east.holds_lock("a run's")


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
    playbook = switchover_with(tmp_path / "fails.yaml", put={"settle": '- check: command\n    with: {run: ["false"], within: 5s}'})
    ended = interlock("run", playbook, "-i", "to=west", "--yes", "--json", env=env, within_s=_WITHIN_S)
    assert (ended.code, ended.document["outcome"]) == (4, "rolled_back"), ended.out
    assert open_sides(tungsten) == ["east"]
