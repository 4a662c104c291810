"""`ports.Segments` on a database in memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from interlock.errors import BoundReached
from interlock.model.effects import CloseSegment, GuardTables, NoteOwner, OpenSegment, SegmentEffect
from interlock.model.segments import AccountState, SegmentFacts, SegmentSurroundings
from interlock.model.topology import SegmentSpec
from interlock.simulated.database import Database
from interlock.simulated.parts import SegmentHere
from interlock.simulated.process import SimulatedProcess

_LATER_S = 1.0


class SimulatedSegments:
    """`read` reaches the database, `connected` fails once for a connection that was ended. `done` gets every effect that is sent."""

    def __init__(
        self,
        database: Database,
        process: SimulatedProcess,
        *,
        read: Callable[[], Database],
        connected: Callable[[], None],
        done: Callable[[SegmentEffect], None],
    ) -> None:
        self._database = database
        self._process = process
        self._read = read
        self._connected = connected
        self._done = done

    def facts(self, spec: SegmentSpec, /) -> SegmentFacts:
        database = self._read()
        here = database.segments.get(spec.name, SegmentHere(accounts=()))
        known = {each.account for each in here.accounts}
        return SegmentFacts(
            server=database.name,
            segment=spec.name,
            position=database.position,
            accounts=here.accounts,
            sessions=sessions_of(database, here.accounts),
            note=here.note,
            unguarded=here.unguarded,
            prepared=self._prepared(),
            missing=tuple(f"account {account}" for account in spec.accounts if account not in known),
        )

    def surroundings(self, spec: SegmentSpec, /) -> SegmentSurroundings:
        database = self._read()
        here = database.segments.get(spec.name, SegmentHere(accounts=()))
        return SegmentSurroundings(server=database.name, writers=tuple(each for each in here.writers if each not in spec.trusted))

    def script(self, effect: SegmentEffect, /) -> tuple[str, ...]:
        match effect:
            case CloseSegment():
                return (f"close {effect.segment}",)
            case OpenSegment():
                return (f"open {effect.segment}",)
            case GuardTables():
                return (f"guard {', '.join(effect.tables)}",)
            case NoteOwner(note=note):
                return (
                    f"note that {note.owner} owns {effect.segment} in epoch {note.epoch}" if note else f"note nothing of {effect.segment}",
                )

    def apply(self, effect: SegmentEffect, /, mark: str) -> None:
        del mark
        self._process.move()
        self._connected()
        self._done(effect)
        self._database.carry_out(type(effect), partial(_change, self._database, effect), effect.within_s + _LATER_S)
        self._process.move()
        if isinstance(effect, CloseSegment) and (left := self._prepared()):
            raise BoundReached(f"{self._database.name}: XA transactions {', '.join(left)} are prepared", server=self._database.name)

    def _prepared(self) -> tuple[str, ...]:
        return tuple(filter(None, (self._database.settings.get("xa_prepared"),)))


def _change(database: Database, effect: SegmentEffect) -> None:
    here = database.segments[effect.segment]
    match effect:
        case CloseSegment():
            here.accounts = tuple(AccountState(account=each.account, locked=True, guard=each.guard) for each in here.accounts)
            for number in sessions_of(database, here.accounts):
                del database.sessions[number]
        case OpenSegment(accounts=accounts):
            here.accounts = accounts
        case GuardTables(tables=tables):
            here.unguarded = tuple(table for table in here.unguarded if table not in tables)
        case NoteOwner(note=note):
            here.note = note
    database.turned()


def sessions_of(database: Database, accounts: tuple[AccountState, ...]) -> tuple[int, ...]:
    users = {each.account.partition("@")[0] for each in accounts if not each.guard}
    return tuple(number for number, session in database.sessions.items() if session.user in users)
