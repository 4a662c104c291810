"""`interlock repair [NAME]`: one side's rows are made as the other one's, where a comparison found that they differ (= run repair)."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from interlock.actions.mending import Differences, split_rows
from interlock.cli.context import Answer, Context, width
from interlock.cli.held_pair import ask
from interlock.cli.losses import write_private
from interlock.cli.repair_run import PLAYBOOK, unfinished_repair
from interlock.cli.runs import answer_of, carry_out, playbook_of
from interlock.diff.chosen import comparison_of
from interlock.diff.mend_plan import MendPlan, portions
from interlock.diff.mend_work import MendWork
from interlock.diff.mending import UNLOGGED
from interlock.engine.report import RunReport
from interlock.errors import ExitCode, Refused, UsageError
from interlock.losses.putting_back import Block, sql_script
from interlock.model.mending import Mending
from interlock.model.topology import ClusterName
from interlock.model.verdict import Refuse
from interlock.report.repair_text import mend_text, mended_text, plan_counts

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring


def repair_differences(context: Context, wiring: Wiring) -> Answer:
    """Shows what it would do; does it if it is asked to. Refused if the comparison does not tell what is right any more."""
    options = context.options
    back = bool(options.undo)
    wanted = Mending(
        comparison=comparison_of(wiring.folder, wiring.topology, options.diff or "").name,
        onto=options.onto or "",
        tables=tuple(options.table),
        rows=tuple(options.row),
    )
    given = _inputs(wanted, options)
    if (options.apply or back) and (unfinished := unfinished_repair(wiring, {name: given[name] for name in given if name != "rate"})):
        return told(context, wiring, carry_out(context, wiring, lambda engine: engine.resume(unfinished.run)))
    work = wiring.world.mender.work(wanted)
    plan = work.plan(back=back)
    _write_files(options, plan, work)
    plain = {**_plain(work, plan), "undo": back, "dry_run": not (options.apply or back), "exit_code": 0}
    if not (options.apply or back):
        word = f"interlock repair {work.comparison.name}{f' --onto {options.onto}' if options.onto else ''} --apply"
        said = f"nothing was changed; to do it: {word}" if plan.mends else _nothing(plan, back=False)
        return Answer(plain=plain, text=lambda width: f"{mend_text(plan, _heads(wiring, work), width)}\n\n{said}")
    if not plan.mends:
        if plan.left_out:
            raise Refused(_nothing(plan, back=back), hint=f"`interlock repair {work.comparison.name}` says why of each")
        return Answer(plain=plain, text=lambda _: _nothing(plan, back=back))
    _see_possible(wiring, wanted, back=back)
    context.tell(mend_text(plan, _heads(wiring, work), width(), back=back))
    ask(context, f"{'take back' if back else 'mend'} {sum(one.rows for one in plan.mends)} rows on {work.mended.cluster}?")
    wiring.world.mender.close()  # a person may have thought about it for long: the run looks anew
    playbook = playbook_of(PLAYBOOK, wiring)
    return told(context, wiring, carry_out(context, wiring, lambda engine: engine.start(playbook, given)), plain)


def told(context: Context, wiring: Wiring, report: RunReport, planned: Mapping[str, object] | None = None) -> Answer:
    """The run's report, with what became of each row that this process tried."""
    answer = answer_of(context, report)
    mender = wiring.world.mender
    back = any(is_back for is_back, _ in mender.results)
    results = [one for is_back, one in mender.results if is_back == back]
    plain = {
        **(planned or {}),
        **(answer.plain if isinstance(answer.plain, dict) else {}),
        "mended": [{"what": one.what, "change": one.change.value, "rows": one.rows, "why": one.why} for one in results],
        "differ_still": [{"what": one.what, "why": one.why} for one in mender.differing],
    }

    def text(width: int) -> str:
        said = mended_text(results, mender.differing, width, back=back)
        return said if answer.exit_code == ExitCode.SUCCEEDED else f"{answer.text(width)}\n\n{said}"

    return replace(answer, plain=plain, text=text)


# -- parts --------------------------------------------------------------------------------------------------------------------------------


def _inputs(wanted: Mending, options: argparse.Namespace) -> dict[str, str]:
    """Of the playbook. UsageError for a row that could not be told from two."""
    rows = ";".join(wanted.rows)
    if split_rows(rows) != wanted.rows:
        raise UsageError(f"--row {wanted.rows[0]} can't be told from two rows", hint="its value has what a second row begins with")
    return {
        "diff": wanted.comparison,
        "onto": wanted.onto,
        "tables": ",".join(wanted.tables),
        "rows": rows,
        "undo": "true" if options.undo else "false",
        "rate": str(options.rate),
    }


def _see_possible(wiring: Wiring, wanted: Mending, *, back: bool) -> None:
    """Refused with what the run's preflight would say of the comparison: before anybody is asked, and before there is a run."""
    tables, rows = ",".join(wanted.tables), ";".join(wanted.rows)
    check = Differences(comparison=wanted.comparison, onto=wanted.onto, tables=tables, rows=rows, back=back)
    verdict = check.decide(check.look(wiring.world))
    if isinstance(verdict, Refuse):
        raise Refused(verdict.why, hint=verdict.hint)


def _nothing(plan: MendPlan, *, back: bool) -> str:
    if plan.left_out:
        return f"nothing can be {'taken back' if back else 'mended'}: {len(plan.left_out)} left out, a person decides"
    return "nothing was mended, so there is nothing to take back" if back else "there is nothing to mend"


def _write_files(options: argparse.Namespace, plan: MendPlan, work: MendWork) -> None:
    name, onto = work.comparison.name, work.mended.cluster
    head = (
        f"What `interlock repair {name} --onto {onto}` would send to {onto}.",
        "Each statement must change one row (of a table without a key: as many as it names). The command sees to that.",
    )
    blocks = [
        Block(heading=f"{some[0].table.schema}.{some[0].table.name} …", statements=[(one.sql, one.inverse) for one in some])
        for some in portions(plan.mends)
    ]
    if plan.left_out:
        blocks.append(Block(heading="left to a person", statements=(), left_out=plan.left_out))
    for place, back in ((options.sql, False), (options.inverse, True)):
        if place is not None:
            write_private(Path(place), sql_script(blocks, head, settings=UNLOGGED, back=back))


def _heads(wiring: Wiring, work: MendWork) -> list[tuple[str, str]]:
    onto = work.mended.cluster
    heads = [
        ("comparison", f"{work.comparison.name}, at {work.comparison.position}"),
        ("mended", f"{onto}, to be as {work.other.cluster} is; nothing of it goes into the binary log"),
    ]
    replicas = [one.name for one in wiring.topology.clusters[ClusterName(onto)].replicas]
    if replicas:
        heads.append(("replicas", f"{', '.join(replicas)}: what is not logged does not reach them; mend or rebuild them by themselves"))
    return heads


def _plain(work: MendWork, plan: MendPlan) -> dict[str, object]:
    return {
        "diff": work.comparison.name,
        "position": work.comparison.position,
        "onto": work.mended.cluster,
        "planned": {
            "rows": sum(one.rows for one in plan.mends),
            "before": plan.done,
            "tables": plan_counts(plan.mends),
            "statements": [{"sql": one.sql, "inverse": one.inverse} for one in plan.mends],
        },
        "left_out": [{"what": one.what, "why": one.why} for one in plan.left_out],
    }
