"""`interlock runbook`: the failover plan as a document."""

from __future__ import annotations

from pathlib import Path

from interlock.cli.context import Answer, Context, wired
from interlock.cli.losses import write_private
from interlock.documents.problems import shown
from interlock.errors import UsageError
from interlock.model.codec import to_plain
from interlock.model.topology import ClusterName

_PLAYBOOKS = ("switchover", "failover")


def runbook(context: Context) -> Answer:
    """For the standby as it is now, unless --to names the side."""
    from interlock.audit.runbook import Past  # noqa: PLC0415 - only here
    from interlock.audit.runbook import runbook as made  # noqa: PLC0415 - as above
    from interlock.engine.roles import pair_roles  # noqa: PLC0415 - as above
    from interlock.report.history import past_outages_ms  # noqa: PLC0415 - as above
    from interlock.report.runbook_page import html_page, markdown_page  # noqa: PLC0415 - as above

    options = context.options
    with wired(context) as wiring:
        name, clusters = wiring.topology.name, wiring.topology.clusters
        to = options.to or pair_roles(wiring.world).standby
        if to is None:
            raise UsageError("which side is the standby can't be told", hint="name the side that is to take the writes: --to CLUSTER")
        if to not in clusters:
            raise UsageError(f"{name} has no cluster {shown(to)}", hint=f"known: {', '.join(clusters)}")
        (from_,) = (cluster for cluster in clusters if cluster != to)
        drilled = [
            header.started_at for header in wiring.store.runs(name) if header.playbook == "switchover" and header.outcome == "succeeded"
        ]
        past = Past(
            outages_ms={playbook: past_outages_ms(wiring.store, name, playbook) for playbook in _PLAYBOOKS},
            drilled_at=max(drilled, default=None),
        )
        book = made(wiring.world, ClusterName(to), from_, past, at=wiring.clock.wall(), store=context.store_url())
    for place, page in ((options.html, html_page), (options.markdown, markdown_page)):
        if place is not None:
            write_private(Path(place), page(book))
    return Answer(plain={"runbook": to_plain(book), "exit_code": 0}, text=lambda _: markdown_page(book).rstrip("\n"))
