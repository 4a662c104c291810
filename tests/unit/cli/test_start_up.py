"""What a failover does not need it does not import: clients wait while it starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_PAIR = """\
topology: shop
access: {{user: interlock, password: {{env: HOME}}, tls: off}}
clusters:
  east:
    master: {{host: 127.0.0.1, port: 1}}
    fencing:
    - {{type: command, fence: [./power, off], show: [./power, show], fenced: "off"}}
  west: {{master: {{host: 127.0.0.2, port: 1}}}}
routes:
  writes: {{type: haproxy, socket: "unix:{folder}/haproxy.sock", backend: mysql, servers: {{east: a, west: b}}}}
"""
_NOT_NEEDED = (
    "dns",
    "http.client",
    "importlib.metadata",
    "interlock.actions.custom",
    "interlock.actions.pair_checks",
    "interlock.diff",
    "interlock.fencing.service",
    "interlock.fleet",
    "interlock.losses",
    "interlock.routes.proxysql",
    "interlock.sandbox",
    "interlock.servers.mysql",
    "interlock.servers.tungsten",
    "interlock.servers.xpand",
    "interlock.simulated",
    "interlock.stores.etcd",
    "msgspec",
    "paramiko",
    "pymysqlreplication",
    "rich",
    "urllib.request",
)


def test_a_failover_imports_only_what_its_pair_needs(tmp_path: Path) -> None:
    """Of a pair of which nobody answers it is refused, after it has wired and asked everything once."""
    topology = tmp_path / "shop.yaml"
    topology.write_text(_PAIR.format(folder=tmp_path))
    words = ["-t", str(topology), "--store", f"sqlite://{tmp_path}/runs.db", "failover", "--to", "west"]
    code = (
        "import sys\nfrom interlock.cli.main import main\n"
        f"code = main({words!r})\n"
        f"sys.exit(','.join(name for name in {_NOT_NEEDED!r} if name in sys.modules) or code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env={"HOME": str(tmp_path)})
    assert done.returncode == 3, done.stderr
