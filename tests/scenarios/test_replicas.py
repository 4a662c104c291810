"""Replicas of real servers follow the writer there and back; one that is broken is named, stays where it is, and fails nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import hanging
from interlock.clock import SystemClock
from interlock.playbook.find import shipped_folder
from interlock.sandbox import members, processes, replicas
from interlock.sandbox import pair as pairs
from interlock.sandbox.kinds import kind_named
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from scenarios.command_line import Ended, environment, interlock
from waiting import eventually

CLOCK = SystemClock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wider:
    """A pair with a replica on either side. `all` has them among its members."""

    pair: Sandbox
    all: Sandbox
    env: dict[str, str]

    def move(self, to: str, *words: str) -> Ended:
        return interlock("switchover", "--to", to, "--yes", "--json", *words, env=self.env)

    @property
    def host_word(self) -> str:
        return "SOURCE_HOST" if self.pair.kind == "mysql" else "MASTER_HOST"

    @property
    def noun(self) -> str:
        return "REPLICA" if self.pair.kind == "mysql" else "SLAVE"

    def sources(self) -> dict[str, str]:
        """Whom each replica follows, by the address in its own words."""
        names = {member.host: name for name, member in self.pair.members.items()}
        shown = {name: query(self.all, name, kind_named(self.pair.kind).channel)[0] for name in ("east-r1", "west-r1")}
        return {name: names[row[self.host_word.title()]] for name, row in shown.items()}

    def write(self, server: str, key: str) -> None:
        query(self.pair, server, "INSERT INTO app.ledger (k, server_id) VALUES (%s, @@server_id)", key)

    def arrives(self, key: str) -> bool:
        """The row comes to every server."""
        wanted = "SELECT 1 AS one FROM app.ledger WHERE k = %s"
        return eventually(lambda: all(query(self.all, name, wanted, key) for name in self.all.members))


@contextmanager
def _wider(folder: Path, kind: str) -> Iterator[Wider]:
    sandbox = pairs.up(folder / "p", clock=CLOCK, kind=kind)
    try:
        found = replicas.add(sandbox, 1, clock=CLOCK)
        (folder / "home").mkdir()
        yield Wider(pair=sandbox, all=replicas.seen_with(sandbox, found), env=environment(sandbox, folder / "home"))
    finally:
        pairs.down(folder / "p")


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def wider(request: pytest.FixtureRequest) -> Iterator[Wider]:
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder, _wider(Path(folder), request.param) as made:
        yield made


@pytest.fixture
def at_home(wider: Wider) -> Wider:
    """East writes, and both replicas follow it, before the test."""
    if wider.sources() != {"east-r1": "east", "west-r1": "east"} or query(wider.pair, "east", "SELECT @@read_only AS r")[0]["r"]:
        wider.move("west")
        assert wider.move("east").code == 0
    return wider


def test_replicas_follow_the_writer_there_and_back_and_miss_no_row(at_home: Wider) -> None:
    for writer in ("west", "east"):
        moved = at_home.move(writer)
        assert (moved.document["outcome"], moved.document["warnings"]) == ("succeeded", [])
        assert at_home.sources() == {"east-r1": writer, "west-r1": writer}
        at_home.write(writer, f"after the move to {writer}")
        assert at_home.arrives(f"after the move to {writer}")
    counts = {name: query(at_home.all, name, "SELECT COUNT(*) AS n FROM app.ledger")[0]["n"] for name in at_home.all.members}
    assert len(set(counts.values())) == 1, counts


def test_the_replication_password_is_in_no_plan_journal_or_report(at_home: Wider) -> None:
    secret = at_home.pair.password("repl")
    planned = interlock("plan", "switchover", "--json", env=at_home.env)
    sent = f"{at_home.host_word}="
    assert sent in planned.out
    moved = at_home.move("west")
    shown = interlock("show", moved.document["run"], "--json", env=at_home.env)
    assert sent in shown.out
    stored = (Path(at_home.env["HOME"]) / "runs.db").read_bytes()
    assert sent.encode() in stored
    assert not [place for place in (planned.out, moved.out, moved.err, shown.out) if secret in place]
    assert secret.encode() not in stored


def test_a_check_that_fails_afterwards_takes_the_replicas_back_under_what_they_followed(at_home: Wider, tmp_path: Path) -> None:
    text, mark = (shipped_folder() / "switchover.yaml").read_text(), "  - id: logs\n"
    assert mark in text
    path = tmp_path / "fails.yaml"
    path.write_text(text.replace(mark, f'  - check: command\n    with: {{run: ["false"], within: 5s}}\n{mark}'))
    ended = interlock("run", str(path), "-i", "to=west", "--yes", "--json", env=at_home.env)
    assert (ended.code, ended.document["outcome"]) == (4, "rolled_back"), ended.out
    assert at_home.sources() == {"east-r1": "east", "west-r1": "east"}
    at_home.write("east", "after the way back")
    assert at_home.arrives("after the way back")


def test_a_replica_that_hangs_is_named_and_fails_nothing(at_home: Wider) -> None:
    pid = next(process.pid for process in processes.running(Path(at_home.pair.directory)) if process.name == "west-r1")
    with hanging.hung(pid):
        moved = at_home.move("west")
    assert moved.document["outcome"] == "succeeded", moved.out
    assert any("west-r1" in warning for warning in moved.document["warnings"])
    assert at_home.sources() == {"east-r1": "west", "west-r1": "east"}


def test_status_names_whom_each_replica_follows_and_what_is_broken(at_home: Wider) -> None:
    query(at_home.all, "east-r1", f"STOP {at_home.noun} SQL_THREAD")
    try:
        seen = interlock("status", "--json", env=at_home.env).document
    finally:
        query(at_home.all, "east-r1", f"START {at_home.noun} SQL_THREAD")
    assert {each["replica"]: (each["from"], each["running"]) for each in seen["replicas"]} == {
        "east-r1": ("east", False),
        "west-r1": ("east", True),
    }
    assert [each["what"] for each in seen["problems"]] == ["replica east-r1: the applier of east-r1 is stopped"]


@pytest.fixture(params=["mariadb", "mysql"])
def own(request: pytest.FixtureRequest) -> Iterator[Wider]:
    """Of a test that ends servers; the replicas hold what there is."""
    there = "SELECT 1 AS one FROM information_schema.tables WHERE table_schema='app' AND table_name='ledger'"
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder, _wider(Path(folder), request.param) as made:
        assert eventually(lambda: all(query(made.all, name, there) for name in made.all.members))
        yield made


def test_replicas_of_a_dead_writer_follow_the_one_that_takes_over_and_miss_no_row(own: Wider) -> None:
    own.write("east", "before")
    assert own.arrives("before")
    members.stop(Path(own.pair.directory), "east", kill=True)
    failed_over = interlock("failover", "--to", "west", "--json", env=own.env)
    assert failed_over.document["outcome"] == "succeeded", failed_over.out
    assert not [warning for warning in failed_over.document["warnings"] if warning.startswith("settle/")], failed_over.document["warnings"]
    assert own.sources() == {"east-r1": "west", "west-r1": "west"}
    own.write("west", "after")
    left = ("west", "east-r1", "west-r1")
    wanted = "SELECT 1 AS one FROM app.ledger WHERE k = 'after'"
    assert eventually(lambda: all(query(own.all, name, wanted) for name in left))


@pytest.fixture(scope="module")
def by_position() -> Iterator[Wider]:
    """A pair and replicas that use no GTIDs; each replica is behind the master of its own side."""
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder, _wider(Path(folder), "mariadb") as made:
        for name in made.all.members:
            for statement in ("STOP SLAVE", "CHANGE MASTER TO MASTER_USE_GTID=no", "START SLAVE"):
                query(made.all, name, statement)
        yield made


def test_replicas_without_gtids_are_led_from_one_place_in_two_logs_and_miss_no_row(by_position: Wider) -> None:
    for writer in ("west", "east"):
        moved = by_position.move(writer)
        assert (moved.document["outcome"], moved.document["warnings"]) == ("succeeded", []), moved.out
        assert by_position.sources() == {"east-r1": writer, "west-r1": writer}
        by_position.write(writer, f"after the move to {writer}")
        assert by_position.arrives(f"after the move to {writer}")
        running = [query(by_position.all, name, "SHOW SLAVE STATUS")[0]["Slave_SQL_Running"] for name in by_position.all.members]
        assert running == ["Yes"] * 4, "an applier that was stopped for the move goes on"
    tables = ("app.ledger", "interlock.canary")
    for table in tables:
        checksums = {query(by_position.all, name, f"CHECKSUM TABLE {table}")[0]["Checksum"] for name in by_position.all.members}
        assert len(checksums) == 1, table


def test_a_replica_without_gtids_that_lags_stays_behind_the_old_writer_whose_applier_goes_on(by_position: Wider) -> None:
    assert by_position.sources() == {"east-r1": "east", "west-r1": "east"}
    query(by_position.all, "east-r1", "STOP SLAVE")
    query(by_position.all, "east-r1", "CHANGE MASTER TO MASTER_DELAY=3600")
    query(by_position.all, "east-r1", "START SLAVE")
    by_position.write("east", "not there for an hour")
    moved = by_position.move("west")
    assert moved.document["outcome"] == "succeeded", moved.out
    assert by_position.sources() == {"east-r1": "east", "west-r1": "west"}
    assert any("east-r1 has not applied the log of east to its end" in warning for warning in moved.document["warnings"])
    assert query(by_position.all, "east", "SHOW SLAVE STATUS")[0]["Slave_SQL_Running"] == "Yes"
