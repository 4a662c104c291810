"""A node of the stand-in for people, `python -m interlock.sandbox.proxysql --sandbox DIR`; or as a process, for programs: without
arguments, configured and ended through standard input (`child.py`).

Configuration: `host`, `port` (traffic), `admin_port`, `admin_user`, `admin_password_file`, `disk` (a file: if it is there, what it holds
counts, as after a restart), `users` (a password file for each), `hostgroup`, `servers` (rows of mysql_servers), `variables`, `monitor` (the
account that asks for read_only, and its password file).
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from threading import Event
from typing import Any

from interlock.clock import SystemClock
from interlock.sandbox.child import say_ready, serve
from interlock.sandbox.proxysql.admin import HOLD, Admin
from interlock.sandbox.proxysql.hostgroups import Hostgroups
from interlock.sandbox.proxysql.monitor import DEFAULTS, Monitor
from interlock.sandbox.proxysql.tables import Tables
from interlock.sandbox.proxysql.traffic import Traffic


def _read(path: str) -> str:
    return Path(path).read_text().rstrip("\n")


def _make(config: dict[str, Any]) -> Admin:
    known = Path(config["disk"]).exists()
    tables = Tables(config["disk"])
    if not known:
        tables.fill("disk.mysql_servers", config["servers"])
        users = [{"username": n, "password": _read(f), "default_hostgroup": config["hostgroup"]} for n, f in config["users"].items()]
        tables.fill("disk.mysql_users", users)
        variables = {HOLD: "10000", **DEFAULTS, **config.get("variables", {})}
        tables.fill("disk.global_variables", [{"variable_name": name, "variable_value": value} for name, value in variables.items()])
    tables.start()
    hostgroups, clock = Hostgroups(), SystemClock()

    def hold_s() -> float:
        return next(int(row["variable_value"]) / 1000 for row in tables.rows("runtime_global_variables") if row["variable_name"] == HOLD)

    def user(name: str) -> dict[str, str] | None:
        return next((row for row in tables.rows("runtime_mysql_users") if row["username"] == name), None)

    traffic = Traffic(hostgroups=hostgroups, user=user, hold_s=hold_s, clock=clock)
    accounts = {config["admin_user"]: _read(config["admin_password_file"])}
    admin = Admin(tables=tables, hostgroups=hostgroups, traffic=traffic, accounts=accounts, clock=clock)
    admin.load()
    return admin


async def _serve(config: dict[str, Any], stop: Event) -> None:
    admin = _make(config)
    traffic = await asyncio.start_server(admin.traffic.serve, config["host"], config["port"], backlog=1024)
    control = await asyncio.start_server(admin.serve, config["host"], config["admin_port"])
    say_ready()
    loop = asyncio.get_running_loop()
    user, file = config["monitor"]
    monitor = Monitor(tables=admin.tables, hostgroups=admin.hostgroups, user=user, password=_read(file))
    watching = loop.create_task(monitor.run())
    await loop.run_in_executor(None, stop.wait)
    loop.set_exception_handler(lambda _loop, _context: None)  # clients that are cut off by our end are no errors
    watching.cancel()
    traffic.close()
    control.close()


def _work(config: dict[str, Any], stop: Event) -> object:
    asyncio.run(_serve(config, stop))
    return {}


if __name__ == "__main__":
    if len(sys.argv) > 1 or sys.stdin.isatty():
        from interlock.sandbox.proxysql.command import main

        sys.exit(main(sys.argv[1:]))
    serve(_work)
