"""`python -m interlock.sandbox.proxysql --sandbox DIR`: a node of the stand-in in front of a sandbox's pair, until Ctrl-C."""

from __future__ import annotations

import argparse
import ipaddress
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from interlock.sandbox import places
from interlock.sandbox.places import Sandbox
from interlock.sandbox.proxysql import node as nodes
from interlock.sandbox.proxysql.node import ADMIN, HOSTGROUP, Node
from interlock.sandbox.until import until_stopped

_NAME = "proxysql"


def main(argv: Sequence[str]) -> int:
    """0 once it was stopped; 2 if there is no such sandbox."""
    parser = argparse.ArgumentParser(prog="python -m interlock.sandbox.proxysql", description=__doc__)
    parser.add_argument("--sandbox", required=True, type=Path, metavar="DIR", help="the folder that `interlock sandbox up --dir` was given")
    given = parser.parse_args(argv)
    return until_stopped(partial(_running, given.sandbox.absolute()))


@contextmanager
def _running(directory: Path) -> Iterator[str]:
    """UsageError if no sandbox is there; StatementFailed if the node does not start."""
    sandbox = places.read(directory)
    host = str(ipaddress.ip_address(sandbox.proxy.host) + 1)  # the sandbox's own network: .1 and .2 are the servers, .3 is HAProxy
    node = nodes.plan(sandbox, _NAME, host, servers=nodes.rows(sandbox))
    with nodes.running(node):
        admin = f"admin    {node.admin}, user {ADMIN}, password in {node.password_file}"
        yield f"{admin}\nclients  {node.host}:{node.port}\n\n{_route(sandbox, node)}"


def _route(sandbox: Sandbox, node: Node) -> str:
    return f"""\
In place of the routes of {sandbox.topology}:
routes:
  writes:
    type: proxysql
    admin: {{host: {node.host}, port: {node.admin_port}}}
    user: {ADMIN}
    password: {{file: {json.dumps(node.password_file)}}}
    writer_hostgroup: {HOSTGROUP}
    clients: "{node.host}:{node.port}"
"""
