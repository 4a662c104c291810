"""How a fault of a schedule strikes a simulated pair, and how it is mended."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from interlock.model.effects import Fence, Open
from interlock.simulated.database import Database
from interlock.simulated.pair import Sent, SimulatedPair
from interlock.simulated.replication import Channel
from interlock.simulated.schedules import Fault, FaultKind, Sickness

_LATE_S = 20.0
_KILL_WITHIN_S = 2.0
_JUMP_S = 45.0
"""More than a lease lives."""


class Faults:
    """Those that have struck and are not mended yet. `kill` ends the program that runs now.

    `opened_by_start` are the moments at which a server started unfenced by itself; `crashed` those at which servers ended.
    """

    def __init__(self, pair: SimulatedPair, kill: Callable[[], None]) -> None:
        self._pair = pair
        self._kill = kill
        self._mends: list[Callable[[], None]] = []
        self.opened_by_start: dict[str, float] = {}
        self.crashed: dict[str, float] = {}
        self._killed_once_sent: set[str] = set()
        pair.on_sent.append(self._sent)

    def strike(self, fault: Fault) -> None:
        mend = self._begin(fault)

        def once() -> None:
            if mend in self._mends:
                self._mends.remove(mend)
                mend()

        self._mends.append(mend)
        self._pair.clock.after(fault.for_s, once)

    def mend_all(self) -> None:
        while self._mends:
            self._mends.pop()()

    def _sent(self, sent: Sent) -> None:
        if isinstance(sent.effect, Fence) and sent.effect.server in self._killed_once_sent:
            self._killed_once_sent.discard(sent.effect.server)
            self._pair.clock.after(1.0, self._kill)

    def _begin(self, fault: Fault) -> Callable[[], None]:
        pair, place = self._pair, fault.place
        match fault.kind:
            case FaultKind.CUT:
                pair.network.cut(place[0], place[1])
                return lambda: pair.network.heal(place[0], place[1])
            case FaultKind.SPLIT:
                for one, other in (place, place[::-1]):
                    pair.network.cut(one, other)
                return partial(_heal, pair, place)
            case FaultKind.PROXY_DOWN:
                pair.proxy.down = True
                return lambda: setattr(pair.proxy, "down", False)
            case FaultKind.PROXY_LOST_REPLY:
                pair.proxy.lose_reply = True
                return lambda: setattr(pair.proxy, "lose_reply", False)
            case FaultKind.KILL:
                pair.clock.after(min(fault.for_s, _KILL_WITHIN_S), self._kill)
                return _nothing
            case FaultKind.CLOCK_JUMP:
                pair.clock.jump(_JUMP_S)
                return lambda: pair.clock.jump(-_JUMP_S)
            case _:
                return self._begin_on_server(fault)

    def _begin_on_server(self, fault: Fault) -> Callable[[], None]:
        database = self._pair.database(fault.place[0])
        faults = database.faults
        match fault.kind:
            case FaultKind.HANG:
                if faults.down:
                    return _nothing
                database.hang()
                return lambda: None if faults.down else database.go_on()
            case FaultKind.SLOW:
                faults.slow_s = min(0.3, fault.for_s)
                return lambda: setattr(faults, "slow_s", 0.0)
            case FaultKind.LATE_FENCE | FaultKind.LATE_OPEN:
                kind = Fence if fault.kind is FaultKind.LATE_FENCE else Open
                faults.land_late[kind] = min(_LATE_S, fault.for_s)
                return partial(_forget_late, database, kind)
            case FaultKind.LATE_AND_KILLED:
                faults.land_late[Fence] = _LATE_S
                self._killed_once_sent.add(database.name)
                return partial(_forget_late, database, Fence)
            case FaultKind.LOST_REPLY:
                faults.lose_reply |= {Fence, Open}
                return faults.lose_reply.clear
            case FaultKind.REFUSING:
                faults.refuses = True
                return lambda: setattr(faults, "refuses", False)
            case FaultKind.CRASH | FaultKind.CRASH_UNFENCED:
                return self._crash(fault)
            case FaultKind.TABLE_LOCK:
                return _lock_tables(database) if not faults.down and not faults.hung else _nothing
            case _:
                return _on_channel(self._pair.to_west if fault.place[0] == "west" else self._pair.to_east, fault)

    def _crash(self, fault: Fault) -> Callable[[], None]:
        database = self._pair.database(fault.place[0])
        self.crashed[database.name] = self._pair.clock.monotonic_s()
        database.crash()

        def start() -> None:
            if not database.faults.down:
                return
            unfenced = fault.kind is FaultKind.CRASH_UNFENCED
            if unfenced:
                self.opened_by_start[database.name] = self._pair.clock.monotonic_s()
                self._pair.excused.add(database.name)
            database.start(read_only=not unfenced)

        return start


def _on_channel(channel: Channel, fault: Fault) -> Callable[[], None]:
    """Into the server of that name."""
    if fault.kind is FaultKind.APPLIER_STOPS:
        channel.stop("1032 row not found" if fault.at_move % 2 else "")
        return lambda: None if channel.error.startswith("1062") else channel.start()
    before_s, channel.delay_s = channel.delay_s, channel.delay_s + min(fault.for_s, 20.0)

    def mend() -> None:
        channel.delay_s = before_s
        channel.pump()

    return mend


def sicken(pair: SimulatedPair, sickness: Sickness) -> Callable[[], None]:
    """From the start; what mends it is given back."""
    match sickness:
        case Sickness.STANDBYS_APPLIER:
            pair.to_west.stop()
            return pair.to_west.start
        case Sickness.WRITERS_APPLIER:
            pair.to_east.stop()
            return pair.to_east.start
        case Sickness.LAG_UNKNOWN:
            pair.to_west.lag_known = False
            return lambda: setattr(pair.to_west, "lag_known", True)
        case Sickness.STANDBY_HUNG:
            pair.west.hang()
            return pair.west.go_on
        case Sickness.STANDBY_DOWN:
            pair.west.crash()
            return pair.west.start
        case Sickness.TWO_WRITERS:
            pair.excused.add("west")
            pair.west.set_read_only(on=False)
            return lambda: pair.west.set_read_only(on=True)


def _heal(pair: SimulatedPair, link: tuple[str, ...]) -> None:
    for one, other in (link, link[::-1]):
        pair.network.heal(one, other)


def _forget_late(database: Database, kind: type[Fence | Open]) -> None:
    database.faults.land_late.pop(kind, None)


def _lock_tables(database: Database) -> Callable[[], None]:
    session = database.connect("batch")
    session.statement, session.holds_fence_up = "LOCK TABLES t WRITE", True

    def unlock() -> None:
        database.sessions.pop(session.id, None)

    return unlock


def _nothing() -> None:
    """There was nothing to break, so there is nothing to mend."""
