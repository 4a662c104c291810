"""Both hosts of a copy by mariadb-backup: how they are reached, what was seen there, and why they can't be used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import PurePosixPath

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.errors import DriverError, StatementFailed
from interlock.fencing.on_host import OnHost
from interlock.fencing.service import unit_of
from interlock.losses.live import PLAIN_SETTINGS
from interlock.model.topology import ClusterSpec, ServerName, SshSpec
from interlock.ports import Outside
from interlock.returning import backup_scripts
from interlock.servers.quoting import text
from interlock.servers.server import SqlServer
from interlock.servers.session import text_of
from interlock.servers.versions import version_of

MEANS = "mariadb-backup"

_LOOK_S = 60.0
_ANY = tuple(range(256))
_SAID_AT_MOST = 400
_ROOM = 1.05
"""The redo log of the time that it takes comes on top."""
_SAME = ("innodb_page_size", "innodb_data_file_path", "lower_case_table_names")
_PLACES = ("innodb_data_home_dir", "innodb_log_group_home_dir", "innodb_undo_directory", "aria_log_dir_path")
_FILES = ("ssl_ca", "ssl_capath", "ssl_cert", "ssl_crl", "ssl_crlpath", "ssl_key", "init_file", "file_key_management_filename")
"""What a server reads beside its data, and does not start without."""
_PLUGINS = (
    "SELECT PLUGIN_NAME AS name FROM information_schema.PLUGINS "
    "WHERE PLUGIN_STATUS='ACTIVE' AND PLUGIN_TYPE IN ('ENCRYPTION', 'STORAGE ENGINE')"
)
OF_CONNECTION = "SELECT SUBSTRING_INDEX(HOST, ':', -1) AS port FROM information_schema.PROCESSLIST WHERE ID=CONNECTION_ID()"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOf:
    """A master's host: by `on_host` its commands, by `ssh` the stream."""

    on_host: OnHost
    ssh: SshSpec

    def words(self, script: str, *words: str) -> tuple[str, ...]:
        return self.on_host.order("sh", "-c", script, "interlock", *words).argv

    def run(self, script: str, *words: str, within_s: float) -> str:
        """What it printed. StatementFailed with what it said if it does not end well."""
        order = self.on_host.order("sh", "-c", script, "interlock", *words, exits=_ANY)
        result = self.on_host.look(replace(order, within_s=within_s))
        if result.exit_code:
            raise StatementFailed(f"the host of {self.on_host.cluster}: {why_of(result.stderr)}", server=ServerName(self.on_host.cluster))
        return result.stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupHosts:
    """`unit` is the service of the server that comes back; `options` a file of its include folder, ours alone."""

    target: HostOf
    source: HostOf
    unit: str
    options: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenHosts:
    """The data directory of the server that comes back, as its host names it, and how many bytes the writer's files have."""

    data: str
    bytes: int


def backup_hosts(target: ClusterSpec, source: ClusterSpec, outside: Outside, clock: Clock) -> BackupHosts | str:
    """From the topology; or what is not said there."""
    service, of_source = _service(target), _service(source)
    if target.ssh is None or source.ssh is None:
        return f"{(target if target.ssh is None else source).name} has no `ssh`"
    if "unit" not in service or service.get("option_file") is None:
        return f"{target.name} has no fencing of type `service` with an `option_file`"
    file = PurePosixPath(str(service["option_file"]))
    return BackupHosts(
        target=HostOf(on_host=_on_host(target, service, outside, clock), ssh=target.ssh),
        source=HostOf(on_host=_on_host(source, of_source, outside, clock), ssh=source.ssh),
        unit=unit_of(service),
        options=str(file.with_name(f"{file.stem}-copy.cnf")),
    )


def _service(cluster: ClusterSpec) -> Mapping[str, object]:
    return next((one for one in cluster.fencing if one.get("type") == "service"), {})


def _on_host(cluster: ClusterSpec, service: Mapping[str, object], outside: Outside, clock: Clock) -> OnHost:
    return OnHost(cluster=cluster.name, outside=outside, clock=clock, sudo=service.get("sudo") is True, within_s=_LOOK_S)


def see_hosts(hosts: BackupHosts, server: SqlServer, writer: SqlServer) -> SeenHosts | str:
    """What is there now; or why it can't be had."""
    ours, theirs = _variables(server), _variables(writer)
    try:
        there = _look(hosts.target, server, data=ours["datadir"], unit=hosts.unit, options=hosts.options)
        source = _look(hosts.source, writer, data=theirs["datadir"])
    except DriverError as error:
        return str(error)
    why = why_not(
        target=Side(name=server.name, version=server.facts().version, variables=ours, plugins=_plugins(server), host=there),
        source=Side(name=writer.name, version=writer.facts().version, variables=theirs, plugins=_plugins(writer), host=source),
        unit=hosts.unit,
        options=hosts.options,
    )
    return why or SeenHosts(data=there["data"], bytes=int(source["bytes"]))


def _look(host: HostOf, server: SqlServer, *, data: str, unit: str = "", options: str = "") -> dict[str, str]:
    """While a connection to the server is open, which its own host finds again, and no other."""
    with closing(server.session(PLAIN_SETTINGS)) as session:
        (row,) = session.rows(OF_CONNECTION)
        return parse_look(host.run(backup_scripts.LOOK, data, text_of(row["port"]), unit, options, within_s=_LOOK_S))


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A server's settings, what its tables may need (engines, encryption), and what LOOK told of its host."""

    name: str
    version: str
    variables: Mapping[str, str]
    plugins: frozenset[str]
    host: Mapping[str, str]


def why_not(*, target: Side, source: Side, unit: str, options: str) -> str:
    """Pure. Empty if nothing is in the way."""
    server, its = target.name, target.host
    if version_of(target.version) != version_of(source.version):
        return f"{server} is {target.version} and {source.name} {source.version}"
    for side in (target, source):
        if side.host.get("missing"):
            return f"the host of {side.name} has no {side.host['missing']}"
        if _program_version(side.host.get("backup", "")) != version_of(side.version):
            return f"{side.name} is {side.version}, and its host has {side.host.get('backup', '')[:100]}"
        if not side.host.get("server"):
            where = f"no server in {side.host['data']} there has our connection"
            return f"the `ssh` of {side.name} leads to another host: {where}"
    if source.host.get("elsewhere"):
        return f"{source.name} has what can't be copied as it lies: {source.host['elsewhere']}"
    if why := _why_not_by_settings(target, source):
        return why
    if its.get("LoadState") != "loaded" or its.get("MainPID") != its["server"]:
        return f"{server} is not what {unit} runs ({its.get('LoadState') or 'unknown'}, {its.get('ActiveState') or 'unknown'})"
    if its.get("mount"):
        return f"{its['data']} on the host of {server} is a mount point, and can't be renamed"
    if not its.get("folder"):
        return f"the host of {server} has no folder for {options}"
    if int(its["free"]) < int(source.host["bytes"]) * _ROOM:
        return f"{int(its['free']) / 1e6:.0f} MB are free beside {its['data']}, of {int(source.host['bytes']) / 1e6:.0f} that come"
    return ""


def _why_not_by_settings(target: Side, source: Side) -> str:
    data = target.host["data"]
    for one in _SAME:
        if target.variables[one] != source.variables[one]:
            return f"{one} is {target.variables[one]} on {target.name} and {source.variables[one]} on {source.name}"
    for one in _PLACES:
        if target.variables.get(one, "").rstrip("/") not in {"", ".", target.variables["datadir"].rstrip("/"), data}:
            return f"{one} of {target.name} is outside of its data directory: {target.variables[one]}"
    for one in _FILES:
        if _lies_in(target.variables.get(one, ""), target.variables["datadir"], data):
            return f"{one} of {target.name} lies in its data directory, which is replaced: {target.variables[one]}"
    if lacking := sorted(source.plugins - target.plugins):
        return f"{source.name} has plugins that {target.name} lacks: {', '.join(lacking)}"
    if "/" in target.variables["innodb_data_file_path"]:
        return f"innodb_data_file_path of {target.name} names a place of its own: {target.variables['innodb_data_file_path']}"
    return ""


def _lies_in(file: str, *directories: str) -> bool:
    """A file that a server is told without a place is looked for where it works."""
    return bool(file) and (not file.startswith("/") or any(PurePosixPath(file).is_relative_to(one) for one in directories))


def why_of(said: str) -> str:
    """Of what a program printed when it failed, the lines that tell it; the last ones if none does."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"error|fail|denied|no space|can't|cannot|earlier copy", line, re.IGNORECASE)]
    return " / ".join(telling[-3:] or lines[-2:])[-_SAID_AT_MOST:] or "it said nothing"


def _program_version(told: str) -> tuple[int, int, int]:
    """`mariadb-backup based on MariaDB server 10.11.6-MariaDB …`."""
    return version_of(told.partition(" server ")[2].strip())


def parse_look(told: str) -> dict[str, str]:
    """The first of each key; a missing program is one of several."""
    found: dict[str, str] = {}
    for line in told.splitlines():
        key, mark, value = line.partition("=")
        if mark:
            found.setdefault(key, value.strip())
    return found


def _variables(server: SqlServer) -> dict[str, str]:
    """Empty where it is NULL; those that the version does not know are left out."""
    names = ", ".join(text(one) for one in ("datadir", *_SAME, *_PLACES, *_FILES))
    with closing(server.session(PLAIN_SETTINGS)) as session:
        rows = session.rows(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})")
    return {text_of(row["Variable_name"]): "" if row["Value"] is None else text_of(row["Value"]) for row in rows}


def _plugins(server: SqlServer) -> frozenset[str]:
    with closing(server.session(PLAIN_SETTINGS)) as session:
        return frozenset(text_of(row["name"]) for row in session.rows(_PLUGINS))
