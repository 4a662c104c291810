"""Putting lost rows back, as a command: under the pair's lease and locks, asked for, told, and listed among the runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, width
from interlock.cli.losses import find
from interlock.dataclass import dataclass
from interlock.decisions.marks import is_not_held
from interlock.engine.guard import Guard
from interlock.engine.journal import Entry, Journal, RecordKind
from interlock.engine.report import ProblemReport
from interlock.engine.runs import run_name
from interlock.engine.states import State
from interlock.errors import ExitCode, NotPermitted, Refused
from interlock.losses.applied import applied_rows
from interlock.losses.applying import Applied, put_back, take_back
from interlock.losses.find import Losses
from interlock.losses.putting_back import PlannedTransaction, planned, taken_back
from interlock.losses.run_facts import RunFacts
from interlock.losses.sql import SETTINGS
from interlock.model.verdict import Refuse
from interlock.ports import RunHeader
from interlock.report.losses_text import applied_text, plan_text
from interlock.servers.grants import missing_for_repair
from interlock.servers.quoting import text
from interlock.servers.session import Session
from interlock.stores.holder import this_holder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.bootstrap import Wiring


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The pair is ours while this repair goes on, since `at`."""

    run: str
    guard: Guard
    at: datetime


def carry_out(context: Context, wiring: Wiring, facts: RunFacts) -> Answer:
    """Shows what it would do; does it if it is asked to. Refused if the survivor is not the writer, or the pair is held."""
    back = bool(context.options.undo)
    if not (context.options.apply or back):
        found = find(context, wiring, facts)
        plans = planned(found)
        said = f"\n\nnothing was changed; to do it: interlock repair --losses {facts.run} --apply"
        return Answer(plain=_plain(facts, plans, None), text=lambda width: plan_text(found.report, plans, width, back=False) + said)
    with _held(wiring) as held:
        return _change(context, wiring, facts, held, back=back)


def _change(context: Context, wiring: Wiring, facts: RunFacts, held: Held, *, back: bool) -> Answer:
    survivor = wiring.world.sql_server(facts.survivor)
    session = survivor.session(SETTINGS)
    try:
        if survivor.write_facts().read_only:
            raise Refused(f"{facts.survivor} does not take writes now", hint="rows are put back on the writer: `interlock status`")
        found = find(context, wiring, facts)
        _see_allowed(session, facts, found)
        plans = taken_back(found, applied_rows(session, facts.run)) if back else planned(found)
        sent = [plan for plan in plans if plan.rows]
        if sent:
            context.tell(plan_text(found.report, plans, width(), back=back))
            _ask(context, f"{'take back' if back else 'put back'} {sum(len(plan.rows) for plan in sent)} rows on {facts.survivor}?")
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


@contextmanager
def _held(wiring: Wiring) -> Iterator[Held]:
    """PairBusy if another has the pair; Refused if somebody holds it, or a run of it is unfinished."""
    topology = wiring.topology.name
    run, at = run_name(wiring.clock), wiring.clock.wall()
    guard = Guard(wiring.store, wiring.store.take_lease(topology, this_holder(run)), wiring.world, wiring.clock)
    try:
        verdict = is_not_held(wiring.store.marks(topology), wiring.clock.wall())
        if isinstance(verdict, Refuse):
            raise Refused(verdict.why, hint=verdict.hint)
        unfinished = wiring.world.unfinished_runs()
        if unfinished:
            raise Refused(
                f"run {unfinished[0]} of this pair is unfinished",
                hint=f"`interlock resume {unfinished[0]}` or `interlock rollback {unfinished[0]}`",
            )
        guard.take_locks(again=False, tolerant=True)  # the old writer may be down still
        yield Held(run=run, guard=guard, at=at)
    finally:
        guard.release()


def _see_allowed(session: Session, facts: RunFacts, found: Losses) -> None:
    """NotPermitted with the grants that are missing: without them it would see no triggers, and write nothing."""
    schemas = {row.schema for one in found.report.transactions for row in one.rows}
    rows = session.rows("SHOW GRANTS")
    account = str(next(iter(session.rows("SELECT CURRENT_USER() AS u")[0].values())))
    user, _, host = account.rpartition("@")
    lacks = missing_for_repair((str(next(iter(row.values()))) for row in rows), schemas, account=f"{text(user)}@{text(host)}")
    if lacks:
        raise NotPermitted(f"{facts.survivor}: the account may not put rows back: {'; '.join(lacks)}", hint="see `interlock grants`")


def _ask(context: Context, question: str) -> None:
    """Refused unless somebody says yes."""
    if context.options.yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refused("nobody can be asked whether to go on", hint="--yes, once you have read what it would do")
    sys.stderr.write(f"\n{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise Refused("not confirmed; nothing was changed")


def _record(wiring: Wiring, facts: RunFacts, held: Held, results: Sequence[Applied], *, back: bool) -> None:
    """For `runs` and `show`, when all is done: what a repair has to know to go on stands on the survivor, with its rows."""
    name, topology, lease, state = "repair", wiring.topology, held.guard.lease, State.SUCCEEDED
    wiring.store.create_run(RunHeader(run=held.run, playbook=name, topology=topology.name, started_at=held.at, state=state.value))
    done = [one for one in results if one.rows]
    verb = "taken back" if back else "put back"
    why = f"{verb}: {sum(one.rows for one in done)} rows in {len(done)} transactions that run {facts.run} had lost"
    ms = (wiring.clock.wall() - held.at).total_seconds() * 1000
    left = [ProblemReport(what=f"{one.position} was left as it was: {one.why}") for one in results if not one.rows]
    started = {
        "playbook": name,
        "text": "",
        "path": "",
        "inputs": {"losses": facts.run, "undo": back},
        "topology": topology.name,
        "topology_digest": topology.digest,
        "holder": lease.holder,
        "epoch": lease.epoch,
    }
    outputs = {"transactions": [one.position for one in done]}
    Journal(wiring.store, held.run, wiring.clock, wiring.secrets.redact).write_all(
        [
            Entry(RecordKind.STARTED, started),
            Entry(RecordKind.RESOLVED, {"inputs": started["inputs"], "facts": {}}),
            Entry(RecordKind.PHASE, {"phase": name, "event": "began"}),
            Entry(RecordKind.DONE, {"step": name, "action": "losses.repair", "why": why, "warnings": (), "outputs": outputs, "ms": ms}),
            Entry(RecordKind.PHASE, {"phase": name, "event": "ended", "ms": ms}),
            Entry(RecordKind.ENDED, {"outcome": state, "exit_code": 0, "evidence": {}, "problems": left, "next_commands": ()}),
        ],
        durable=True,
    )
    wiring.store.set_state(held.run, state.value, state.value)


def _nothing_to_do(found: Losses, *, back: bool) -> str:
    if back:
        return "nothing was put back, so there is nothing to take back"
    return f"nothing can be put back: {len(found.report.transactions)} transactions were lost, `interlock losses {found.report.run}`"


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
