"""One look of `interlock watch`: the pair's status, the verdict on each master, and what they come to, a sentence for each subject."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from interlock.dataclass import dataclass
from interlock.decisions.liveness import liveness, without_tries
from interlock.decisions.marks import failed_since, told
from interlock.decisions.watching import Look
from interlock.engine.states import State
from interlock.engine.status import StatusReport, status
from interlock.model.liveness import Liveness, LivenessFacts, SeenFrom
from interlock.model.marks import Mark, MarkKind
from interlock.ports import RunHeader, VantagePoint, World

AUTOMATIC = "watch-"
"""How the names of the runs begin that a watch starts: by them any watcher knows when the last one was."""

_LOOK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """`writer` as of the status; `was_writer` the cluster that was the writer when that was last known, for a writer that is gone. A pair
    of which every master says that it is fenced has none: somebody closed it, and nobody is to be failed over from.
    `automatic` are the runs that a watch began on this pair, newest first.
    """

    at: datetime
    writer: str | None
    was_writer: str | None
    pair: StatusReport
    masters: Mapping[str, LivenessFacts]
    marks: tuple[Mark, ...]
    can_fence: tuple[str, ...]
    automatic: tuple[RunHeader, ...]


def observe(world: World, runs: Sequence[RunHeader], was_writer: str | None, masters: Mapping[str, LivenessFacts]) -> Observed:
    """`masters` are the verdicts of a moment ago. Everything bounded; StoreFailed if the store says nothing."""
    pair = status(world, masters)
    marks = world.marks
    return Observed(
        at=marks.now(),
        writer=pair.writer,
        was_writer=None if pair.is_closed else pair.writer or was_writer,
        pair=pair,
        masters=masters,
        marks=marks.all(),
        can_fence=tuple(name for name in world.topology.clusters if world.fence_agents(name)),
        automatic=tuple(header for header in runs if header.run.startswith(AUTOMATIC)),
    )


def look_of(seen: Observed) -> Look:
    """What of it the decision to act rests on. A pair with a writer that answers has nobody to be failed over from."""
    gone = seen.was_writer
    verdict = seen.masters.get(gone or "")
    return Look(
        writer=gone,
        state=verdict.state if verdict is not None and seen.writer is None else Liveness.ALIVE,
        can_fence=gone in seen.can_fence,
        in_the_way=_in_the_way(seen),
        since_act_s=_since_s(seen, [header for header in seen.automatic if header.outcome != State.REFUSED]),
        since_refusal_s=_since_s(seen, [header for header in seen.automatic if header.outcome == State.REFUSED]),
    )


def said_of(seen: Observed) -> dict[str, str]:
    """A sentence for each subject, without what always moves: two looks that say the same read the same."""
    pair = seen.pair
    said = {"writer": pair.who_writes}
    said |= {
        name: f"{facts.state.value}: {facts.why}" if facts.state is not Liveness.ALIVE else "alive" for name, facts in seen.masters.items()
    }
    for channel in pair.channels:
        said[f"channel {channel.from_ or channel.source_address} to {channel.to}"] = (
            "runs" if channel.running else f"does not run: {without_tries(channel.error) or 'stopped'}"
        )
    if pair.segments:
        said["writer"] = "each side takes the writes of its own segments"
    for segment in pair.segments:
        wrong = "; ".join(problem["what"] for problem in segment.problems)
        said[f"segment {segment.segment}"] = f"owned by {segment.owner}, epoch {segment.epoch}{f': {wrong}' if wrong else ''}"
    for route in pair.routes:
        said[f"route {route.route}"] = route.error or f"leads to {' and '.join(route.leads_to) or 'nowhere'}"
    said["runs"] = ", ".join(f"{run} is unfinished" for run in pair.unfinished_runs) or "none is unfinished"
    said["marks"] = "; ".join(_mark(mark, seen.at) for mark in seen.marks) or "none"
    return said


def _since_s(seen: Observed, runs: Sequence[RunHeader]) -> float | None:
    last = max((header.started_at for header in runs), default=None)
    return None if last is None else (seen.at - last).total_seconds()


def _mark(mark: Mark, now: datetime) -> str:
    return f"{mark.subject} {failed_since(mark)}" if mark.kind is MarkKind.FAILED else told(mark, now)


def _in_the_way(seen: Observed) -> str:
    if seen.marks:
        return "; ".join(_mark(mark, seen.at) for mark in seen.marks)
    runs = seen.pair.unfinished_runs
    return f"run {runs[0]} is unfinished" if runs else ""


def verdicts(world: World) -> dict[str, LivenessFacts]:
    """On each cluster's master, from all places at once."""
    points = [(name, point) for name in world.topology.clusters for point in world.vantage_points(name)]
    found = world.gather([_looker(point) for _, point in points])
    return {
        str(name): liveness(name, [seen for (of, _), seen in zip(points, found, strict=True) if of == name])
        for name in world.topology.clusters
    }


def _looker(point: VantagePoint) -> Callable[[], SeenFrom]:
    return lambda: point.look(_LOOK_S)
