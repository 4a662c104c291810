"""A logical copy: the writer's dump program into a client of the one that comes back, through this process and through no file.

So this process counts what passes, holds it back to a rate, and its end ends both programs: the dump has nobody to write to, and the client
reads the end of its input. What came until then is of no use, and the server says so itself (`note.py`).
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import IO

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.model.position import Position, parse_position
from interlock.model.returning import CopyFacts
from interlock.model.topology import SecretRef, ServerSpec
from interlock.returning.programs import Programs, option_pipe

MEANS = "dump"
LOCK = "interlock_copy"
"""Held by the session of a client that loads: what an earlier copy left behind is found by it."""

_PART_BYTES = 1 << 16
_HEAD_BYTES = 1 << 20
_TABLE = b"\n-- Dumping data for table "
_COMMON = (
    "--single-transaction",
    "--quick",
    "--routines",
    "--triggers",
    "--events",
    "--hex-blob",
    "--comments",
    "--no-tablespaces",
    "--default-character-set=utf8mb4",
    "--max-allowed-packet=1G",
)
_POSITION = {
    "mariadb": re.compile(r"^-- SET GLOBAL gtid_slave_pos='([^']*)'", re.MULTILINE | re.IGNORECASE),
    "mysql": re.compile(r"GTID_PURGED\s*=\s*(?:/\*!\d+ '\+'\*/\s*)?'\+?([^']*)'", re.IGNORECASE),
}
_OF_FLAVOR = {"mariadb": ("--master-data=2", "--gtid"), "mysql": ("--set-gtid-purged=COMMENTED",)}
_LOCKS_S = 5
"""MySQL's dump takes the global read lock for a moment, to know its position. Who waits for it stops the writer: no longer than this."""
_CLIENT = ("--batch", "--default-character-set=utf8mb4", "--max-allowed-packet=1G", "--binary-mode")
_FIRST = f"SET SESSION sql_log_bin=0;\nSELECT GET_LOCK('{LOCK}', 10);\n".encode()
_GONE_S = 10.0
_SAID_AT_MOST = 500
_STOPPED = "it was stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What is to be copied, and how much of it there is. `bytes_per_s` 0: as fast as it goes."""

    flavor: str
    source: ServerSpec
    target: ServerSpec
    schemas: Sequence[str]
    tables: int
    size_bytes: int
    bytes_per_s: int


def dump_words(flavor: str, schemas: Sequence[str], *, bounds: bool) -> tuple[str, ...]:
    """The options of the dump program, behind those that log in."""
    bound = (f"--init-command=SET SESSION lock_wait_timeout={_LOCKS_S:d}",) if bounds and flavor == "mysql" else ()
    return (*_COMMON, *bound, *_OF_FLAVOR[flavor], "--databases", *schemas)


def position_in(flavor: str, head: bytes, tail: bytes) -> Position | None:
    """At which the dump was made, by its own words: MySQL's are before all data, MariaDB's behind all (tried on 10.11 and 9.7). Data can't
    say it: in them no line begins so; a routine's text can, so the first or the last word counts.
    """
    said = head if flavor == "mysql" else tail
    found = _POSITION[flavor].findall(said.decode("utf-8", "replace"))
    return parse_position((found[0] if flavor == "mysql" else found[-1]).replace("\n", "")) if found else None


class DumpCopy:
    """One copy, under way from `start` on. Its facts may be asked by any thread."""

    def __init__(self, what: Copied, programs: Programs, *, secret: Callable[[SecretRef], str], clock: Clock) -> None:
        self._what = what
        self._programs = programs
        self._secret = secret
        self._clock = clock
        self._facts = CopyFacts(means=MEANS, of_tables=what.tables, of_bytes=what.size_bytes)
        self._stopped = threading.Event()
        self._running: list[subprocess.Popen[bytes]] = []
        self._thread = threading.Thread(target=self._run, name="interlock-copy", daemon=True)

    def facts(self) -> CopyFacts:
        return self._facts

    def start(self) -> None:
        self._thread.start()

    def settle(self) -> None:
        """It needed nothing beside the data."""

    def adopted(self) -> None:
        """The server's log says what came."""
        self._facts = replace(self._facts, adopted=True)

    def stop(self) -> None:
        """StatementFailed if a program is still there after a while."""
        self._stopped.set()
        for process in self._running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
        if self._thread.is_alive():
            self._thread.join(_GONE_S)
        if self._thread.is_alive():
            raise StatementFailed("a copy of the data was stopped, and its programs have not ended", hint="look for them with ps")

    def _run(self) -> None:
        try:
            position = self._copy()
        except (OSError, ValueError, StatementFailed) as error:
            self._facts = replace(self._facts, error=_STOPPED if self._stopped.is_set() else str(error))
        else:
            self._facts = replace(self._facts, position=position)

    def _copy(self) -> Position:
        what = self._what
        with tempfile.TemporaryFile() as said_by_dump, tempfile.TemporaryFile() as said_by_client:
            client = self._client(said_by_client)
            dump = self._dump(said_by_dump)
            with dump, client:
                assert dump.stdout is not None and client.stdin is not None  # noqa: S101, PT018 - for the type checker: both are pipes
                try:
                    head, tail = self._pump(dump.stdout, client.stdin)
                finally:
                    dump.stdout.close()  # a dump that nobody reads any more ends
                    _close(client.stdin)
                ended, loaded = dump.wait(), client.wait()
            if self._stopped.is_set():
                raise StatementFailed(_STOPPED)
            if loaded:
                raise StatementFailed(f"{what.target.name}: the client ended with {loaded}: {_said(said_by_client)}")
            if ended:
                raise StatementFailed(f"{what.source.name}: the dump ended with {ended}: {_said(said_by_dump)}")
        position = position_in(what.flavor, head, tail)
        if position is None:
            raise StatementFailed(f"{what.source.name}: the dump does not say at which position it was made", hint="are GTIDs in use?")
        return position

    def _pump(self, source: IO[bytes], target: IO[bytes]) -> tuple[bytes, bytes]:
        """Until the end of the dump, or of the client; the beginning and the end of what passed."""
        began_s, sent, tables, head, tail = self._clock.monotonic_s(), 0, 0, b"", b""
        try:
            target.write(_FIRST)
            while not self._stopped.is_set() and (part := os.read(source.fileno(), _PART_BYTES)):
                target.write(part)
                sent += len(part)
                head = head + part if len(head) < _HEAD_BYTES else head
                tables += (tail[-len(_TABLE) + 1 :] + part).count(_TABLE)
                tail = (tail + part)[-_PART_BYTES:]
                self._facts = replace(self._facts, tables=max(0, tables - 1), sent_bytes=sent)
                if self._what.bytes_per_s:
                    ahead_s = sent / self._what.bytes_per_s - (self._clock.monotonic_s() - began_s)
                    self._stopped.wait(max(0.0, ahead_s))
            target.flush()
        except BrokenPipeError:
            return head, tail  # the client has ended: it says why
        self._facts = replace(self._facts, tables=tables)
        return head, tail

    def _dump(self, said: IO[bytes]) -> subprocess.Popen[bytes]:
        what = self._what
        words = (self._programs.dump, *dump_words(what.flavor, what.schemas, bounds=self._programs.bounds))
        return self._start(what.source, words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, said=said)

    def _client(self, said: IO[bytes]) -> subprocess.Popen[bytes]:
        words = (self._programs.client, *_CLIENT)
        return self._start(self._what.target, words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, said=said)

    def _start(self, spec: ServerSpec, words: tuple[str, ...], *, stdin: int, stdout: int, said: IO[bytes]) -> subprocess.Popen[bytes]:
        with option_pipe(self._what.flavor, spec, spec.access.account, self._secret) as (login, descriptor):
            process = subprocess.Popen(  # noqa: S603 - the operator's own programs, no shell
                [words[0], login, *words[1:]],
                stdin=stdin,
                stdout=stdout,
                stderr=said,
                pass_fds=(descriptor,),
                start_new_session=True,  # an interrupt at the terminal is for us alone: we end it
            )
            self._running.append(process)
            return process


def _close(pipe: IO[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError):
        pipe.close()


def _said(file: IO[bytes]) -> str:
    file.seek(0)
    return " ".join(file.read().decode("utf-8", "replace").split())[-_SAID_AT_MOST:] or "nothing was said"
