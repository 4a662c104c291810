"""Nights for a property tester: the same schedules as those drawn from a seed, but built from parts that it can take away one by one."""

from __future__ import annotations

from hypothesis import strategies as st

from interlock.simulated.database import Flavor
from interlock.simulated.schedules import Clients, Fault, FaultKind, Recovery, Schedule, Sickness, StoreFault, places_of
from interlock.simulated.variants import TEXTS, playbooks

_NAMES = (*TEXTS, *(name for name in playbooks() if name not in TEXTS))


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    kind = draw(st.sampled_from(tuple(FaultKind)))
    return Fault(
        kind=kind,
        place=draw(st.sampled_from(tuple(places_of(kind)))),
        at_move=draw(st.integers(1, 280)),
        for_s=draw(st.sampled_from((0.1, 1.0, 5.0, 40.0))),
    )


def schedules() -> st.SearchStrategy[Schedule]:
    return st.builds(
        Schedule,
        playbook=st.sampled_from(_NAMES),
        flavor=st.sampled_from(tuple(Flavor)),
        clients=st.lists(st.sampled_from(tuple(Clients)), min_size=1, max_size=3).map(tuple),
        delays_s=st.tuples(st.sampled_from((0.002, 0.05, 0.5)), st.sampled_from((0.002, 0.05, 0.3))),
        events=st.booleans(),
        faults=st.lists(faults(), max_size=2).map(tuple),
        kills=st.lists(st.integers(0, 260), max_size=2).map(tuple),
        power_fails=st.booleans(),
        store=st.none() | st.builds(StoreFault, at_record=st.integers(1, 70), dead=st.booleans(), writes=st.sampled_from((None, 1, 3))),
        recoveries=st.lists(st.sampled_from(tuple(Recovery)), max_size=2).map(tuple),
        sickness=st.none() | st.sampled_from(tuple(Sickness)),
        answer=st.booleans(),
    )
