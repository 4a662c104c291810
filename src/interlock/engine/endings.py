"""How a run ends: forward to the end, all the way back, or halted; always in a named outcome."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from interlock.clock import Deadline
from interlock.engine.apply import carry_out
from interlock.engine.back import (
    UndoFailed,
    go_back,
    has_opened,
    intents_of_writes,
    put_the_rest_back,
    touched_segments,
    what_is_left,
    why_not_back,
)
from interlock.engine.events import RunEnded
from interlock.engine.execution import Execution, StopRequested
from interlock.engine.forward import fenced_outside, opens_a_server
from interlock.engine.halting import halt, shut_again
from interlock.engine.journal import Entry, RecordKind
from interlock.engine.open_now import no_second_writer, open_masters, seen_masters
from interlock.engine.report import ProblemReport
from interlock.engine.states import EXIT_CODES, Event, State
from interlock.errors import DriverError, InterlockError, LeaseLost, PairBusy, Refused, StepFailed, StoreFailed, UsageError
from interlock.model.codec import fields_of
from interlock.model.effects import Fence
from interlock.model.topology import ClusterName
from interlock.playbook.tree import OnFailure


class GoBack(InterlockError):
    """The way back was asked for, or was under way."""


def drive(execution: Execution, go: Callable[[], None]) -> None:
    """To an outcome; PairBusy as soon as the pair is no longer this run's, on the way forward, on the way back or while halting."""
    try:
        _to_an_outcome(execution, go)
    except (LeaseLost, PairBusy) as lost:
        execution.stop_prober()
        if execution.life.now is State.CHECKING:
            with suppress(LeaseLost):  # a lock was lost; with the lease, the run is another's to end
                _refuse(execution, [_problem(lost)])
        raise PairBusy(lost.message, hint=lost.hint, server=lost.server) from lost


def _to_an_outcome(execution: Execution, go: Callable[[], None]) -> None:
    """Forward, then what follows from how that ended. The one place where every error of a run ends in an outcome."""
    problems: list[ProblemReport] = []
    try:
        go()
        problems += at_the_end(execution)
    except (LeaseLost, PairBusy):
        raise
    except GoBack:
        _way_back(execution, problems)
    except (StepFailed, StopRequested, Refused, DriverError, StoreFailed, UsageError) as error:
        problems.append(_problem(error))
        if execution.life.now is State.CHECKING:
            _refuse(execution, problems, next_commands=("interlock status",) if isinstance(error, DriverError) else ())
        elif (stuck := why_not_back(execution)) or _says_halt(execution, error):
            _halt(execution, problems, stuck)
        else:
            execution.spare_the_store()
            execution.move(Event.FAIL)
            _way_back(execution, problems)
    else:
        _end(execution, Event.SUCCEED, problems, next_commands=_after_success(execution))


def _refuse(execution: Execution, problems: list[ProblemReport], next_commands: tuple[str, ...] = ()) -> None:
    """Nothing was begun but what only reads, and that is ended. Of a server that can't be asked `status` says what all others see of it,
    and whether it is a case for a failover.
    """
    if execution.intents:
        with suppress(StepFailed, DriverError):  # it ends with this process, too
            go_back(execution)
    _end(execution, Event.REFUSE, problems, next_commands=next_commands)


def _after_success(execution: Execution) -> tuple[str, ...]:
    """A failover leaves two things to a person: what was lost, and the server that it was taken from."""
    gone = sorted(fenced_outside(execution.playbook, execution.scope))
    return (f"interlock losses {execution.run}", *(f"interlock rejoin {cluster}" for cluster in gone)) if gone else ()


def at_the_end(execution: Execution) -> list[ProblemReport]:
    """What the operator must know of a run that did all its steps: nobody takes writes, a route leads astray, or holds clients.

    StepFailed if two masters take writes.
    """
    if execution.life.now is State.CHECKING:
        return []
    no_second_writer(execution.world)
    open_now = open_masters(execution.world)
    problems = [] if open_now else [ProblemReport(what="no master takes writes", hint="this playbook ends with the pair closed")]
    for name in execution.world.topology.routes:
        try:
            seen = execution.world.route(name).facts()
        except DriverError as error:
            problems.append(_problem(error))
            continue
        if seen.holding or seen.held_in_part:
            problems.append(ProblemReport(what=f"route {name} still holds clients", hint="end the playbook with route.release"))
        whole = bool(open_now) and not execution.world.topology.segments
        if whole and seen.provable and seen.leads_to != (execution.world.topology.server(open_now[0]).cluster,):
            where = " and ".join(seen.leads_to) or "nowhere"
            problems.append(ProblemReport(what=f"route {name} leads to {where}, and {open_now[0]} takes the writes"))
    return problems


def close_all_but_the_writer(execution: Execution) -> list[ProblemReport]:
    """After the way back, for `rolled_back` means: as before, the writer open. Another master that takes writes is fenced.

    StepFailed if this run fenced or opened servers, and the writer of its beginning does not take writes now.
    """
    writer = execution.scope.get("writer")
    if not isinstance(writer, str) or execution.world.topology.segments:
        return []
    was = execution.world.topology.clusters[ClusterName(writer)].master.name
    deadline = Deadline.after(execution.clock, execution.playbook.rollback_within_s)
    silent = execution.guard.silent()
    open_now = open_masters(execution.world, besides=silent - {was})
    for name in open_now:
        if name != was:
            carry_out(execution, [Fence(server=name, within_s=2.0)], deadline)
    if was in open_now:
        return []
    what = f"{was} took the writes before, and is not seen to take them now"
    if any(intent.begun or intent.args.get("server") == was for intent in intents_of_writes(execution)):
        raise StepFailed(what, hint=f"see why it is closed, then `interlock rollback {execution.run}`")
    return [ProblemReport(what=what, hint="this run has not touched it")]


def _what_may_still_land(execution: Execution) -> list[ProblemReport]:
    """A time-out is no cancel, and no undo is sure to win against an order that somebody else still has in hand."""
    return [
        ProblemReport(
            what=f"{intent.step}: an effect of its had no answer and may still land, after all that was put back",
            hint="`interlock status` shows where the routes lead: look again once whoever was asked is done with it",
        )
        for intent in execution.intents.values()
        if intent.unsure
    ]


def _says_halt(execution: Execution, error: InterlockError) -> bool:
    own = error.on_failure if isinstance(error, StepFailed) else None
    return (own or execution.playbook.on_failure) == OnFailure.HALT and not isinstance(error, StopRequested)


def _way_back(execution: Execution, problems: list[ProblemReport]) -> None:
    try:
        go_back(execution)
        problems += close_all_but_the_writer(execution)
        problems += [_problem(failed) for failed in put_the_rest_back(execution)]
    except (UndoFailed, StepFailed, DriverError) as failed:
        problems.append(_problem(failed))
        _halt(execution, problems)
    else:
        problems += _what_may_still_land(execution)
        problems += _nobody_writes(execution)
        _end(execution, Event.RESTORED, problems)


def _nobody_writes(execution: Execution) -> list[ProblemReport]:
    """Nobody is seen to; also where it was so before: whoever reads `rolled back` must not take it for well."""
    if execution.world.topology.segments or open_masters(execution.world):
        return []
    gone = sorted(fenced_outside(execution.playbook, execution.scope))
    if not gone or not has_opened(execution):
        return [ProblemReport(what="no master is seen to take writes", hint="`interlock status`: one may not have answered")]
    opened = " and ".join(master.name for master in execution.world.topology.masters() if master.name not in gone)
    return [
        ProblemReport(
            what=f"no master is seen to take writes: {opened} was opened by this run, and may hold writes that {' and '.join(gone)} lacks",
            hint=f"interlock failover --to {opened}; {' and '.join(gone)} stays closed and marked until it has rejoined",
        )
    ]


def _halt(execution: Execution, problems: list[ProblemReport], stuck: str = "") -> None:
    """`stuck`: why there is no way back. Then none is printed."""
    left_open = (*halt(execution), *shut_again(execution))
    if left_open:
        hint = _close_it(execution)
        problems += [ProblemReport(what=what, hint=hint) for what in left_open]
    may_have_opened = opens_a_server(execution.playbook) and intents_of_writes(execution)
    if not (may_have_opened or touched_segments(execution)) and (open_now := open_masters(execution.world)):
        problems.append(ProblemReport(what=f"this run has opened nothing: {' and '.join(open_now)} takes the writes as before"))
    problems += _what_may_still_land(execution)
    if stuck:
        problems.append(ProblemReport(what=stuck, hint=way_on(execution.run)))
    back = () if stuck else (f"interlock rollback {execution.run}", *what_is_left(execution))
    _end(execution, Event.HALT, problems, next_commands=(f"interlock resume {execution.run}", *back))


def _close_it(execution: Execution) -> str:
    """What a person does about a server that could not be proved closed. One that is dead is what a failover is for."""
    topology = execution.world.topology
    fenced = [topology.server(seen.server).cluster for seen in seen_masters(execution.world) if seen.read_only]
    by_hand = "fence it from outside, or stop it"
    if len(fenced) != 1 or topology.segments:
        return by_hand
    return f"{by_hand}; if it is dead, interlock failover --to {fenced[0]}"


def way_on(run: str) -> str:
    """Of a run that can't go back."""
    return f"`interlock resume {run}` opens it there again and goes on; `interlock rollback {run}` once that channel runs"


def _end(execution: Execution, event: Event, problems: list[ProblemReport], next_commands: tuple[str, ...] = ()) -> None:
    """LeaseLost, and nothing said, if another has taken the run over: a process that slept knows no outcome."""
    execution.spare_the_store()
    execution.guard.renew()
    outage = execution.stop_prober()
    if outage is not None:
        execution.journal.write_all([Entry(RecordKind.OUTAGE, fields_of(outage))], durable=False)
    row = execution.life.move(event)
    # Both or none: a run that has moved to its end and has no outcome could be neither taken up nor left alone.
    moved = Entry(RecordKind.MOVED, {"event": row.event, "source": row.source, "target": row.target, "reason": row.reason})
    ended = Entry(
        RecordKind.ENDED,
        {
            "outcome": row.target,
            "exit_code": int(EXIT_CODES[row.target]),
            "evidence": {},
            "problems": problems,
            "next_commands": next_commands,
        },
    )
    execution.journal.write_all([moved, ended], durable=True)
    execution.journal.set_state(row.target, row.target)
    execution.observe(RunEnded(run=execution.run, outcome=row.target.value, detail=row.reason))


def _problem(error: InterlockError) -> ProblemReport:
    where = f"{error.step}: " if error.step else ""
    return ProblemReport(what=f"{where}{error.message}", hint=error.hint)
