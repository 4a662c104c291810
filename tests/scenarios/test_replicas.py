"""Replicas of real servers follow the writer there and back; one that is broken is named, stays where it is, and fails nothing."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from interlock.clock import SystemClock
from interlock.playbook.find import shipped_folder
from interlock.sandbox import pair as pairs
from interlock.sandbox import processes, replicas
from interlock.sandbox.kinds import kind_named
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from scenarios.command_line import Ended, environment, interlock
from scenarios.pair_state import eventually

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


@pytest.fixture(autouse=True)
def at_home(wider: Wider) -> None:
    """East writes, and both replicas follow it, before each test."""
    if wider.sources() != {"east-r1": "east", "west-r1": "east"} or query(wider.pair, "east", "SELECT @@read_only AS r")[0]["r"]:
        wider.move("west")
        assert wider.move("east").code == 0


def test_replicas_follow_the_writer_there_and_back_and_miss_no_row(wider: Wider) -> None:
    for writer in ("west", "east"):
        moved = wider.move(writer)
        assert (moved.document["outcome"], moved.document["warnings"]) == ("succeeded", [])
        assert wider.sources() == {"east-r1": writer, "west-r1": writer}
        wider.write(writer, f"after the move to {writer}")
        assert wider.arrives(f"after the move to {writer}")
    counts = {name: query(wider.all, name, "SELECT COUNT(*) AS n FROM app.ledger")[0]["n"] for name in wider.all.members}
    assert len(set(counts.values())) == 1, counts


def test_the_replication_password_is_in_no_plan_journal_or_report(wider: Wider) -> None:
    secret = wider.pair.password("repl")
    planned = interlock("plan", "switchover", "--json", env=wider.env)
    sent = f"{wider.host_word}="
    assert sent in planned.out
    moved = wider.move("west")
    shown = interlock("show", moved.document["run"], "--json", env=wider.env)
    assert sent in shown.out
    stored = (Path(wider.env["HOME"]) / "runs.db").read_bytes()
    assert sent.encode() in stored
    assert not [place for place in (planned.out, moved.out, moved.err, shown.out) if secret in place]
    assert secret.encode() not in stored


def test_a_check_that_fails_afterwards_takes_the_replicas_back_under_what_they_followed(wider: Wider, tmp_path: Path) -> None:
    text, mark = (shipped_folder() / "switchover.yaml").read_text(), "  - id: logs\n"
    assert mark in text
    path = tmp_path / "fails.yaml"
    path.write_text(text.replace(mark, f'  - check: command\n    with: {{run: ["false"], within: 5s}}\n{mark}'))
    ended = interlock("run", str(path), "-i", "to=west", "--yes", "--json", env=wider.env)
    assert (ended.code, ended.document["outcome"]) == (4, "rolled_back"), ended.out
    assert wider.sources() == {"east-r1": "east", "west-r1": "east"}
    wider.write("east", "after the way back")
    assert wider.arrives("after the way back")


def test_a_replica_that_hangs_is_named_and_fails_nothing(wider: Wider) -> None:
    pid = next(process.pid for process in processes.running(Path(wider.pair.directory)) if process.name == "west-r1")
    os.kill(pid, signal.SIGSTOP)
    try:
        moved = wider.move("west")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert moved.document["outcome"] == "succeeded", moved.out
    assert any("west-r1" in warning for warning in moved.document["warnings"])
    assert wider.sources() == {"east-r1": "west", "west-r1": "east"}


def test_status_names_whom_each_replica_follows_and_what_is_broken(wider: Wider) -> None:
    query(wider.all, "east-r1", f"STOP {wider.noun} SQL_THREAD")
    try:
        seen = interlock("status", "--json", env=wider.env).document
    finally:
        query(wider.all, "east-r1", f"START {wider.noun} SQL_THREAD")
    assert {each["replica"]: (each["from"], each["running"]) for each in seen["replicas"]} == {
        "east-r1": ("east", False),
        "west-r1": ("east", True),
    }
    assert [each["what"] for each in seen["problems"]] == ["replica east-r1: the applier of east-r1 is stopped"]
