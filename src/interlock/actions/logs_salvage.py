"""`logs.salvage`: what the old writer logged and never sent is copied from its host, and kept."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.errors import DriverError
from interlock.model.effects import CopyLogs, Effect
from interlock.model.topology import ClusterName, LogsSpec, ServerName
from interlock.model.verdict import Act, Done, Verdict
from interlock.playbook.catalogue import Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenLogs:
    """Where the logs are, by the topology; and the first file of which the other side has not all, empty if it does not say."""

    run: str
    logs: LogsSpec | None
    first: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SalvageLogs:
    """Copy a dead master's binary log from its host, from where the other side has read it, and keep it beside the store.

    It changes nothing there, and what can't be copied fails nothing: the rows that were lost are then told once the server answers again.
    """

    cluster: ClusterName = param(Kind.CLUSTER, "whose log it is")
    server: ServerName = param(Kind.SERVER, "the one that received from it")
    within_s: float = param(Kind.DURATION, "how long it may take", default=60.0)

    def look(self, world: World, /) -> SeenLogs:
        spec = world.topology.clusters[self.cluster]
        return SeenLogs(run=world.present_run, logs=spec.logs, first=self._first(world) if spec.logs is not None else "")

    def decide(self, seen: SeenLogs, /) -> Verdict:
        if seen.logs is None:
            return Done(
                f"the topology does not say where the binary log of {self.cluster} is",
                (f"set clusters.{self.cluster}.logs, so that it is copied",),
            )
        why = f"copy the binary log of {self.cluster} from {seen.first or 'its first file'} on"
        return Act(why, once=True, otherwise=Done(f"nothing of the binary log of {self.cluster} was copied"))

    def effects(self, seen: SeenLogs, /) -> tuple[Effect, ...]:
        if seen.logs is None:
            return ()
        copy = CopyLogs(
            run=seen.run, cluster=self.cluster, folder=seen.logs.folder, base=seen.logs.base, first=seen.first, within_s=self.within_s
        )
        return (copy,)

    def undo(self, before: SeenLogs, now: SeenLogs | None, /) -> tuple[Effect, ...]:
        """A copy harms nobody."""
        del before, now
        return ()

    def outputs(self, seen: SeenLogs, /) -> Mapping[str, object]:
        return {"first": seen.first}

    def _first(self, world: World) -> str:
        source = world.topology.clusters[self.cluster].master.name
        try:
            channels = world.server(self.server).channels()
        except DriverError:
            return ""
        return next((one.applied.file for one in channels if one.source == source and one.applied is not None), "")


SPECS = (describe(SalvageLogs, "logs.salvage", Verb.DO, outputs={"first": Kind.TEXT}),)
