"""`interlock repair [NAME]`: one side's rows are made as the other one's, where a comparison found that they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, note, width
from interlock.cli.held_pair import ask, see_allowed
from interlock.cli.losses import write_private
from interlock.cli.mend_request import Request, chosen_by, comparison_of, request_of
from interlock.cli.repair_run import Job, end_without, repair_job, unfinished_repair
from interlock.decisions.pace import Limits
from interlock.diff.ends import End
from interlock.diff.mend_fit import Sides, differing
from interlock.diff.mend_pace import Pace
from interlock.diff.mend_plan import MendPlan, differences_of, plan_mends, portions, row_name
from interlock.diff.mending import UNLOGGED, Mended, mend, notes_name, take_back
from interlock.diff.pacing import Governor
from interlock.diff.references import parents_of
from interlock.engine.report import ProblemReport
from interlock.engine.states import EXIT_CODES, State
from interlock.errors import Refused, RefusedButAlive, Unreachable
from interlock.losses.applied import applied_rows
from interlock.losses.now import Survivor
from interlock.losses.putting_back import Block, LeftOut, sql_script
from interlock.losses.sql import SETTINGS
from interlock.model.codec import from_plain
from interlock.model.differences import Comparison
from interlock.model.topology import ClusterName, Topology
from interlock.ports import RunHeader
from interlock.report.repair_text import mend_text, mended_text, plan_counts

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring

_ACTION = "diff.repair"
_TELL_EVERY = 1000


def repair_differences(context: Context, wiring: Wiring) -> Answer:
    """Shows what it would do; does it if it is asked to. Refused if the comparison does not tell what is right any more."""
    options = context.options
    comparison = comparison_of(wiring, options.diff)
    request = request_of(options, comparison)
    if options.apply or options.undo:
        with repair_job(wiring, unfinished_repair(wiring, {"diff": request.diff, "onto": request.onto})) as job:
            return _carry_out(context, job, request, comparison, sure=bool(options.onto))
    with _sides(wiring, request, comparison, SETTINGS, lambda: None) as sides:
        plan = _plan(sides, comparison, request)
        heads = _heads(wiring.topology, request, comparison)
        _write_files(context, plan, request)
    plain = {**_plain(request, comparison, plan), "dry_run": True, "exit_code": 0}
    word = f"interlock repair {request.diff}{f' --onto {request.onto}' if options.onto else ''} --apply"
    said = f"nothing was changed; to do it: {word}" if plan.mends else "there is nothing to mend"
    return Answer(plain=plain, text=lambda width: f"{mend_text(plan, heads, width)}\n\n{said}")


def go_on_with(context: Context, wiring: Wiring, header: RunHeader, inputs: Mapping[str, object], *, back: bool) -> Answer:
    """With a repair that was left in its middle."""
    with repair_job(wiring, header) as job:  # first: it puts a fence back, whatever else can be done
        request = from_plain(inputs, Request)
        comparison = comparison_of(wiring, request.diff)
        try:
            return _carry_out(context, job, replace(request, undo=back or request.undo), comparison, sure=True, rolled_back=back)
        except (Unreachable, RefusedButAlive) as gone:
            return end_without(job, _ACTION, gone)


def _carry_out(context: Context, job: Job, request: Request, comparison: Comparison, *, sure: bool, rolled_back: bool = False) -> Answer:
    """`sure`: the side was named by a person. `rolled_back`: it is to end as taken back."""
    wiring = job.wiring
    with _sides(wiring, request, comparison, UNLOGGED, job.check) as sides:
        if not sure:
            _see_direction(sides)
        plan = _plan(sides, comparison, request)
        _write_files(context, plan, request)
        see_allowed(sides.session, {one.table.schema for one in plan.mends})
        if plan.mends:
            context.tell(mend_text(plan, _heads(wiring.topology, request, comparison), width(), back=request.undo))
            rows = sum(one.rows for one in plan.mends)
            ask(context, f"{'take back' if request.undo else 'mend'} {rows} rows on {request.onto}?")
        elif job.own is None:
            said = "nothing was mended, so there is nothing to take back" if request.undo else "there is nothing to mend"
            return Answer(plain={**_plain(request, comparison, plan), "dry_run": False, "exit_code": 0}, text=lambda _: said)
        job.begin(request.inputs, sides.mended.server)
        with job.writable(sides.mended.server):
            results, differ = _change(job, request, comparison, plan, sides)
        return _ended(job, request, results, differ, plain=_plain(request, comparison, plan), rolled_back=rolled_back)


def _change(job: Job, request: Request, comparison: Comparison, plan: MendPlan, sides: Sides) -> tuple[Sequence[Mended], Sequence[LeftOut]]:
    """What became of each row, and those in which the sides differ after all."""
    results: list[Mended] = []
    with _pace(job, request, comparison, sides) as pace:
        for result in _results(sides, plan, pace, back=request.undo):
            results.append(result)
            if len(results) % _TELL_EVERY == 0:
                note(f"{len(results)} of {len(plan.mends)} differences")
    done = {one.index: one.what for one in results if one.rows and not request.undo}
    again = differing(sides, [one for one in plan.mends if one.index in done])
    return results, [LeftOut(what=done[index], why=why) for index, why in again.items()]


def _results(sides: Sides, plan: MendPlan, pace: Pace, *, back: bool) -> Iterator[Mended]:
    if back:
        return take_back(sides, plan.mends, pace=pace)
    return mend(sides, plan.mends, pace=pace)


def _ended(
    job: Job, request: Request, results: Sequence[Mended], differ: Sequence[LeftOut], *, plain: Mapping[str, object], rolled_back: bool
) -> Answer:
    rows = sum(one.rows for one in results)
    outcome = State.REFUSED if results and not rows else State.ROLLED_BACK if rolled_back else State.SUCCEEDED
    job.end(
        action=_ACTION,
        why=f"{'took back' if request.undo else 'mended'} {rows} rows of {request.onto}, by the comparison {request.diff}",
        outcome=outcome,
        outputs={"rows": rows, "left": sum(1 for one in results if not one.rows), "differ": len(differ)},
        left=[ProblemReport(what=f"{one.what} was left as it was: {one.why}") for one in results if not one.rows],
    )
    plain = {
        **plain,
        "dry_run": False,
        "run": job.held.run,
        "outcome": outcome.value,
        "exit_code": int(EXIT_CODES[outcome]),
        "mended": [{"what": one.what, "change": one.change.value, "rows": one.rows, "why": one.why} for one in results],
        "differ_still": [{"what": one.what, "why": one.why} for one in differ],
    }
    return Answer(plain=plain, text=lambda width: mended_text(results, differ, width, back=request.undo), exit_code=EXIT_CODES[outcome])


# -- parts --------------------------------------------------------------------------------------------------------------------------------


@contextmanager
def _sides(wiring: Wiring, request: Request, comparison: Comparison, settings: str, check: Callable[[], None]) -> Iterator[Sides]:
    onto = request.onto
    mended, other = (_end(wiring, one) for one in (onto, comparison.writer if onto == comparison.other else comparison.other))
    reading = other.session()
    try:
        session = mended.server.session(settings)
        try:
            name = notes_name(comparison.name, onto)
            yield Sides(name=name, mended=mended, other=other, session=session, rows=Survivor(reading), check=check)
        finally:
            session.close()
    finally:
        reading.close()


def _end(wiring: Wiring, cluster: str) -> End:
    its = wiring.topology.clusters[ClusterName(cluster)]
    return End(cluster=cluster, server=wiring.world.sql_server(its.master.name))


def _plan(sides: Sides, comparison: Comparison, request: Request) -> MendPlan:
    """What is to be sent; to be taken back is what was noted."""
    applied = {index for rows in applied_rows(sides.session, sides.name).values() for index in rows}
    chosen = chosen_by(request, comparison)
    plan = plan_mends(
        comparison,
        request.onto,
        chosen,
        Survivor(sides.session).table,
        parents=parents_of(sides.session, {table.schema for table in comparison.tables}),
        done=() if request.undo else applied,
    )
    if not request.undo:
        return plan
    mends = tuple(one for one in plan.mends if one.index in applied)
    stay = applied - {one.index for one in mends}
    left = [one for index, one in enumerate(differences_of(comparison)) if index in stay and chosen.has(one)]
    why = "it was mended, and can't be written as the table is now"
    return MendPlan(mends=mends, left_out=tuple(LeftOut(what=row_name(one), why=why) for one in left))


def _see_direction(sides: Sides) -> None:
    """Refused if the side that would be changed is the writer by now: the comparison took the other one's data for right."""
    if not sides.mended.server.write_facts().read_only and sides.other.server.write_facts().read_only:
        raise Refused(
            f"{sides.mended.cluster} takes the writes now, and the comparison took {sides.other.cluster}'s rows for right",
            hint=f"compare again; or, if {sides.mended.cluster}'s rows are to be changed: --onto {sides.mended.cluster}",
        )


@contextmanager
def _pace(job: Job, request: Request, comparison: Comparison, sides: Sides) -> Iterator[Pace]:
    both = {one.cluster: one for one in (sides.mended, sides.other)}
    clock = job.wiring.clock
    governor = Governor(both[comparison.writer], both[comparison.other], Limits(), clock=clock)
    try:
        yield Pace(request.rate, governor.look, clock=clock, tell=note)
    finally:
        governor.close()


def _write_files(context: Context, plan: MendPlan, request: Request) -> None:
    head = (
        f"What `interlock repair {request.diff} --onto {request.onto}` would send to {request.onto}.",
        "Each statement must change one row (of a table without a key: as many as it names). The command sees to that.",
    )
    blocks = [
        Block(heading=f"{some[0].table.schema}.{some[0].table.name} …", statements=[(one.sql, one.inverse) for one in some])
        for some in portions(plan.mends)
    ]
    if plan.left_out:
        blocks.append(Block(heading="left to a person", statements=(), left_out=plan.left_out))
    options = vars(context.options)  # `resume` has none of them
    for place, back in ((options.get("sql"), False), (options.get("inverse"), True)):
        if place is not None:
            write_private(Path(place), sql_script(blocks, head, settings=UNLOGGED, back=back))


def _heads(topology: Topology, request: Request, comparison: Comparison) -> list[tuple[str, str]]:
    other = comparison.writer if request.onto == comparison.other else comparison.other
    heads = [
        ("comparison", f"{comparison.name}, at {comparison.position}"),
        ("mended", f"{request.onto}, to be as {other} is; nothing of it goes into the binary log"),
    ]
    replicas = [one.name for one in topology.clusters[ClusterName(request.onto)].replicas]
    if replicas:
        heads.append(("replicas", f"{', '.join(replicas)}: what is not logged does not reach them; mend or rebuild them by themselves"))
    return heads


def _plain(request: Request, comparison: Comparison, plan: MendPlan) -> dict[str, object]:
    return {
        "diff": comparison.name,
        "position": comparison.position,
        "onto": request.onto,
        "undo": request.undo,
        "planned": {
            "rows": sum(one.rows for one in plan.mends),
            "before": plan.done,
            "tables": plan_counts(plan.mends),
            "statements": [{"sql": one.sql, "inverse": one.inverse} for one in plan.mends],
        },
        "left_out": [{"what": one.what, "why": one.why} for one in plan.left_out],
    }
