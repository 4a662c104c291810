"""Nights that once broke a promise, each the smallest of its kind. Every bug that the simulation finds keeps its schedule here."""

from __future__ import annotations

import pytest

from interlock.simulated.database import Flavor
from interlock.simulated.play import play
from interlock.simulated.schedules import Clients, Fault, FaultKind, Recovery, Rival, Schedule, StoreFault

FOUND = {
    # The way back had opened the old writer when the proxy went; the halt fenced it, and resuming took it for put back already.
    "a halt on the way back fences what was opened, and going on opens it again": Schedule(
        playbook="fails-after-the-flip",
        faults=(Fault(kind=FaultKind.PROXY_DOWN, place=("proxy",), at_move=159, for_s=34.0),),
        recoveries=(Recovery.RESUME,),
    ),
    # The store died after the opening and the run went back without it; resuming believed its journal and reported a success.
    "a run that went back without its store is not resumed as if it stood": Schedule(
        playbook="bones", store=StoreFault(at_record=35, dead=True), recoveries=(Recovery.RESUME,)
    ),
    # Intents that were never written were undone, and the records of that made the journal unreadable for ever.
    "what is undone stands in the journal as an intent": Schedule(
        playbook="for-each",
        kills=(41,),
        faults=(Fault(kind=FaultKind.REFUSING, place=("west",), at_move=79, for_s=0.15),),
        recoveries=(Recovery.RESUME,),
    ),
    # A machine slept while another one took the run over and finished it; awake again, it wrote its own end over the other's.
    "who was overtaken does not write its end over the other's": Schedule(playbook="bones", rival=Rival.TAKES_OVER, rival_at_s=0.09),
    # The same, while it halted: the loss of the lease left the command as an error without an exit code of its own.
    "who was overtaken and halts is told that the pair is another's": Schedule(
        playbook="halts-after-the-flip", rival=Rival.TAKES_OVER, rival_at_s=0.24
    ),
    # The store did not take a few records and then was there again: the journal went on without them, and could not be read any more.
    "what a store did not take for a moment is offered to it again": Schedule(
        playbook="bones", store=StoreFault(at_record=18, dead=False, writes=3)
    ),
    # West was silent once, while it restarted unfenced. Ten seconds later it was still not asked, and east was opened beside it.
    "a server that was silent once is asked again": Schedule(
        faults=(
            Fault(kind=FaultKind.CRASH_UNFENCED, place=("west",), at_move=115, for_s=0.04),
            Fault(kind=FaultKind.HANG, place=("east",), at_move=150, for_s=9.3),
        ),
        recoveries=(Recovery.RESUME,),
    ),
    # The writer hung as a team's own step began, and answered as it ended: it was taken for opened by that step, and fenced.
    "a writer that did not answer before a team's own step is not fenced after it": Schedule(
        playbook="in-parallel", faults=(Fault(kind=FaultKind.HANG, place=("east",), at_move=44, for_s=4.65),)
    ),
    # The way back had released the hold and then halted. Rolled back again, a flip that had never begun was undone to the hold of its time.
    "what never began is not undone by who takes the run up": Schedule(
        playbook="bones",
        faults=(Fault(kind=FaultKind.REFUSING, place=("east",), at_move=146, for_s=1.07),),
        store=StoreFault(at_record=30, dead=False, writes=3),
        recoveries=(Recovery.ROLL_BACK,),
    ),
    # West's opening had never begun, and east was closed by its own crash. That was taken for this run's deed, and it could never end.
    "a writer that the run has not touched does not keep it from its end": Schedule(
        playbook="halts-after-the-flip",
        flavor=Flavor.FILES,
        clients=(Clients.LOCKER, Clients.LONG, Clients.LONG, Clients.POOLED),
        delays_s=(0.0228, 0.0011),
        faults=(Fault(kind=FaultKind.CRASH, place=("east",), at_move=26, for_s=1.05),),
        kills=(0, 258, 20),
        recoveries=(Recovery.ROLL_BACK, Recovery.ROLL_BACK, Recovery.ROLL_BACK),
    ),
    # The clock was set back between two runs: the earlier one seemed to have moved the writes since the later one was left.
    "which run came later is told by their leases": Schedule(
        playbook="for-each",
        faults=(Fault(kind=FaultKind.CLOCK_JUMP, place=("clock",), at_move=101, for_s=1.6),),
        store=StoreFault(at_record=43, dead=False),
        rival=Rival.SAME_STORE,
        rival_at_s=0.495,
    ),
    # East was long in catching up. What had been proved of west before was believed after it, and west had restarted unfenced.
    "after a wait the others are proved anew": Schedule(
        faults=(
            Fault(kind=FaultKind.LAG, place=("east",), at_move=113, for_s=20.0),
            Fault(kind=FaultKind.CRASH_UNFENCED, place=("west",), at_move=256, for_s=9.4),
        )
    ),
    # West refused connections for half a second and was not asked for five: meanwhile it had restarted unfenced.
    "a server that refuses at once is asked each time": Schedule(
        playbook="goes-on",
        faults=(
            Fault(kind=FaultKind.PROXY_LOST_REPLY, place=("proxy",), at_move=24, for_s=1.58),
            Fault(kind=FaultKind.CRASH_UNFENCED, place=("west",), at_move=46, for_s=0.51),
        ),
    ),
    # Awake again after another machine had finished its run, and without a store that could say so, it took everything back.
    "who has lost its locks, and no store to ask, does nothing more": Schedule(
        playbook="gate", store=StoreFault(at_record=40, dead=True, writes=6), rival=Rival.TAKES_OVER, rival_at_s=0.371
    ),
}


@pytest.mark.parametrize("schedule", FOUND.values(), ids=FOUND.keys())
def test_a_night_that_once_broke_a_promise_keeps_it(schedule: Schedule) -> None:
    assert play(schedule).violations == []
