"""What is wrong with a pair as it is, and what to do about it. One thing that is wrong is one problem, whoever notices it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime

from interlock.dataclass import dataclass
from interlock.decisions.giving_up import broken_channel
from interlock.decisions.liveness import answers_here, remedy
from interlock.decisions.marks import by_a_note, end_of, failed_since, is_not_held, told
from interlock.decisions.mixed import mended_by
from interlock.engine.segment_status import SegmentStatus
from interlock.errors import DriverError
from interlock.model.facts import ChannelFacts, ServerFacts, SessionFacts, WriteFacts, channel_from
from interlock.model.liveness import Liveness, LivenessFacts
from interlock.model.marks import Mark, MarkKind
from interlock.model.topology import ClusterName, ServerName, Topology
from interlock.model.verdict import Refuse

Problem = Mapping[str, str]
"""`what` and `hint`, empty if nothing is known to help."""

_NO_WRITER = "no master is seen to take writes"


@dataclass(slots=True)
class Looked:
    """What one master said; each part None if it did not. `liveness` is asked for only then. `noted` is what it says of holds."""

    writes: WriteFacts | None = None
    facts: ServerFacts | None = None
    channels: tuple[ChannelFacts, ...] | None = None
    sessions: tuple[SessionFacts, ...] | None = None
    noted: tuple[Mark, ...] | None = None
    errors: list[DriverError] = field(default_factory=list)
    liveness: LivenessFacts | None = None


def server_problems(
    topology: Topology, looked: Mapping[ServerName, Looked], marks: Sequence[Mark], unfinished: Sequence[str]
) -> Iterator[Problem]:
    """Of each master that did not answer, and of a pair that nobody can write."""
    open_now = [name for name, seen in looked.items() if seen.writes is not None and not seen.writes.read_only]
    verdicts = [seen.liveness for seen in looked.values() if seen.liveness is not None]
    for seen in looked.values():
        if seen.errors and not _says_the_error(seen.liveness):
            yield {"what": seen.errors[0].message, "hint": seen.errors[0].hint}
        if seen.liveness is not None:
            also = [_failed(mark) for mark in marks if mark.kind is MarkKind.FAILED and mark.subject == seen.liveness.cluster]
            also += [_NO_WRITER] if not open_now and len(verdicts) == 1 else []
            yield {"what": "; ".join((seen.liveness.why, *also)), "hint": _hint(seen.liveness, topology, open_now, marks)}
    if not open_now and len(verdicts) != 1:
        yield {"what": _NO_WRITER, "hint": _why_no_writer(looked, marks, unfinished)}


def _says_the_error(verdict: LivenessFacts | None) -> bool:
    """A verdict says why a server can't be reached; who is refused reads the server's own words, and their hint."""
    return verdict is not None and verdict.state is not Liveness.REFUSING and not answers_here(verdict)


def _hint(facts: LivenessFacts, topology: Topology, open_now: Sequence[ServerName], marks: Sequence[Mark]) -> str:
    """What can be done about one that does not answer. The writes of one that is marked as failed were taken over already."""
    if any(mark.kind is MarkKind.FAILED and mark.subject == facts.cluster for mark in marks):
        return f"start it, fenced, then `interlock rejoin {facts.cluster}`"
    if topology.segments:
        return "what it owns can't be written before it is back: `interlock segment list`"
    other = next(cluster for cluster in topology.clusters if cluster != facts.cluster)
    if topology.clusters[other].master.name in open_now:
        return remedy(facts, other) or f"start it, fenced: it is the standby, and {other} takes the writes"
    return remedy(facts, other) or f"`interlock plan failover --to {other}`, then `interlock failover --to {other}`"


def _why_no_writer(looked: Mapping[ServerName, Looked], marks: Sequence[Mark], unfinished: Sequence[str]) -> str:
    silent = [name for name, seen in looked.items() if seen.writes is None]
    if silent:
        return f"{' and '.join(silent)} did not answer"
    if unfinished:
        return f"run {unfinished[0]} is half-way"
    if marks:
        return "let the one that holds everything take writes again, by hand"
    at = {name: seen.writes.position for name, seen in looked.items() if seen.writes is not None}
    whole = [name for name, own in at.items() if all(own.contains(its) for its in at.values())]
    if not whole:
        return "none is seen to hold all: let replication bring them together, or compare them, before one is opened by hand"
    where = f"{whole[0]} holds" if len(whole) == 1 else f"{' and '.join(whole)} hold"
    return f"{where} all that was written: SET GLOBAL read_only=0 on {whole[0] if len(whole) == 1 else 'the one that clients are led to'}"


def several_writers(topology: Topology, open_now: Sequence[ServerName], marks: Sequence[Mark]) -> Iterator[Problem]:
    """One of which the writes were taken, or that was closed for good, is the one that is closed again."""
    if len(open_now) < 2:
        return
    out = {mark.subject for mark in marks if mark.kind in {MarkKind.FAILED, MarkKind.QUIESCED}}
    close = [name for name in open_now if topology.server(name).cluster in out]
    hint = "fence the one that should not"
    if len(close) == 1:
        hint = f"SET GLOBAL read_only=1 on {close[0]}, at once; what it took meanwhile is told by its rejoin, or by comparing the two"
    yield {"what": f"{' and '.join(open_now)} take writes at the same time", "hint": hint}


def segment_problems(segments: Sequence[SegmentStatus], looked: Mapping[ServerName, Looked]) -> Iterator[Problem]:
    """Each once, for several segments tell of one server; and that it does not answer is told of the server itself."""
    said = {error.message for seen in looked.values() for error in seen.errors}
    for problem in (problem for segment in segments for problem in segment.problems):
        if problem["what"] not in said:
            said.add(problem["what"])
            yield problem


def unfinished_problem(run: str) -> Problem:
    return {"what": f"run {run} is unfinished", "hint": f"`interlock resume {run}` or `interlock rollback {run}`"}


def mark_problems(topology: Topology, marks: Sequence[Mark], looked: Mapping[ServerName, Looked], now: datetime) -> Iterator[Problem]:
    """That a master which does not answer is marked as failed is told with the master, and with a quiesce that its master takes writes."""
    silent = {seen.liveness.cluster for seen in looked.values() if seen.liveness is not None}
    open_now = {topology.server(name).cluster for name, seen in looked.items() if seen.writes is not None and not seen.writes.read_only}
    for mark in marks:
        if mark.kind is MarkKind.QUIESCED and mark.subject in open_now:
            close = f"SET GLOBAL read_only=1 on {mark.subject}; `{end_of(mark)}` finds what was written there"
            yield {"what": f"{told(mark, now)}; and it takes writes: somebody opened it, or it was restarted", "hint": close}
        elif mark.kind is not MarkKind.FAILED:
            yield {"what": told(mark, now), "hint": f"`{end_of(mark)}`"}
        elif mark.subject not in silent:
            yield {"what": _failed(mark), "hint": f"`interlock rejoin {mark.subject}`"}


def note_problems(looked: Mapping[ServerName, Looked], marks: Sequence[Mark], now: datetime) -> Iterator[Problem]:
    """What a server that takes writes says of a hold that the store does not know of: it is another one, or was lost. On a fenced one the
    end of a hold arrives later.
    """
    known = {(mark.kind, mark.subject) for mark in marks}
    for name, seen in looked.items():
        if seen.writes is None or seen.writes.read_only:
            continue
        unknown = [note for note in seen.noted or () if (note.kind, note.subject) not in known]
        held = is_not_held(unknown, now)
        if isinstance(held, Refuse):
            said = by_a_note(name, held)
            yield {"what": said.why, "hint": said.hint}
        known |= {(note.kind, note.subject) for note in unknown}


def _failed(mark: Mark) -> str:
    return f"{mark.subject} {failed_since(mark)}, and has not rejoined"


def channel_problems(
    topology: Topology, looked: Mapping[ServerName, Looked], marks: Sequence[Mark], unfinished: Sequence[str]
) -> Iterator[Problem]:
    """Of each channel between two masters, as its receiving end tells it."""
    clusters = {name: topology.server(name).cluster for name in looked}
    failed = {mark.subject for mark in marks if mark.kind is MarkKind.FAILED}
    quiesced = {mark.subject for mark in marks if mark.kind is MarkKind.QUIESCED}
    for name, seen in looked.items():
        for other, source in looked.items():
            if name == other or seen.channels is None:
                continue
            channel = channel_from(other, seen.channels)
            if channel is None:
                yield {"what": f"no channel from {other} to {name}", "hint": f"point {name} at {other}"}
            elif clusters[other] in failed and channel.receiver != "No" and not unfinished:
                yield {
                    "what": f"{name} receives from {other}, which failed: what was lost comes by itself, over what was written since",
                    "hint": f"stop its receiver on {name}, at once; `interlock rejoin {clusters[other]}` starts it again",
                }
            elif not _stands_as_it_should(channel, source, either_failed=not failed.isdisjoint({clusters[name], clusters[other]})):
                hint = _way_on(channel, clusters[name], quiesced=clusters[name] in quiesced, answered=source.liveness is None)
                yield {"what": f"the channel from {other} to {name} does not run: {channel.error or 'stopped'}", "hint": hint}


def _stands_as_it_should(channel: ChannelFacts, source: Looked, *, either_failed: bool) -> bool:
    """It runs; or applies all and only misses a master that answers nobody; or nothing but a rejoin starts it, which is told with the end
    that failed.
    """
    return is_running(channel) or (source.liveness is not None and _misses_its_source(channel)) or (either_failed and not channel.error)


def _way_on(channel: ChannelFacts, cluster: ClusterName, *, quiesced: bool, answered: bool) -> str:
    """A rejoin starts what a quiesce stopped, and not what stopped by itself. `answered`: its source did; else what it has of it may be the
    only copy, which a start can throw away.
    """
    if broken_channel([channel]) is not None:
        then = f"; then `interlock rejoin {cluster}`" if quiesced else ""
        return mended_by(channel.error) or f"`interlock repair --channel {cluster}` shows what would let it go on{then}"
    if quiesced:
        return f"a quiesce stopped it: `interlock rejoin {cluster}` starts it"
    if channel.error:
        return mended_by(channel.error)
    if not answered:
        return f"`interlock plan failover --to {cluster}` says how it is started with nothing lost"
    return f"start it again on {cluster}, unless somebody stopped it on purpose"


def is_running(channel: ChannelFacts) -> bool:
    return channel.applier and channel.receiver == "Yes" and not channel.error


def _misses_its_source(channel: ChannelFacts) -> bool:
    return channel.applier and not channel.applier_error and (channel.receiver == "Connecting" or channel.receiver_error != 0)
