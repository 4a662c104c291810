"""What a command that changes data by itself shares with the others: the pair is held, the account may do it, a person said yes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from interlock.cli.context import Context
from interlock.dataclass import dataclass
from interlock.decisions.marks import is_not_held
from interlock.engine.guard import Guard
from interlock.engine.runs import run_name
from interlock.errors import Refused
from interlock.model.verdict import Refuse
from interlock.stores.holder import this_holder

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The pair is ours while this run goes on, since `at`."""

    run: str
    guard: Guard
    at: datetime


@contextmanager
def held_pair(wiring: Wiring, *, but_quiesced: str = "", again: str = "") -> Iterator[Held]:
    """PairBusy if another has the pair; Refused if somebody holds it, or a run of it is unfinished other than `again`, which goes on. That
    the cluster `but_quiesced` is quiesced does not count.
    """
    topology = wiring.topology.name
    run, at = again or run_name(wiring.clock), wiring.clock.wall()
    guard = Guard(wiring.store, wiring.store.take_lease(topology, this_holder(run)), wiring.world, wiring.clock)
    try:
        verdict = is_not_held(wiring.store.marks(topology), wiring.clock.wall(), but_quiesced=but_quiesced)
        if isinstance(verdict, Refuse):
            raise Refused(verdict.why, hint=verdict.hint)
        unfinished = [one for one in wiring.world.unfinished_runs() if one != again]
        if unfinished:
            raise Refused(
                f"run {unfinished[0]} of this pair is unfinished",
                hint=f"`interlock resume {unfinished[0]}` or `interlock rollback {unfinished[0]}`",
            )
        guard.take_locks(again=bool(again), tolerant=True)  # the other side may be down
        yield Held(run=run, guard=guard, at=at)
    finally:
        guard.release()


def ask(context: Context, question: str) -> None:
    """Refused unless somebody says yes."""
    if context.options.yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refused("nobody can be asked whether to go on", hint="--yes, once you have read what it would do")
    sys.stderr.write(f"\n{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise Refused("not confirmed; nothing was changed")
