"""What an emergency lost, and what is done about it, as text."""

from __future__ import annotations

from collections.abc import Sequence

from interlock.losses.applying import Applied
from interlock.losses.codec import shown
from interlock.losses.putting_back import PlannedTransaction
from interlock.model.losses import Bound, Image, LossKind, LossReport, LossState, LostTransaction
from interlock.report.durations import moment, span
from interlock.report.tables import Column, pairs, printable, table

WORDS = {
    LossKind.ALREADY_THERE: "already there",
    LossKind.REAPPLICABLE: "can be put back",
    LossKind.CONFLICTING: "a person decides",
}
ROWS_AT_MOST = 200
SAMPLES = 20
_LONGEST_SQL = 2000
_COLUMNS = (
    Column(title="transaction", wraps=True),
    Column(title="at (UTC)"),
    Column(title="change"),
    Column(title="table", wraps=True),
    Column(title="key", wraps=True),
    Column(title="what now"),
    Column(title="why", wraps=True),
)


def losses_text(report: LossReport, width: int) -> str:
    heads = [
        ("run", report.run),
        ("lost", summary(report)),
        ("from, to", f"{report.old} lost the writes to {report.survivor}"),
        ("known by" if report.state is LossState.KNOWN else "not known", report.proof),
        ("read from", report.source),
        (f"{report.survivor} held", f"{report.bound.held or 'nothing'} when it was opened: nothing of that is lost"),
    ]
    if report.bound.received:
        heads.append(("received", report.bound.received))
    if (since := last_word(report.bound)) is not None:
        heads.append((f"heard of {report.old}", since))
    if report.canaries:
        heads.append(("left out", f"{report.canaries} rows of Interlock's own schema, which are no loss"))
    rows = [row for one in report.transactions for row in table_rows(one)]
    text = pairs(heads, width)
    if rows:
        text += "\n\n" + table(_COLUMNS, rows[:ROWS_AT_MOST], width)
    if len(rows) > ROWS_AT_MOST:
        text += f"\n… {len(rows) - ROWS_AT_MOST} more: --json, --html FILE or --markdown FILE tells all"
    if report.rows_of(LossKind.REAPPLICABLE):
        text += f"\n\nput back what can be: interlock repair --losses {report.run}"
    return text


def last_word(bound: Bound) -> str | None:
    """How long before the opening the survivor last heard of the old writer: what that wrote later can't have come. None if not known."""
    if bound.heard_at is None or bound.opened_at is None:
        return None
    return f"{moment(bound.heard_at)} for the last time, {span((bound.opened_at - bound.heard_at).total_seconds())} before the opening"


def summary(report: LossReport) -> str:
    """`3 transactions: 2 rows can be put back, …`; of a pending report what is known so far."""
    count = len(report.transactions)
    if report.state is LossState.PENDING and not count:
        return "pending: not known yet"
    said = "pending, at least " if report.state is LossState.PENDING else ""
    if not count:
        return "nothing"
    kinds = [f"{number} {WORDS[kind]}" for kind in LossKind if (number := report.rows_of(kind))]
    others = sum(len(one.statements) for one in report.transactions)
    unreadable = sum(1 for one in report.transactions if one.unreadable)
    kinds += [f"{others} statement{'s' * (others != 1)}: a person decides"] if others else []
    kinds += [f"{unreadable} transaction{'s' * (unreadable != 1)} not readable whole"] if unreadable else []
    rows = sum(len(one.rows) for one in report.transactions)
    return f"{said}{count} transaction{'s' * (count != 1)}, {rows} row{'s' * (rows != 1)}: {', '.join(kinds) or 'none'}"


def table_rows(one: LostTransaction) -> list[tuple[str, ...]]:
    at = moment(one.at)
    rows: list[tuple[str, ...]] = [
        (one.position, at, row.change.value, f"{row.schema}.{row.table}", key_text(row.key), WORDS[row.kind], row.why) for row in one.rows
    ]
    rows += [(one.position, at, "statement", said.schema, "", WORDS[LossKind.CONFLICTING], said.text[:200]) for said in one.statements]
    if one.unreadable:
        rows.append((one.position, at, "?", "", "", WORDS[LossKind.CONFLICTING], f"not readable: {one.unreadable}"))
    return rows


def shown_sql(sql: str, whole: str) -> str:
    """A statement, or a value, as a person reads it: of a long one, which holds a picture or a document, both ends. `whole` says what has
    all of it.
    """
    if len(sql) <= _LONGEST_SQL:
        return printable(sql)
    end = _LONGEST_SQL // 2
    return f"{printable(sql[:end])} …[{len(sql) - 2 * end:,} more letters: {whole}]… {printable(sql[-end:])}"


def key_text(image: Image) -> str:
    return ", ".join(f"{name}={shown(cell)}" for name, cell in image.items())


def plan_text(report: LossReport, plans: Sequence[PlannedTransaction], width: int, *, back: bool) -> str:
    """Counts, what is left out and why, and the statements of the first transactions."""
    sent = [plan for plan in plans if plan.rows]
    rows = sum(len(plan.rows) for plan in sent)
    left = [(plan.position, one) for plan in plans for one in plan.left_out]
    doing = "taken back" if back else "put back"
    heads = [
        ("run", report.run),
        ("writer", report.survivor),
        (doing, f"{rows} row{'s' * (rows != 1)} in {len(sent)} transaction{'s' * (len(sent) != 1)}, each all or none"),
        ("left out", f"{len(left)} row{'s' * (len(left) != 1)} or statement{'s' * (len(left) != 1)}"),
    ]
    if report.state is LossState.PENDING:
        heads.append(("not known", f"{report.proof}: there may be more"))
    text = pairs(heads, width)
    whole = "not shown here" if back else f"`interlock losses {report.run} --sql FILE` has all"
    for plan in sent[:SAMPLES]:
        text += f"\n\n{plan.position} of {moment(plan.at)}"
        text += "".join(f"\n  {shown_sql(row.inverse if back else row.sql, whole)};" for row in plan.rows[:SAMPLES])
        if len(plan.rows) > SAMPLES:
            text += f"\n  … {len(plan.rows) - SAMPLES} more rows: {whole}"
    if len(sent) > SAMPLES:
        text += f"\n\n… {len(sent) - SAMPLES} more transactions: {whole}"
    if left:
        columns = (Column(title="transaction", wraps=True), Column(title="left out", wraps=True), Column(title="why", wraps=True))
        text += "\n\n" + table(columns, [(position, one.what, one.why) for position, one in left[:ROWS_AT_MOST]], width)
    return text


def applied_text(results: Sequence[Applied], width: int, *, back: bool) -> str:
    done = [one for one in results if one.rows]
    rows = sum(one.rows for one in done)
    text = f"{'taken back' if back else 'put back'}: {rows} row{'s' * (rows != 1)} in {len(done)} transaction{'s' * (len(done) != 1)}"
    skipped = [(one.position, one.why) for one in results if not one.rows]
    if skipped:
        text += "\nnot done:\n" + table((Column(title="transaction", wraps=True), Column(title="why", wraps=True)), skipped, width)
    return text
