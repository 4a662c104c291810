"""`interlock rejoin` by mariadb-backup: two real servers and a real sshd for both of their hosts; systemctl is a stand-in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from interlock.sandbox import processes, sql
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from scenarios.command_line import Ended, environment, interlock
from servers.service_lab import UNIT, ServiceHost, service_host

ROWS = 12


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
def lab(fresh_pair: Sandbox, tmp_path: Path) -> Iterator[Returning]:
    with service_host(tmp_path) as host:
        made = Returning(sandbox=fresh_pair, host=host, env=environment(fresh_pair, tmp_path))
        _make_a_service_of_east(made)
        with closing(sql.connect(fresh_pair, "east")) as east:
            sql.rows(east, "CREATE TABLE app.large (id INT PRIMARY KEY, body LONGBLOB)")
            for n in range(ROWS):
                sql.rows(east, f"INSERT INTO app.large VALUES ({n}, REPEAT('{n % 10}', 1000000))")
        moved = interlock("switchover", "--to", "west", "--json", env=made.env)
        assert moved.code == 0, moved.err
        yield made


def _make_a_service_of_east(lab: Returning) -> None:
    """What runs it is the stand-in for systemctl from here on, and it includes a folder of options."""
    member, folder = lab.sandbox.members["east"], lab.options().parent
    folder.mkdir()
    Path(member.options).write_text(Path(member.options).read_text() + f"!includedir {folder}\n")
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


def test_its_data_are_the_writers_files_and_those_of_before_are_kept(lab: Returning) -> None:
    before = query(lab.sandbox, "east", "SELECT @@server_id AS id, @@gtid_domain_id AS domain")
    with closing(sql.connect(lab.sandbox, "east")) as east:
        for statement in ("SET sql_log_bin=0", "DELETE FROM app.large WHERE id < 3"):
            sql.rows(east, statement)
    rejoined = lab.rejoin()
    assert (rejoined.code, rejoined.document["outcome"]) == (0, "succeeded"), rejoined.out + rejoined.err
    assert len(lab.rows("east")) == ROWS
    assert lab.rows("east") == lab.rows("west")
    assert query(lab.sandbox, "east", "SELECT @@server_id AS id, @@gtid_domain_id AS domain") == before
    assert query(lab.sandbox, "east", "SELECT @@read_only AS fenced") == [{"fenced": 1}]
    (kept,) = lab.beside("before")
    assert (kept / "app" / "large.ibd").exists()
    assert str(kept) in rejoined.out
    assert (lab.beside("interlock-copy"), lab.options().exists()) == ([], False)
    back = interlock("switchover", "--to", "east", "--json", env=lab.env)
    assert (back.code, back.document["outcome"]) == (0, "succeeded"), back.err
