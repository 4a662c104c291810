"""`interlock failover` as a person uses it on the day that the writer dies, hangs or turns out to be alive."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pymysql
import pytest

import hanging
from contract.benches import without_gtids
from interlock.decisions.received import is_all_applied
from interlock.model.position import Position, parse_position
from interlock.model.topology import ServerName
from interlock.model.verdict import Wait
from interlock.playbook.find import shipped_folder
from interlock.sandbox import processes, sql
from interlock.sandbox.barred import hook, is_barred
from interlock.sandbox.drill import drill
from interlock.sandbox.ledger import Entry, acknowledged
from interlock.sandbox.load import load
from interlock.sandbox.places import Sandbox
from interlock.sandbox.poller import Samples, poller
from interlock.sandbox.sql import query
from scenarios.command_line import Ended, environment, interlock, start
from scenarios.killed_failover import assert_survives, is_fenced, keys_on, kill_writer, lost_keys
from scenarios.pair_state import CLOCK, open_sides, pid_of, state_of
from scenarios.routed import wired
from waiting import eventually

_FILLS_THE_LINK_MB = 24
"""More than the kernel keeps for a reader that does not read (tcp(7): `tcp_wmem` and `tcp_rmem`, 4 and 6 MB at the most by default)."""


def kill_writer_with_much_under_way(sandbox: Sandbox) -> None:
    """West does not read for a while, so that what east acknowledges then stays on it."""
    west = pid_of(sandbox, "west")
    with closing(sql.connect(sandbox, "east")) as east, hanging.hung(west):
        for number in range(_FILLS_THE_LINK_MB):
            sql.rows(east, "INSERT INTO app.large VALUES (%s, REPEAT('x', 1000000))", number)
        CLOCK.sleep(0.2)
        kill_writer(sandbox)


def logged(sandbox: Sandbox, server: str) -> Position:
    column = {"mariadb": "@@gtid_binlog_pos", "mysql": "@@gtid_executed"}[sandbox.kind]
    return parse_position(query(sandbox, server, f"SELECT {column} AS logged")[0]["logged"])


def received(sandbox: Sandbox) -> Position:
    """By west."""
    look, column = {"mariadb": ("SHOW SLAVE STATUS", "Gtid_IO_Pos"), "mysql": ("SHOW REPLICA STATUS", "Retrieved_Gtid_Set")}[sandbox.kind]
    return parse_position(query(sandbox, "west", look)[0][column])


def doing(sandbox: Sandbox, server: str) -> set[str]:
    """What its replication threads say that they do, in the words that both flavors have."""
    rows = query(sandbox, server, "SELECT state AS s FROM information_schema.processlist WHERE user = 'system user'")
    return {re.sub(r"(Slave|Replica) (has read all relay log); .*", r"\2", str(row["s"])) for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """What a failover came to under sixteen writers, and what they were told."""

    sandbox: Sandbox
    env: Mapping[str, str]
    ended: Ended
    entries: Sequence[Entry]
    samples: Samples

    @property
    def run(self) -> str:
        return str(self.ended.document["run"])

    def acknowledged_by(self, server: str) -> list[Entry]:
        wanted = self.sandbox.members[server].server_id
        return [entry for entry in acknowledged(self.entries) if entry.server == wanted]


_DEATHS: Mapping[str, Callable[[Sandbox], None]] = {"dead": kill_writer, "dead with much under way": kill_writer_with_much_under_way}


_EMERGENCIES = {
    **{f"mariadb, {name}": ("fresh_pair", death) for name, death in _DEATHS.items()},
    "mysql, dead": ("fresh_mysql_pair", kill_writer),
}


def writers_at(sandbox: Sandbox, server: str, prefix: str) -> int:
    """How many clients of a load have written there."""
    counted = "SELECT COUNT(DISTINCT SUBSTRING_INDEX(k, '-', 3)) AS n FROM app.ledger WHERE server_id=%s AND k LIKE %s"
    return int(query(sandbox, server, counted, sandbox.members[server].server_id, f"{prefix}-%")[0]["n"])


@pytest.fixture(params=_EMERGENCIES.values(), ids=list(_EMERGENCIES))
def emergency(request: pytest.FixtureRequest, tmp_path: Path) -> Emergency:
    fixture, die = request.param
    sandbox: Sandbox = request.getfixturevalue(fixture)
    env = environment(sandbox, tmp_path)
    query(sandbox, "east", "CREATE TABLE app.large (id INT PRIMARY KEY, body LONGBLOB)")
    assert eventually(lambda: bool(query(sandbox, "west", "SHOW TABLES FROM app LIKE 'large'")))
    with poller(sandbox) as watching, load(sandbox, pooled=8, fresh=8) as writing:
        CLOCK.sleep(0.3)
        die(sandbox)
        ended = interlock("failover", "--to", "west", "--json", env=env)
        assert ended.code != 0 or eventually(lambda: writers_at(sandbox, "west", writing.prefix) == 16)
        entries, samples = writing.stop(), watching.stop()
    return Emergency(sandbox=sandbox, env=env, ended=ended, entries=entries, samples=samples)


def test_a_dead_writer_is_replaced_and_exactly_what_it_did_not_send_is_told(emergency: Emergency, request: pytest.FixtureRequest) -> None:
    assert emergency.ended.code == 0, emergency.ended.err
    assert (emergency.ended.document["playbook"], emergency.ended.document["outcome"]) == ("failover", "succeeded")
    there = keys_on(emergency.sandbox, "west")
    gone = {entry.key for entry in emergency.acknowledged_by("east") if entry.key not in there}
    losses = interlock("losses", emergency.run, "--json", env=emergency.env).document
    assert losses["state"] == "known"
    told = lost_keys(losses)
    unsure = {entry.key for entry in emergency.entries if entry.told.value == "unknown"}  # its client never heard that it was done
    assert gone <= told <= gone | unsure
    assert not told & set(there)
    if "much under way" in request.node.name:
        assert gone, "the test did not bring about what it is for"
    assert max(there.values()) == 1
    assert not {entry.key for entry in emergency.entries if entry.told.value == "failed"} & set(there)


def test_the_writers_go_on_at_the_new_one_and_no_sample_sees_two(emergency: Emergency) -> None:
    old, new = emergency.acknowledged_by("east"), emergency.acknowledged_by("west")
    assert emergency.samples.two == 0
    assert old[-1].ended_s < new[0].ended_s
    assert {entry.worker for entry in new} == {entry.worker for entry in emergency.entries}
    assert {entry.key for entry in new} <= set(keys_on(emergency.sandbox, "west"))


@pytest.mark.parametrize("fixture", ["fresh_pair", "fresh_mysql_pair"])
def test_workers_that_still_apply_are_not_taken_for_idle_where_there_are_no_gtids(request: pytest.FixtureRequest, fixture: str) -> None:
    """Their coordinator has read all, and says so."""
    sandbox: Sandbox = request.getfixturevalue(fixture)
    many = {"mariadb": ("STOP SLAVE", "SET GLOBAL slave_parallel_threads=4"), "mysql": ("SET GLOBAL replica_parallel_workers=4",)}
    for word in many[sandbox.kind]:
        query(sandbox, "west", word)
    query(sandbox, "east", "CREATE TABLE app.late (k INT PRIMARY KEY)")
    with without_gtids(sandbox), wired(sandbox) as wiring:
        server = wiring.world.server("west")
        assert eventually(lambda: server.channels()[0].idle and bool(query(sandbox, "west", "SHOW TABLES FROM app LIKE 'late'")))
        with closing(sql.connect(sandbox, "west")) as west:
            sql.rows(west, "LOCK TABLES app.late READ")
            query(sandbox, "east", "INSERT INTO app.late VALUES (1)")
            assert eventually(lambda: {"Waiting for table metadata lock", "has read all relay log"} <= doing(sandbox, "west"))
            verdict = is_all_applied(server.name, ServerName("east"), server.write_facts().position, server.channels(), so_far=True)
            assert isinstance(verdict, Wait), verdict
            sql.rows(west, "UNLOCK TABLES")
        assert eventually(lambda: server.channels()[0].idle)


@pytest.mark.parametrize("fixture", ["fresh_pair", "fresh_mysql_pair"])
def test_what_came_and_is_not_applied_yet_is_waited_for(request: pytest.FixtureRequest, tmp_path: Path, fixture: str) -> None:
    """Though its receiver has an error: it finds nobody there any more."""
    sandbox: Sandbox = request.getfixturevalue(fixture)
    query(sandbox, "east", "CREATE TABLE app.late (k INT PRIMARY KEY)")
    assert eventually(lambda: bool(query(sandbox, "west", "SHOW TABLES FROM app LIKE 'late'")))
    with closing(sql.connect(sandbox, "west")) as west:
        sql.rows(west, "LOCK TABLES app.late READ")
        for number in range(3):
            query(sandbox, "east", "INSERT INTO app.late VALUES (%s)", number)
        assert eventually(lambda: received(sandbox).contains(logged(sandbox, "east")))
        kill_writer(sandbox)
        run = start("failover", "--to", "west", "-i", "max_apply=10m", "--json", env=environment(sandbox, tmp_path))
        assert eventually(lambda: is_barred(sandbox.members["east"]) or run.poll() is not None)
        sql.rows(west, "UNLOCK TABLES")
        out, err = run.communicate(timeout=180)
    assert (run.returncode, json.loads(out)["outcome"]) == (0, "succeeded"), err
    assert query(sandbox, "west", "SELECT k FROM app.late ORDER BY k") == [{"k": number} for number in range(3)]


@contextmanager
def hangs(sandbox: Sandbox) -> Iterator[None]:
    with hanging.hung(pid_of(sandbox, "east")):
        yield


@contextmanager
def full(sandbox: Sandbox) -> Iterator[None]:
    """Every connection is taken, that of administrators too."""
    before = query(sandbox, "east", "SELECT @@GLOBAL.max_connections AS n")[0]["n"]
    with ExitStack() as stack:
        first = stack.enter_context(closing(sql.connect(sandbox, "east")))
        sql.rows(first, "SET GLOBAL max_connections=10")
        for account in ("app", "admin"):
            with suppress(pymysql.err.OperationalError):
                while True:
                    stack.enter_context(closing(sql.connect(sandbox, "east", account)))
        yield
        sql.rows(first, f"SET GLOBAL max_connections={before}")


@contextmanager
def another_password(sandbox: Sandbox) -> Iterator[None]:
    """On east only."""
    with closing(sql.connect(sandbox, "east")) as east:
        sql.rows(east, "SET SESSION sql_log_bin=0")
        sql.rows(east, "ALTER USER interlock@'%%' IDENTIFIED BY %s", "another")
        yield
        sql.rows(east, "ALTER USER interlock@'%%' IDENTIFIED BY %s", sandbox.password("interlock"))


_LIVES: Mapping[str, tuple[Callable[[Sandbox], AbstractContextManager[None]], str]] = {
    "hangs": (hangs, "east hangs"),
    "max_connections reached": (full, "east is alive, and lets nobody in"),
    "another password": (another_password, "east is alive, and lets nobody in"),
}


@pytest.mark.parametrize(("strike", "verdict"), _LIVES.values(), ids=_LIVES)
@pytest.mark.parametrize("fixture", ["pair", "mysql_pair"])
def test_a_writer_that_is_not_dead_is_left_alone_and_goes_on_afterwards(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    fixture: str,
    strike: Callable[[Sandbox], AbstractContextManager[None]],
    verdict: str,
) -> None:
    sandbox: Sandbox = request.getfixturevalue(fixture)
    before = state_of(sandbox)
    with strike(sandbox):
        refused = interlock("failover", "--to", "west", "--json", env=environment(sandbox, tmp_path))
        west_is_fenced = is_fenced(sandbox, "west")
    assert (refused.code, refused.document["outcome"], west_is_fenced) == (3, "refused", True), refused
    assert f"cluster.is_dead: {verdict}" in " ".join(problem["what"] for problem in refused.document["problems"])
    assert not is_barred(sandbox.members["east"])
    assert eventually(lambda: state_of(sandbox) == before), (before, state_of(sandbox))
    with closing(sql.connect_as_client(sandbox)) as client:
        sql.rows(client, "INSERT INTO app.ledger (k, server_id) VALUES (%s, @@server_id)", verdict)
        assert sql.value(client, "SELECT server_id FROM app.ledger WHERE k=%s", verdict) == sandbox.members["east"].server_id
        sql.rows(client, "DELETE FROM app.ledger")


def test_a_writer_that_lives_is_switched_over_and_loses_nothing(fresh_pair: Sandbox, tmp_path: Path) -> None:
    env, ended = environment(fresh_pair, tmp_path), []

    def fail_over(to: str) -> str:
        ended.append(interlock("failover", "--to", to, "--json", env=env))
        return str(ended[-1].document["outcome"])

    report = drill(fresh_pair, fail_over, clock=CLOCK, count=2, pooled=8, fresh=8)
    assert [(each.code, each.document["playbook"]) for each in ended] == [(0, "switchover")] * 2, ended
    assert report.is_clean(), report


def test_the_old_writer_stays_closed_however_it_comes_back(fresh_pair: Sandbox, tmp_path: Path) -> None:
    env, folder = environment(fresh_pair, tmp_path), ("--dir", fresh_pair.directory)
    kill_writer(fresh_pair)
    failed_over = interlock("failover", "--to", "west", "--json", env=env)
    assert failed_over.code == 0, failed_over.err
    barred = interlock("sandbox", "start", "east", *folder, env=env)
    assert (barred.code, "east was fenced from outside and is barred from starting" in barred.err) == (3, True)
    subprocess.run([str(hook(fresh_pair)), "release", "east"], check=True)
    started = interlock("sandbox", "start", "east", *folder, env=env)
    assert started.code == 0, started.err
    assert open_sides(fresh_pair) == ["west"]
    back = interlock("switchover", "--to", "east", "--json", env=env)
    assert back.code == 3, back
    (problem,) = [each for each in back.document["problems"] if "has not rejoined" in each["what"]]
    assert failed_over.document["run"] in problem["what"]
    assert "interlock rejoin east" in problem["hint"]
    assert open_sides(fresh_pair) == ["west"]


def without_fencing(sandbox: Sandbox, folder: Path) -> str:
    """The name of a topology file that names no way of fencing."""
    lines = Path(sandbox.topology).read_text().splitlines(keepends=True)
    path = folder / "no-fencing.yaml"
    path.write_text("".join(line for line in lines if line.strip() != "fencing:" and "type: command" not in line))
    return str(path)


def test_without_fencing_only_a_person_who_types_the_sentence_opens_the_other_side(fresh_pair: Sandbox, tmp_path: Path) -> None:
    east = fresh_pair.members["east"]
    sentence = f"east at {east.host}:{east.port} may still take writes, and I answer for it"
    env = environment(fresh_pair, tmp_path) | {"INTERLOCK_TOPOLOGY": without_fencing(fresh_pair, tmp_path)}
    kill_writer(fresh_pair)
    for words in ((), ("--accept", "yes"), ("--accept", sentence.replace("east", "west"))):
        refused = interlock("failover", "--to", "west", *words, env=env)
        assert (refused.code, f'--accept "{sentence}"' in " ".join(f"{refused.out} {refused.err}".split())) == (3, True), refused
        assert query(fresh_pair, "west", "SELECT @@read_only AS fenced") == [{"fenced": 1}]
    done = interlock("failover", "--to", "west", "--accept", sentence, "--json", env=env)
    assert (done.code, done.document["outcome"]) == (0, "succeeded"), done.err
    assert query(fresh_pair, "west", "SELECT @@read_only AS fenced") == [{"fenced": 0}]
    assert sentence in interlock("show", done.document["run"], "--json", env=env).document["evidence"]["openings"][0]["others"]["east"]


_MOMENTS = {
    "behind the fence": "- phase: catch_up\n  steps:\n",
    "before the opening": "- phase: flip\n  steps:\n",
    "behind the opening, before the flip": '  - do: server.open\n    with: {server: "${to}"}\n',
    "behind the flip": "- phase: verify\n  steps:\n",
}


def killed_once(path: Path, behind: str) -> str:
    """The shipped failover with a step more that kills the run the first time; the file's name."""
    text = (shipped_folder() / "failover.yaml").read_text()
    assert text.count(behind) == 1
    script = f"[ -e {path}.killed ] && exit; touch {path}.killed; kill -9 $PPID"
    step = f"  - check: command\n    with: {{run: [sh, -c, '{script}'], within: 10s}}\n"
    path.write_text(text.replace(behind, behind + step))
    return str(path)


@pytest.mark.parametrize("behind", _MOMENTS.values(), ids=_MOMENTS)
def test_a_failover_that_is_killed_is_resumed_to_its_end_with_one_writer(fresh_pair: Sandbox, tmp_path: Path, behind: str) -> None:
    env = environment(fresh_pair, tmp_path)
    playbook = killed_once(tmp_path / "killed.yaml", behind)
    with poller(fresh_pair) as watching, load(fresh_pair, pooled=2, fresh=2) as writing:
        kill_writer(fresh_pair)
        killed = interlock("run", playbook, "--as", "r1", "-i", "to=west", env=env)
        resumed = interlock("resume", "r1", "--json", env=env)
        CLOCK.sleep(0.2)
        entries, samples = writing.stop(), watching.stop()
    assert killed.code == -signal.SIGKILL, killed
    assert (resumed.code, resumed.document["outcome"]) == (0, "succeeded"), resumed
    assert samples.two == 0
    there = keys_on(fresh_pair, "west")
    gone = {entry.key for entry in acknowledged(entries) if entry.key not in there}
    losses = interlock("losses", "r1", "--json", env=env).document
    assert (losses["state"], gone <= lost_keys(losses)) == ("known", True)
    assert any(entry.server == fresh_pair.members["west"].server_id for entry in entries)
    assert query(fresh_pair, "west", "SELECT @@read_only AS fenced") == [{"fenced": 0}]
    assert {process.name for process in processes.running(Path(fresh_pair.directory))} == {"west", "haproxy"}
    assert is_barred(fresh_pair.members["east"])


_KILLED = {
    "fenced from outside, and not yet recorded": "before done fence/server.fence_outside",
    "let through by the interlock": "after opening",
    "opened, and not yet recorded": "before done flip/server.open",
}


@pytest.mark.parametrize("moment", _KILLED.values(), ids=_KILLED)
def test_a_failover_that_is_killed_is_taken_back_and_nobody_takes_writes(fresh_pair: Sandbox, tmp_path: Path, moment: str) -> None:
    assert assert_survives(fresh_pair, tmp_path, moment, 1, "rollback") == 4
