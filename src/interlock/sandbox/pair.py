"""A private pair on this machine: two servers that replicate to each other, and an HAProxy in front, as ordinary processes.

Everything is in one folder. `down` ends the processes and removes the folder, whatever state `up` left them in.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pymysql

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.errors import StatementFailed, Unreachable, UsageError
from interlock.sandbox import accounts, places, processes, settings, sql
from interlock.sandbox.barred import is_barred, must_not_be_barred, write_hook
from interlock.sandbox.kinds import Kind, kind_named, user_cache
from interlock.sandbox.places import LOOPBACK, SIDES, Member, Network, Sandbox
from interlock.sandbox.processes import Process
from interlock.sandbox.template import clone, template

_START_S = 30.0
_PAUSE_S = 0.005


def up(
    directory: Path,
    *,
    clock: Clock,
    options: Mapping[str, str] | None = None,
    only: Mapping[str, Mapping[str, str]] | None = None,
    network: Network = LOOPBACK,
    kind: str = "mariadb",
    name: str = "sandbox",
    sides: tuple[str, str] = SIDES,
    routes: Mapping[str, str] = MappingProxyType({}),
) -> Sandbox:
    """Start a pair in `directory`, which must not exist or be empty, and write its topology file there. The first of the `sides` is open,
    the other is fenced.

    `kind` names the servers (`kinds.py`), `name` is the topology's. `options` are server options for both, `only` those for one of them by
    its name. `routes` tell where each leads; one, `writes`, if there are none. What a start that failed had made is removed.
    UsageError: a program is missing, or the folder is in use. StatementFailed: a program ended, with the end of its log.
    """
    directory = directory.absolute()
    servers = kind_named(kind)
    program = servers.program_path(servers.program, "mariadb-server-core")
    proxy = processes.programs(["haproxy"])["haproxy"]
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,30}", name):
        raise UsageError(f"the name {name!r} is not a letter with up to 30 letters, digits, - and _ behind it", hint="such as --name shop")
    sandbox = replace(places.plan(directory, network, kind, sides=sides, routes=routes), name=name)
    _take(directory)
    with ExitStack() as on_failure:
        on_failure.callback(down, directory)
        places.write(sandbox)
        passwords = accounts.write_passwords(directory / "secrets")
        given = {name: {**(options or {}), **(only or {}).get(name, {})} for name in sandbox.members}
        _write_files(sandbox, servers, passwords, given)
        _start(sandbox, servers, (program, proxy), options=given, clock=clock, network=network)
        sandbox = replace(sandbox, state="running", processes=processes.running(directory))
        places.write(sandbox)
        on_failure.pop_all()
    return sandbox


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxStatus:
    """`missing` are the programs that should run and do not; `barred` the servers that were fenced from outside."""

    sandbox: Sandbox
    running: tuple[Process, ...]
    missing: tuple[str, ...]
    barred: tuple[str, ...] = ()


def status(directory: Path) -> SandboxStatus:
    """What runs now. UsageError if there is no sandbox in `directory`."""
    directory = directory.absolute()
    sandbox = places.read(directory)
    found = processes.running(directory)
    names = {process.name for process in found}
    return SandboxStatus(
        sandbox=sandbox,
        running=found,
        missing=tuple(name for name in (*sandbox.members, "haproxy") if name not in names),
        barred=tuple(name for name, member in sandbox.members.items() if is_barred(member)),
    )


def down(directory: Path) -> None:
    """End what runs and remove the folder. UsageError if `directory` is no sandbox's: then nothing is removed."""
    directory = directory.absolute()
    if not (directory / places.RECORD).exists():
        raise UsageError(f"no sandbox in {directory}", hint="name the folder that `interlock sandbox up` was given")
    processes.end(directory)
    shutil.rmtree(directory)


def restart(
    sandbox: Sandbox, server: str, *, clock: Clock, network: Network = LOOPBACK, wrapper: Sequence[str] = (), barred: bool = False
) -> None:
    """Start one server again that was ended, as its host would after a crash: fenced, by its option file.

    `wrapper` are words before the program's own, of a program that becomes the server, such as `/usr/bin/env NAME=VALUE`. Refused if it is
    fenced from outside, unless `barred`: then it is started all the same, and its bar stays.
    """
    member = sandbox.members[server]
    if not barred:
        must_not_be_barred(member)
    kind = kind_named(sandbox.kind)
    Path(f"{member.socket}.lock").unlink(missing_ok=True)  # MySQL's: the process it names may be a zombie still, which would count
    with network.inside(server):
        program = kind.program_path(kind.program, "mariadb-server-core")
        pid = processes.spawn([*wrapper, program, f"--defaults-file={member.options}"], Path(member.log))
    _await_server(sandbox, member, pid, Deadline.after(clock, _START_S))


def _take(directory: Path) -> None:
    if (directory / places.RECORD).exists():
        names = ", ".join(process.name for process in processes.running(directory))
        raise UsageError(
            f"{directory} holds a sandbox already ({f'{names} run' if names else 'nothing of it runs'})",
            hint=f"use it, remove it with: interlock sandbox down --dir {directory}, or make another one with --dir in a folder of its own",
        )
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise UsageError(f"{directory} is not empty", hint="choose a new folder: `sandbox down` removes the whole of it")
    directory.chmod(0o700)


def _write_files(sandbox: Sandbox, kind: Kind, passwords: Mapping[str, str], options: Mapping[str, Mapping[str, str]]) -> None:
    directory = Path(sandbox.directory)
    accounts.write_private(directory / "secrets" / "init.sql", accounts.passwords_sql(passwords))
    for name, member in sandbox.members.items():
        Path(member.options).write_text(settings.option_file(member, kind, options[name]))
    lua = directory / "hold.lua"
    lua.write_text(settings.hold_lua(settings.gate_of(sandbox)))
    Path(sandbox.proxy.config).write_text(settings.haproxy_config(sandbox, str(lua)))
    write_hook(sandbox)
    Path(sandbox.topology).write_text(settings.topology(sandbox))


def _start(
    sandbox: Sandbox,
    kind: Kind,
    programs: tuple[str, str],
    *,
    options: Mapping[str, Mapping[str, str]],
    clock: Clock,
    network: Network,
) -> None:
    sources = {name: template(kind, user_cache(), options[name]) for name in sandbox.members}
    passwords = Path(sandbox.directory) / "secrets" / "init.sql"
    deadline = Deadline.after(clock, _START_S)
    pids = {}
    for member in sandbox.members.values():
        clone(sources[member.name], Path(member.data))
        argv = [programs[0], f"--defaults-file={member.options}", f"--init-file={passwords}"]
        with network.inside(member.name):
            pids[member.name] = processes.spawn(argv, Path(member.log))
    with network.inside("proxy"):
        proxy = processes.spawn([programs[1], "-f", sandbox.proxy.config, "-db"], Path(sandbox.proxy.log))
    for member in sandbox.members.values():
        _await_server(sandbox, member, pids[member.name], deadline)
    passwords.unlink()
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda name: _replicate(sandbox, kind, name, deadline), sandbox.members))
    _open_first(sandbox, kind)
    with network.inside("proxy"):
        _await_proxy(sandbox, proxy, deadline)


def _open_first(sandbox: Sandbox, kind: Kind) -> None:
    """Open it and make the ledger's table there: the first transaction of the pair, and once the other has it, replication is proved."""
    first, second = sandbox.members
    with closing(sql.connect(sandbox, first)) as opened, closing(sql.connect(sandbox, second)) as other:
        sql.rows(opened, "SET GLOBAL read_only=0")
        sql.rows(opened, accounts.LEDGER)
        position = sql.value(opened, kind.position)
        if sql.value(other, kind.wait, position, 10) != 0:
            raise StatementFailed(f"{second} does not hold {position} of {first} after 10s", server=second)


def _await_server(sandbox: Sandbox, member: Member, pid: int, deadline: Deadline) -> None:
    while True:
        try:
            sql.connect(sandbox, member.name).close()
        except pymysql.err.OperationalError as error:
            _still_coming(member.name, pid, Path(member.log), deadline, error)
        else:
            return


def _await_proxy(sandbox: Sandbox, pid: int, deadline: Deadline) -> None:
    """Until a client comes through to east, which takes one health check."""
    while True:
        try:
            sql.connect_as_client(sandbox).close()
        except pymysql.err.OperationalError as error:
            _still_coming("haproxy", pid, Path(sandbox.proxy.log), deadline, error)
        else:
            return


def _still_coming(name: str, pid: int, log: Path, deadline: Deadline, error: Exception) -> None:
    """A pause if the program still starts, otherwise why it does not."""
    if processes.started(pid) is None:
        processes.reap(pid)
        raise StatementFailed(f"{name} ended while it started:\n{_tail(log)}", hint="the server option or the file named there") from error
    if deadline.is_over():
        raise Unreachable(
            f"{name} lets nobody in after {_START_S:.0f}s: {error}\n{_tail(log)}", hint="is the machine overloaded?"
        ) from error
    deadline.clock.sleep(_PAUSE_S)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:] if log.exists() else ""


def _replicate(sandbox: Sandbox, kind: Kind, name: str, deadline: Deadline) -> None:
    source = next(member for member in sandbox.members.values() if member.name != name)
    with closing(sql.connect(sandbox, name)) as connection:
        sql.rows(connection, kind.follow, source.host, source.port, sandbox.password("repl"))
        sql.rows(connection, kind.start)
        while True:
            (channel,) = sql.rows(connection, kind.channel)
            if all(channel[thread] == "Yes" for thread in kind.runs):
                return
            failed, refused = (channel[column] for column in kind.errors)
            if deadline.is_over() or failed:
                raise StatementFailed(
                    f"{name} does not replicate from {source.name}: {failed or refused or 'no reason given'}", server=name
                )
            deadline.clock.sleep(_PAUSE_S)
