"""Run one program here: no shell, no terminal, no input, bounded, and gone when it is said to be gone."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, cast

from interlock.clock import Clock, Deadline
from interlock.errors import BoundReached, OutcomeUnknown, StatementFailed
from interlock.model.facts import CommandResult

OUTPUT_LIMIT = 64 << 10

# What a program needs to find its own way; nothing of ours that might hold a secret.
_PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR")

_TERM_GRACE_S = 1.0
_KILL_GRACE_S = 2.0
# A program may leave a child that keeps its output open: what came until then is its output.
_AFTER_EXIT_S = 0.2
_LOOK_EVERY_S = 0.02


def run_program(argv: Sequence[str], *, env: Mapping[str, str], within_s: float, clock: Clock) -> CommandResult:
    """How it ended, whatever its exit code.

    BoundReached if its process group was ended after `within_s` and seen gone; OutcomeUnknown if some of it is still there;
    StatementFailed if it can't be started, naming the path.
    """
    deadline = Deadline.after(clock, within_s)
    process = _start(argv, env)
    with process:
        output = _Output(process)
        try:
            in_time = output.read_until(process, deadline, clock)
        except BaseException:  # also an operator's interrupt: nothing is left behind
            _signal_group(process, signal.SIGKILL)
            process.wait()
            raise
        finally:
            output.close()
        if not in_time:
            gone = _end_group(process, clock)
            words = f"{argv[0]} was ended: it ran longer than {within_s:g}s"
            if not gone:
                raise OutcomeUnknown(
                    f"{words}, and processes of its group {process.pid} are still there", hint="it may still act; end them by hand"
                )
            raise BoundReached(words, hint="raise its bound, or see what it waits for")
        return CommandResult(
            argv=tuple(argv), exit_code=process.returncode, stdout=text_of(bytes(output.out)), stderr=text_of(bytes(output.err))
        )


def text_of(output: bytes) -> str:
    return output[:OUTPUT_LIMIT].decode(errors="replace")


def _start(argv: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    if not argv or not argv[0]:
        raise StatementFailed("a command without words can't be run")
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    try:
        return subprocess.Popen(  # noqa: S603 - words of the operator's own files, never a shell line
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.defpath, **passed_on, **env},
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise StatementFailed(f"{argv[0]} can't be run: no such file, or its interpreter is missing", hint="give its path") from error
    except PermissionError as error:
        raise StatementFailed(f"{argv[0]} can't be run: it is not executable for this user", hint=f"chmod +x {argv[0]}") from error
    except (OSError, ValueError) as error:
        raise StatementFailed(f"{argv[0]!r} can't be run: {error}", hint="a script needs a first line like #!/bin/sh") from error


class _Output:
    """Both pipes, read as they fill, so that a program that prints a lot neither blocks nor fills our memory."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.out = bytearray()
        self.err = bytearray()
        self._selector = selectors.DefaultSelector()
        for pipe, kept in ((process.stdout, self.out), (process.stderr, self.err)):
            self._selector.register(cast("IO[bytes]", pipe), selectors.EVENT_READ, kept)

    def read_until(self, process: subprocess.Popen[bytes], deadline: Deadline, clock: Clock) -> bool:
        """Until the program ended and its pipes are closed; False at the deadline."""
        after_exit: Deadline | None = None
        while self._selector.get_map() or process.poll() is None:
            if process.poll() is not None:
                after_exit = after_exit or Deadline.after(clock, _AFTER_EXIT_S)
                if after_exit.is_over():
                    return True
            elif deadline.is_over():
                return False
            if self._selector.get_map():
                self._read_some(min(_LOOK_EVERY_S, deadline.left_s()) if after_exit is None else _LOOK_EVERY_S)
            else:
                clock.sleep(_LOOK_EVERY_S)
        return True

    def _read_some(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            part = os.read(key.fd, 1 << 16)
            if not part:
                self._selector.unregister(key.fileobj)
                continue
            kept = cast("bytearray", key.data)
            kept += part[: max(0, OUTPUT_LIMIT - len(kept))]

    def close(self) -> None:
        self._selector.close()


def _end_group(process: subprocess.Popen[bytes], clock: Clock) -> bool:
    """SIGTERM, then SIGKILL; whether nothing of the group runs any more."""
    for number, grace_s in ((signal.SIGTERM, _TERM_GRACE_S), (signal.SIGKILL, _KILL_GRACE_S)):
        _signal_group(process, number)
        deadline = Deadline.after(clock, grace_s)
        while not deadline.is_over():
            process.poll()
            if not _runs(process.pid):
                process.wait()
                return True
            clock.sleep(_LOOK_EVERY_S)
    return False


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _runs(group: int) -> bool:
    """Whether a process of the group lives. A zombie does not: its parent may never look (proc(5), stat: state, ppid, pgrp)."""
    for place in Path("/proc").iterdir():
        if not place.name.isdigit():
            continue
        try:
            state, _, pgrp = place.joinpath("stat").read_text(errors="replace").rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue  # it ended while we looked
        if int(pgrp) == group and state not in "ZX":
            return True
    return False
