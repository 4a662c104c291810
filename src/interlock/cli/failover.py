"""`interlock failover`: the planned switchover as long as the writer answers, otherwise the playbook of that name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, note, wired
from interlock.cli.runs import answer_of, carry_out, inputs_of, playbook_of
from interlock.engine.emergency import PLANNED, SHORT_BUDGET, Knock, falls_through, knock, writer_of_other_side
from interlock.engine.report import ProblemReport
from interlock.engine.states import State
from interlock.model.codec import to_plain
from interlock.stores.holder import running_for_ms

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring
    from interlock.engine.report import RunReport


def failover(context: Context) -> Answer:
    """`interlock failover --to CLUSTER [--accept SENTENCE]`."""
    given = inputs_of(context.options.input)
    with wired(context) as wiring:
        knocked = _knock(wiring, given)
        first = _planned(context, wiring, knocked.cluster, given["to"]) if knocked is not None and knocked.answers else None
        if first is not None and not falls_through(first.outcome):
            return answer_of(context, first)
        playbook = playbook_of("failover", wiring)
        report = carry_out(context, wiring, lambda engine: engine.start(playbook, given, knock=knocked, start_up_ms=running_for_ms()))
        if first is not None and report.outcome != State.SUCCEEDED:
            said = f"the switchover that was tried first (run {first.run}) was {first.outcome}: "
            report.problems += [ProblemReport(what=f"{said}{one.what}", hint=one.hint) for one in first.problems]
        answer = answer_of(context, report)
        if first is None:
            return answer
        tried = {"run": first.run, "playbook": first.playbook, "outcome": first.outcome, "problems": to_plain(first.problems)}
        return Answer(plain={**_mapping(answer.plain), "tried_first": tried}, text=answer.text, exit_code=answer.exit_code)


def _knock(wiring: Wiring, given: dict[str, str]) -> Knock | None:
    """None if it is not clear at whose door."""
    source = writer_of_other_side(wiring.world, given["to"])
    return knock(wiring.world, source, wiring.clock) if source is not None and given.get("from", source) == source else None


def _planned(context: Context, wiring: Wiring, source: str, to: str) -> RunReport:
    """The planned switchover with a short budget."""
    note(f"{source} answers: the planned switchover is tried first, with a short budget")
    playbook = playbook_of(PLANNED, wiring)
    inputs = {"to": to, **SHORT_BUDGET}
    return carry_out(context, wiring, lambda engine: engine.start(playbook, inputs, start_up_ms=running_for_ms()))


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
