"""Commands on a host, through a real sshd that knows one key."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import paramiko
import pytest

from interlock.clock import Deadline, SystemClock
from interlock.errors import DriverError, NotPermitted, OutcomeUnknown, StatementFailed, Unreachable
from interlock.hosts.local import Here
from interlock.model.effects import RunCommand
from interlock.model.facts import CommandResult
from interlock.model.topology import ClusterName, SshSpec
from servers.haproxies import network

EAST = ClusterName("east")
CLOCK = SystemClock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sshd:
    """A running sshd, how to log in, and a key that it does not know."""

    spec: SshSpec
    folder: Path


@pytest.fixture(scope="module")
def sshd() -> Iterator[Sshd]:
    with tempfile.TemporaryDirectory(prefix="sshd-") as name:
        folder, address = Path(name), f"{network()}.7"
        for key in ("host", "user", "stranger"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", str(folder / key)], check=True)
        shutil.copy(folder / "user.pub", folder / "authorized_keys")
        kind, public, _ = (folder / "host.pub").read_text().split()
        folder.joinpath("known_hosts").write_text(f"[{address}]:2222 {kind} {public}\n")
        _, other, _ = (folder / "stranger.pub").read_text().split()
        folder.joinpath("other_hosts").write_text(f"[{address}]:2222 {kind} {other}\n")
        folder.joinpath("no_hosts").write_text("")
        folder.joinpath("config").write_text(
            f"ListenAddress {address}:2222\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\n"
            "PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            "UsePAM no\nPidFile none\nUseDNS no\n"
        )
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd's own, hard-wired, and made by the system's service otherwise
        user = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()
        with subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "config")], stderr=subprocess.DEVNULL) as process:
            try:
                _wait_for((address, 2222))
                spec = SshSpec(host=address, port=2222, user=user, key=str(folder / "user"), known_hosts=str(folder / "known_hosts"))
                yield Sshd(spec=spec, folder=folder)
            finally:
                process.terminate()


def _wait_for(address: tuple[str, int]) -> None:
    deadline = Deadline.after(CLOCK, 60)
    while True:
        try:
            socket.create_connection(address, timeout=1).close()
        except OSError:
            assert not deadline.is_over(), f"no sshd at {address}"
            CLOCK.sleep(0.02)
        else:
            return


def run(spec: SshSpec, *argv: str, within_s: float = 60, **more: object) -> CommandResult:
    result = Here(CLOCK, {EAST: spec}).run(RunCommand(argv=argv, within_s=within_s, host=EAST, **more))  # type: ignore[arg-type]
    assert isinstance(result, CommandResult)
    return result


def test_words_environment_output_and_exit_code_pass_unchanged(sshd: Sshd) -> None:
    odd = "a; b | $(c) 'e' \"f\" *"
    assert run(sshd.spec, "printf", "%s", odd).stdout == odd
    assert run(sshd.spec, "sh", "-c", 'echo "$TO"; echo err >&2; exit 3', env={"TO": "x ; y"}, exits=(3,)) == CommandResult(
        argv=("sh", "-c", 'echo "$TO"; echo err >&2; exit 3'), exit_code=3, stdout="x ; y\n", stderr="err\n"
    )


def test_an_exit_code_that_is_not_allowed_is_a_failure(sshd: Sshd) -> None:
    with pytest.raises(StatementFailed, match="sh ended with 4, allowed: 0"):
        run(sshd.spec, "sh", "-c", "exit 4")


def test_much_output_is_cut_and_does_not_block(sshd: Sshd) -> None:
    assert len(run(sshd.spec, "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x").stdout) == 64 << 10


def test_at_its_bound_a_command_may_still_run_there(sshd: Sshd) -> None:
    began = CLOCK.monotonic_s()
    with pytest.raises(OutcomeUnknown, match=r"sleep ran longer than 3s") as unknown:
        run(sshd.spec, "sleep", "90", within_s=3)
    assert CLOCK.monotonic_s() - began < 60
    assert unknown.value.hint == "it may still run there: look"


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"known_hosts": "no_hosts"}, Unreachable, "not found in known_hosts"),
        ({"known_hosts": "other_hosts"}, NotPermitted, "shows another key than"),
        ({"known_hosts": "missing"}, Unreachable, "No such file"),
        ({"key": "stranger"}, NotPermitted, "lets .* not in"),
    ],
    ids=["unknown host", "changed host key", "no known_hosts", "wrong key"],
)
def test_neither_an_unknown_host_nor_a_wrong_key_gets_through(
    sshd: Sshd, change: dict[str, str], kind: type[DriverError], words: str
) -> None:
    places = {name: str(sshd.folder / file) for name, file in change.items()}
    with pytest.raises(kind, match=words):
        run(replace(sshd.spec, **places), "true")  # type: ignore[arg-type]


def test_nobody_listening_is_unreachable(sshd: Sshd) -> None:
    with pytest.raises(Unreachable, match=r"can't be reached"):
        run(replace(sshd.spec, port=2223), "true")


class _Deaf(paramiko.ServerInterface):
    """Lets everybody in, and never answers what it is asked to run: as a host that hangs in that moment."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def get_allowed_auths(self, username: str) -> str:
        assert username
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        assert username
        assert key is not None
        return paramiko.common.AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        assert chanid >= 0
        assert kind == "session"
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        assert channel is not None
        assert command
        self.over.wait(60)
        return False


def test_a_host_that_takes_a_session_and_then_says_nothing_is_not_waited_for(sshd: Sshd) -> None:
    """A stand-in, as no real host can be made to hang between the two."""
    deaf = _Deaf()
    with socket.create_server((sshd.spec.host, 2224)) as listener:

        def answer() -> None:
            peer, _ = listener.accept()
            transport = paramiko.Transport(peer)
            transport.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(sshd.folder / "host")))
            transport.start_server(server=deaf)
            deaf.over.wait(100)
            transport.close()

        thread = threading.Thread(target=answer)
        thread.start()
        kind, public, _ = (sshd.folder / "host.pub").read_text().split()
        (sshd.folder / "deaf_hosts").write_text(f"[{sshd.spec.host}]:2224 {kind} {public}\n")
        began = CLOCK.monotonic_s()
        with pytest.raises(OutcomeUnknown, match="the connection broke while true ran"):
            run(replace(sshd.spec, port=2224, known_hosts=str(sshd.folder / "deaf_hosts")), "true", within_s=4)
        assert CLOCK.monotonic_s() - began < 60
        deaf.over.set()
        thread.join()
