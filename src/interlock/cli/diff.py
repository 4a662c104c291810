"""`interlock diff`: which rows differ between the two clusters."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, note, wired, write
from interlock.cli.losses import write_private
from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.documents.values import duration_s
from interlock.errors import ExitCode, NotPermitted, UsageError
from interlock.model.marks import MarkKind
from interlock.model.topology import ClusterName
from interlock.report.durations import span
from interlock.report.tables import printable

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring
    from interlock.diff.compare import Progress
    from interlock.diff.ends import End
    from interlock.diff.kept import Kept
    from interlock.diff.leading import Lead
    from interlock.diff.making import Making
    from interlock.servers.server import SqlServer

_LINE_EVERY_S = 10.0


def diff(context: Context) -> Answer:
    """Exit code 0 if all was compared and is equal, 3 otherwise."""
    from interlock.diff.kept import read_kept  # noqa: PLC0415 - only here
    from interlock.diff.plain import plain_comparison  # noqa: PLC0415 - as above
    from interlock.report.diff_page import html_page, markdown_page  # noqa: PLC0415 - as above
    from interlock.report.diff_text import diff_text  # noqa: PLC0415 - as above

    options = context.options
    with wired(context) as wiring:
        name = _go_on(context, wiring) if options.resume is not None else _begin(context, wiring)
        found = read_kept(wiring.folder, name).comparison
    for place, page in ((options.html, html_page), (options.markdown, markdown_page)):
        if place is not None:
            write_private(Path(place), page(found))
    code = ExitCode.SUCCEEDED if found.is_equal else ExitCode.REFUSED
    return Answer(plain=plain_comparison(found), text=lambda width: diff_text(found, width), exit_code=code)


def _begin(context: Context, wiring: Wiring) -> str:
    """The name of the comparison that was made."""
    from interlock.diff.making import Wanted  # noqa: PLC0415 - only here
    from interlock.engine.runs import run_name  # noqa: PLC0415 - as above

    options = context.options
    wanted = Wanted(
        tables=tuple(options.table),
        schemas=tuple(options.schema),
        exclude=tuple(options.exclude),
        max_load=options.max_load,
        lag_s=_seconds(options.max_lag),
    )
    wanted.selection()  # a wrong word is told before anything is looked at
    with _making(context, wiring, options.writer) as making:
        kept = making.begin(name=run_name(wiring.clock), topology=wiring.topology.name, wanted=wanted)
        _carry_out(context, making, kept)
    return kept.comparison.name


def _go_on(context: Context, wiring: Wiring) -> str:
    """UsageError if there is no such comparison, or it is another pair's; nothing is done if it has ended."""
    from interlock.diff.kept import read_kept  # noqa: PLC0415 - only here

    kept = read_kept(wiring.folder, context.options.resume)
    comparison = kept.comparison
    if comparison.topology != wiring.topology.name:
        raise UsageError(
            f"comparison {comparison.name} is of the pair {comparison.topology}, and the topology file is of {wiring.topology.name}",
            hint=f"give the topology file of {comparison.topology} with --topology",
        )
    if comparison.ended_at is None:
        with _making(context, wiring, comparison.writer) as making:
            _carry_out(context, making, kept)
    return comparison.name


@contextmanager
def _making(context: Context, wiring: Wiring, named: str | None) -> Iterator[Making]:
    from interlock.diff.making import Making  # noqa: PLC0415 - only here

    writer, other = _ends(wiring, named)
    with _shown(wiring.clock) as shown:
        yield Making(
            writer=writer,
            other=other,
            folder=wiring.folder,
            clock=wiring.clock,
            parallel=context.options.parallel,
            show=shown.show,
            note=note,
        )


def _carry_out(context: Context, making: Making, kept: Kept) -> None:
    try:
        making.carry_out(kept)
    except BaseException:
        note(f"unfinished; to go on: interlock diff --resume {kept.comparison.name}{context.said()}")
        raise


def _ends(wiring: Wiring, writer: str | None) -> tuple[End, End]:
    """The writer's side first: the one that takes writes, unless it is named. UsageError if neither tells."""
    from interlock.diff.ends import End  # noqa: PLC0415 - only here
    from interlock.engine.roles import pair_roles  # noqa: PLC0415 - as above

    clusters = wiring.topology.clusters
    named = writer or pair_roles(wiring.world).writer
    if named is None:
        raise UsageError("which side counts can't be told: not exactly one takes writes", hint="name it with --writer CLUSTER")
    if named not in clusters:
        raise UsageError(f"there is no cluster {named!r}", hint=f"known: {', '.join(clusters)}")
    (other,) = (name for name in clusters if name != named)
    ours, theirs = (wiring.world.sql_server(str(clusters[ClusterName(name)].master.name)) for name in (named, other))
    for server in (ours, theirs):
        lacks = [grant for grant in server.missing_privileges() if grant.startswith("GRANT SELECT ")]
        if lacks:
            raise NotPermitted(f"{server.name}: the account may not read all data", hint="; ".join(lacks), server=server.name)
    return End(cluster=str(named), server=ours), End(cluster=str(other), server=theirs, lead=_lead(wiring, ours, theirs, other))


def _lead(wiring: Wiring, ours: SqlServer, theirs: SqlServer, cluster: ClusterName) -> Lead | None:
    """Only where a quiesce stopped the applier: anybody else who did may have had another reason."""
    from interlock.diff.leading import lead_for  # noqa: PLC0415 - only here

    quiesced = any(mark.kind is MarkKind.QUIESCED and mark.subject == cluster for mark in wiring.store.marks(wiring.topology.name))
    if not quiesced or wiring.topology.clusters[cluster].channel is not None:
        return None
    lead = lead_for(ours, theirs, wiring.clock)
    if lead is not None:
        note(f"{theirs.name}'s applier, which the quiesce stopped, is led on to where {ours.name} is, and stops there again")
    return lead


def _seconds(told: str) -> float:
    seconds = duration_s(told)
    if seconds is None:
        raise UsageError(f"{told!r} is no duration", hint="for example: 5s")
    return seconds


# -- progress -----------------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Shown:
    """One line that is written anew on a terminal; a line now and then in a log."""

    clock: Clock
    on_terminal: bool
    began_s: float
    told_s: float

    def show(self, progress: Progress) -> None:
        now_s = self.clock.monotonic_s()
        line = printable(progress_line(progress, now_s - self.began_s))
        if self.on_terminal:
            write(sys.stderr, f"\r\x1b[K{line[:119]}")
        elif now_s - self.told_s >= _LINE_EVERY_S:
            self.told_s = now_s
            note(line)


def progress_line(progress: Progress, seconds: float) -> str:
    """`1,200,000 of about 5,000,000 rows, 400,000 rows/s, 9.5s left, 2 differences, app.orders`."""
    per_s = progress.rows / seconds if seconds > 0 else 0.0
    left = max(0, progress.expected - progress.rows)
    parts = [f"{progress.rows:,} of about {max(progress.expected, progress.rows):,} rows", f"{per_s:,.0f} rows/s"]
    if per_s:
        parts.append(f"{span(left / per_s)} left")
    parts.append(f"{progress.differences} difference{'s' * (progress.differences != 1)}")
    parts.append(f"waits: {progress.waits}" if progress.waits else progress.table)
    return ", ".join(filter(None, parts))


@contextmanager
def _shown(clock: Clock) -> Iterator[_Shown]:
    now_s = clock.monotonic_s()
    shown = _Shown(clock=clock, on_terminal=sys.stderr.isatty(), began_s=now_s, told_s=now_s)
    try:
        yield shown
    finally:
        if shown.on_terminal:
            write(sys.stderr, "\r\x1b[K")
