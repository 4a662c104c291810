"""`interlock hold` and `interlock release`: people keep every run from beginning."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, wired
from interlock.decisions.marks import end_of, held_how, holds, mark_of, may_hold, may_release, subject, told
from interlock.documents.problems import shown
from interlock.documents.values import duration_s
from interlock.engine.marks import Change, change, erase_notes, notes_on_servers
from interlock.errors import UsageError
from interlock.model.codec import to_plain
from interlock.model.marks import Mark, MarkKind
from interlock.model.verdict import Refuse

if TYPE_CHECKING:
    from interlock.model.topology import Topology

_LONGEST_REASON = 500


def hold(context: Context) -> Answer:
    """`interlock hold [CLUSTER] --reason TEXT [--for 4h]`. Refused if somebody else holds the pair."""
    options = context.options
    reason = " ".join(options.reason.split())[:_LONGEST_REASON]
    if not reason:
        raise UsageError("--reason is empty", hint="say what is being done, for whoever is refused because of it")
    for_s = None if options.for_ is None else _span_s(options.for_)
    with wired(context) as wiring:
        marks = wiring.world.marks
        now = marks.now()
        wanted = Mark(
            topology=wiring.topology.name,
            kind=MarkKind.HOLD,
            subject=_cluster(options.cluster, wiring.topology),
            by=marks.author,
            at=now,
            reason=reason,
            until=None if for_s is None else now + timedelta(seconds=for_s),
        )

        replaced: list[Mark] = []

        def decide(seen: Sequence[Mark]) -> Change:
            verdict = may_hold(wanted, seen, now)
            replaced[:] = [mark for mark in seen if (mark.kind, mark.subject) == (wanted.kind, wanted.subject)]
            return verdict if isinstance(verdict, Refuse) else ((wanted,), ())

        change(wiring.store, wiring.topology.name, decide)
    instead = "".join(f"\nin place of: {told(mark, now)}" for mark in replaced)
    text = f"{told(wanted, now)}{instead}\nno run begins until `{end_of(wanted)}`; one that has begun goes on"
    return Answer(plain={"hold": to_plain(wanted), "exit_code": 0}, text=lambda _: text)


def release(context: Context) -> Answer:
    """`interlock release [CLUSTER] [--of OWNER]`. Nothing to release is no error."""
    with wired(context) as wiring:
        marks, notes = wiring.world.marks, notes_on_servers(wiring.world)
        cluster = _cluster(context.options.cluster, wiring.topology)

        def decide(seen: Sequence[Mark]) -> Change:
            by_note_alone = [note for note in notes if mark_of(note.kind, note.subject, seen) is None]
            verdict = may_release(cluster, marks.author, context.options.of, (*seen, *by_note_alone), marks.now())
            return verdict if isinstance(verdict, Refuse) else ((), verdict)

        found = change(wiring.store, wiring.topology.name, decide)
        left = [hold for hold in holds(marks.all()) if hold.kind is MarkKind.QUIESCED]
        erase_notes(wiring.world, [mark for mark in found if mark_of(mark.kind, mark.subject, notes) is not None])
    lines = [f"{subject(mark)} is released; it was {held_how(mark)} by {mark.by}: {mark.reason}" for mark in found]
    lines += [
        f"{mark.subject} stays as it was left: fenced, perhaps with its applier stopped, its data not compared; "
        f"`interlock rejoin {mark.subject}` makes it a standby again"
        for mark in found
        if mark.kind is MarkKind.QUIESCED
    ]
    if not found:
        lines = ["nobody holds the pair", *(f"{told(hold, marks.now())}: `{end_of(hold)}` ends it" for hold in left)]
    text = "\n".join(lines)
    return Answer(plain={"released": to_plain(found), "exit_code": 0}, text=lambda _: text)


def _cluster(name: str | None, topology: Topology) -> str:
    if name is None or name in topology.clusters:
        return name or ""
    raise UsageError(f"{topology.name} has no cluster {shown(name)}", hint=f"known: {', '.join(topology.clusters)}")


def _span_s(text: str) -> float:
    seconds = duration_s(text)
    if not seconds:
        raise UsageError(f"--for {shown(text)} is no time to hold for", hint="such as --for 4h; without it, until it is released")
    return seconds
