"""Who this process is, and whether another one still lives.

A process id alone proves nothing: ids are used again, containers count their own, and machines are booted. So a process is named by the
boot it belongs to, its pid namespace, and the tick it was started at. Only where the first two are ours can it be looked at.

Sources: proc(5), `/proc/PID/stat` fields 3 (state) and 22 (starttime), `/proc/uptime`; `/proc/sys/kernel/random/boot_id`; namespaces(7).
"""

from __future__ import annotations

import os
import pwd
import socket
from pathlib import Path

from interlock.decisions.leases import Liveness
from interlock.ports import Holder

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE = Path("/proc/self/ns/pid")


def this_holder(run: str) -> Holder:
    """The present process, as the holder of a lease for `run`."""
    pid = os.getpid()
    started = _state_and_start(pid)
    return Holder(
        user=_user(),
        host=socket.gethostname(),
        pid=pid,
        process_started=f"{_here()}/{started[1]}" if started else "",
        run=run,
    )


def this_author() -> str:
    """Who runs the present process, for people: user@host."""
    return f"{_user()}@{socket.gethostname()}"


def running_for_ms() -> float | None:
    """How long the present process runs, to a tick (10 ms); None where there is no /proc."""
    started = _state_and_start(os.getpid())
    if started is None:
        return None
    up_s = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    return round(max(0.0, up_s - int(started[1]) / os.sysconf("SC_CLK_TCK")) * 1000)


def liveness(holder: Holder) -> Liveness:
    """Whether the holder's process lives. GONE is a proof; whatever can't be looked at is UNKNOWN."""
    place, _, started_at = holder.process_started.rpartition("/")
    if not place or place != _here():
        return Liveness.UNKNOWN
    seen = _state_and_start(holder.pid)
    if seen is None:
        return Liveness.UNKNOWN if _has_process(holder.pid) else Liveness.GONE
    state, start = seen
    return Liveness.ALIVE if start == started_at and state not in {"Z", "X"} else Liveness.GONE


def _here() -> str:
    """The boot and the pid namespace; empty where there is no /proc."""
    try:
        return f"{_BOOT_ID.read_text(encoding='ascii').strip()}/{_PID_NAMESPACE.readlink()}"
    except OSError:
        return ""


def _state_and_start(pid: int) -> tuple[str, str] | None:
    """None if /proc does not show the process. The command's name, in parentheses, may hold anything: count from the last one."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    after_name = stat.rpartition(")")[2].split()
    return after_name[0], after_name[19]


def _has_process(pid: int) -> bool:
    """By signal 0: a /proc mounted with `hidepid` hides other users' processes, and a hidden one is not gone."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _user() -> str:
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container may run under an id without a name
        return str(uid)
    return name.encode("utf-8", "replace").decode("utf-8")
