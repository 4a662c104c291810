"""`runs.none_unfinished`: nobody left this pair half-way."""

from __future__ import annotations

from interlock.actions.action import describe
from interlock.actions.check import NoOutputs
from interlock.dataclass import dataclass
from interlock.model.verdict import Done, Refuse, Verdict
from interlock.playbook.catalogue import Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRuns:
    unfinished: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoneUnfinished(NoOutputs):
    """No other run of this pair is unfinished."""

    def look(self, world: World, /) -> SeenRuns:
        return SeenRuns(unfinished=world.unfinished_runs())

    def decide(self, seen: SeenRuns, /) -> Verdict:
        if seen.unfinished:
            run = seen.unfinished[0]
            return Refuse(f"run {run} of this pair is unfinished", f"`interlock resume {run}` or `interlock rollback {run}`")
        return Done("no run of this pair is unfinished")


SPECS = (describe(NoneUnfinished, "runs.none_unfinished", Verb.CHECK),)
