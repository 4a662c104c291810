"""`data.compare`, `segment.compare`: a cluster holds the same rows as the other one, all of them or those of one segment.

Both sides go on meanwhile. It changes nothing, so a run that did nothing else yet is refused if something differs.
"""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.model.comparing import BeginComparison, ComparingFacts, Differing, StopComparison
from interlock.model.effects import Effect
from interlock.model.topology import ClusterName, SegmentSpec
from interlock.model.verdict import Act, Done, Refuse, Verdict, Wait
from interlock.playbook.catalogue import Verb
from interlock.ports import World

_NAMED = 5
_MAY_DIFFER = "tables that may differ, as schema.table, with commas between them; * for all"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenComparing:
    """None if this run began none. `segment` is the one that is compared, None for all data."""

    comparing: ComparingFacts | None
    segment: SegmentSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareData:
    """Compare a cluster's rows with the writer's, exactly, while the writer goes on; what differs fails the step."""

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster that is compared with the writer")
    may_differ: str = param(Kind.TEXT, _MAY_DIFFER, default="")
    within_s: float = param(Kind.DURATION, "how long it may take", default=14400.0)

    def look(self, world: World, /) -> SeenComparing:
        return SeenComparing(comparing=world.comparer(self.cluster).facts(_beginning(self.cluster, None)))

    def decide(self, seen: SeenComparing, /) -> Verdict:
        differs, unknown = f"{self.cluster} differs from the writer", f"{self.cluster} is not known to be as the writer"
        return _judged(seen.comparing, f"the data of {self.cluster}", differs, unknown, self.may_differ)

    def effects(self, seen: SeenComparing, /) -> tuple[Effect, ...]:
        return (_beginning(self.cluster, None),) if seen.comparing is None else ()

    def undo(self, before: SeenComparing, now: SeenComparing | None, /) -> tuple[Effect, ...]:
        del before
        return _ending(self.cluster, now)

    def outputs(self, seen: SeenComparing, /) -> Mapping[str, object]:
        return {"comparison": seen.comparing.name if seen.comparing is not None else ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareSegment:
    """Compare a segment's tables on the cluster that is to own it with the other one's, exactly, while both take writes. Of tables that
    tenants share, only its own tenants' rows count. What differs fails the step.
    """

    segment: str = param(Kind.SEGMENT, "the segment")
    to: ClusterName = param(Kind.CLUSTER, "the cluster that is compared with the one that owns it")
    may_differ: str = param(Kind.TEXT, _MAY_DIFFER, default="")
    within_s: float = param(Kind.DURATION, "how long it may take", default=14400.0)

    def look(self, world: World, /) -> SeenComparing:
        spec = world.topology.segments[self.segment]
        return SeenComparing(comparing=world.comparer(self.to).facts(_beginning(self.to, spec)), segment=spec)

    def decide(self, seen: SeenComparing, /) -> Verdict:
        what = f"segment {self.segment}"
        if seen.segment is not None and not (seen.segment.schemas or seen.segment.tenants):
            return Done(f"{what} names no tables", warnings=(f"nothing of {what} was compared: it names no schemas",))
        differs, unknown = f"{what} differs on {self.to} from its owner's", f"{what} is not known to be the same on {self.to}"
        return _judged(seen.comparing, f"the tables of {what} on {self.to}", differs, unknown, self.may_differ)

    def effects(self, seen: SeenComparing, /) -> tuple[Effect, ...]:
        return (_beginning(self.to, seen.segment),) if seen.comparing is None else ()

    def undo(self, before: SeenComparing, now: SeenComparing | None, /) -> tuple[Effect, ...]:
        del before
        return _ending(self.to, now)

    def outputs(self, seen: SeenComparing, /) -> Mapping[str, object]:
        return {"comparison": seen.comparing.name if seen.comparing is not None else ""}


def _beginning(cluster: ClusterName, segment: SegmentSpec | None) -> BeginComparison:
    if segment is None:
        return BeginComparison(cluster=cluster)
    return BeginComparison(cluster=cluster, schemas=segment.schemas, tenants=segment.tenants)


def _ending(cluster: ClusterName, now: SeenComparing | None) -> tuple[Effect, ...]:
    under_way = now is None or (now.comparing is not None and not now.comparing.is_over)
    return (StopComparison(cluster=cluster),) if under_way else ()


def _judged(facts: ComparingFacts | None, what: str, differs: str, unknown: str, may_differ: str) -> Verdict:
    """`what` is compared; `differs` begins the sentence that says where, `unknown` the one of what could not be compared or settled."""
    may = {table.strip() for table in may_differ.split(",")}
    if "*" in may:
        return Done("all tables may differ", warnings=(f"{what} were not compared",))
    if facts is None:
        return Act(f"{what} were not compared with the other side's")
    if facts.untold:
        return Done(facts.untold, warnings=(f"{what} were not compared: {facts.untold}",))
    if facts.error:
        why = f"{what} were not compared to the end: {facts.error}"
        return Refuse(why, f"`interlock diff --resume {facts.name}` goes on with it")
    if not facts.is_over:
        return Wait(f"compared {facts.rows:,} of about {max(facts.expected, facts.rows):,} rows")
    bad = [one for one in facts.differing if one.name not in may and (one.rows or one.declared or one.open)]
    if bad:
        named = ", ".join(map(_words, bad[:_NAMED])) + (f" and {len(bad) - _NAMED} more tables" if len(bad) > _NAMED else "")
        hint = (
            f"`interlock diff --resume {facts.name}` lists the rows, `interlock repair {facts.name}` shows what would mend them;"
            f" or -i may_differ={','.join(one.name for one in bad)}"
        )
        return Refuse(f"{differs if any(one.rows or one.declared for one in bad) else unknown} in {named}", hint)
    allowed = [f"{_words(one)} differs, as it may" for one in facts.differing if one.name in may]
    others = [f"{one.name}: {_rows(one.others)} of other tenants differ, or are on their way" for one in facts.differing if one.others]
    return Done(f"{facts.rows:,} rows are equal ({facts.name})", warnings=(*allowed, *others))


def _words(one: Differing) -> str:
    """`shop.orders (3 rows)`."""
    left = [f"not compared: {one.open[0]}" + f" and {len(one.open) - 1} more" * (len(one.open) > 1)] if one.open else []
    told = [_rows(one.rows)] * bool(one.rows) + ["declared otherwise"] * one.declared + left
    return f"{one.name} ({', '.join(told)})" if told else one.name


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"


SPECS = (
    describe(CompareData, "data.compare", Verb.DO, outputs={"comparison": Kind.TEXT}),
    describe(CompareSegment, "segment.compare", Verb.DO, outputs={"comparison": Kind.TEXT}),
)
