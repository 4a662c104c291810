"""The failover plan as printed: each command of it is typed into a shell, and does what it says. The bare part without Interlock."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from interlock.sandbox import members
from interlock.sandbox.barred import is_barred
from interlock.sandbox.kinds import kind_named
from interlock.sandbox.ledger import acknowledged
from interlock.sandbox.load import load
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from scenarios.command_line import environment, interlock
from scenarios.pair_state import CLOCK, open_sides
from waiting import eventually

FLAVORS = ["fresh_pair", "fresh_mysql_pair"]


class Shell:
    """A person's shell, in which variables live on. Without `interlock`, which is not on its PATH."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._sh = subprocess.Popen(
            ["/bin/sh"], env=dict(env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def type(self, line: str) -> str:
        """What the line printed. AssertionError if it ended with another code than 0."""
        assert self._sh.stdin is not None
        assert self._sh.stdout is not None
        self._sh.stdin.write(f"{line}\necho ended-with $?\n")
        self._sh.stdin.flush()
        said: list[str] = []
        for printed in self._sh.stdout:
            if printed.startswith("ended-with "):
                assert printed == "ended-with 0\n", f"{line}\n{''.join(said)}"
                break
            said.append(printed)
        return "".join(said)

    def close(self) -> None:
        assert self._sh.stdin is not None
        assert self._sh.stdout is not None
        self._sh.stdin.close()
        self._sh.wait(timeout=60)
        self._sh.stdout.close()


@contextmanager
def shell(sandbox: Sandbox) -> Iterator[Shell]:
    folder = kind_named(sandbox.kind).folder()
    path = f"{folder}/bin:{os.environ['PATH']}" if folder is not None else os.environ["PATH"]
    opened = Shell({"PATH": path, "MYSQL_PWD": sandbox.password("interlock"), "HOME": "/nonexistent"})
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture(params=FLAVORS, ids=["mariadb", "mysql"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    found: Sandbox = request.getfixturevalue(request.param)
    return found


def parts_of(sandbox: Sandbox, tmp_path: Path, *words: str) -> dict[str, list[dict[str, Any]]]:
    done = interlock("runbook", *words, "--json", env=environment(sandbox, tmp_path))
    assert done.code == 0, done.err
    return {part["title"]: part["orders"] for part in json.loads(done.out)["runbook"]["parts"]}


def test_the_bare_switchover_moves_the_writes_and_loses_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    orders = parts_of(sandbox, tmp_path)["Without Interlock: east answers"]
    with shell(sandbox) as sh, load(sandbox, pooled=2, fresh=2) as writing:
        CLOCK.sleep(0.2)
        said = ["".join(sh.type(line) for line in order["lines"]) for order in orders if not order["does"].startswith("Only if")]
        CLOCK.sleep(0.3)
        entries = writing.stop()
    assert "Yes" in said[0]
    assert said[3].strip() == "0", "west holds east's position"
    assert open_sides(sandbox) == ["west"]
    wrote = acknowledged(entries)
    assert {entry.server for entry in wrote} == {member.server_id for member in sandbox.members.values()}, "the route was led on"
    assert {entry.key for entry in wrote} <= {row["k"] for row in query(sandbox, "west", "SELECT k FROM app.ledger")}


def test_the_bare_way_back_opens_the_old_writer_again(sandbox: Sandbox, tmp_path: Path) -> None:
    orders = parts_of(sandbox, tmp_path)["Without Interlock: east answers"]
    with shell(sandbox) as sh:
        for line in orders[1]["lines"]:
            sh.type(line)
        assert open_sides(sandbox) == []
        (back,) = (order for order in orders if order["does"].startswith("Only if"))
        for line in back["lines"]:
            sh.type(line)
    assert open_sides(sandbox) == ["east"]


def test_the_bare_failover_closes_the_dead_one_and_opens_the_other(sandbox: Sandbox, tmp_path: Path) -> None:
    orders = parts_of(sandbox, tmp_path)["Without Interlock: east is dead"]
    query(sandbox, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('last', @@server_id)")
    assert eventually(lambda: bool(query(sandbox, "west", "SELECT 1 FROM app.ledger WHERE k='last'")))
    members.stop(Path(sandbox.directory), "east", kill=True)
    with shell(sandbox) as sh:
        for order in orders:
            if not order["does"].startswith("Only once"):
                for line in order["lines"]:
                    sh.type(line)
    assert is_barred(sandbox.members["east"])
    assert query(sandbox, "west", "SELECT @@read_only AS fenced") == [{"fenced": 0}]
    assert query(sandbox, "west", "SELECT k FROM app.ledger WHERE k='last'")


def test_every_command_of_interlock_in_it_is_one(sandbox: Sandbox, tmp_path: Path) -> None:
    env = environment(sandbox, tmp_path)
    lines = [line for order in parts_of(sandbox, tmp_path)["With Interlock"] for line in order["lines"]]
    assert {line.split()[1] for line in lines} >= {"status", "plan", "switchover", "failover", "rejoin", "losses", "resume", "quiesce"}
    for line in lines:
        assert interlock(*line.split()[1:2], "--help", env=env).code == 0, line
    assert interlock("plan", "switchover", "--to", "west", env=env).code == 0
    assert interlock("switchover", "--to", "west", env=env).code == 0
    told = interlock("runbook", "--to", "east", env=env).out
    assert "Clients waited" in told
    assert "from west to east" in told


def test_the_passwords_and_the_store_are_found_as_the_plan_says(pair: Sandbox, tmp_path: Path) -> None:
    env = environment(pair, tmp_path)
    parts = parts_of(pair, tmp_path)
    with shell(pair) as sh:
        for part in ("With Interlock: before", "Without Interlock: before"):
            for line in parts[part][0]["lines"]:
                sh.type(line)
        said = sh.type('echo "$MYSQL_PWD $INTERLOCK_TOPOLOGY $INTERLOCK_STORE"').split()
    assert said == [pair.password("interlock"), env["INTERLOCK_TOPOLOGY"], env["INTERLOCK_STORE"]]


def test_the_steps_are_counted_with_every_route_and_each_way_of_closing_is_told_by_its_means(pair: Sandbox, tmp_path: Path) -> None:
    env = environment(pair, tmp_path)
    topology = tmp_path / "two.yaml"
    told = Path(env["INTERLOCK_TOPOLOGY"]).read_text()
    told = told.replace("routes:\n", 'routes:\n  reports: {type: command, flip: [/bin/true, "{to}"], show: [/bin/echo, east]}\n')
    topology.write_text(told.replace("    fencing:\n", "    fencing:\n    - {type: proxy, route: writes}\n"))
    done = interlock("runbook", "--json", "-t", str(topology), env=env)
    assert done.code == 0, done.err
    parts = {part["title"]: part for part in json.loads(done.out)["runbook"]["parts"]}
    bare = parts["Without Interlock: east answers"]
    assert [order["does"].split()[0] for order in bare["orders"]][4:] == ["Open", "Lead", "Lead", "Only"]
    assert "until step 7 nobody" in bare["says"][0]
    assert "step 8, and nothing else" in bare["says"][0]
    assert bare["orders"][3]["expect"].endswith("step 8")
    proxy, command = parts["Without Interlock: east is dead"]["orders"][:2]
    assert (proxy["lines"], "route writes: nobody is sent to east" in proxy["does"]) == ([], True)
    assert (len(command["lines"]), command["expect"]) == (2, "stopped")


def test_the_page_is_one_file_that_needs_no_other(pair: Sandbox, tmp_path: Path) -> None:
    html, markdown = tmp_path / "plan.html", tmp_path / "plan.md"
    done = interlock("runbook", "--html", str(html), "--markdown", str(markdown), env=environment(pair, tmp_path))
    assert done.code == 0
    page = html.read_text()
    assert page.startswith("<!doctype html>")
    assert ("http" in page, "src=" in page, "SET GLOBAL read_only=1" in page) == (False, False, True)
    assert markdown.read_text() == done.out
