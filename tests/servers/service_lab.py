"""A host with a service: a real sshd, a real process that listens, and a stand-in for systemctl, as no container of the tests has systemd.

The stand-in behaves as systemctl(1) and systemd 252 do in what Interlock asks for: `mask` bars the unit, and refuses one whose file lies
in /etc/systemd/system; `start` of a masked unit fails; `kill` signals its process, which may be a stopped one; `stop` asks it to end, and
waits; `show` tells the properties, and an unknown unit is `not-found`. It was never held to a real systemd.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from interlock.clock import Deadline, SystemClock
from servers.haproxies import network
from servers.sshd_lab import Sshd, sshd

CLOCK = SystemClock()
UNIT = "mariadb.service"

_SYSTEMCTL = r"""#!/bin/sh
# In $home: pid, masked, killed, in-etc (its file lies in /etc), sticks (it does not end when it is asked to), calls (a line each).
home=${0%/bin/*}
verb=$1; for unit; do :; done
echo "$*" >> "$home/calls"
known() { [ "$unit" = UNIT ]; }
pid() {
  p=$(cat "$home/pid" 2> /dev/null) && state=$(sed 's/.*) //' "/proc/$p/stat" 2> /dev/null) || { echo 0; return; }
  case $state in [ZX]*) echo 0 ;; *) echo "$p" ;; esac
}
ended() { while [ "$(pid)" != 0 ]; do sleep 0.005; done; }
fail() { echo "$1" >&2; exit "${2:-1}"; }
case $verb in
show)
  file=enabled load=loaded active=inactive sub=dead main=0
  known || { file= load=not-found; }
  [ ! -e "$home/masked" ] || file=masked load=masked
  [ ! -e "$home/killed" ] || active=failed sub=failed
  if known && [ "$(pid)" != 0 ]; then active=active sub=running main=$(pid); fi
  printf '%s\n' "LoadState=$load" "UnitFileState=$file" "ActiveState=$active" "SubState=$sub" "MainPID=$main" ;;
mask)
  [ ! -e "$home/in-etc" ] || fail "Failed to mask unit: File /etc/systemd/system/$unit already exists."
  : > "$home/masked" ;;
unmask) rm -f "$home/masked" ;;
start)
  [ ! -e "$home/masked" ] || fail "Failed to start $unit: Unit $unit is masked."
  rm -f "$home/killed"
  if [ "$(pid)" = 0 ]; then
    cp "$home/option.cnf" "$home/started-with" 2> /dev/null || : > "$home/started-with"
    setsid "$home/server" > /dev/null 2>&1 < /dev/null & echo $! > "$home/pid"
  fi ;;
kill)
  known || fail "Unit $unit not loaded." 5
  p=$(pid); [ "$p" = 0 ] || { kill -9 "$p"; ended; : > "$home/killed"; } ;;
stop)
  known || fail "Unit $unit not loaded." 5
  [ ! -e "$home/sticks" ] || { sleep 60; exit 1; }
  p=$(pid); [ "$p" = 0 ] || { kill -15 "$p"; ended; } ;;
*) fail "Unknown command verb $verb." ;;
esac
"""
_SERVER = """#!{python} -IS
import socket
server = socket.create_server(("{host}", {port}), reuse_port=False)
while True:
    client, _ = server.accept()
    client.sendall(b"hello")
    client.close()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHost:
    """`folder` is the stand-in's home; the server listens at `address` and `port`, at which nobody else on this machine listens: the host's
    word on a port is about all of its addresses.
    """

    folder: Path
    sshd: Sshd
    address: str
    port: int

    @property
    def option_file(self) -> str:
        return str(self.folder / "option.cnf")

    def pid(self) -> int:
        return int((self.folder / "pid").read_text())

    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def lets_in(self) -> bool:
        try:
            with socket.create_connection((self.address, self.port), timeout=1) as client:
                return client.recv(1) != b""
        except OSError:
            return False

    def start(self) -> None:
        """As a boot does, or a person. A unit that is barred does not start."""
        started = subprocess.run([str(self.folder / "bin" / "systemctl"), "start", UNIT], check=False, capture_output=True, timeout=60)
        deadline = Deadline.after(CLOCK, 60)
        while started.returncode == 0 and not self.lets_in():
            assert not deadline.is_over(), "the server does not listen"
            CLOCK.sleep(0.01)

    def end(self) -> None:
        with suppress(OSError, ValueError):
            os.kill(self.pid(), signal.SIGKILL)

    def mend(self) -> None:
        """As at the beginning: it runs, and nothing bars it."""
        for name in ("masked", "in-etc", "sticks", "option.cnf", "calls"):
            (self.folder / name).unlink(missing_ok=True)
        self.start()


@contextmanager
def service_host(folder: Path) -> Iterator[ServiceHost]:
    address = f"{network()}.8"
    port = _port_of_nobody()
    for name, text in (
        ("bin/systemctl", _SYSTEMCTL.replace("UNIT", UNIT)),
        ("server", _SERVER.format(python=sys.executable, host=address, port=port)),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    with sshd(folder, more=f"SetEnv PATH={folder}/bin:/usr/bin:/bin:/usr/sbin:/sbin\n") as daemon:
        made = ServiceHost(folder=folder, sshd=daemon, address=address, port=port)
        try:
            yield made
        finally:
            made.end()


def _port_of_nobody() -> int:
    random = Random()  # noqa: S311 - ports, no secrets
    while True:
        port = random.randrange(20000, 30000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", port))
            return port
