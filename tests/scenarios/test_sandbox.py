from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pymysql
import pytest

from interlock.clock import Clock
from interlock.errors import StatementFailed, UsageError
from interlock.sandbox import accounts, pair, places, processes, sql
from interlock.sandbox.kinds import MARIADB
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from interlock.sandbox.template import template
from interlock.servers.grants import missing, missing_for_return
from interlock.servers.mariadb import NEEDS
from waiting import eventually


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("s") / "p"
    yield path
    if (path / places.RECORD).exists():
        pair.down(path)


def test_east_takes_writes_west_refuses_them_and_rows_go_both_ways(fresh_pair: Sandbox) -> None:
    with closing(sql.connect(fresh_pair, "west", "app")) as west, pytest.raises(pymysql.err.OperationalError) as refused:
        sql.rows(west, "INSERT INTO app.ledger (k, server_id) VALUES ('x', 2)")
    assert refused.value.args[0] == 1290
    query(fresh_pair, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('from east', @@server_id)")
    query(fresh_pair, "west", "INSERT INTO app.ledger (k, server_id) VALUES ('from west', @@server_id)")  # admin passes read_only
    for server in ("east", "west"):
        assert eventually(lambda name=server: len(query(fresh_pair, name, "SELECT k FROM app.ledger")) == 2), server  # type: ignore[misc]


def test_the_tool_has_what_its_grants_say_and_no_more(pair: Sandbox) -> None:
    lines = [str(next(iter(row.values()))) for row in query(pair, "east", "SHOW GRANTS FOR interlock@'%'")]
    assert missing(lines, NEEDS, account="interlock") == ()
    assert missing_for_return(lines, "mariadb", "10.11.6", account="interlock") == ()
    assert not [line for line in lines if "ALL PRIVILEGES" in line or "SHUTDOWN" in line or "FILE" in line]


def test_clients_reach_east(pair: Sandbox) -> None:
    with closing(sql.connect_as_client(pair)) as client:
        assert sql.value(client, "SELECT @@server_id") == 1


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_the_proxy_answers_on_both_admin_sockets(pair: Sandbox, kind: str) -> None:
    with socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET) as admin:
        admin.connect(pair.proxy.admin_socket if kind == "unix" else (pair.proxy.host, pair.proxy.admin_port))
        admin.sendall(b"show servers state writers\n")
        assert b" writers 1 east " in admin.recv(65536)


def test_a_server_that_starts_again_is_fenced(fresh_pair: Sandbox, clock: Clock) -> None:
    processes.end(Path(fresh_pair.directory))
    pair.restart(fresh_pair, "east", clock=clock)
    assert query(fresh_pair, "east", "SELECT @@read_only AS fenced") == [{"fenced": 1}]
    assert pair.status(Path(fresh_pair.directory)).missing == ("west", "haproxy")


def test_down_leaves_no_process_and_no_file(folder: Path, clock: Clock) -> None:
    sandbox = pair.up(folder, clock=clock)
    assert [process.name for process in sandbox.processes] == ["east", "haproxy", "west"]
    pair.down(folder)
    assert [process for process in sandbox.processes if processes.started(process.pid) == process.started] == []
    assert not folder.exists()


def test_down_removes_a_half_made_sandbox(folder: Path) -> None:
    folder.mkdir()
    (folder / places.RECORD).write_text("{half a rec")
    pair.down(folder)
    assert not folder.exists()


def test_down_does_not_touch_a_folder_that_is_no_sandbox(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="no sandbox in"):
        pair.down(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_up_refuses_a_sandbox_that_runs_and_names_what_runs(pair: Sandbox, clock: Clock) -> None:
    from interlock.sandbox.pair import up  # noqa: PLC0415 - `pair` is the fixture here

    with pytest.raises(UsageError, match="holds a sandbox already \\(east, haproxy, west run\\)") as refused:
        up(Path(pair.directory), clock=clock)
    assert "sandbox down" in refused.value.hint


def test_up_refuses_a_folder_with_files_of_others(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="is not empty"):
        pair.up(tmp_path, clock=clock)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_up_that_fails_says_why_and_leaves_nothing(folder: Path, clock: Clock) -> None:
    with pytest.raises(StatementFailed, match="no_such_option"):
        pair.up(folder, clock=clock, only={"west": {"no_such_option": "1"}})
    assert not folder.exists()
    assert processes.running(folder) == ()


def test_server_options_are_for_both_and_one_server_can_have_its_own(folder: Path, clock: Clock) -> None:
    sandbox = pair.up(folder, clock=clock, options={"max_connections": "42"}, only={"west": {"log_slave_updates": "0"}})
    seen = [query(sandbox, name, "SELECT @@max_connections AS most, @@log_slave_updates AS echo")[0] for name in ("east", "west")]
    assert seen == [{"most": 42, "echo": 1}, {"most": 42, "echo": 0}]


def test_a_path_too_long_for_sockets_is_refused(tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(UsageError, match="at most 80"):
        pair.up(tmp_path / ("x" * 80), clock=clock)


def test_missing_programs_are_named_with_their_packages() -> None:
    with pytest.raises(UsageError, match="not installed: sysbenchd") as refused:
        processes.programs(["mariadbd", "sysbenchd"], packages={"sysbenchd": "sysbench"})
    assert refused.value.hint == "apt-get install sysbench"


def test_passwords_are_private_and_on_no_command_line(pair: Sandbox) -> None:
    for account in accounts.ACCOUNTS:
        assert stat.S_IMODE(pair.password_file(account).stat().st_mode) == 0o600
    assert not (Path(pair.directory) / "secrets" / "init.sql").exists()
    words = b"".join(Path(f"/proc/{process.pid}/cmdline").read_bytes() for process in pair.processes)
    assert not [account for account in accounts.ACCOUNTS if pair.password(account).encode() in words]
    assert stat.S_IMODE(Path(pair.directory).stat().st_mode) == 0o700


def test_two_that_make_the_template_at_once_make_it_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: template(MARIADB, cache=tmp_path), range(2))
    assert first == second
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [first.name, f"{first.name}.lock"]


def test_what_a_crash_left_of_a_template_is_removed(tmp_path: Path) -> None:
    key = template(MARIADB, cache=tmp_path)
    key.rename(tmp_path / f"{key.name}.making-crashed")
    assert (template(MARIADB, cache=tmp_path) / "mysql").is_dir()
    assert not list(tmp_path.glob("*.making-*"))


def test_another_program_that_has_a_file_of_the_sandbox_open_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "haproxy.cfg").touch()
    pid = processes.spawn(["/usr/bin/tail", "-f", str(tmp_path / "haproxy.cfg")], tmp_path / "log")
    try:
        assert processes.end(tmp_path) == ()
        assert processes.started(pid) is not None
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_zombie_counts_as_ended() -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    assert eventually(lambda: processes.started(pid) is None)
    processes.reap(pid)
