"""Halting, when the way back can't be gone or the playbook says so: what the run may have opened is fenced, and proved to be. ADR 7."""

from __future__ import annotations

from collections.abc import Callable

from interlock.clock import Deadline
from interlock.engine.apply import carry_out
from interlock.engine.back import intents_of, intents_of_writes, look_again_at_fences, touched_segments
from interlock.engine.execution import Execution
from interlock.engine.forward import opens_a_server
from interlock.engine.open_now import open_masters
from interlock.errors import DriverError, StepFailed
from interlock.model.effects import CloseSegment, Fence
from interlock.model.topology import ServerName
from interlock.playbook.catalogue import Role

_HALT_WITHIN_S = 10.0
"""How long halting tries to fence what may be open."""
_PAUSE_S = 0.2


def halt(execution: Execution) -> list[str]:
    """Fence every master, if this run has fenced or opened one; close every segment, on every master, that it has closed or opened on one.
    Of a pair with segments only those masters are fenced: what clients may write on the other one is another cluster's nowhere. So it is
    of a run that opens nothing, as a rejoin: it took the writes from nobody else. Returns what could not be proved closed, a sentence each.

    A run that has touched no server leaves the one writer open: halting must not cause an outage of its own.
    """
    world, segments = execution.world, touched_segments(execution)
    masters = [master.name for master in world.topology.masters()]
    fenced = {intent.args["server"] for intent in intents_of_writes(execution)}
    if not world.topology.segments and ((fenced and opens_a_server(execution.playbook)) or len(open_masters(world)) > 1):
        fenced = set(masters)
    if not fenced and not segments:
        return []
    look_again_at_fences(execution)
    execution.spare_the_store()
    deadline = Deadline.after(execution.clock, _HALT_WITHIN_S)
    problems: list[str] = []
    for name in masters:
        closings = {f"closed for segment {each}": _closing_segment(execution, name, each, deadline) for each in segments}
        if name in fenced:
            closings["fenced"] = _fencing(execution, name, deadline)
        found = (_close(execution, name, deadline, close) for close in closings.values())
        problems += [f"{name} is not proved {what}: {why}" for what, why in zip(closings, found, strict=True) if why]
    return problems


def shut_again(execution: Execution) -> list[str]:
    """Fence each server as closely as it can be through whose fence this run may have let administrators write; nothing else is touched.
    One that somebody opened meanwhile is left open. Returns what could not be proved closed, a sentence each.
    """
    loosened = dict.fromkeys(ServerName(str(intent.args["server"])) for intent in intents_of(execution, {Role.LOOSENS}))
    deadline = Deadline.after(execution.clock, _HALT_WITHIN_S)
    found = {name: _close(execution, name, deadline, _shutting(execution, name, deadline)) for name in loosened}
    return [f"{name} is not proved fenced: {why}" for name, why in found.items() if why]


def _shutting(execution: Execution, name: ServerName, deadline: Deadline) -> Callable[[], None]:
    def close() -> None:
        seen = execution.world.server(name).write_facts()
        if seen.read_only and not seen.is_fully_fenced:
            carry_out(execution, [Fence(server=name, within_s=2.0)], deadline)

    return close


def _fencing(execution: Execution, name: ServerName, deadline: Deadline) -> Callable[[], None]:
    def close() -> None:
        if execution.interlock.is_closed_outside(name):
            return
        if execution.world.server(name).write_facts().is_fully_fenced:
            execution.interlock.prove_fenced(name)
        else:
            carry_out(execution, [Fence(server=name, within_s=2.0)], deadline)

    return close


def _closing_segment(execution: Execution, name: ServerName, segment: str, deadline: Deadline) -> Callable[[], None]:
    def close() -> None:
        seen = execution.world.server(name).segments.facts(execution.world.topology.segments[segment])
        if seen.open_by:
            carry_out(execution, [CloseSegment(server=name, segment=segment, accounts=seen.accounts)], deadline)
        else:
            execution.segments.prove_closed(name, segment)

    return close


def _close(execution: Execution, name: ServerName, deadline: Deadline, close: Callable[[], None]) -> str:
    """Empty once it is closed, or why it is not proved to be."""
    server = execution.world.server(name)
    while True:
        try:
            close()
        except (DriverError, StepFailed) as error:
            if deadline.is_over():
                return error.message
            execution.clock.sleep(_PAUSE_S)
            try:
                server.settle()
                execution.guard.recover(server.name)
            except DriverError:
                continue
        else:
            return ""
