"""A second program beside the first, on the same virtual clock.

Its code runs on a thread of its own, but never at the same time as anything else: it gets the turn when what it waits for is due, and
gives it back when it waits again. So two programs interleave at every call that takes time, and always in the same way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Actor:
    """`run` may raise: `join` raises the same."""

    def __init__(self, run: Callable[[], None]) -> None:
        self._run = run
        self._turn = threading.Semaphore(0)
        self._back = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._error: BaseException | None = None
        self._begun = False
        self.ended = False

    def give_turn(self) -> None:
        """Let it go on until it waits or ends."""
        if not self._begun:
            self._begun = True
            self._thread.start()
        self._turn.release()
        self._back.acquire()

    def give_back(self) -> None:
        """Called by itself: wait for the next turn."""
        self._back.release()
        self._turn.acquire()

    def join(self) -> None:
        """After its end: its error, if it had one."""
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _live(self) -> None:
        self._turn.acquire()
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - handed to whoever joins
            self._error = error
        self.ended = True
        self._back.release()
