"""`interlock audit`: is this pair fit for master-master?"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, wired, write
from interlock.cli.losses import write_private
from interlock.cli.signals import signals_to
from interlock.documents.values import duration_s
from interlock.errors import DriverError, ExitCode, UsageError
from interlock.model.audit import AuditReport, AuditVerdict
from interlock.model.codec import fields_of
from interlock.report.durations import moment
from interlock.report.tables import printable

if TYPE_CHECKING:
    from interlock.audit.facts import PastComparison
    from interlock.bootstrap import Wiring

_COMPARISONS = 20
_QUIESCE = 13
_OWNED = "segment.all_owned"


def audit(context: Context) -> Answer:
    """Exits 0 if nothing is unfit, 3 otherwise; with --watch 0, by SIGTERM or Ctrl-C."""
    from interlock.report.audit_page import html_page, markdown_page  # noqa: PLC0415 - only here
    from interlock.report.audit_text import audit_text  # noqa: PLC0415 - as above

    options = context.options
    with wired(context) as wiring:
        if options.watch:
            return _watch(context, wiring)
        report = _audited(context, wiring)
    for place, page in ((options.html, html_page), (options.markdown, markdown_page)):
        if place is not None:
            write_private(Path(place), page(report))
    code = ExitCode.REFUSED if report.count(AuditVerdict.UNFIT) else ExitCode.SUCCEEDED
    return Answer(plain=_plain(report, code), text=lambda width: audit_text(report, width), exit_code=code)


def _audited(context: Context, wiring: Wiring) -> AuditReport:
    """Kept, if it asked everything: a part of it would make the rest seem gone."""
    from interlock.audit.catalogue import chapters, check_accepted  # noqa: PLC0415 - only here
    from interlock.audit.history import against_last, keep  # noqa: PLC0415 - as above
    from interlock.audit.judge import judge, only  # noqa: PLC0415 - as above
    from interlock.audit.pair import collect  # noqa: PLC0415 - as above
    from interlock.audit.rehearsals import kept_rehearsals  # noqa: PLC0415 - as above
    from interlock.audit.sql_checks import all_checks  # noqa: PLC0415 - as above
    from interlock.engine.segment_turns import turns_of  # noqa: PLC0415 - as above

    question, rule = context.options.question, context.options.rule
    checks = all_checks(wiring.topology)
    asked = chapters(checks)
    check_accepted(asked, wiring.topology.audit.accepted)
    if question is not None or rule is not None:
        asked = tuple(only(asked, question=question, rule_id=rule))
        if not asked:
            raise UsageError(
                f"there is no audit rule {rule!r}" if rule else f"there is no question {question}", hint="see docs/audit-rules.md"
            )
    began_s = wiring.clock.monotonic_s()
    pair = collect(
        wiring.world,
        wiring.clock,
        runs=wiring.store.runs(wiring.topology.name),
        comparisons=tuple(_comparisons(wiring)),
        rehearsals=kept_rehearsals(wiring.folder, wiring.topology.name),
        refusals=_refusals(wiring) if any(chapter.question == _QUIESCE for chapter in asked) else {},
        turns=turns_of(wiring.store, wiring.topology) if wiring.topology.segments else (),
        checks=[check for check in checks if any(check.id == rule.id for chapter in asked for rule in chapter.rules)],
    )
    report = judge(pair, asked, took_s=wiring.clock.monotonic_s() - began_s)
    if question is not None or rule is not None:
        return report
    report = against_last(report, wiring.folder)
    keep(report, wiring.folder)
    return report


def _comparisons(wiring: Wiring) -> Iterator[PastComparison]:
    """Of the newest ones in the folder, those of this pair that came to their end, newest first."""
    from interlock.audit.facts import PastComparison  # noqa: PLC0415 - only here
    from interlock.diff.kept import kept_names, read_kept  # noqa: PLC0415 - as above

    found = [read_kept(wiring.folder, name).comparison for name in sorted(kept_names(wiring.folder), reverse=True)[:_COMPARISONS]]
    for one in sorted(found, key=lambda each: each.began_at, reverse=True):
        if one.topology == wiring.topology.name and one.ended_at is not None:
            says = f"{one.rows} rows of {len(one.tables)} tables, {one.differences} differences, {one.not_compared} not compared"
            yield PastComparison(name=one.name, at=one.ended_at, good=not one.differences, says=says)


def _refusals(wiring: Wiring) -> dict[str, tuple[str, ...]]:
    """What a plan of `quiesce` says against it, for either side. That a side does not own every segment is none: the command moves them."""
    from interlock.cli.runs import playbook_of  # noqa: PLC0415 - only here
    from interlock.engine.plan import plan  # noqa: PLC0415 - as above

    playbook = playbook_of("quiesce", wiring)
    reports = {name: plan(playbook, {"onto": name, "for": "4h", "reason": "audit"}, wiring.world, ()) for name in wiring.topology.clusters}
    return {
        name: tuple(dict.fromkeys(problem["what"] for problem in report.problems if _OWNED not in problem["what"].partition(":")[0]))
        for name, report in reports.items()
    }


def _watch(context: Context, wiring: Wiring) -> Answer:
    """An audit after each span; only what changed since the last that was kept is told, of the first ever all."""
    every_s = duration_s(context.options.every)
    if not every_s:
        raise UsageError(f"--every {context.options.every!r} is no span of time", hint="a number and its unit: 30m, 4h, 1d")
    ended = threading.Event()
    with signals_to(lambda *_: ended.set()):
        while not ended.is_set():
            try:
                _tell(context, _audited(context, wiring))
            except DriverError as error:
                _say(context, {"at": moment(wiring.clock.wall()), "problem": error.message}, f"could not be audited: {error.message}")
            ended.wait(every_s)
    return Answer(plain={"ended": True}, text=lambda _: "")


def _tell(context: Context, report: AuditReport) -> None:
    first = report.since is None
    changes = [("new", one) for one in (report.findings if first else report.new)] + [("gone", one) for one in report.gone]
    for word, one in changes:
        plain = {"at": moment(report.at), "change": word, **fields_of(one)}
        _say(context, plain, f"{moment(report.at)}  {word:4}  {one.verdict.value}  {one.says} ({one.rule})")


def _say(context: Context, plain: dict[str, object], text: str) -> None:
    write(sys.stdout, (json.dumps(plain) if context.json else printable(text)) + "\n")


def _plain(report: AuditReport, code: ExitCode) -> dict[str, object]:
    counts = {verdict.value: report.count(verdict) for verdict in AuditVerdict if verdict is not AuditVerdict.FITS}
    return {**fields_of(report), "counts": counts, "exit_code": int(code)}
