"""What `repair` would mend, and what it has mended, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from interlock.diff.mend_plan import Mend, MendPlan
from interlock.diff.mending import Mended
from interlock.diff.stuck import Stuck
from interlock.losses.codec import shown_image
from interlock.losses.putting_back import LeftOut
from interlock.model.losses import Change, Image
from interlock.report.losses_text import ROWS_AT_MOST, SAMPLES, shown_sql
from interlock.report.tables import Column, pairs, table

_DOES = {Change.INSERT: "put in", Change.UPDATE: "changed", Change.DELETE: "taken away"}
_COUNTS = (Column(title="table", wraps=True), *(Column(title=word, right=True) for word in _DOES.values()))
_ALL = "--json tells all"
_LEFT = (Column(title="left out", wraps=True), Column(title="why", wraps=True))


def counts_of(rows: Iterable[tuple[str, Change, int]]) -> dict[str, dict[str, int]]:
    """Of each table how many rows are put in, changed and taken away."""
    found: dict[str, Counter[Change]] = {}
    for name, change, number in rows:
        found.setdefault(name, Counter())[change] += number
    return {name: {change.value: counted[change] for change in _DOES} for name, counted in found.items()}


def plan_counts(mends: Iterable[Mend]) -> dict[str, dict[str, int]]:
    return counts_of((f"{one.table.schema}.{one.table.name}", one.change, one.rows) for one in mends)


def mend_text(plan: MendPlan, heads: Sequence[tuple[str, str]], width: int, *, back: bool = False) -> str:
    """Counts, what is left out and why, and the first statements. `back`: the inverse is what would be sent."""
    rows = sum(one.rows for one in plan.mends)
    lines = [*heads, ("take back" if back else "to mend", _rows(rows))]
    if plan.done:
        lines.append(("mended", f"{_rows(plan.done)} before"))
    if plan.left_out:
        lines.append(("left out", f"{len(plan.left_out)}: a person decides"))
    parts = [pairs(lines, width)]
    if plan.mends and not back:
        counted = [(name, *(str(number or "") for number in kinds.values())) for name, kinds in plan_counts(plan.mends).items()]
        parts.append(table(_COUNTS, counted, width))
    if plan.mends:
        whole = f"{'--inverse' if back else '--sql'} FILE has all"
        shown = [f"  {shown_sql(one.inverse if back else one.sql, whole)};" for one in plan.mends[:SAMPLES]]
        more = [f"… {len(plan.mends) - SAMPLES} more statements: {whole}"] if len(plan.mends) > SAMPLES else []
        parts.append("\n".join([*shown, *more]))
    if plan.left_out:
        parts.append(left_text(plan.left_out, width))
    return "\n\n".join(parts)


def left_text(left: Sequence[LeftOut], width: int) -> str:
    text = table(_LEFT, [(one.what, one.why) for one in left[:ROWS_AT_MOST]], width)
    return text + (f"\n… {len(left) - ROWS_AT_MOST} more: --json tells all" if len(left) > ROWS_AT_MOST else "")


def mended_text(results: Sequence[Mended], again: Sequence[LeftOut], width: int, *, back: bool) -> str:
    """What became of the rows; `again` are those in which the sides differ after all."""
    done = sum(one.rows for one in results)
    left = [LeftOut(what=one.what, why=one.why) for one in results if not one.rows]
    parts = [f"{'taken back' if back else 'mended'}: {_rows(done)}{f', {len(left)} left as they were' if left else ''}"]
    if not back and done:
        parts[0] += f"; compared again: {'all alike' if not again else f'{len(again)} differ'}"
    parts += [left_text(some, width) for some in (left, again) if some]
    return "\n".join(parts)


def _rows(number: int) -> str:
    return f"{number} row{'s' * (number != 1)}"


def stuck_text(stuck: Stuck, width: int) -> str:
    """What an applier stopped at, and what lets it go on."""
    channel = stuck.channel
    heads = [
        ("applier", f"of {channel.server}, from {channel.source}, at {channel.applied}"),
        ("error", f"{channel.applier_error}: {channel.error}"),
        ("stopped at", f"{stuck.position}{f': {stuck.what}' if stuck.what else ''}"),
    ]
    if stuck.change is None:
        return pairs([*heads, ("what now", "no row is in its way any more: it has only to be started")], width)
    heads += [
        (word, _image(image)) for word, image in (("before", stuck.change.before), ("after", stuck.change.after)) if image is not None
    ]
    lacks = f"{channel.server} lacks the row as it was before"
    heads += [
        ("on this side", lacks if stuck.is_missing else _image(stuck.row)),
        ("what now", "put it in" if stuck.is_missing else "take it away, and the event applies"),
    ]
    return f"{pairs(heads, width)}\n\n  {shown_sql(stuck.sql, _ALL)};\nand back:\n  {shown_sql(stuck.inverse, _ALL)};"


def _image(image: Image | None) -> str:
    return ", ".join(f"{name}={shown_sql(str(cell), _ALL)}" for name, cell in (shown_image(image) or {}).items())
