"""Putting lost rows back, as a command: under the pair's lease and locks, asked for, told, and listed among the runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, width
from interlock.cli.held_pair import Held, ask, held_pair
from interlock.cli.losses import find
from interlock.cli.repair_run import beginning, ending
from interlock.engine.journal import Journal
from interlock.engine.report import ProblemReport
from interlock.engine.states import State
from interlock.errors import ExitCode, Refused
from interlock.losses.applied import PUT_BACK
from interlock.losses.applying import Applied, put_back, take_back
from interlock.losses.find import Losses
from interlock.losses.permitted import see_allowed
from interlock.losses.putting_back import PlannedTransaction, planned, taken_back
from interlock.losses.run_facts import RunFacts
from interlock.losses.sql import SETTINGS
from interlock.report.losses_text import applied_text, plan_text

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring


def carry_out(context: Context, wiring: Wiring, facts: RunFacts) -> Answer:
    """Shows what it would do; does it if it is asked to. Refused if the survivor is not the writer, or the pair is held."""
    back = bool(context.options.undo)
    if not (context.options.apply or back):
        found = find(context, wiring, facts)
        plans = planned(found)
        said = f"\n\nnothing was changed; to do it: interlock repair --losses {facts.run} --apply"
        return Answer(plain=_plain(facts, plans, None), text=lambda width: plan_text(found.report, plans, width, back=False) + said)
    with held_pair(wiring) as held:
        return _change(context, wiring, facts, held, back=back)


def _change(context: Context, wiring: Wiring, facts: RunFacts, held: Held, *, back: bool) -> Answer:
    survivor = wiring.world.sql_server(facts.survivor)
    session = survivor.session(SETTINGS)
    try:
        if survivor.write_facts().read_only:
            raise Refused(f"{facts.survivor} does not take writes now", hint="rows are put back on the writer: `interlock status`")
        found = find(context, wiring, facts)
        see_allowed(session, {row.schema for one in found.report.transactions for row in one.rows})
        plans = taken_back(found, PUT_BACK.rows(session, facts.run)) if back else planned(found)
        sent = [plan for plan in plans if plan.rows]
        if sent:
            context.tell(plan_text(found.report, plans, width(), back=back))
            ask(context, f"{'take back' if back else 'put back'} {sum(len(plan.rows) for plan in sent)} rows on {facts.survivor}?")
        results: list[Applied] = []
        do = take_back if back else put_back
        try:
            results.extend(do(session, facts.run, sent, check=lambda: held.guard.check({survivor.name})))
        finally:
            if results:
                _record(wiring, facts, held, results, back=back)
    finally:
        session.close()
    code = ExitCode.REFUSED if results and not any(one.rows for one in results) else ExitCode.SUCCEEDED
    plain = {**_plain(facts, plans, results), "run": held.run, "exit_code": int(code)}
    left = "" if sent else _nothing_to_do(found, back=back)
    return Answer(plain=plain, text=lambda width: left or applied_text(results, width, back=back), exit_code=code)


def _record(wiring: Wiring, facts: RunFacts, held: Held, results: Sequence[Applied], *, back: bool) -> None:
    """For `runs` and `show`, when all is done: what a repair has to know to go on stands on the survivor, with its rows."""
    done = [one for one in results if one.rows]
    verb = "taken back" if back else "put back"
    entries = ending(
        wiring,
        held,
        action="losses.repair",
        why=f"{verb}: {sum(one.rows for one in done)} rows in {len(done)} transactions that run {facts.run} had lost",
        outcome=State.SUCCEEDED,
        outputs={"transactions": [one.position for one in done]},
        left=[ProblemReport(what=f"{one.position} was left as it was: {one.why}") for one in results if not one.rows],
    )
    journal = Journal(wiring.store, held.run, wiring.clock, wiring.secrets.redact)
    journal.write_all([*beginning(wiring, held, {"losses": facts.run, "undo": back}), *entries], durable=True)
    journal.set_state(State.SUCCEEDED, State.SUCCEEDED)


def _nothing_to_do(found: Losses, *, back: bool) -> str:
    if back:
        return "nothing was put back, so there is nothing to take back"
    lost = len(found.report.transactions)
    before = sum(one.applied for one in found.report.transactions)
    others = f"; the other {lost - before} are there anyway, or a person decides: `interlock losses {found.report.run}`"
    if before:
        return f"all is done: {before} of {lost} lost transactions were put back before{others if before < lost else ''}"
    return (
        f"none of {lost} lost transactions can be put back; `interlock losses {found.report.run}` says why" if lost else "nothing was lost"
    )


def _plain(facts: RunFacts, plans: Sequence[PlannedTransaction], results: Sequence[Applied] | None) -> Mapping[str, object]:
    return {
        "losses": facts.run,
        "writer": facts.survivor,
        "dry_run": results is None,
        "planned": [
            {
                "position": plan.position,
                "statements": [row.sql for row in plan.rows],
                "left_out": [{"what": one.what, "why": one.why} for one in plan.left_out],
            }
            for plan in plans
        ],
        "applied": [{"position": one.position, "rows": one.rows, "why": one.why} for one in results or ()],
    }
