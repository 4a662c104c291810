"""A machine of few cores as one of more and slower ones: every thread of some processes is held to a share of a core.

By Linux' cgroups of version 1 (Documentation/scheduler/sched-bwc: a quota of each period), a group for each thread.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

_ROOT = Path("/sys/fs/cgroup/cpu")
_PERIOD_US = 5_000
_EVERY_S = 0.01


@contextmanager
def slower_cores(share: float, processes: Callable[[], Iterable[int]]) -> Iterator[None]:
    """Each thread of the processes, also one that begins meanwhile, gets at most this share of a core. SystemExit where it can't be had."""
    if not os.access(_ROOT / "tasks", os.W_OK):
        raise SystemExit(f"--cores needs root and cgroups of version 1 at {_ROOT}")
    held: dict[int, Path] = {}
    stop = Event()
    mover = Thread(target=_move_all, args=(share, processes, held, stop))
    mover.start()
    try:
        yield
    finally:
        stop.set()
        mover.join()
        for thread, group in held.items():
            with contextlib.suppress(OSError):  # it ended
                (_ROOT / "tasks").write_text(str(thread))
            group.rmdir()


def _move_all(share: float, processes: Callable[[], Iterable[int]], held: dict[int, Path], stop: Event) -> None:
    numbers = itertools.count()
    while not stop.wait(_EVERY_S):
        for thread in {thread for process in processes() for thread in _threads(process)} - held.keys():
            group = _ROOT / f"interlock-{os.getpid()}-{next(numbers)}"
            group.mkdir()
            held[thread] = group
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(round(_PERIOD_US * share)))
            with contextlib.suppress(OSError):  # it ended meanwhile
                (group / "tasks").write_text(str(thread))


def _threads(process: int) -> list[int]:
    with contextlib.suppress(OSError):  # it ended
        return [int(thread.name) for thread in Path(f"/proc/{process}/task").iterdir()]
    return []


def children(process: int) -> list[int]:
    """Of this process, without theirs."""
    found: list[int] = []
    for thread in _threads(process):
        with contextlib.suppress(OSError):
            found += map(int, Path(f"/proc/{process}/task/{thread}/children").read_text().split())
    return found
