"""The program that runs Interlock, as something that can be killed at any of its moves."""

from __future__ import annotations

from collections.abc import Callable


class ProcessKilled(BaseException):
    """kill -9: nothing of the program runs any more. A BaseException, so that no handler of the program's own can catch it."""


class SimulatedProcess:
    """One running program. It makes a *move* with every call to a server, a route or the store, and can be killed at each.

    `kill_at` is the number of the move at which it dies, counted from 1; None: never. `at_death` end what ends with a process: its
    connections, and with them its locks. `on_move` is told of every move before it is made: there a fault can strike. `cut_off` are the
    servers that ended its connections: the next call there meets a dead one, once. A dead process that goes on (a `finally`, say) dies
    again at its next move.
    """

    def __init__(self, name: str, kill_at: int | None = None, on_move: Callable[[], None] | None = None) -> None:
        self.name = name
        self.kill_at = kill_at
        self.moves = 0
        self.is_dead = False
        self.at_death: list[Callable[[], None]] = []
        self.cut_off: set[str] = set()
        self._on_move = on_move

    def move(self) -> None:
        """ProcessKilled if this is its last."""
        self.moves += 1
        if self.is_dead or self.moves == self.kill_at:
            self.kill()
            raise ProcessKilled(f"{self.name} was killed at move {self.moves}")
        if self._on_move is not None:
            self._on_move()

    def kill(self) -> None:
        if not self.is_dead:
            self.is_dead = True
            for end in self.at_death:
                end()
