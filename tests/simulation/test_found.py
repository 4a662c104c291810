"""Nights that once broke a promise, each the smallest of its kind. Every bug that the simulation finds keeps its schedule here."""

from __future__ import annotations

import pytest

from interlock.simulated.play import play
from interlock.simulated.schedules import Fault, FaultKind, Recovery, Schedule, StoreFault

FOUND = {
    # The way back had opened the old writer when the proxy went; the halt fenced it, and resuming took it for put back already.
    "a halt on the way back fences what was opened, and going on opens it again": Schedule(
        playbook="fails-after-the-flip",
        faults=(Fault(kind=FaultKind.PROXY_DOWN, place=("proxy",), at_move=159, for_s=34.0),),
        recoveries=(Recovery.RESUME,),
    ),
    # The store died after the opening and the run went back without it; resuming believed its journal and reported a success.
    "a run that went back without its store is not resumed as if it stood": Schedule(
        playbook="bones", store=StoreFault(at_record=34, dead=True), recoveries=(Recovery.RESUME,)
    ),
    # Intents that were never written were undone, and the records of that made the journal unreadable for ever.
    "what is undone stands in the journal as an intent": Schedule(
        playbook="for-each",
        kills=(41,),
        faults=(Fault(kind=FaultKind.REFUSING, place=("west",), at_move=79, for_s=0.15),),
        recoveries=(Recovery.RESUME,),
    ),
}


@pytest.mark.parametrize("schedule", FOUND.values(), ids=FOUND.keys())
def test_a_night_that_once_broke_a_promise_keeps_it(schedule: Schedule) -> None:
    assert play(schedule).violations == []
