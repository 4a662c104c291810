"""Starting nodes of the stand-in beside a sandbox's servers, each a process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from interlock.dataclass import dataclass
from interlock.sandbox.child import Child, child
from interlock.sandbox.places import Sandbox

ADMIN, HOSTGROUP = "radmin", 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Where a node listens, and all that `python -m interlock.sandbox.proxysql` needs to start it again."""

    host: str
    port: int
    admin_port: int
    password_file: str
    config: Mapping[str, object]

    @property
    def admin(self) -> str:
        return f"{self.host}:{self.admin_port}"

    def before(self, sandbox: Sandbox) -> Sandbox:
        """The sandbox as its clients see it through this node, for `load` and the like."""
        return replace(sandbox, proxy=replace(sandbox.proxy, host=self.host, port=self.port))


def rows(sandbox: Sandbox, **columns: object) -> list[dict[str, object]]:
    """A row of mysql_servers for each member: the first takes clients, the others none."""
    return [
        {
            "hostgroup_id": HOSTGROUP,
            "hostname": member.host,
            "port": member.port,
            "status": "OFFLINE_HARD" if number else "ONLINE",
            **columns,
        }
        for number, member in enumerate(sandbox.members.values())
    ]


def plan(
    sandbox: Sandbox,
    name: str,
    host: str,
    *,
    servers: Sequence[Mapping[str, object]],
    users: Sequence[str] = ("app", "interlock_canary"),
    variables: Mapping[str, str] | None = None,
) -> Node:
    """A node that listens on `host`, ports 6032 and 6033, with its disk in the sandbox's folder."""
    folder = Path(sandbox.directory)
    password_file = folder / "secrets" / "admin"
    config: dict[str, object] = {
        "host": host,
        "port": 6033,
        "admin_port": 6032,
        "admin_user": ADMIN,
        "admin_password_file": str(password_file),
        "disk": str(folder / f"{name}.db"),
        "users": {user: str(sandbox.password_file(user)) for user in users},
        "hostgroup": HOSTGROUP,
        "servers": list(servers),
        "variables": dict(variables or {}),
        "monitor": ["watch", str(sandbox.password_file("watch"))],
    }
    return Node(host=host, port=6033, admin_port=6032, password_file=str(password_file), config=config)


@contextmanager
def running(node: Node) -> Iterator[Child]:
    """While this lasts. It ends as a crash would: what was not saved to its disk is lost."""
    with child("interlock.sandbox.proxysql", node.config) as process:
        yield process
