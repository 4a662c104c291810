"""The files of a sandbox's programs: option files, the proxy's configuration, the topology. Text only, nothing is written here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from interlock.sandbox.barred import fencing
from interlock.sandbox.kinds import Kind
from interlock.sandbox.places import Entrance, Member, Sandbox

_FOR_EVER = "9999-12-31"
_HOLD_LUA = """\
-- Keeps a new client waiting while the variable proc.hold is 1, until inspect-delay is over at the most. Set on the admin socket:
-- experimental-mode on; set var proc.hold int(1)
local function is_held(at)
  local hold = at:get_var("proc.hold")
  return hold and hold ~= 0
end
-- It waits for the end of a connection to a service of this proxy, which watches the variable. A sleep in the action itself may never end.
core.register_action("hold", {"tcp-req"}, function(txn)
  while is_held(txn) do
    local gate = core.tcp()
    gate:settimeout(60)
    if gate:connect("abns@GATE") then gate:receive("*a") else core.msleep(20) end
    gate:close()
  end
end)
core.register_service("gate", "tcp", function(applet)
  for _ = 1, 12000 do
    if not is_held(applet) then return end
    core.msleep(5)
  end
end)
"""


def hold_lua(gate: str) -> str:
    """The actions of a proxy whose gate has this name, which nobody else on the machine may have (unix(7), "abstract").

    HAProxy 2.6 can lose the end of an action's sleep: when it has passed by the time the rule gives way, the client waits until
    inspect-delay is over (`missing_data:` in src/tcp_rules.c). With `core.msleep(5)` in the action, 15 of 16 clients met that in 250 holds
    on a busy machine. A connection wakes the action when it ends, and a service's sleep is not lost: none in 500 holds (docs/facts.md).
    """
    return _HOLD_LUA.replace("GATE", gate)


def gate_frontend(gate: str) -> str:
    return f"""\
frontend gate
    bind abns@{gate}
    tcp-request content use-service lua.gate
"""


def option_file(member: Member, kind: Kind, options: Mapping[str, str]) -> str:
    """`options` come last, so that a test's own setting wins."""
    place = {
        "datadir": member.data,
        "socket": member.socket,
        "tmpdir": member.data,  # a server that starts removes what another one keeps in a shared one (MariaDB's mysql_rm_tmp_tables)
        "pid-file": f"{member.data}/{kind.program}.pid",
        "log-error": member.log,
        "bind-address": member.host,
        "port": str(member.port),
        "report_host": member.host,
        "report_port": str(member.port),
        "server_id": str(member.server_id),
        "auto_increment_offset": str(member.server_id),
        "log_bin": f"{member.data}/binlog",
    }
    if kind.flavor == "mariadb":
        place["gtid_domain_id"] = str(member.server_id)
    if os.geteuid() == 0:
        place["user"] = "root"  # the server refuses to run as root unless it is told to
    return "[mysqld]\n" + "".join(f"{name}={value}\n" for name, value in {**kind.paths(), **place, **kind.options, **options}.items())


def gate_of(sandbox: Sandbox) -> str:
    return f"hold-{sandbox.proxy.host}"


def haproxy_config(sandbox: Sandbox, lua: str) -> str:
    proxy = sandbox.proxy
    return f"""\
global
    maxconn 400
    stats socket unix@{proxy.admin_socket} mode 600 level admin
    stats socket ipv4@{proxy.host}:{proxy.admin_port} level admin
    stats timeout 1h
    hard-stop-after 1s
    lua-load-per-thread {lua}
defaults
    mode tcp
    timeout connect 2s
    timeout client 1h
    timeout server 1h
    timeout queue 20s
{gate_frontend(gate_of(sandbox))}\
{"".join(_way_in(sandbox, entrance) for entrance in entrances(sandbox))}"""


def entrances(sandbox: Sandbox) -> tuple[Entrance, ...]:
    """Of an older sandbox, too."""
    proxy = sandbox.proxy
    only = Entrance(route="writes", port=proxy.port, backend=proxy.backend, leads_to=next(iter(sandbox.members)))
    return proxy.entrances or (only,)


def _way_in(sandbox: Sandbox, entrance: Entrance) -> str:
    servers = "".join(
        f"    server {member.name} {member.host}:{member.port} check inter 200ms fall 2 rise 1"
        f"{'' if member.name == entrance.leads_to else ' disabled'}\n"
        for member in sandbox.members.values()
    )
    first = entrance.backend == sandbox.proxy.backend
    return f"""\
frontend {"clients" if first else f"clients-{entrance.route}"}
    bind {sandbox.proxy.host}:{entrance.port} backlog 1024
    tcp-request inspect-delay 30s
    tcp-request content lua.hold
    default_backend {entrance.backend}
backend {entrance.backend}
{servers}"""


def topology(sandbox: Sandbox) -> str:
    """The topology file. Texts are written as JSON, which YAML reads the same way, whatever is in a path."""
    said = {name: json.dumps(str(sandbox.password_file(name))) for name in ("interlock", "interlock_canary")}
    clusters = "".join(
        f"  {member.name}:\n    master: {{host: {member.host}, port: {member.port}}}\n"
        f"    logs: {{dir: {json.dumps(member.data)}}}\n{fencing(sandbox)}"
        for member in sandbox.members.values()
    )
    routes = "".join(_route(sandbox, entrance) for entrance in entrances(sandbox))
    return f"""\
# A private pair on this machine, made by `interlock sandbox up`; `interlock sandbox down` removes it.
topology: {sandbox.name}
access:
  user: interlock
  password: {{file: {said["interlock"]}}}
  tls: off
  canary:
    user: interlock_canary
    password: {{file: {said["interlock_canary"]}}}
clusters:
{clusters}routes:
{routes}\
accepted:  # what an audit would find of every sandbox
  durable.log: {{reason: what it holds is thrown away, until: {_FOR_EVER}}}
  durable.commits: {{reason: what it holds is thrown away, until: {_FOR_EVER}}}
  accounts.pass_read_only: {{reason: the sandbox's own administrator, until: {_FOR_EVER}, objects: "'admin'@'%'"}}
  segregation.every_schema_owned: {{reason: the table that a rehearsal's clients write, until: {_FOR_EVER}, objects: app}}
"""


def _route(sandbox: Sandbox, entrance: Entrance) -> str:
    return f"""\
  {entrance.route}:
    type: haproxy
    socket: {json.dumps("unix:" + sandbox.proxy.admin_socket)}
    backend: {entrance.backend}
    servers: {{{", ".join(f"{name}: {name}" for name in sandbox.members)}}}
    hold: lua
    clients: "{sandbox.proxy.host}:{entrance.port}"
"""
