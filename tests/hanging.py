"""Programs that hang: stopped by SIGSTOP, they answer nothing and their sockets stay open."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from waiting import eventually


def stop(pid: int) -> None:
    """Back only once every thread stands still: the signal has been sent by then, but a thread may answer one request more."""
    os.kill(pid, signal.SIGSTOP)
    assert eventually(lambda: all(_stands_still(task) for task in Path(f"/proc/{pid}/task").iterdir())), f"process {pid} does not stop"


def _stands_still(task: Path) -> bool:
    """Or has ended since it was listed."""
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0] in "TtZ"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wake(pid: int) -> None:
    os.kill(pid, signal.SIGCONT)


@contextmanager
def hung(pid: int) -> Iterator[None]:
    stop(pid)
    try:
        yield
    finally:
        wake(pid)
