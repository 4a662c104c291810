"""Pairs whose clients come by other routes than the sandbox's own proxy: what moves them, and whole switchovers in this process.

Behind a key or a service there is a follower (`servers/follower.py`), which goes where the key says, and whose address the clients have.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from interlock.bootstrap import Wiring, read_topology
from interlock.clock import SystemClock
from interlock.engine.execution import Stop
from interlock.engine.report import RunReport
from interlock.model.topology import RouteName
from interlock.playbook.find import shipped_folder
from interlock.playbook.load import load_playbook
from interlock.sandbox import processes
from interlock.sandbox.places import Sandbox
from scenarios.pair_state import start_proxy
from servers.etcd_lab import Cluster
from servers.follower import Follower, follower, lead
from servers.haproxies import network
from servers.http_stand_ins import Consul, DataPlane, Entry, MaxScale, Request, StandIn, Switchboard
from servers.route_benches import etcd_put
from servers.sshd_lab import sshd

CLOCK = SystemClock()

Settings = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One route: its lines of the topology file, where its clients connect, and how to end and begin what it talks to. `leads` tells where
    it leads now, where the test can see it.
    """

    settings: Settings
    clients: tuple[str, int]
    stop: Callable[[], None]
    start: Callable[[], object]
    stand_in: StandIn | None = None
    ssh: Mapping[str, object] | None = None
    leads: Callable[[], str] | None = None


def sandbox_with(sandbox: Sandbox, routes: Mapping[str, Moved], *, tell_clients: bool = True, **more: object) -> Sandbox:
    """The same pair with a topology file of its own; the load's clients take the first of `routes`. JSON is YAML."""
    text = Path(sandbox.topology).read_text().partition("routes:\n")[0]
    for ssh in (moved.ssh for moved in routes.values() if moved.ssh is not None):
        text = text.replace("  east:\n", f"  east:\n    ssh: {json.dumps(ssh)}\n", 1)
    clients = {name: {"clients": ":".join(map(str, moved.clients))} if tell_clients else {} for name, moved in routes.items()}
    said = {name: {**moved.settings, **clients[name], **more} for name, moved in routes.items()}
    path = Path(sandbox.directory) / f"{'-'.join(routes)}.yaml"
    path.write_text(text + f"routes: {json.dumps(said)}\n")
    host, port = next(iter(routes.values())).clients
    return replace(sandbox, topology=str(path), proxy=replace(sandbox.proxy, host=host, port=port))


@contextmanager
def wired(sandbox: Sandbox) -> Iterator[Wiring]:
    wiring = Wiring(read_topology(Path(sandbox.topology)), f"sqlite:///{sandbox.topology}.db")
    try:
        yield wiring
    finally:
        wiring.close()


def go(
    wiring: Wiring, to: str, *, playbook: Path | None = None, observe: Callable[[Any], None] = lambda _: None, run: str | None = None
) -> RunReport:
    """One switchover, or what is left of a run that halted."""
    engine = wiring.engine(observe, lambda *_: False, Stop())
    if run is not None:
        return engine.roll_back(run)
    loaded = load_playbook(playbook or shipped_folder() / "switchover.yaml", wiring.catalogue)
    return engine.start(loaded, {"to": to})


def leads_to(wiring: Wiring) -> dict[str, tuple[str, ...]]:
    return {str(name): wiring.world.route(name).facts().leads_to for name in wiring.topology.routes}


def secret_file(sandbox: Sandbox, name: str, secret: str) -> dict[str, str]:
    path = Path(sandbox.directory) / "secrets" / name
    path.write_text(secret)
    path.chmod(0o600)
    return {"file": str(path)}


# -- the kinds


@contextmanager
def by_haproxy(sandbox: Sandbox) -> Iterator[Moved]:
    """The sandbox's own."""
    proxy = sandbox.proxy

    def stop() -> None:
        for process in processes.running(Path(sandbox.directory)):
            if process.name == "haproxy":
                os.kill(process.pid, signal.SIGKILL)

    with wired(sandbox) as wiring:
        writes = wiring.topology.routes[RouteName("writes")]
    settings = {
        "type": "haproxy",
        "socket": f"unix:{proxy.admin_socket}",
        "backend": proxy.backend,
        "servers": {"east": "east", "west": "west"},
        "hold": str(writes.settings["hold"]),
    }
    clients = (proxy.host, proxy.port)
    yield Moved(settings=settings, clients=clients, stop=stop, start=lambda: start_proxy(sandbox))


@contextmanager
def by_data_plane(sandbox: Sandbox) -> Iterator[Moved]:
    proxy = sandbox.proxy
    state = DataPlane(socket=f"unix:{proxy.admin_socket}", backend=proxy.backend)
    with running(StandIn(_address(), 5555, state.handle)) as stand_in:
        settings = {
            "type": "haproxy_api",
            "url": stand_in.url,
            "backend": proxy.backend,
            "servers": {"east": "east", "west": "west"},
            "user": state.account[0],
            "password": secret_file(sandbox, "dataplane", state.account[1]),
        }
        clients = (proxy.host, proxy.port)
        yield Moved(settings=settings, clients=clients, stop=stand_in.stop, start=stand_in.start, stand_in=stand_in)


@contextmanager
def by_consul(sandbox: Sandbox) -> Iterator[Moved]:
    state = Consul(token="s3cret-token")
    state.keys["shop/writer"] = Entry(value="east", flags=7, created=3, modified=4)
    with _following(sandbox) as follows:
        handle = _then(state.handle, lambda: follows.say(state.keys["shop/writer"].value, hold=_value(state, "shop/hold") == "1"))
        with running(StandIn(_address(), 8500, handle)) as stand_in:
            token = secret_file(sandbox, "consul", state.token)
            key = {"key": "shop/writer", "hold_key": "shop/hold", "hold_limit": "20s", "notice": "50ms"}
            settings = {"type": "consul", "url": stand_in.url, "token": token, **key}
            yield Moved(settings=settings, clients=follows.clients, stop=stand_in.stop, start=stand_in.start, stand_in=stand_in)


def _value(state: Consul, key: str) -> str:
    entry = state.keys.get(key)
    return "" if entry is None else entry.value


@contextmanager
def by_etcd(sandbox: Sandbox, cluster: Cluster) -> Iterator[Moved]:
    """Real members, and a reader that asks one of them every few milliseconds."""
    prefix = cluster.url().rpartition("/")[2]
    etcd_put(cluster, f"{prefix}/writer", "east")
    ended = threading.Event()
    with _following(sandbox) as follows:
        reader = threading.Thread(target=_read_etcd, args=(cluster, prefix, follows, ended), daemon=True)
        reader.start()
        urls = [f"http://{host}:{port}" for host, port in (cluster.address(n) for n in range(len(cluster.members)))]
        key = {"key": f"{prefix}/writer", "hold_key": f"{prefix}/hold", "hold_limit": "20s", "notice": "50ms"}

        def stop() -> None:
            for member in cluster.members:
                member.kill()

        def start() -> None:
            for member in cluster.members:
                member.start()
            cluster.await_health()

        try:
            settings = {"type": "etcd", "url": urls, **key}
            yield Moved(settings=settings, clients=follows.clients, stop=stop, start=start, leads=lambda: lead(follows.file))
        finally:
            ended.set()
            reader.join()


def _read_etcd(cluster: Cluster, prefix: str, follows: Follower, ended: threading.Event) -> None:
    from base64 import b64decode, b64encode  # noqa: PLC0415 - here only

    def value(name: str) -> str:
        found = cluster.ask("kv/range", {"key": b64encode(f"{prefix}/{name}".encode()).decode()}).get("kvs")
        return b64decode(found[0].get("value", "")).decode() if found else ""

    said = ("", False)
    while not ended.wait(0.005):
        try:
            now = value("writer"), value("hold") == "1"
        except OSError:
            continue  # it is down: its last word stands
        if now != said:
            follows.say(now[0], hold=now[1])
            said = now


@contextmanager
def by_webhook(sandbox: Sandbox) -> Iterator[Moved]:
    state = Switchboard(to="east")
    with (
        _following(sandbox) as follows,
        running(
            StandIn(_address(), 8080, _then(state.handle, lambda: follows.say(state.to, hold=state.holding, until_seen=True)))
        ) as stand_in,
    ):
        settings = {
            "type": "webhook",
            "flip": {"url": f"{stand_in.url}/switch", "body": '{"to": "{to}"}'},
            "show": {"url": f"{stand_in.url}/state", "pointer": "/pools/0/active"},
            "hold": {"url": f"{stand_in.url}/hold", "body": '{"hold": true}'},
            "release": {"url": f"{stand_in.url}/hold", "body": '{"hold": false}'},
            "hold_limit": "20s",
            "token": secret_file(sandbox, "webhook", state.token),
        }
        yield Moved(settings=settings, clients=follows.clients, stop=stand_in.stop, start=stand_in.start, stand_in=stand_in)


@contextmanager
def by_maxscale(sandbox: Sandbox) -> Iterator[Moved]:
    state = MaxScale(states={"e": "Master, Running", "w": "Slave, Running"})
    names = {"e": "east", "w": "west"}
    with (
        _following(sandbox) as follows,
        running(
            StandIn(
                _address(),
                8989,
                _then(state.handle, lambda: follows.say(names[state.listed[0]], hold=state.listener == "Stopped", until_seen=True)),
            )
        ) as stand_in,
    ):
        settings = {
            "type": "maxscale",
            "url": stand_in.url,
            "service": "rw",
            "listener": "in",
            "hold_limit": "20s",
            "servers": {"east": "e", "west": "w"},
            "user": state.account[0],
            "password": secret_file(sandbox, "maxscale", state.account[1]),
        }
        yield Moved(settings=settings, clients=follows.clients, stop=stand_in.stop, start=stand_in.start, stand_in=stand_in)


@contextmanager
def by_command(sandbox: Sandbox) -> Iterator[Moved]:
    """`stop` has the next flip end by a signal, its work done."""
    with _following(sandbox) as follows:
        dies = follows.file.with_suffix(".dies")
        yield Moved(settings={"type": "command", **_programs(follows)}, clients=follows.clients, stop=dies.touch, start=lambda: None)


@contextmanager
def by_ssh(sandbox: Sandbox) -> Iterator[Moved]:
    folder = tempfile.mkdtemp(prefix="sshd-", dir=sandbox.directory)
    with _following(sandbox) as follows, sshd(Path(folder)) as host:
        spec = host.spec
        ssh = {"host": spec.host, "port": spec.port, "user": spec.user, "key": spec.key, "known_hosts": spec.known_hosts}
        settings = {"type": "command", "on": "east", **_programs(follows)}
        clients = follows.clients
        yield Moved(settings=settings, clients=clients, stop=host.stop, start=host.start, ssh=ssh, leads=lambda: lead(follows.file))


def _programs(follows: Follower) -> dict[str, object]:
    file = follows.file
    seen = f"until cmp -s {file} {follows.seen}; do sleep 0.005; done"
    write = f'printf "%s" "$1 0" >{file}.new && mv {file}.new {file}; {seen}'
    dies = f"if rm {follows.file.with_suffix('.dies')} 2>/dev/null; then kill -9 $$; fi"
    flag = f'printf "%s" "$(cut -d" " -f1 {file}) $1" >{file}.new && mv {file}.new {file}; {seen}'
    return {
        "flip": ["sh", "-c", f"{write}; {dies}", "flip", "{to}"],
        "show": ["cut", "-d", " ", "-f1", str(file)],
        "hold": ["sh", "-c", flag, "hold", "1"],
        "release": ["sh", "-c", flag, "release", "0"],
        "hold_limit": "20s",
    }


# -- what they share


@contextmanager
def running(stand_in: StandIn) -> Iterator[StandIn]:
    try:
        yield stand_in.start()
    finally:
        stand_in.stop()


@contextmanager
def _following(sandbox: Sandbox) -> Iterator[Follower]:
    targets = {name: (member.host, member.port) for name, member in sandbox.members.items()}
    with follower(Path(sandbox.directory), (f"{network()}.5", 3306), targets) as follows:
        yield follows


def _then(handle: Callable[[Request], tuple[int, object]], tell: Callable[[], None]) -> Callable[[Request], tuple[int, object]]:
    """What follows the key is told right after each request that may have changed it."""

    def handled(request: Request) -> tuple[int, object]:
        answer = handle(request)
        if request.method != "GET":
            tell()
        return answer

    return handled


def _address() -> str:
    return f"{network()}.8"


Kind = Callable[[Sandbox], Any]

KINDS: Mapping[str, Kind] = {
    "haproxy": by_haproxy,
    "data-plane": by_data_plane,
    "consul": by_consul,
    "webhook": by_webhook,
    "maxscale": by_maxscale,
    "command": by_command,
    "ssh": by_ssh,
}


@contextmanager
def routed(sandbox: Sandbox, kinds: Mapping[str, Any]) -> Iterator[tuple[Sandbox, dict[str, Moved]]]:
    """The pair with one route of each kind, by the kind's name."""
    with ExitStack() as stack:
        routes = {name: stack.enter_context(kind) for name, kind in kinds.items()}
        yield sandbox_with(sandbox, routes), routes
