"""Carrying effects out: the lease and the locks first, the interlock for every opening, a proof after every fence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from interlock.actions.fencing import look_at
from interlock.clock import Deadline
from interlock.dataclass import dataclass
from interlock.decisions.fencing import proof_among, type_it
from interlock.engine.execution import Execution
from interlock.engine.open_now import open_masters, seen_masters
from interlock.engine.scripts import agent_of
from interlock.engine.states import Event, State
from interlock.errors import BoundReached, DriverError, OutcomeUnknown, StepFailed
from interlock.model.comparing import BeginComparison, StopComparison
from interlock.model.effects import (
    CallHttp,
    ChannelEffect,
    ClearMark,
    CloseSegment,
    CopyLogs,
    Effect,
    EraseNote,
    Fence,
    FenceOutside,
    GuardTables,
    Hold,
    KillSessions,
    NoteOwner,
    Open,
    OpenSegment,
    PointTo,
    Release,
    ReleaseOutside,
    Repoint,
    RestoreRoute,
    RunCommand,
    RunSql,
    SegmentEffect,
    SendHeartbeat,
    ServerEffect,
    SetEventScheduler,
    SetMark,
    SetSemiSync,
    StartApplier,
    StartReceiver,
    StopApplier,
    StopReceiver,
    TableEffect,
    WriteNote,
    target_of,
)
from interlock.model.mending import MendEffect, MendRows, TakeRowsBack
from interlock.model.returning import BeginCopy, EndReturn, KeepLosses, ReturnEffect, SetHeld, StopCopy, TakeBack
from interlock.model.tables import AlterTable
from interlock.model.topology import ServerName

_CLOSE_WITHIN_S = 2.0


def _nothing() -> None:
    """Nobody wants to know."""


def _not_told(_: DriverError) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who is told of an effect: `sending` once lease, locks and interlock have let it through, right before it is sent (what fails earlier
    needs no undo); `unsure` if it was sent, had no answer, and can't be ended. Both may be called by several threads.
    """

    sending: Callable[[], None] = _nothing
    unsure: Callable[[DriverError], None] = _not_told


_NOBODY = Watch()


def touched_servers(effects: Sequence[Effect]) -> set[ServerName]:
    return {
        e.server for e in effects if isinstance(e, ServerEffect | SegmentEffect | TableEffect | ChannelEffect | ReturnEffect | MendEffect)
    }


def carry_out(execution: Execution, effects: Sequence[Effect], deadline: Deadline, watch: Watch = _NOBODY) -> None:
    """In order on one target, at the same time on different routes or replicas. Errors are the drivers' and the interlock's."""
    masters = {master.name for master in execution.world.topology.masters()}
    execution.guard.check(touched_servers(effects) & masters)
    targets: dict[str, list[Effect]] = {}
    for effect in effects:
        targets.setdefault(target_of(effect), []).append(effect)
    apart = {f"server {server.name}" for server in execution.world.topology.replicas()}
    if any(isinstance(effect, FenceOutside) for effect in effects):
        _fence_outside(execution, effects, deadline, watch)
    elif len(targets) > 1 and all(target.startswith("route ") or target in apart for target in targets):
        execution.world.gather([_in_order(execution, group, deadline, watch) for group in targets.values()])
    else:
        for effect in effects:
            _one(execution, effect, deadline, watch)


def _fence_outside(execution: Execution, effects: Sequence[Effect], deadline: Deadline, watch: Watch) -> None:
    """One after the other, until one says by its own look that nothing gets in. A way that fails does not keep the next from being tried:
    StepFailed with what each had to say once all are tried. After the last one that went well the step looks by itself.
    """
    said: list[str] = []
    for effect in effects:
        try:
            _one(execution, effect, deadline, watch)
        except DriverError as error:
            said.append(error.message)
        if effect is effects[-1] and not said:
            return
        if isinstance(effect, FenceOutside) and proof_among(look_at(execution.world, effect.cluster).agents) is not None:
            return
    if said:
        cluster = next(effect.cluster for effect in effects if isinstance(effect, FenceOutside))
        off = f"see that {cluster} is off, then {type_it(execution.world.topology.clusters[cluster])}"
        raise StepFailed("; ".join(said), hint=f"mend what the way of fencing says, or {off}")


def _in_order(execution: Execution, effects: Sequence[Effect], deadline: Deadline, watch: Watch) -> Callable[[], None]:
    def run() -> None:
        for effect in effects:
            _one(execution, effect, deadline, watch)

    return run


def _one(execution: Execution, effect: Effect, deadline: Deadline, watch: Watch) -> None:
    world, sending = execution.world, watch.sending
    match effect:
        case Open():
            _open(execution, effect, deadline, sending)
        case Fence():
            _fence(execution, effect, sending)
        case (SetEventScheduler() | KillSessions() | WriteNote() | EraseNote()) | (
            Repoint() | StopApplier() | StartApplier() | StopReceiver() | StartReceiver() | SendHeartbeat() | SetSemiSync()
        ):
            sending()
            world.server(effect.server).apply(effect, mark=execution.mark)
        case CloseSegment() | OpenSegment() | NoteOwner() | GuardTables():
            _on_segment(execution, effect, deadline, sending)
        case AlterTable():
            sending()
            world.server(effect.server).tables.apply(effect, mark=execution.mark)
        case FenceOutside() | ReleaseOutside():
            sending()
            with _noting_what_may_land(watch):
                agent_of(world, effect).apply(effect)
        case SetMark() | ClearMark():
            sending()
            world.marks.apply(effect)
        case KeepLosses() | TakeBack() | BeginCopy() | StopCopy() | SetHeld() | EndReturn():
            execution.interlock.forget(effect.server)
            sending()
            world.returning(effect.cluster).apply(effect, mark=execution.mark)
        case BeginComparison() | StopComparison():
            sending()
            world.comparer(effect.cluster).apply(effect)
        case MendRows() | TakeRowsBack():
            execution.interlock.forget(effect.server)
            sending()
            world.mender.apply(effect)
        case RunSql():
            execution.interlock.forget(effect.server)
            with _opening_nothing(execution, deadline):
                sending()
                world.server(effect.server).apply(effect, mark=execution.mark)
        case Hold() | Release() | PointTo() | RestoreRoute():
            sending()
            with _noting_what_may_land(watch):
                world.route(effect.route).apply(effect)
        case CopyLogs():
            sending()
            world.outside.run(effect)
        case RunCommand() | CallHttp():
            with _opening_nothing(execution, deadline):
                sending()
                with _noting_what_may_land(watch):
                    world.outside.run(effect)


def _open(execution: Execution, effect: Open, deadline: Deadline, sending: Callable[[], None]) -> None:
    """Of a pair with segments it opens nothing to anybody: the run is as far from the point of going back as it was."""
    if execution.world.topology.segments:
        execution.interlock.see_not_failed(effect.server)
        execution.segments.open_server(effect, execution.mark, sending)
    else:
        execution.interlock.open(effect, deadline, execution.mark, _opening(execution, sending))


def _fence(execution: Execution, effect: Fence, sending: Callable[[], None]) -> None:
    execution.interlock.forget(effect.server)
    sending()
    execution.world.server(effect.server).apply(effect, mark=execution.mark)
    if effect.as_was:
        execution.interlock.prove_put_back(effect.server)
    else:
        execution.interlock.prove_fenced(effect.server)


def _on_segment(execution: Execution, effect: SegmentEffect, deadline: Deadline, sending: Callable[[], None]) -> None:
    match effect:
        case OpenSegment():
            execution.segments.open(effect, deadline, execution.mark, _opening(execution, sending))
        case CloseSegment():
            execution.segments.touched(effect.server, effect.segment)
            sending()
            execution.world.server(effect.server).segments.apply(effect, mark=execution.mark)
            execution.segments.prove_closed(effect.server, effect.segment)
        case NoteOwner():
            execution.segments.forget(effect.server, effect.segment)
            sending()
            execution.world.server(effect.server).segments.apply(effect, mark=execution.mark)
        case GuardTables():
            execution.segments.touched(effect.server, effect.segment)
            sending()
            execution.world.server(effect.server).segments.apply(effect, mark=execution.mark)


@contextmanager
def _noting_what_may_land(watch: Watch) -> Iterator[None]:
    """Here, and not where the error ends up: of several routes that are told together, one error is raised.

    A server ends its late statements (`settle`); a service or a program's helper on another host can't be asked to. A program that was
    ended at its bound (BoundReached) may have asked somebody else before.
    """
    try:
        yield
    except (OutcomeUnknown, BoundReached) as error:
        watch.unsure(error)
        raise


def _opening(execution: Execution, sending: Callable[[], None]) -> Callable[[], None]:
    """The run is past the point of going back only once the interlock has let the opening through."""

    def send() -> None:
        if execution.life.now is State.CHANGING:
            execution.move(Event.OPEN, durable=execution.segments.goes_one_way)
        sending()

    return send


@contextmanager
def _opening_nothing(execution: Execution, deadline: Deadline) -> Iterator[None]:
    """A team's own step must not open a server behind the interlock's back; its text tells nothing of what it does.

    What it opened is fenced again at once, and StepFailed names it. One that did not answer before may have been the writer all along.
    """
    closed = {seen.server for seen in seen_masters(execution.world) if seen.read_only}
    try:
        yield
    finally:
        opened = [name for name in open_masters(execution.world) if name in closed]
        for name in opened:
            _one(execution, Fence(server=name, within_s=_CLOSE_WITHIN_S), deadline, _NOBODY)
    if opened:
        raise StepFailed(
            f"a step that is not the interlock's let {' and '.join(opened)} take writes; fenced again",
            hint="only server.open may let a server take writes",
        )
