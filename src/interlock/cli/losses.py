"""`interlock losses RUN`: what an emergency lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, wired
from interlock.errors import UsageError
from interlock.model.topology import ClusterName

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring
    from interlock.losses.find import Losses
    from interlock.losses.run_facts import RunFacts


def losses(context: Context) -> Answer:
    """`interlock losses RUN`. Exits 0 whatever was lost: it was told."""
    from interlock.losses.codec import plain_report  # noqa: PLC0415 - only here
    from interlock.losses.putting_back import planned, sql_file  # noqa: PLC0415 - as above
    from interlock.report.losses_page import html_page, markdown_page  # noqa: PLC0415 - as above
    from interlock.report.losses_text import losses_text  # noqa: PLC0415 - as above

    options = context.options
    with wired(context, about=options.run) as wiring:
        found = find(context, wiring, facts_of(wiring, options.run))
    report = found.report
    head = (f"What can be put back of what run {report.run} lost, for {report.survivor}.", f"State: {report.state.value}. {report.proof}")
    told = (
        f"Each statement must change one row. `interlock repair --losses {report.run}` sees to that, each transaction whole or not at all.",
    )
    pages: tuple[tuple[str | None, Callable[[], str]], ...] = (
        (options.html, lambda: html_page(report)),
        (options.markdown, lambda: markdown_page(report)),
        (options.sql, lambda: sql_file(planned(found), (*head, *told))),
        (options.inverse, lambda: sql_file(planned(found), (f"Takes back what the statements for run {report.run} put back.",), back=True)),
    )
    for place, page in pages:
        if place is not None:
            write_private(Path(place), page())
    return Answer(plain=plain_report(report), text=lambda width: losses_text(report, width))


def facts_of(wiring: Wiring, name: str) -> RunFacts:
    """UsageError if there is no such run, it is another pair's, or it opened no server. Of a rejoin: what it kept."""
    from interlock.losses.folder import Keep  # noqa: PLC0415 - only here
    from interlock.losses.run_facts import REJOIN, RunFacts, rejoins_since, run_facts  # noqa: PLC0415 - as above

    header = wiring.store.header(name)
    if header.topology != wiring.topology.name:
        raise UsageError(
            f"run {header.run} belongs to the pair {header.topology}, and the topology file is of {wiring.topology.name}",
            hint=f"give the topology file of {header.topology} with --topology",
        )
    records, masters = wiring.store.records(header.run), [master.name for master in wiring.topology.masters()]
    if header.playbook == REJOIN and Keep(wiring.folder).kept(header.run) is not None:
        inputs = records[0].body["inputs"]
        cluster = ClusterName(str(inputs["cluster"] if isinstance(inputs, Mapping) else ""))
        old = wiring.topology.clusters[cluster].master.name
        (survivor,) = wiring.topology.other_masters(old)
        return RunFacts.of_now(run=header.run, old=old, survivor=survivor, held=wiring.world.server(survivor).write_facts().position)
    return replace(run_facts(header, records, masters), rejoins=rejoins_since(wiring.store, header))


def find(context: Context, wiring: Wiring, facts: RunFacts) -> Losses:
    from interlock.losses.find import find_losses  # noqa: PLC0415 - only here
    from interlock.losses.folder import Keep  # noqa: PLC0415 - as above
    from interlock.losses.payload import mysqlbinlog  # noqa: PLC0415 - as above

    world = wiring.world
    old, survivor = world.sql_server(facts.old), world.sql_server(facts.survivor)
    return find_losses(facts, old, survivor, Keep(wiring.folder), clock=wiring.clock, program=mysqlbinlog(context.environ))


def write_private(path: Path, text: str) -> None:
    """It holds customers' rows: only the owner may read it. UsageError if it can't be written."""
    try:
        path.touch(mode=0o600)
        path.write_text(text)
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}", hint="name a file in a folder where you may write") from error
