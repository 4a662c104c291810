"""`interlock rejoin` by mariadb-backup: two real servers and a real sshd for both of their hosts; systemctl is a stand-in."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from interlock.bootstrap import Wiring, read_topology
from interlock.losses.live import PLAIN_SETTINGS
from interlock.model.topology import ClusterName
from interlock.returning import backup_scripts, note
from interlock.returning.backup_hosts import MEANS, OF_CONNECTION, BackupHosts, backup_hosts, parse_look
from interlock.returning.copying import Copier, Copy
from interlock.returning.dump import MEANS as DUMP
from interlock.sandbox import processes, sql
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from interlock.servers.session import text_of
from scenarios.command_line import Ended, environment, interlock, start
from scenarios.pair_state import CLOCK
from servers.service_lab import UNIT, ServiceHost, service_host
from waiting import eventually

ROWS = 4
IDENTITY = "SELECT @@server_id AS id, @@gtid_domain_id AS domain"
FENCED = "SELECT @@read_only AS fenced"
SCHEDULER = "SELECT @@event_scheduler AS events"
NOTED = "SELECT kind FROM interlock_returning.note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Returning:
    """East comes back, west is the writer. `host` is that of both."""

    sandbox: Sandbox
    host: ServiceHost
    env: Mapping[str, str]

    def rejoin(self, *words: str) -> Ended:
        return interlock("rejoin", "east", "--json", *BY_BACKUP, *words, env=self.env)

    def rows(self, server: str) -> Any:
        return query(self.sandbox, server, "SELECT id, MD5(body) AS body FROM app.large ORDER BY id")

    def data(self) -> Path:
        return Path(self.sandbox.directory) / "east"

    def beside(self, word: str) -> list[Path]:
        return sorted(self.data().parent.glob(f"east.{word}-*"))

    def options(self) -> Path:
        return Path(self.host.option_file).parent / "included" / "zz-interlock-copy.cnf"


BY_BACKUP = ("-i", "data=copy", "-i", "by=mariadb-backup", "-i", "catch_up=60s")


@pytest.fixture
def service(fresh_pair: Sandbox, tmp_path: Path) -> Iterator[Returning]:
    with service_host(tmp_path) as host:
        made = Returning(sandbox=fresh_pair, host=host, env=environment(fresh_pair, tmp_path))
        _make_a_service_of_east(made)
        yield made


@pytest.fixture
def lab(service: Returning) -> Returning:
    """Of whose four rows east has lost three."""
    with closing(sql.connect(service.sandbox, "east")) as east:
        sql.rows(east, "CREATE TABLE app.large (id INT PRIMARY KEY, body LONGBLOB)")
        for n in range(ROWS):
            sql.rows(east, f"INSERT INTO app.large VALUES ({n}, REPEAT('{n}', 1000000))")
        moved = interlock("switchover", "--to", "west", "--json", env=service.env)
        assert moved.code == 0, moved.err
        for statement in ("SET sql_log_bin=0", "DELETE FROM app.large WHERE id > 0"):
            sql.rows(east, statement)
    return service


def _make_a_service_of_east(lab: Returning) -> None:
    """What runs it is the stand-in for systemctl from here on, and it includes a folder of options. It starts with its events."""
    member, folder = lab.sandbox.members["east"], lab.options().parent
    folder.mkdir()
    Path(member.options).write_text(Path(member.options).read_text() + f"event_scheduler=ON\n!includedir {folder}\n")
    program = processes.programs(["mariadbd"])["mariadbd"]
    (lab.host.folder / "server").write_text(f"#!/bin/sh\nexec {program} --defaults-file={member.options}\n")
    (pid,) = [one.pid for one in processes.running(Path(lab.sandbox.directory)) if one.name == "east"]
    (lab.host.folder / "pid").write_text(str(pid))
    ssh = lab.host.sshd.spec
    login = f"    ssh: {{host: {ssh.host}, port: {ssh.port}, user: {ssh.user}, key: {ssh.key}, known_hosts: {ssh.known_hosts}}}\n"
    service = f"    - {{type: service, unit: {UNIT}, option_file: {folder}/zz-interlock.cnf}}\n"
    topology = Path(lab.sandbox.topology)
    east, west = topology.read_text().split("  west:\n", 1)
    logs, fencing = "    logs:", "    fencing:\n"
    topology.write_text(
        f"{east.replace(logs, login + logs).replace(fencing, fencing + service)}  west:\n{west.replace(logs, login + logs)}"
    )


def test_one_that_is_killed_in_the_middle_leaves_the_old_data_and_begins_anew_to_the_end(lab: Returning) -> None:
    before = query(lab.sandbox, "east", IDENTITY)
    with _stuck(lab) as taking:
        running = start("rejoin", "east", *BY_BACKUP, env=lab.env)
        assert eventually(lambda: taking.exists() or running.poll() is not None)
        assert eventually(lambda: _backs_up(lab) or running.poll() is not None)
        running.kill()
        _, err = running.communicate()
    assert running.returncode == -signal.SIGKILL, err
    assert eventually(lambda: not _backs_up(lab)), "nobody takes its output any more"
    assert len(lab.rows("east")) == 1, "it runs with the data of before"
    assert query(lab.sandbox, "east", NOTED) == [{"kind": "copying"}]
    assert [query(lab.sandbox, name, FENCED)[0]["fenced"] for name in ("east", "west")] == [1, 0]

    (run, *_) = interlock("runs", "--json", env=lab.env).document
    resumed = interlock("resume", run["run"], "--json", env=lab.env)
    assert (resumed.code, resumed.document["outcome"]) == (0, "succeeded"), resumed.out + resumed.err
    assert len(lab.rows("west")) == ROWS
    assert lab.rows("east") == lab.rows("west")
    assert (query(lab.sandbox, "east", IDENTITY), query(lab.sandbox, "east", FENCED)) == (before, [{"fenced": 1}])
    assert query(lab.sandbox, "east", SCHEDULER) == [{"events": "OFF"}]
    (kept,) = lab.beside("before")
    assert str(kept) in resumed.out
    assert (kept / "app" / "large.ibd").exists()
    assert (lab.beside("interlock-copy"), lab.options().exists()) == ([], False)


@contextmanager
def _stuck(lab: Returning) -> Iterator[Path]:
    """What unpacks on the host takes the beginning of the stream, makes the file that is given, and nothing more."""
    here, pid = lab.host.folder / "here", lab.host.folder / "stuck"
    with _stand_in(lab, "mbstream", f"head -c 300000 > /dev/null\necho $$ > {pid}\n: > {here}\nexec sleep 600"):
        try:
            yield here
        finally:
            with suppress(OSError, ValueError):
                os.kill(int(pid.read_text()), signal.SIGKILL)


def _backs_up(lab: Returning) -> bool:
    """Whether mariadb-backup runs under this test's sshd: by the address in its environment (SSH_CONNECTION, ssh(1))."""
    mark = f" {lab.host.sshd.spec.host} {lab.host.sshd.spec.port}\0".encode()
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (place / "comm").read_text() == "mariadb-backup\n" and mark in (place / "environ").read_bytes():
                return True
    return False


FULL = "mbstream: Error writing file './app/large.ibd' (Errcode: 28 \"No space left on device\")"
"""As it was seen on a full disk (10.11)."""


def test_what_fails_on_a_host_is_told_with_its_name(service: Returning, tmp_path: Path) -> None:
    with _copier(service, tmp_path) as copier:
        refused = _error_of(replace(copier, secret=lambda _: "another").begin(MEANS, 0))
        assert (refused.startswith("the host of west: "), "Access denied for user 'interlock'@" in refused) == (True, True), refused
        with _stand_in(service, "mbstream", f"cat << 'END' >&2\n{FULL}\nEND\nexit 1"):
            full = _error_of(copier.begin(MEANS, 0))
        assert full == f"the host of east: {FULL} (mbstream ended with 1)"
    assert service.beside("before") == []


def test_a_copy_that_is_stopped_is_seen_to_end(service: Returning, tmp_path: Path) -> None:
    with _copier(service, tmp_path) as copier, _stuck(service) as taking:
        copy = copier.begin(MEANS, 0)
        assert eventually(lambda: taking.exists() or copy.facts().is_over)
        assert eventually(lambda: _backs_up(service) or copy.facts().is_over), copy.facts()
        copy.stop()
        assert copy.facts().error == "it was stopped"
        assert eventually(lambda: not _backs_up(service))


@pytest.mark.parametrize("by_itself", [False, True], ids=["cut off", "stopped"])
def test_who_ends_while_the_directories_are_moved_leaves_a_server_that_says_that_its_copy_was_not_ended(
    service: Returning, tmp_path: Path, *, by_itself: bool
) -> None:
    here, go_on = tmp_path / "here", tmp_path / "go-on"
    moves = f': > {here}; while [ ! -e {go_on} ]; do sleep 0.01; done; exec /bin/mv "$@"'
    with _copier(service, tmp_path) as copier, _stand_in(service, "mv", moves):
        copy = copier.begin(MEANS, 0)
        try:
            assert eventually(lambda: here.exists() or copy.facts().is_over), copy.facts()
            if by_itself:
                copy.stop()  # while they are still being moved
                assert _error_of(copy) == "it was stopped"
            else:
                service.host.sshd.stop()
                assert "host " in _error_of(copy)
        finally:
            go_on.touch()
        assert eventually(lambda: _listens(service))
    assert len(service.beside("before")) == 1
    assert query(service.sandbox, "east", NOTED) == [{"kind": "copying"}]
    assert query(service.sandbox, "east", FENCED) == [{"fenced": 1}]
    assert query(service.sandbox, "east", SCHEDULER) == [{"events": "OFF"}]
    assert [row["Slave_IO_Running"] for row in query(service.sandbox, "east", "SHOW SLAVE STATUS")] == ["No"]


def test_a_server_that_somebody_starts_before_the_directories_are_moved_is_never_taken_for_one_with_the_new_data(
    service: Returning, tmp_path: Path
) -> None:
    home = service.host.folder
    start_it = f"""\
if [ ! -e {home}/begun ]; then
  : > {home}/begun
  systemctl start {UNIT} 9>&-
  timeout 60 sh -c 'until ss -Hltnp | grep -q "pid=$(cat {home}/pid),"; do sleep 0.05; done'
fi
exec /bin/mv "$@\""""
    with _copier(service, tmp_path) as copier, _stand_in(service, "mv", start_it):
        error = _error_of(copier.begin(MEANS, 0))
    assert f"{service.data()} can't be replaced: a server was started there meanwhile" in error
    assert service.beside("before") == [], "and goes on there"
    assert query(service.sandbox, "east", FENCED) == [{"fenced": 1}]


def test_a_dump_leaves_the_note_of_the_server_alone_though_the_writer_has_one_of_its_own(service: Returning, tmp_path: Path) -> None:
    """Of a way back of the writer that a person cut short: loaded, it would say of a half copied server that nothing is the matter."""
    for server, kind in (("west", note.TAKEN_BACK), ("east", note.COPYING)):
        with closing(sql.connect(service.sandbox, server)) as session:
            for statement in ("SET sql_log_bin=0", *note.MAKE, note.written(note.Note(kind=kind))):
                sql.rows(session, statement)
    with _copier(service, tmp_path) as copier:
        assert _error_of(copier.begin(DUMP, 0)) == ""
    assert query(service.sandbox, "east", NOTED) == [{"kind": note.COPYING}]


def test_a_host_is_known_by_its_server_having_our_connection(service: Returning, tmp_path: Path) -> None:
    with _copier(service, tmp_path) as copier:
        assert isinstance(copier.hosts, BackupHosts)
        with closing(copier.server.session(PLAIN_SETTINGS)) as session:
            port = text_of(session.rows(OF_CONNECTION)[0]["port"])
            told = {
                name: parse_look(copier.hosts.target.run(backup_scripts.LOOK, str(service.data().parent / name), port, "", "", within_s=60))
                for name in ("east", "west")
            }
    assert {name: one.get("server") for name, one in told.items()} == {"east": str(service.host.pid()), "west": None}


def _listens(lab: Returning) -> bool:
    member = lab.sandbox.members["east"]
    try:
        with socket.create_connection((member.host, member.port), timeout=5):
            return True
    except OSError:
        return False


@contextmanager
def _copier(lab: Returning, folder: Path) -> Iterator[Copier]:
    topology = read_topology(Path(lab.sandbox.topology))
    east, west = (topology.clusters[ClusterName(name)] for name in ("east", "west"))
    with closing(Wiring(topology, f"sqlite://{folder}/runs.db")) as wiring:
        yield Copier(
            server=wiring.world.sql_server("east"),
            writer=wiring.world.sql_server("west"),
            hosts=backup_hosts(east, west, outside=wiring.world.outside, clock=CLOCK),
            secret=wiring.secrets.read,
            clock=CLOCK,
            environ=os.environ,
        )


def _error_of(copy: Copy) -> str:
    assert eventually(lambda: copy.facts().is_over)
    return copy.facts().error


@contextmanager
def _stand_in(lab: Returning, name: str, script: str) -> Iterator[None]:
    """In place of a program of the hosts."""
    path = lab.host.folder / "bin" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    try:
        yield
    finally:
        path.unlink()
