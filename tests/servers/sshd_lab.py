"""A throwaway sshd that knows one key."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from interlock.clock import Deadline, SystemClock
from interlock.model.topology import SshSpec
from servers.haproxies import network

CLOCK = SystemClock()


@dataclass(slots=True, kw_only=True)
class Sshd:
    """A running sshd, how to log in, and a folder with its keys: `stranger` is one that it does not know."""

    spec: SshSpec
    folder: Path
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """With the connections that it serves, each a process of its own. What they run goes on, and nobody hears of it.

        It may be stopped twice.
        """
        if self.process.poll() is not None:
            return
        sessions = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()  # proc(5)
        self.process.kill()
        self.process.wait()
        for session in sessions:
            with suppress(ProcessLookupError):
                os.kill(int(session), signal.SIGKILL)

    def start(self) -> None:
        """Again, after `stop`. It may be started twice."""
        if self.process.poll() is None:
            return
        self.process = _started(self.folder, (self.spec.host, self.spec.port))


@contextmanager
def sshd(folder: Path, more: str = "") -> Iterator[Sshd]:
    """`more` are lines of its configuration, each with its end."""
    address = f"{network()}.7"
    for key in ("host", "user", "stranger"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", str(folder / key)], check=True)
    shutil.copy(folder / "user.pub", folder / "authorized_keys")
    kind, public, _ = (folder / "host.pub").read_text().split()
    folder.joinpath("known_hosts").write_text(f"[{address}]:2222 {kind} {public}\n")
    folder.joinpath("config").write_text(
        f"ListenAddress {address}:2222\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\n"
        "PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        f"UsePAM no\nPidFile none\nUseDNS no\nSubsystem sftp internal-sftp\n{more}"
    )
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd's own, hard-wired, and made by the system's service otherwise
    user = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()
    spec = SshSpec(host=address, port=2222, user=user, key=str(folder / "user"), known_hosts=str(folder / "known_hosts"))
    running = Sshd(spec=spec, folder=folder, process=_started(folder, (address, 2222)))
    try:
        yield running
    finally:
        running.stop()


def _started(folder: Path, address: tuple[str, int]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "config")], stderr=subprocess.DEVNULL)
    deadline = Deadline.after(CLOCK, 60)
    while True:
        try:
            socket.create_connection(address, timeout=1).close()
        except OSError:
            assert not deadline.is_over(), f"no sshd at {address}"
            CLOCK.sleep(0.02)
        else:
            return process
