"""`data.compare`: a cluster holds the same rows as the writer."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.model.comparing import BeginComparison, ComparingFacts, StopComparison
from interlock.model.effects import Effect
from interlock.model.topology import ClusterName
from interlock.model.verdict import Act, Done, Refuse, Verdict, Wait
from interlock.playbook.catalogue import Verb
from interlock.ports import World

_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenComparing:
    """None if this process began none."""

    comparing: ComparingFacts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareData:
    """Compare a cluster's rows with the writer's, exactly, while the writer goes on; what differs fails the step."""

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster that is compared with the writer")
    may_differ: str = param(Kind.TEXT, "tables that may differ, as schema.table, with commas between them; * for all", default="")
    within_s: float = param(Kind.DURATION, "how long it may take", default=14400.0)

    def look(self, world: World, /) -> SeenComparing:
        return SeenComparing(comparing=world.comparer(self.cluster).facts())

    def decide(self, seen: SeenComparing, /) -> Verdict:
        facts, may = seen.comparing, {table.strip() for table in self.may_differ.split(",")}
        if "*" in may:
            return Done("all tables may differ", warnings=(f"the data of {self.cluster} were not compared",))
        if facts is None:
            return Act(f"the data of {self.cluster} were not compared with the writer's")
        if facts.untold:
            return Done(facts.untold, warnings=(f"the data of {self.cluster} were not compared: {facts.untold}",))
        if facts.error:
            why = f"the data of {self.cluster} were not compared to the end: {facts.error}"
            return Refuse(why, f"`interlock diff --resume {facts.name}` goes on with it")
        if not facts.is_over:
            return Wait(f"compared {facts.rows:,} of about {max(facts.expected, facts.rows):,} rows")
        bad = [table for table in facts.differing if table not in may]
        if bad:
            named = ", ".join(bad[:_NAMED]) + (f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else "")
            hint = f"`interlock repair {facts.name}` shows what would mend it; or -i may_differ={','.join(bad)}"
            return Refuse(f"{self.cluster} differs from the writer in {named}", hint)
        allowed = [f"{table} differs, as it may" for table in facts.differing]
        return Done(f"{facts.rows:,} rows are equal ({facts.name})", warnings=(*allowed, *facts.open))

    def effects(self, seen: SeenComparing, /) -> tuple[Effect, ...]:
        return (BeginComparison(cluster=self.cluster),) if seen.comparing is None else ()

    def undo(self, before: SeenComparing, now: SeenComparing | None, /) -> tuple[Effect, ...]:
        del before
        under_way = now is None or (now.comparing is not None and not now.comparing.is_over)
        return (StopComparison(cluster=self.cluster),) if under_way else ()

    def outputs(self, seen: SeenComparing, /) -> Mapping[str, object]:
        return {"comparison": seen.comparing.name if seen.comparing is not None else ""}


SPECS = (describe(CompareData, "data.compare", Verb.DO, outputs={"comparison": Kind.TEXT}),)
