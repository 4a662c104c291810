"""Everything of a pair that a run must leave as it was, to be compared before and after; and what is done to a pair in a scenario."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from interlock.clock import SystemClock
from interlock.playbook.find import shipped_folder
from interlock.sandbox import processes
from interlock.sandbox.drill import standby_of
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import connect, query, rows
from waiting import eventually

CLOCK = SystemClock()

_MOVING_VARIABLES = {"gtid_binlog_pos", "gtid_binlog_state", "gtid_current_pos", "gtid_slave_pos", "gtid_executed"}
_CHANNEL = (
    "Connection_name",
    "Master_Host",
    "Master_Port",
    "Master_User",
    "Connect_Retry",
    "Slave_IO_Running",
    "Slave_SQL_Running",
    "Using_Gtid",
    "Parallel_Mode",
    "SQL_Delay",
    "Until_Condition",
    "Skip_Counter",
    "Slave_heartbeat_period",
    "Replicate_Do_DB",
    "Replicate_Ignore_DB",
    "Replicate_Do_Domain_Ids",
    "Replicate_Ignore_Domain_Ids",
    "Replicate_Ignore_Server_Ids",
    "Last_IO_Errno",
    "Last_SQL_Errno",
)
_MYSQL_CHANNEL = (
    "Channel_Name",
    "Source_Host",
    "Source_Port",
    "Source_User",
    "Replica_IO_Running",
    "Replica_SQL_Running",
    "Auto_Position",
    "SQL_Delay",
    "Until_Condition",
    "Skip_Counter",
    "Replicate_Do_DB",
    "Replicate_Ignore_DB",
    "Last_IO_Errno",
    "Last_SQL_Errno",
)
_PERSISTED = "SELECT variable_name AS Variable_name, variable_value AS Value FROM performance_schema.persisted_variables"
_ENDPOINT = ("be_name", "srv_name", "srv_addr", "srv_port", "srv_op_state", "srv_admin_state", "srv_uweight", "srv_iweight")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairState:
    """Of each server every global variable but those that each write moves, and its channels; of the proxy every server, and its hold."""

    variables: dict[str, dict[str, str]]
    channels: dict[str, list[dict[str, object]]]
    proxy: list[dict[str, str]]
    holds: bool


def state_of(sandbox: Sandbox) -> PairState:
    return PairState(
        variables={name: variables(sandbox, name) for name in sandbox.members},
        channels={name: _channels(sandbox, name) for name in sandbox.members},
        proxy=endpoints(sandbox),
        holds="<1>" in ask_proxy(sandbox, "experimental-mode on; get var proc.hold"),
    )


def variables(sandbox: Sandbox, server: str) -> dict[str, str]:
    found = query(sandbox, server, "SHOW GLOBAL VARIABLES")
    told = {row["Variable_name"]: row["Value"] for row in found if row["Variable_name"] not in _MOVING_VARIABLES}
    persisted = query(sandbox, server, _PERSISTED) if sandbox.kind == "mysql" else []
    return told | {f"persisted {row['Variable_name']}": row["Value"] for row in persisted}


def positions(sandbox: Sandbox) -> dict[str, str]:
    """What each server has logged."""
    return {name: query(sandbox, name, "SELECT @@gtid_binlog_pos AS logged")[0]["logged"] for name in sandbox.members}


def _channels(sandbox: Sandbox, server: str) -> list[dict[str, object]]:
    statement, columns = ("SHOW REPLICA STATUS", _MYSQL_CHANNEL) if sandbox.kind == "mysql" else ("SHOW ALL SLAVES STATUS", _CHANNEL)
    return [{column: row[column] for column in columns} for row in query(sandbox, server, statement)]


def endpoints(sandbox: Sandbox) -> list[dict[str, str]]:
    """`show servers state`, without what the health check and the clock move (HAProxy management guide 9.3)."""
    _, head, *lines = ask_proxy(sandbox, "show servers state").strip().splitlines()
    names = head.removeprefix("# ").split()
    rows = [dict(zip(names, line.split(), strict=True)) for line in lines if line.strip()]
    return [{column: row[column] for column in _ENDPOINT} for row in rows]


def ask_proxy(sandbox: Sandbox, words: str) -> str:
    with socket.socket(socket.AF_UNIX) as admin:
        admin.settimeout(60)
        admin.connect(sandbox.proxy.admin_socket)
        admin.sendall(f"{words}\n".encode())
        answer = b""
        while chunk := admin.recv(65536):
            answer += chunk
    return answer.decode()


def start_proxy(sandbox: Sandbox) -> None:
    """Again, after its end: as its configuration says, for what it was told at run time is lost."""
    program = processes.programs(["haproxy"])["haproxy"]
    processes.spawn([program, "-f", sandbox.proxy.config, "-db"], Path(sandbox.proxy.log))
    assert eventually(lambda: "srv_name" in _proxy_says(sandbox))


def _proxy_says(sandbox: Sandbox) -> str:
    try:
        return ask_proxy(sandbox, "show servers state")
    except OSError:
        return ""


def open_sides(sandbox: Sandbox) -> list[str]:
    return [name for name in sandbox.members if not query(sandbox, name, "SELECT @@read_only AS fenced")[0]["fenced"]]


def writer_and_standby(sandbox: Sandbox) -> tuple[str, str]:
    standby = standby_of(sandbox)
    return next(name for name in sandbox.members if name != standby), standby


def shape(value: object) -> object:
    """Every key of a JSON document, all the way down, without the values: what two flavors must tell alike."""
    match value:
        case dict():
            return {key: shape(item) for key, item in value.items()}
        case list():
            return [shape(item) for item in value]
        case _:
            return None


def pid_of(sandbox: Sandbox, program: str) -> int:
    """Of `east`, `west` or `haproxy`, as it was started."""
    return next(process.pid for process in sandbox.processes if process.name == program)


def behind_the_log(sandbox: Sandbox, server: str, statement: str) -> None:
    """Past the fence, and in no log."""
    with closing(connect(sandbox, server)) as admin:
        fence = rows(admin, "SELECT @@super_read_only AS closed") if sandbox.kind == "mysql" else []
        closed = bool(fence and fence[0]["closed"])
        for each in (*(["SET GLOBAL super_read_only=0"] if closed else []), "SET SESSION sql_log_bin=0", statement):
            rows(admin, each)
        if closed:
            rows(admin, "SET GLOBAL super_read_only=1")


def switchover_with(path: Path, *, put: Mapping[str, str] | None = None, leave_out: tuple[str, ...] = (), of: str = "switchover") -> str:
    """The shipped playbook `of` as a file at `path`, with a step put first into a phase, and checks left out; the file's name."""
    text = (shipped_folder() / f"{of}.yaml").read_text()
    for phase, step in (put or {}).items():
        mark = f"- phase: {phase}\n  steps:\n"
        assert mark in text
        text = text.replace(mark, f"{mark}  {step}\n")
    for check in leave_out:
        before, found, after = text.partition(f"  - check: {check}\n")
        assert found
        _, end, rest = after.partition("\n  - ")
        text = f"{before}  - {rest}" if end else before
    path.write_text(text)
    return str(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendezvous:
    """A step that tells the test where the run is, and waits until the test lets it go on."""

    here: Path
    go_on: Path

    @property
    def step(self) -> str:
        loop = f"touch {self.here}; while [ ! -e {self.go_on} ]; do sleep 0.01; done"
        return f"- check: command\n    with: {{run: [sh, -c, '{loop}'], within: 60s}}"

    def await_run(self, run: subprocess.Popen[str] | None = None) -> None:
        """A busy machine takes its time; a `run` that has ended will not come any more."""
        eventually(lambda: self.here.exists() or _has_ended(run), 60.0)
        assert self.here.exists(), f"the run never came to the step{f': {run.communicate()}' if run and _has_ended(run) else ''}"

    def let_go(self) -> None:
        self.go_on.touch()


def _has_ended(run: subprocess.Popen[str] | None) -> bool:
    return run is not None and run.poll() is not None


@contextmanager
def rendezvous(folder: Path) -> Iterator[Rendezvous]:
    met = Rendezvous(here=folder / "here", go_on=folder / "go-on")
    try:
        yield met
    finally:
        met.let_go()
