"""A pair of two kinds of servers, MySQL in the east and MariaDB in the west, that replicate to each other by file and offset."""

from __future__ import annotations

import shutil
import struct
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pymysql

from interlock.clock import SystemClock
from interlock.sandbox import accounts, places, processes, settings, sql
from interlock.sandbox.kinds import KINDS, user_cache
from interlock.sandbox.places import Member, Sandbox
from interlock.sandbox.template import clone, template
from interlock.sandbox.xpand.pair import start_proxy
from waiting import eventually

CLOCK = SystemClock()
_TOGETHER_WITHIN_S = 30
_EVENT = struct.Struct("<IBIIIH")  # when, type, server id, length, end position, flags (MariaDB KB, "2-Binlog Event Header")
_CHECKSUM = 4
_GTID_EVENT, _HAS_COMMIT_ID, _ENGINES, _NONE_CHANGED = 162, 2, 1, 255  # FL_EXTRA_MULTI_ENGINE_E1 and UCHAR_MAX of Gtid_log_event
LEDGER = f"{accounts.LEDGER} DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci"
_COMMON = {"character_set_server": "utf8mb4", "collation_server": "utf8mb4_general_ci"}
_QUIET = {"log_error_suppression_list": "MY-010590,MY-010442"}  # else two warnings for each transaction of MariaDB's
_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "mysql": {**_COMMON, "gtid_mode": "OFF", "enforce_gtid_consistency": "OFF", "binlog_row_metadata": "MINIMAL", **_QUIET},
    "mariadb": {
        **_COMMON,
        "gtid_strict_mode": "0",
        "binlog_row_metadata": "NO_LOG",
        "slave_net_timeout": "3600",
        "loose_character_set_collations": "utf8mb4=utf8mb4_general_ci",  # 10.11 has no such variable
    },
}
_BEFORE = {
    "mysql": "SET GLOBAL default_collation_for_utf8mb4=utf8mb4_general_ci",  # it is no option of a file
    "mariadb": "SET GLOBAL binlog_format={format}",
}


@contextmanager
def mixed(kinds: Mapping[str, str], *, mariadb_logs: str = "STATEMENT", beats_s: int = 0) -> Iterator[Sandbox]:
    """East open, west fenced, both following the other, and an HAProxy in front. `kinds` names each one's kind of server, `beats_s` is how
    often MySQL shows MariaDB that it lives: 0 for never, as MariaDB takes that for events that stand in the log (docs/servers/mixed.md).
    """
    folder = Path(tempfile.mkdtemp(prefix="interlock-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        sandbox = places.plan(folder / "pair", kind="mixed")
        Path(sandbox.directory).mkdir()
        stack.callback(processes.end, folder / "pair")
        passwords = accounts.write_passwords(folder / "pair" / "secrets")
        init = folder / "pair" / "secrets" / "init.sql"
        accounts.write_private(init, accounts.passwords_sql(passwords))
        for member in sandbox.members.values():
            _start(member, kinds[member.name], folder / "pair", init)
        for name in sandbox.members:
            assert eventually(lambda name=name: _answers(sandbox, name), 90.0)  # type: ignore[misc]
            sql.query(sandbox, name, _BEFORE[KINDS[kinds[name]].flavor].format(format=mariadb_logs))
        for name in sandbox.members:
            follow(sandbox, name, beats_s=beats_s)
        sql.query(sandbox, "east", "SET GLOBAL read_only=0")
        sql.query(sandbox, "east", LEDGER)
        assert eventually(lambda: _has_ledger(sandbox, "west"))
        start_proxy(sandbox, settings.topology(sandbox), clock=CLOCK)
        yield replace(sandbox, state="running", processes=processes.running(folder / "pair"))


def _start(member: Member, name: str, folder: Path, init: Path) -> None:
    kind = KINDS[name]
    clone(template(kind, user_cache()), Path(member.data))
    own = dict(_OPTIONS[kind.flavor])
    if kind.flavor == "mariadb":
        own["plugin_dir"] = str(_plugins(folder))
    Path(member.options).write_text(settings.option_file(member, kind, own))
    program = kind.program_path(kind.program, "mariadb-server-core")
    processes.spawn([program, f"--defaults-file={member.options}", f"--init-file={init}"], Path(member.log))


def _plugins(folder: Path) -> Path:
    """MariaDB's receiver wants the client's plugin for caching_sha2_password in the server's own folder of plugins."""
    plugins = folder / "plugins"
    plugins.mkdir(exist_ok=True)
    (client,) = Path("/usr/lib").glob("*/libmariadb3/plugin/caching_sha2_password.so")
    shutil.copy(client, plugins)
    return plugins


def _has_ledger(sandbox: Sandbox, name: str) -> bool:
    return bool(sql.query(sandbox, name, "SHOW TABLES FROM app LIKE 'ledger'"))


def _answers(sandbox: Sandbox, name: str) -> bool:
    try:
        sql.connect(sandbox, name).close()
    except pymysql.err.MySQLError:
        return False
    return True


def follow(sandbox: Sandbox, name: str, *, beats_s: int) -> None:
    """Point one at the other's log where it ends now."""
    source = next(member for member in sandbox.members.values() if member.name != name)
    log = sql.query(sandbox, source.name, _own_log(sandbox, source.name))[0]
    words = "MASTER" if is_mariadb(sandbox, name) else "SOURCE"
    beats = beats_s if words == "MASTER" else 1
    more = ", MASTER_USE_GTID=no, MASTER_SSL=1, MASTER_SSL_VERIFY_SERVER_CERT=0" if words == "MASTER" else ", SOURCE_SSL=0"
    head = "CHANGE MASTER TO" if words == "MASTER" else "CHANGE REPLICATION SOURCE TO"
    sql.query(
        sandbox,
        name,
        f"{head} {words}_HOST=%s, {words}_PORT=%s, {words}_USER='repl', {words}_PASSWORD=%s, {words}_LOG_FILE=%s, {words}_LOG_POS=%s, "
        f"{words}_CONNECT_RETRY=1, {words}_HEARTBEAT_PERIOD={beats}{more}",
        source.host,
        source.port,
        sandbox.password("repl"),
        log["File"],
        log["Position"],
    )
    sql.query(sandbox, name, "START SLAVE" if words == "MASTER" else "START REPLICA")


def channel(sandbox: Sandbox, name: str) -> dict[str, object]:
    (row,) = sql.query(sandbox, name, "SHOW SLAVE STATUS" if is_mariadb(sandbox, name) else "SHOW REPLICA STATUS")
    return {key.replace("Master", "Source").replace("Slave", "Replica"): value for key, value in row.items()}


def keys(sandbox: Sandbox, name: str, prefix: str) -> list[str]:
    """Of the load with this prefix, on one server."""
    return sorted(str(row["k"]) for row in sql.query(sandbox, name, "SELECT k FROM app.ledger WHERE k LIKE %s", f"{prefix}-%"))


def is_mariadb(sandbox: Sandbox, name: str) -> bool:
    return "mariadb" in str(sql.query(sandbox, name, "SELECT VERSION() AS v")[0]["v"]).lower()


def _own_log(sandbox: Sandbox, name: str) -> str:
    return "SHOW MASTER STATUS" if is_mariadb(sandbox, name) else "SHOW BINARY LOG STATUS"


def commit_together(sandbox: Sandbox, name: str, *statements: str) -> None:
    """Each statement on a connection of its own, on a MariaDB that waits with the first commit until it has all of them for one group."""

    def send(statement: str) -> None:
        with closing(sql.connect(sandbox, name, read_timeout_s=_TOGETHER_WITHIN_S)) as connection:
            sql.rows(connection, statement)

    sql.query(sandbox, name, f"SET GLOBAL binlog_commit_wait_usec={_TOGETHER_WITHIN_S}000000, binlog_commit_wait_count={len(statements)}")
    with ThreadPoolExecutor(len(statements)) as clients:
        list(clients.map(send, statements))
    sql.query(sandbox, name, "SET GLOBAL binlog_commit_wait_count=0")


def go_on_behind_the_event(sandbox: Sandbox) -> None:
    """As docs/servers/mixed.md tells: MySQL's channel begins right behind the GTID event that MariaDB could not send."""
    assert eventually(lambda: channel(sandbox, "east")["Exec_Source_Log_Pos"] == channel(sandbox, "east")["Read_Source_Log_Pos"])
    stopped = channel(sandbox, "east")
    file, at = stopped["Source_Log_File"], stopped["Read_Source_Log_Pos"]
    (event,) = sql.query(sandbox, "west", f"SHOW BINLOG EVENTS IN '{file}' FROM {at} LIMIT 1")
    assert event["Event_type"] == "Gtid"
    sql.query(sandbox, "east", "STOP REPLICA")
    sql.query(sandbox, "east", "CHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE=%s, SOURCE_LOG_POS=%s", file, event["End_log_pos"])
    sql.query(sandbox, "east", "START REPLICA")


def changed_nothing(sandbox: Sandbox, name: str) -> list[str]:
    """The beginnings of all transactions in a MariaDB's binary log that changed nothing in an engine: those that can stop a MySQL."""
    found = []
    for file in sorted(Path(sandbox.members[name].data).glob("binlog.0*")):
        for (kind, event), (_, after) in pairwise(_events(file.read_bytes())):
            if kind == _GTID_EVENT and _is_of_nothing(event):
                found.append(after.decode("utf-8", "replace"))
    return found


def _is_of_nothing(event: bytes) -> bool:
    """Not for XA, whose name stands before these two bytes (Gtid_log_event::write)."""
    at = 21 if event[12] & _HAS_COMMIT_ID else 13
    extra = event[at : at + 2]
    return len(extra) == 2 and bool(extra[0] & _ENGINES) and extra[1] == _NONE_CHANGED


def _events(log: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each, without its checksum; the file begins with four bytes of its own."""
    at = 4
    while at + _EVENT.size <= len(log):
        _, kind, _, length, _, _ = _EVENT.unpack_from(log, at)
        yield kind, log[at + _EVENT.size : at + length - _CHECKSUM]
        at += length
