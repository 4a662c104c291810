"""A copy of the writer's files by mariadb-backup: its stream passes from host to host through this process, and the server that comes back
starts with them in place of its own, which are kept beside.

Through this process, as a dump does, and not from host to host: the hosts need not know each other, how far it is and where it ends are
known here, and the end of this process ends both programs. The server goes on with its old data until the new ones are whole; then one
script on its host stops it, moves both directories and starts it, fenced and without its channels (`SWAP`). It comes up saying of itself
that a copy was not ended: that was written into the new data before (`PREPARE`), so at no moment does a server run that could be taken for
one that is whole.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.errors import DriverError, NotPermitted, StatementFailed
from interlock.losses.live import PLAIN_SETTINGS
from interlock.model.position import MariaDBPosition
from interlock.model.returning import CopyFacts
from interlock.model.topology import SecretRef, Tls
from interlock.returning import backup_scripts, note
from interlock.returning.backup_hosts import MEANS, BackupHosts, SeenHosts, why_of
from interlock.returning.programs import login_options
from interlock.servers.server import SqlServer

if TYPE_CHECKING:
    from interlock.hosts.ssh import RemoteProgram

OPTIONS = """\
# A copy of the data is under way, by Interlock: whatever starts this server starts it read-only, without its channels and its events.
[mysqld]
read_only=1
skip_slave_start=1
event_scheduler=OFF
"""
"""The writer's events come with its files, enabled: a definer that passes `read_only` would write on both sides."""

_PART_BYTES = 1 << 17
_COMMITS_WAIT_S = 10
"""Commits wait on the writer while the backup ends, which is a moment; if nobody takes its last bytes they would wait for ever."""
_PREPARE_S = 86_400.0
_SWAP_S = 3600.0
_CLEAR_S = 600.0
_ANSWERS_S = 600.0
_GONE_S = 20.0
_LOOK_S = 0.5
_STOPPED = "it was stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Directories on the host of the server that comes back: where its data are, where the new ones arrive, where the old ones go."""

    data: str
    new: str
    old: str


def position_of(told: str) -> MariaDBPosition | None:
    """`binlog.000003  1234  0-1-5,2-2-9`: of the last transaction that is in the copy; None if the writer has no GTIDs."""
    fields = told.strip().split("\t")
    return MariaDBPosition.parse(fields[2].strip()) if len(fields) > 2 and fields[2].strip() else None


class Taking(Protocol):
    """What takes the stream."""

    def write(self, part: bytes) -> bool:
        """False once it takes no more."""
        ...


class Sending(Protocol):
    """What sends it."""

    def read(self, at_most: int) -> bytes:
        """Empty at its end."""
        ...

    def said(self) -> str: ...


def pump(source: Sending, target: Taking, *, bytes_per_s: int, clock: Clock, stopped: threading.Event, tell: Callable[[int], None]) -> bool:
    """Whether all of it was taken. It is held to the rate here: `--throttle` counts reads, small files too (at 5, 49 MB took 107 s with
    10.11). Not any more once the source says that it locks: the writer's clients would wait for the rate.
    """
    began_s, sent = clock.monotonic_s(), 0
    while part := source.read(_PART_BYTES):
        if not target.write(part):
            return False
        sent += len(part)
        tell(sent)
        if bytes_per_s and backup_scripts.LOCKS not in source.said():
            stopped.wait(max(0.0, sent / bytes_per_s - (clock.monotonic_s() - began_s)))
    return True


class BackupCopy:
    """One copy, under way from `start` on, at `bytes_per_s` at the most (0: as fast as it goes). Its facts may be asked by any thread."""

    def __init__(
        self,
        server: SqlServer,
        writer: SqlServer,
        hosts: BackupHosts,
        seen: SeenHosts,
        *,
        bytes_per_s: int,
        secret: Callable[[SecretRef], str],
        clock: Clock,
    ) -> None:
        stamp = f"{clock.wall():%Y%m%d-%H%M%S}"
        self._server = server
        self._writer = writer
        self._hosts = hosts
        self._places = Places(data=seen.data, new=f"{seen.data}.interlock-copy-{stamp}", old=f"{seen.data}.before-{stamp}")
        self._bytes_per_s = bytes_per_s
        self._secret = secret
        self._clock = clock
        self._facts = CopyFacts(means=MEANS, of_bytes=seen.bytes)
        self._stopped = threading.Event()
        self._streams: list[RemoteProgram] = []
        self._turn = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="interlock-backup", daemon=True)

    def facts(self) -> CopyFacts:
        return self._facts

    def start(self) -> None:
        self._thread.start()

    def settle(self) -> None:
        """Nothing but the server's own options says any more how it starts; it stays fenced until somebody opens it."""
        self._hosts.target.run(backup_scripts.CLEAR, self._places.data, self._hosts.options, within_s=_CLEAR_S)

    def adopted(self) -> None:
        self._facts = replace(self._facts, adopted=True)

    def stop(self) -> None:
        """What is sent ends. What is done on the host goes on there to its end, and nobody waits for that: files are made ready in a
        directory of their own, and a server that starts with them says so. The next copy waits for it (`backup_scripts`).
        """
        with self._turn:
            self._stopped.set()
        for stream in self._streams:
            stream.cut()
        if self._facts.doing:
            self._facts = replace(self._facts, error=_STOPPED)
            return
        self._thread.join(_GONE_S)
        if self._thread.is_alive():
            raise StatementFailed(f"{self._server.name}: the copy was stopped, and has not ended", server=self._server.name)

    def _must_go_on(self) -> None:
        if self._stopped.is_set():
            raise StatementFailed(_STOPPED)

    def _run(self) -> None:
        try:
            self._copy()
        except (DriverError, ValueError) as error:
            self._facts = replace(self._facts, error=_STOPPED if self._stopped.is_set() else str(error))

    def _copy(self) -> None:
        name, places, hosts = self._server.name, self._places, self._hosts
        self._facts = replace(self._facts, doing=f"what an earlier copy left on the host of {name} is removed")
        hosts.target.run(backup_scripts.CLEAR, places.data, hosts.options, within_s=_CLEAR_S)
        self._must_go_on()
        self._facts = replace(self._facts, doing="")
        self._send()
        self._facts = replace(self._facts, doing=f"the files are made ready on the host of {name}")
        statements = "\n".join(f"{line};" for line in (*note.MAKE, note.written(self._note())))
        told = hosts.target.run(backup_scripts.PREPARE, places.data, places.new, statements, within_s=_PREPARE_S)
        position = position_of(told)
        if position is None:
            raise StatementFailed(f"{self._writer.name}: the backup does not say at which GTIDs it was made: {told.strip()[:100]}")
        with self._turn:
            self._must_go_on()
            self._facts = replace(self._facts, doing=f"{name} starts again with the data", kept=places.old)
        hosts.target.run(backup_scripts.SWAP, places.data, places.new, places.old, hosts.unit, hosts.options, OPTIONS, within_s=_SWAP_S)
        self._await_start()
        self._facts = replace(self._facts, position=position, doing="")

    # -- the stream

    def _send(self) -> None:
        """StatementFailed with the words of the program that failed: of two that did, of the one that takes, since the other can't send."""
        from interlock.hosts.ssh import remote_program  # noqa: PLC0415 - paramiko takes a quarter of a second to import

        source, target = self._hosts.source, self._hosts.target
        sending = source.words(backup_scripts.SEND, str(_COMMITS_WAIT_S))
        taking = target.words(backup_scripts.RECEIVE, self._places.new)
        with remote_program(source.ssh, sending) as backup, remote_program(target.ssh, taking) as unpack:
            self._streams = [backup, unpack]
            self._must_go_on()
            backup.write(self._login().encode())
            backup.end_input()
            taken = pump(backup, unpack, bytes_per_s=self._bytes_per_s, clock=self._clock, stopped=self._stopped, tell=self._tell_sent)
            self._must_go_on()
            if taken:
                _see_ended(backup, self._writer, "mariadb-backup")
                unpack.end_input()
            _see_ended(unpack, self._server, "mbstream", good=taken)

    def _tell_sent(self, sent: int) -> None:
        self._facts = replace(self._facts, sent_bytes=sent)

    def _login(self) -> str:
        """On the writer's own host: files of this machine are not there, and nobody stands between."""
        spec = self._writer.spec
        tls = Tls(verify_name=False) if spec.access.tls is not None else None
        spec = replace(spec, access=replace(spec.access, tls=tls))
        return login_options("mariadb", spec, spec.access.account, self._secret)

    # -- the start

    def _note(self) -> note.Note:
        """Of the new data alone: the old ones say of themselves that a copy was begun, but not of which directory."""
        return note.Note(kind=note.COPYING, holds=self._places.new)

    def _await_start(self) -> None:
        """StatementFailed if it came up otherwise than it was told to: then its data are of no use, and it says so."""
        deadline = Deadline.after(self._clock, _ANSWERS_S)
        while True:
            self._must_go_on()
            try:
                with closing(self._server.session(PLAIN_SETTINGS)) as session:
                    noted = self._note() in note.read_notes(session)
                fenced, runs = self._server.write_facts().read_only, self._server.channels()
            except NotPermitted:
                raise
            except DriverError:
                if deadline.is_over():
                    raise
                self._clock.sleep(_LOOK_S)
            else:
                break
        if not noted:
            raise StatementFailed(f"{self._server.name} runs, and not with the new data", server=self._server.name)
        if not fenced or any(one.applier or one.receiver != "No" for one in runs):
            how = "replicates" if fenced else "takes writes"
            raise StatementFailed(
                f"{self._server.name} started with the new data and {how}: it did not read {self._hosts.options}",
                hint="is that folder included by its option file?",
                server=self._server.name,
            )


def _see_ended(stream: RemoteProgram, server: SqlServer, program: str, *, good: bool = True) -> None:
    """StatementFailed with what it said if it did not end well, or ended before all was sent (`good` false)."""
    code, said = stream.end()
    if code or not good:
        raise StatementFailed(f"the host of {server.name}: {why_of(said)} ({program} ended with {code})", server=server.name)
