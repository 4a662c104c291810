"""`ports.Marks` on a store: the notes on one pair, and the words that a journal and a plan have for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from interlock.clock import Clock
from interlock.decisions.marks import subject
from interlock.errors import DriverError, Refused, StatementFailed, StoreFailed, Unreachable
from interlock.model.effects import ClearMark, EraseNote, MarkEffect, SetMark
from interlock.model.marks import Mark, MarkKind
from interlock.model.verdict import Refuse
from interlock.ports import Store, World

_TRIES = 5


class PairMarks:
    """`author` is who sets marks here: user@host."""

    def __init__(self, store: Store, topology: str, clock: Clock, author: str) -> None:
        self._store = store
        self._topology = topology
        self._clock = clock
        self.author = author

    def now(self) -> datetime:
        return self._clock.wall()

    def all(self) -> tuple[Mark, ...]:
        return self._store.marks(self._topology)

    def script(self, effect: MarkEffect, /) -> tuple[str, ...]:
        mark = effect.mark
        run = f" (run {mark.run})" if mark.run else ""
        match effect, mark.kind:
            case SetMark(), MarkKind.FAILED:
                return (f"store: mark {subject(mark)} as failed{run}",)
            case SetMark(), MarkKind.HOLD:
                return (f"store: hold {subject(mark)} for {mark.by}: {mark.reason}{run}",)
            case SetMark(), MarkKind.QUIESCED:
                return (f"store: {subject(mark)} is quiesced for {mark.by}: {mark.reason}{run}",)
            case ClearMark(), MarkKind.FAILED:
                return (f"store: {subject(mark)} is marked as failed no more",)
            case ClearMark(), MarkKind.QUIESCED:
                return (f"store: {subject(mark)} is quiesced no more",)
            case _:
                return (f"store: release {subject(mark)}",)

    def apply(self, effect: MarkEffect, /) -> None:
        match effect:
            case SetMark(mark=mark):
                put_mark(self._store, mark)
            case ClearMark(mark=mark):
                take_mark_away(self._store, mark)


Change = tuple[Sequence[Mark], Sequence[Mark]] | Refuse
"""The marks to be set, and those to be taken away."""


def change(store: Store, topology: str, decide: Callable[[Sequence[Mark]], Change]) -> Sequence[Mark]:
    """Decided anew as long as somebody else changes the pair's marks meanwhile; the marks that were taken away. Refused, if that is
    decided; StoreFailed if others never leave off.
    """
    for _ in range(_TRIES):
        seen = store.marks(topology)
        decided = decide(seen)
        if isinstance(decided, Refuse):
            raise Refused(decided.why, hint=decided.hint)
        add, take = decided
        if store.change_marks(topology, seen, add=add, take=take):
            return take
    raise StoreFailed(f"the marks of {topology} could not be changed: others are at it", hint="`interlock status`, then try again")


def put_mark(store: Store, mark: Mark) -> None:
    """Whatever stands there."""
    change(store, mark.topology, lambda _: ((mark,), ()))


def take_mark_away(store: Store, mark: Mark) -> None:
    """Whoever set it."""
    change(store, mark.topology, lambda _: ((), (mark,)))


def notes_on_servers(world: World) -> tuple[Mark, ...]:
    """What is noted on the masters that answer, each once: somebody may have noted it who has another store."""
    found: dict[tuple[MarkKind, str], Mark] = {}
    for master in world.topology.masters():
        with suppress(DriverError):
            found |= {(mark.kind, mark.subject): mark for mark in world.server(master.name).noted(world.topology.name)}
    return tuple(found.values())


def erase_notes(world: World, marks: Sequence[Mark]) -> None:
    """On the server that takes the writes; the other one has it by replication. StatementFailed if none does."""
    if not marks:
        return
    for master in world.topology.masters():
        server = world.server(master.name)
        with suppress(Unreachable):
            if not server.write_facts().read_only:
                for mark in marks:
                    server.apply(EraseNote(server=server.name, mark=mark), mark="release")
                return
    raise StatementFailed(
        "the note on the servers can't be erased: none of them takes writes",
        hint=f"a failover may go past it: -i but_quiesced={marks[0].subject}; release it again once a master takes writes",
    )
