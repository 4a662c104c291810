"""Real DNS servers on loopback: a primary that takes signed updates (BIND or Knot), a secondary that it notifies, and a cache.

BIND listens only on addresses that an interface has, so all are on 127.0.0.1, with ports of their own.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.tsig
import dns.update

import hanging
from interlock.clock import Deadline, SystemClock
from servers.haproxies import network

CLOCK = SystemClock()
ZONE, NAME, KEY = "db.test", "writer.db.test.", "upd"
HOST = "127.0.0.1"
EAST, WEST = "127.77.0.1", "127.77.0.2"

_ZONE_FILE = f"""\
$TTL 5
@ IN SOA ns root 1 3600 60 3600 1
@ IN NS ns
ns IN A 127.0.0.1
writer 5 IN A {EAST}
"""

_BIND = """\
options {{ directory "{folder}"; pid-file none; session-keyfile "{folder}/session.key"; managed-keys-directory "{folder}";
  listen-on port {port} {{ {host}; }}; listen-on-v6 {{ none; }}; dnssec-validation no; empty-zones-enable no; minimal-responses yes;
  notify-delay 0; querylog no; {more} }};
controls {{ }};
"""

_KNOT = """\
server:
    rundir: "{folder}"
    listen: {place}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{folder}"
    journal-db-max-size: 16M
    kasp-db-max-size: 5M
    timer-db-max-size: 1M
    catalog-db-max-size: 5M
log:
  - target: stderr
    any: info
key:
  - id: {key}
    algorithm: hmac-sha256
    secret: {secret}
remote:
  - id: secondary
    address: {notified}
acl:
  - id: update
    key: {key}
    action: update
    update-owner: name
    update-owner-name: [writer]
    update-owner-match: equal
  - id: transfer
    address: 127.0.0.0/8
    action: transfer
zone:
  - domain: {zone}
    storage: "{folder}"
    file: zone
    acl: [update, transfer]
    notify: secondary
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: changes
"""


@dataclass(slots=True, kw_only=True)
class NameServer:
    """One server; `stop` and `start` keep what it knows on its disk."""

    argv: list[str]
    host: str
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.argv, stdout=log, stderr=log)
        deadline = Deadline.after(CLOCK, 60)
        while not _serves(self.host, self.port):
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            assert not deadline.is_over(), self.log.read_text()[-2000:]
            CLOCK.sleep(0.02)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    @contextmanager
    def hung(self) -> Iterator[None]:
        """Its sockets are open and it says nothing."""
        assert self.process is not None
        with hanging.hung(self.process.pid):
            yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """`secondary` and `cache` are BINDs of one primary. `secret` is the key in base64."""

    primary: NameServer
    secondary: NameServer
    cache: NameServer
    secret: str


@contextmanager
def name_servers(folder: Path, make: str) -> Iterator[Lab]:
    """`make` of the primary is `bind` or `knot`."""
    secret = b64encode(os.urandom(32)).decode()
    ports = dict(zip(("primary", "secondary", "cache"), _free_ports(), strict=False))
    with ExitStack() as stack:
        made = {}
        for name, port in ports.items():
            own = folder / name
            own.mkdir(parents=True)
            if name == "primary":
                (own / "zone").write_text(_ZONE_FILE)
            if name == "primary" and make == "knot":
                (own / "conf").write_text(knot_configuration(own, (HOST, port), secret, notified=(HOST, ports["secondary"])))
                argv = ["knotd", "-c", str(own / "conf")]
            else:
                (own / "conf").write_text(_bind(name, own, ports, secret))
                argv = ["named", "-g", "-n", "1", "-c", str(own / "conf")]
            made[name] = NameServer(argv=argv, host=HOST, port=port, log=own / "log")
            stack.callback(made[name].kill)
            made[name].start()
        lab = Lab(**made, secret=secret)
        await_same(lab)
        yield lab


@contextmanager
def name_server_of_a_machine(folder: Path) -> Iterator[Lab]:
    """One Knot alone, on the port that a resolv.conf can name; it is its own secondary and cache."""
    secret, place = b64encode(os.urandom(32)).decode(), (f"{network()}.53", 53)
    folder.mkdir(parents=True)
    (folder / "zone").write_text(_ZONE_FILE)
    (folder / "conf").write_text(knot_configuration(folder, place, secret, notified=place))
    (folder / "resolv.conf").write_text(f"nameserver {place[0]}\noptions timeout:1 attempts:2\n")
    server = NameServer(argv=["knotd", "-c", str(folder / "conf")], host=place[0], port=place[1], log=folder / "log")
    server.start()
    try:
        yield Lab(primary=server, secondary=server, cache=server, secret=secret)
    finally:
        server.kill()


def resolve_by(resolv_conf: Path) -> None:
    """From now on this thread, and what it starts, has another /etc/resolv.conf: its own view of the file system (unshare(2), mount(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_mounts, bind, private = 0x20000, 0x1000, 0x44000  # CLONE_NEWNS; MS_BIND; MS_PRIVATE and MS_REC
    done = (
        libc.unshare(new_mounts),
        libc.mount(None, b"/", None, private, None),
        libc.mount(str(resolv_conf).encode(), b"/etc/resolv.conf", None, bind, None),
    )
    if any(done):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def knot_configuration(folder: Path, place: tuple[str, int], secret: str, *, notified: tuple[str, int]) -> str:
    at, to = "{}@{}".format(*place), "{}@{}".format(*notified)
    return _KNOT.format(folder=folder, place=at, key=KEY, secret=secret, zone=ZONE, notified=to)


def _bind(name: str, folder: Path, ports: Mapping[str, int], secret: str) -> str:
    match name:
        case "primary":
            more = f"recursion no; notify explicit; also-notify {{ {HOST} port {ports['secondary']}; }}; allow-transfer {{ any; }};"
            rest = (
                f'key "{KEY}" {{ algorithm hmac-sha256; secret "{secret}"; }};\n'
                f'key "other" {{ algorithm hmac-sha256; secret "{secret}"; }};\n'
                f'zone "{ZONE}" {{ type primary; file "zone"; update-policy {{ grant {KEY} name {NAME} A AAAA CNAME; }}; }};\n'
            )
        case "secondary":
            more = "recursion no; notify no; allow-transfer { none; };"
            rest = f'zone "{ZONE}" {{ type secondary; primaries {{ {HOST} port {ports["primary"]}; }}; file "copy"; }};\n'
        case _:
            more = f"recursion yes; forward only; forwarders {{ {HOST} port {ports['primary']}; }}; allow-query {{ any; }};"
            rest = ""
    return _BIND.format(folder=folder, host=HOST, port=ports[name], more=more) + rest


def ask(server: NameServer, name: str = NAME, kind: str = "A") -> list[str]:
    """`TTL value` of each record, as this server answers now."""
    reply = dns.query.udp(dns.message.make_query(name, kind), server.host, port=server.port, timeout=20)
    return sorted(f"{rrset.ttl} {rdata}" for rrset in reply.answer for rdata in rrset)


def put(lab: Lab, *records: str) -> None:
    """The whole of what the primary says of the name, each as `TTL kind value`: what an operator does with nsupdate."""
    message = dns.update.UpdateMessage(ZONE, keyring=dns.tsig.Key(KEY, lab.secret, "hmac-sha256"))
    message.delete(NAME)
    for record in records:
        ttl, kind, value = record.split()
        message.add(NAME, int(ttl), kind, value)
    reply = dns.query.tcp(message, lab.primary.host, port=lab.primary.port, timeout=20)
    assert reply.rcode() == dns.rcode.NOERROR


def serial(server: NameServer) -> int:
    (found,) = ask(server, f"{ZONE}.", "SOA")
    return int(found.split()[3])


def _serves(host: str, port: int) -> bool:
    """It is loaded, not only there: BIND answers SERVFAIL or REFUSED before."""
    try:
        reply = dns.query.udp(dns.message.make_query(f"{ZONE}.", "SOA"), host, port=port, timeout=0.2)
    except (OSError, dns.exception.DNSException):
        return False
    return reply.rcode() == dns.rcode.NOERROR


def _free_ports() -> Iterator[int]:
    """Below those that the kernel hands out; nobody has them, by UDP or TCP."""
    random = Random()  # noqa: S311 - ports, no secrets
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind((HOST, port))
                udp.bind((HOST, port))
            except OSError:
                continue
        yield port


def await_same(lab: Lab) -> None:
    """Until the secondary has what the primary has."""
    deadline = Deadline.after(CLOCK, 60)
    while serial(lab.secondary) != serial(lab.primary):
        assert not deadline.is_over(), lab.secondary.log.read_text()[-2000:]
        CLOCK.sleep(0.02)
