"""The files of a sandbox's programs: option files, the proxy's configuration, the topology. Text only, nothing is written here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from interlock.sandbox.places import Member, Sandbox

_SAFE = {
    "skip-name-resolve": "1",
    "gtid_strict_mode": "1",
    "log_slave_updates": "1",
    "relay_log": "relay",
    "binlog_format": "ROW",
    "binlog_row_image": "FULL",
    "binlog_row_metadata": "FULL",
    "auto_increment_increment": "2",
    "slave_net_timeout": "5",
    "max_connections": "200",
    "read_only": "1",  # a server that starts again is fenced until somebody opens it
}
_QUICK = {
    # what it holds is thrown away: nothing waits for the disk
    "innodb_flush_log_at_trx_commit": "2",
    "innodb_doublewrite": "0",
    "sync_binlog": "0",
    "innodb_buffer_pool_dump_at_shutdown": "0",
    "innodb_buffer_pool_load_at_startup": "0",
    "innodb_stats_persistent": "0",
    "innodb_use_native_aio": "0",
    # and it is small
    "innodb_buffer_pool_size": "16M",
    "innodb_log_file_size": "4M",
    "innodb_log_buffer_size": "2M",
    "innodb_autoextend_increment": "1",
    "innodb_temp_data_file_path": "ibtmp1:4M:autoextend",
    "innodb_read_io_threads": "1",
    "innodb_write_io_threads": "2",
    "innodb_purge_threads": "1",
    "key_buffer_size": "64K",
    "aria_pagecache_buffer_size": "1M",
    "query_cache_type": "0",
    "query_cache_size": "0",
    "table_open_cache": "64",
    "table_definition_cache": "400",
    "thread_cache_size": "32",
    "performance_schema": "0",
}

# HAProxy 2.6 can lose the end of an action's sleep: when it passes while the action still yields, the client waits until inspect-delay is
# over (`tick_is_expired` after `missing_data:` in src/tcp_rules.c; seen on 2.6.12 on a busy machine: of 12 holds 7 kept a client for 30 s).
# With a Lua state for each thread, where no thread waits for another's, and a longer sleep, it was 1 of 24. So: `lua-load-per-thread`.
HOLD_LUA = """\
-- Keeps a new client waiting while the variable proc.hold is 1, for 30 s at the most. Set on the admin socket:
-- experimental-mode on; set var proc.hold int(1)
core.register_action("hold", {"tcp-req"}, function(txn)
  for _ = 1, 6000 do
    local hold = txn:get_var("proc.hold")
    if not hold or hold == 0 then return end
    core.msleep(5)
  end
end)
"""


def option_file(member: Member, options: Mapping[str, str]) -> str:
    """`options` come last, so that a test's own setting wins."""
    place = {
        "datadir": member.data,
        "socket": member.socket,
        "pid-file": f"{member.data}/mariadbd.pid",
        "log-error": member.log,
        "bind-address": member.host,
        "port": str(member.port),
        "report_host": member.host,
        "report_port": str(member.port),
        "server_id": str(member.server_id),
        "gtid_domain_id": str(member.server_id),
        "auto_increment_offset": str(member.server_id),
        "log_bin": f"{member.data}/binlog",
    }
    if os.geteuid() == 0:
        place["user"] = "root"  # the server refuses to run as root unless it is told to
    return "[mysqld]\n" + "".join(f"{name}={value}\n" for name, value in {**place, **_SAFE, **_QUICK, **options}.items())


def haproxy_config(sandbox: Sandbox, lua: str) -> str:
    proxy = sandbox.proxy
    servers = "".join(
        f"    server {member.name} {member.host}:{member.port} check inter 200ms fall 2 rise 1{standby}\n"
        for member, standby in zip(sandbox.members.values(), ("", " disabled"), strict=True)
    )
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
frontend clients
    bind {proxy.host}:{proxy.port} backlog 1024
    tcp-request inspect-delay 30s
    tcp-request content lua.hold
    default_backend {proxy.backend}
backend {proxy.backend}
{servers}"""


def topology(sandbox: Sandbox) -> str:
    """The topology file. Texts are written as JSON, which YAML reads the same way, whatever is in a path."""
    said = {name: json.dumps(str(sandbox.password_file(name))) for name in ("interlock", "interlock_canary")}
    clusters = "".join(
        f"  {member.name}:\n    master: {{host: {member.host}, port: {member.port}}}\n" for member in sandbox.members.values()
    )
    proxy = sandbox.proxy
    return f"""\
# A private pair on this machine, made by `interlock sandbox up`; `interlock sandbox down` removes it.
topology: sandbox
access:
  user: interlock
  password: {{file: {said["interlock"]}}}
  tls: off
  canary:
    user: interlock_canary
    password: {{file: {said["interlock_canary"]}}}
clusters:
{clusters}routes:
  writes:
    type: haproxy
    socket: {json.dumps("unix:" + proxy.admin_socket)}
    backend: {proxy.backend}
    servers: {{{", ".join(f"{name}: {name}" for name in sandbox.members)}}}
    hold: lua
    clients: "{proxy.host}:{proxy.port}"
"""
