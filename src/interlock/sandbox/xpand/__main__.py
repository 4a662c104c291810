"""A pair of the stand-in for people, `python -m interlock.sandbox.xpand --dir DIR`; or one cluster as a process, for programs: without
arguments, configured and ended through standard input (`sandbox/child.py`).

Configuration of a cluster: `name`, `server_id`, `nodes` (host and port of each), `socket` (a path, for the first node), `accounts` (a
password file for each), `binlog` (its name), and if wanted `version`. It begins read-only, with nothing in it.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from interlock.clock import SystemClock
from interlock.sandbox.child import say_ready, serve
from interlock.sandbox.xpand import node
from interlock.sandbox.xpand.cluster import Cluster
from interlock.sandbox.xpand.log import Log

_VERSION = "5.0.45-Xpand-6.1.1"


def _read(path: str) -> str:
    return Path(path).read_text().rstrip("\n")


async def _serve(config: dict[str, Any], stop: Event) -> None:
    accounts = {user: _read(path) for user, path in config["accounts"].items()}
    version = config.get("version", _VERSION)
    cluster = Cluster(name=config["name"], server_id=config["server_id"], accounts=accounts, clock=SystemClock(), version=version)
    cluster.logs[config["binlog"]] = Log(name=config["binlog"], server_id=config["server_id"])
    for number, (host, port) in enumerate(config["nodes"], start=1):
        cluster.nodes[number] = await asyncio.start_server(partial(node.serve, cluster, number), host, port, backlog=1024)
    await asyncio.start_unix_server(partial(node.serve, cluster, 1), config["socket"], backlog=1024)
    say_ready()
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, stop.wait)
    loop.set_exception_handler(lambda _loop, _context: None)  # clients that are cut off by our end are no errors


def _work(config: dict[str, Any], stop: Event) -> object:
    asyncio.run(_serve(config, stop))
    return {}


if __name__ == "__main__":
    if len(sys.argv) > 1 or sys.stdin.isatty():
        from interlock.sandbox.xpand.command import main

        sys.exit(main(sys.argv[1:]))
    serve(_work)
