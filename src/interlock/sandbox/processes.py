"""The programs of a sandbox: found, started without a terminal, told apart from all others, and ended.

A process is ours if it is one of those programs and runs by a file of this sandbox's folder. So a server that a test started again is
found too, and a process id that was given to another program never is.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from interlock.dataclass import dataclass
from interlock.errors import UsageError

PACKAGES = {
    "mariadbd": "mariadb-server-core",
    "mariadb-install-db": "mariadb-server-core",
    "haproxy": "haproxy",
}
_RUN = {"mariadbd", "mysqld", "haproxy"}
_LOADER_WORDS = 5
"""A program in a folder of its own runs as `LOADER --library-path FOLDERS --argv0 PROGRAM PROGRAM …` (requirements/servers.sh)."""
_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """`started` is the process's start in clock ticks since boot, as `/proc/PID/stat` has it (proc(5), field 22)."""

    name: str
    pid: int
    started: str


def programs(names: Sequence[str], packages: Mapping[str, str] = PACKAGES) -> dict[str, str]:
    """The absolute path of each program. UsageError names every one that is missing, and the Debian packages that bring them."""
    places = f"{os.environ.get('PATH', '')}:{_SYSTEM_FOLDERS}"  # an ordinary user's PATH may lack sbin
    found = {name: shutil.which(name, path=places) for name in names}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise UsageError(
            f"not installed: {', '.join(missing)}", hint=f"apt-get install {' '.join(sorted({packages[name] for name in missing}))}"
        )
    return {name: path for name, path in found.items() if path is not None}


def spawn(argv: Sequence[str], log: Path) -> int:
    """Start a program in a session of its own, output to `log`, and return its process id. It lives on when we end."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        argv[0],
        list(argv),
        {"PATH": _SYSTEM_FOLDERS, "LC_ALL": "C", "HOME": "/nonexistent"},  # no option file of the user's is read
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def started(pid: int) -> str | None:
    """The start time of a process that runs; None if it ended, also if nobody has taken note of its end yet (a zombie)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    after_name = text.rpartition(")")[2].split()  # the name may hold blanks and parentheses
    return None if after_name[0] in "ZX" else after_name[19]


def running(directory: Path) -> tuple[Process, ...]:
    """Every process of the sandbox in `directory`, by its option or configuration file."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            name = _ours(int(entry.name), directory)
            since = started(int(entry.name))
            if name is not None and since is not None:
                found.append(Process(name=name, pid=int(entry.name), started=since))
    return tuple(sorted(found, key=lambda process: process.name))


def _ours(pid: int, directory: Path) -> str | None:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    if Path(arguments[0]).name.startswith("ld-linux"):
        arguments = arguments[_LOADER_WORDS:] or [""]
    if Path(arguments[0]).name not in _RUN:  # an editor has the file's name among its arguments too
        return None
    for argument in arguments[1:3]:
        file = Path(argument.removeprefix("--defaults-file="))
        if file.parent == directory and file.suffix in {".cnf", ".cfg"}:
            return file.stem
    return None


def end(directory: Path, *, within_ms: int = 10_000) -> tuple[Process, ...]:
    """Kill every process of the sandbox and see each one gone. What they held is thrown away, so none is asked to end by itself."""
    ended = []
    for process in running(directory):
        try:
            handle = os.pidfd_open(process.pid)
        except ProcessLookupError:
            continue
        try:
            if _ours(process.pid, directory) is not None:  # looked at again: from here on the handle stands for this very process
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                _await_end(handle, process, within_ms)
                ended.append(process)
        except ProcessLookupError:
            continue
        finally:
            os.close(handle)
        reap(process.pid)
    return tuple(ended)


def _await_end(handle: int, process: Process, within_ms: int) -> None:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    if not poll.poll(within_ms):
        raise UsageError(
            f"{process.name} (process {process.pid}) still runs {within_ms} ms after SIGKILL", hint="look at its state with ps"
        )


def reap(pid: int) -> None:
    """Take note of a child's end, so that it does not stay in the process table. Another's child is no concern of ours."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
