"""Run one program on a cluster's host by SSH. The host's key must be known beforehand: an unknown or changed one is refused.

The bound ends the session here; what runs there without a terminal gets no hang-up and may go on: that is OutcomeUnknown, never
BoundReached.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, Timer
from typing import IO, cast

import paramiko

from interlock.clock import Clock, Deadline
from interlock.errors import NotPermitted, OutcomeUnknown, StatementFailed, Unreachable
from interlock.hosts.processes import OUTPUT_LIMIT, text_of
from interlock.model.effects import RunCommand
from interlock.model.facts import CommandResult
from interlock.model.topology import SshSpec

_CONNECT_S = 10.0
_MARGIN_S = 0.5
# A kept connection that answers nothing for so long is taken for dead, and another one is made.
_KEPT_S = 2.0
_LOOK_EVERY_S = 0.02
# A program may leave a child that keeps its output open: what came until then is its output.
_AFTER_EXIT_S = 0.2


def run_on_host(spec: SshSpec, effect: RunCommand, clock: Clock) -> CommandResult:
    """How the program ended, whatever its exit code. Each call has a connection of its own."""
    connection = HostConnection(spec, clock)
    try:
        return connection.run(effect)
    finally:
        connection.close()


@contextmanager
def remote_folder(spec: SshSpec, folder: str, within_s: float) -> Iterator[RemoteFolder]:
    """A folder of the host by SFTP, on a login of its own. Unreachable, NotPermitted; OSError while it is read."""
    client = paramiko.SSHClient()
    try:
        _log_in(client, spec, max(0.1, min(_CONNECT_S, within_s)))
        try:
            sftp = client.open_sftp()
        except (paramiko.SSHException, EOFError) as error:
            raise StatementFailed(f"{_name(spec)} gives no files by SFTP: {error}", hint="see Subsystem sftp in sshd_config") from error
        channel = sftp.get_channel()
        if channel is not None:
            channel.settimeout(max(1.0, within_s))
        yield RemoteFolder(sftp, folder)
    except (paramiko.SSHException, EOFError) as error:
        raise Unreachable(f"{_name(spec)}: the connection broke while files were copied: {error}") from error
    finally:
        client.close()


class RemoteFolder:
    """Files of one folder of another host. OSError where they can't be read."""

    def __init__(self, sftp: paramiko.SFTPClient, folder: str) -> None:
        self._sftp = sftp
        self._folder = folder

    def sizes(self) -> dict[str, int]:
        return {one.filename: one.st_size or 0 for one in self._sftp.listdir_attr(self._folder)}

    def open(self, name: str) -> IO[bytes]:
        file = self._sftp.open(f"{self._folder}/{name}", "rb")
        file.prefetch()
        return cast("IO[bytes]", file)


@contextmanager
def remote_program(spec: SshSpec, argv: Sequence[str]) -> Iterator[RemoteProgram]:
    """A program on the host whose input and output are streams, on a login of its own, without a bound. If the login ends first, it goes
    on there until it misses its input or its output. Unreachable, NotPermitted.
    """
    client = paramiko.SSHClient()
    try:
        _log_in(client, spec, _CONNECT_S)
        channel = _transport(client, spec).open_session(timeout=_CONNECT_S)
        channel.exec_command(shlex.join(argv))
        yield RemoteProgram(channel, spec)
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise Unreachable(f"{_name(spec)}: the connection broke: {error}") from error
    finally:
        client.close()


class RemoteProgram:
    """What it says beside its output is expected to be little: it is read at its end."""

    def __init__(self, channel: paramiko.Channel, spec: SshSpec) -> None:
        self._channel = channel
        self._spec = spec
        self._said = bytearray()

    def said(self) -> str:
        """So far, beside its output."""
        while self._channel.recv_stderr_ready():
            _keep(self._said, self._channel.recv_stderr(1 << 15))
        return text_of(bytes(self._said))

    def read(self, at_most: int) -> bytes:
        """Empty at the end of its output."""
        return self._channel.recv(at_most)

    def write(self, part: bytes) -> bool:
        """False once it reads no more: it tells why at its end."""
        try:
            self._channel.sendall(part)
        except OSError:  # "Socket is closed": also of a connection that broke, which `end` tells
            return False
        return True

    def end_input(self) -> None:
        with suppress(OSError):  # it has ended
            self._channel.shutdown_write()

    def end(self) -> tuple[int, str]:
        """Waits for it: its exit code, and what it said. Unreachable if the connection broke, so that nobody knows."""
        while part := self._channel.recv_stderr(1 << 15):
            _keep(self._said, part)
        code = self._channel.recv_exit_status()
        if code == -1:
            raise Unreachable(f"{_name(self._spec)} did not tell how the program ended")
        return code, self.said()

    def cut(self) -> None:
        """From another thread: it loses its input and output, and who reads or writes here comes to an end."""
        with suppress(paramiko.SSHException, OSError, EOFError):  # it has ended already
            self._channel.close()


class HostConnection:
    """A login that is kept for the next command: it takes a tenth of a second of CPU, which shall not fall into an outage.

    One that has ended meanwhile, or says nothing any more, is made anew. Threads may run commands at the same time.
    """

    def __init__(self, spec: SshSpec, clock: Clock) -> None:
        self._spec = spec
        self._clock = clock
        self._client: paramiko.SSHClient | None = None
        self._lock = Lock()

    def run(self, effect: RunCommand) -> CommandResult:
        """How the program ended. Unreachable and NotPermitted: it was not started. OutcomeUnknown: it may have been, and may still run."""
        deadline = Deadline.after(self._clock, effect.within_s)
        channel = self._channel(deadline)
        # paramiko waits for the answer to `exec` without a bound: the end of the connection ends that wait, too
        last_resort = Timer(deadline.left_s() + _MARGIN_S, self.close)
        last_resort.daemon = True
        last_resort.start()
        try:
            channel.exec_command(_words(effect))
            channel.shutdown_write()
            return _result(channel, self._spec, effect, deadline, self._clock)
        except (paramiko.SSHException, OSError, EOFError) as error:
            self.close()
            raise OutcomeUnknown(f"{_name(self._spec)}: the connection broke while {effect.argv[0]} ran: {error}") from error
        finally:
            last_resort.cancel()
            channel.close()

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _channel(self, deadline: Deadline) -> paramiko.Channel:
        kept = self._client
        if kept is not None:
            try:
                return _transport(kept, self._spec).open_session(timeout=max(0.1, min(_KEPT_S, deadline.left_s() / 2)))
            except (Unreachable, paramiko.SSHException, OSError, EOFError):
                self.close()
        with self._lock:
            if self._client is None:
                client = paramiko.SSHClient()
                try:
                    _log_in(client, self._spec, max(0.1, min(_CONNECT_S, deadline.left_s())))
                except BaseException:  # also an operator's interrupt: its thread and socket end
                    client.close()
                    raise
                self._client = client
            client = self._client
        try:
            return _transport(client, self._spec).open_session(timeout=max(0.1, deadline.left_s()))
        except (paramiko.SSHException, OSError, EOFError) as error:
            self.close()
            raise Unreachable(f"{_name(self._spec)} lets us in and gives no session: {error}") from error


def _log_in(client: paramiko.SSHClient, spec: SshSpec, within_s: float) -> None:
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    known_hosts = Path(spec.known_hosts or "~/.ssh/known_hosts").expanduser()
    try:
        client.load_host_keys(str(known_hosts))
        client.connect(
            spec.host,
            port=spec.port,
            username=spec.user,
            key_filename=None if spec.key is None else str(Path(spec.key).expanduser()),
            timeout=within_s,
            banner_timeout=within_s,
            auth_timeout=within_s,
            look_for_keys=spec.key is None,
            allow_agent=spec.key is None,
        )
    except paramiko.BadHostKeyException as error:
        raise NotPermitted(f"{_name(spec)} shows another key than {known_hosts} holds", hint="find out why before you trust it") from error
    except paramiko.AuthenticationException as error:
        raise NotPermitted(f"{_name(spec)} lets {spec.user} not in: {error}", hint="see the key and authorized_keys there") from error
    except paramiko.SSHException as error:
        hint = f"ssh-keyscan -p {spec.port} {spec.host}, compare it, and add it to {known_hosts}" if "known_hosts" in str(error) else ""
        raise Unreachable(f"{_name(spec)}: {error}", hint=hint) from error
    except (OSError, EOFError) as error:
        raise Unreachable(f"{_name(spec)} can't be reached: {error}") from error


def _transport(client: paramiko.SSHClient, spec: SshSpec) -> paramiko.Transport:
    transport = client.get_transport()
    if transport is None:
        raise Unreachable(f"{_name(spec)} ended the connection")
    return transport


def _words(effect: RunCommand) -> str:
    """Sshd gives one text to the user's shell: each word is quoted. `env`, because sshd takes few variables from a client."""
    words = shlex.join(effect.argv)
    return shlex.join(("env", *(f"{name}={value}" for name, value in effect.env.items()))) + f" {words}" if effect.env else words


def _result(channel: paramiko.Channel, spec: SshSpec, effect: RunCommand, deadline: Deadline, clock: Clock) -> CommandResult:
    out, err = bytearray(), bytearray()
    last: Deadline | None = None
    while True:
        ended = channel.exit_status_ready()  # asked before the reads, so that what came with the end is still read
        if ended and last is None:
            last = Deadline.after(clock, _AFTER_EXIT_S)
        whole = channel.eof_received or channel.closed or (last is not None and last.is_over())
        read = 0
        while channel.recv_ready():
            read += _keep(out, channel.recv(1 << 15))
        while channel.recv_stderr_ready():
            read += _keep(err, channel.recv_stderr(1 << 15))
        if ended and whole and not read:
            break
        if deadline.is_over():
            raise OutcomeUnknown(
                f"{_name(spec)}: {effect.argv[0]} ran longer than {effect.within_s:g}s", hint="it may still run there: look"
            )
        if not read:
            clock.sleep(_LOOK_EVERY_S)
    code = channel.recv_exit_status()
    if code == -1:
        clock.sleep(_LOOK_EVERY_S)  # paramiko tells its channels of a broken connection before it knows itself
        if not channel.get_transport().is_active():
            raise OutcomeUnknown(f"{_name(spec)}: the connection broke while {effect.argv[0]} ran", hint="it may still run there: look")
        raise StatementFailed(f"{_name(spec)}: {effect.argv[0]} was ended by a signal")
    return CommandResult(argv=effect.argv, exit_code=code, stdout=text_of(bytes(out)), stderr=text_of(bytes(err)))


def _keep(kept: bytearray, part: bytes) -> int:
    kept += part[: max(0, OUTPUT_LIMIT - len(kept))]
    return len(part)


def _name(spec: SshSpec) -> str:
    return f"host {spec.host}:{spec.port}"
