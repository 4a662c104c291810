"""The drivers that keep what they find beside the store. Only a rejoin, a repair or a segment's move needs them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from interlock.clock import Clock
from interlock.decisions.marks import failed_mark
from interlock.diff.ends import End
from interlock.diff.mender import RowMender
from interlock.diff.under_way import UnderWay
from interlock.engine.runs import run_name
from interlock.hosts.secrets import Secrets
from interlock.losses.folder import Keep
from interlock.losses.run_facts import failover_of
from interlock.model.topology import ClusterName, ServerName, Topology
from interlock.ports import Marks, Outside, Store
from interlock.returning.backup_hosts import backup_hosts
from interlock.returning.copying import Copier
from interlock.returning.driver import ReturningServer
from interlock.returning.surplus import SurplusReader
from interlock.servers.server import SqlServer


class Keepers:
    """Of one topology, each made when it is first asked for. `present_run` names the run that is under way, or is empty."""

    def __init__(
        self,
        topology: Topology,
        folder: Path,
        *,
        store: Store,
        marks: Marks,
        server: Callable[[str], SqlServer],
        outside: Outside,
        clock: Clock,
        secrets: Secrets,
        present_run: Callable[[], str],
    ) -> None:
        self._topology = topology
        self._folder = folder
        self._store = store
        self._marks = marks
        self._server = server
        self._outside = outside
        self._clock = clock
        self._secrets = secrets
        self._present_run = present_run
        self._returning: dict[ClusterName, ReturningServer] = {}
        self._comparers: dict[ClusterName, UnderWay] = {}
        self.mender = RowMender(topology=topology, folder=folder, server=server, clock=clock)

    def returning(self, cluster: ClusterName) -> ReturningServer:
        if cluster not in self._returning:
            self._returning[cluster] = self._make_returning(cluster)
        return self._returning[cluster]

    def _make_returning(self, cluster: ClusterName) -> ReturningServer:
        master, writer = self._master_and_writer(cluster)
        reader = SurplusReader(
            server=self._server(master),
            writer=self._server(writer),
            emergency=lambda: failover_of(self._store, failed_mark(cluster, self._marks.all()), master, writer),
            run=lambda: self._present_run() or f"rejoin-{cluster}",
            keep=Keep(self._folder),
            clock=self._clock,
            environ=os.environ,
        )
        hosts = backup_hosts(
            self._topology.clusters[cluster],
            self._topology.clusters[self._topology.server(writer).cluster],
            outside=self._outside,
            clock=self._clock,
        )
        copier = Copier(
            server=reader.server,
            writer=reader.writer,
            hosts=hosts,
            secret=self._secrets.read,
            clock=self._clock,
            environ=os.environ,
        )
        return ReturningServer(cluster=cluster, server=reader.server, writer=reader.writer, reader=reader, copier=copier, clock=self._clock)

    def comparer(self, cluster: ClusterName) -> UnderWay:
        if cluster not in self._comparers:
            self._comparers[cluster] = self._make_comparer(cluster)
        return self._comparers[cluster]

    def _make_comparer(self, cluster: ClusterName) -> UnderWay:
        master, writer = self._master_and_writer(cluster)
        return UnderWay(
            topology=self._topology.name,
            writer=End(cluster=str(self._topology.server(writer).cluster), server=self._server(writer)),
            other=End(cluster=str(cluster), server=self._server(master)),
            folder=self._folder,
            name=lambda: run_name(self._clock),
            run=self._present_run,
            clock=self._clock,
        )

    def _master_and_writer(self, cluster: ClusterName) -> tuple[ServerName, ServerName]:
        """Of a pair: the cluster's own, and the other one's."""
        master = self._topology.clusters[cluster].master.name
        (writer,) = self._topology.other_masters(master)
        return master, writer

    def all(self) -> tuple[ReturningServer | UnderWay | RowMender, ...]:
        """What was made, to be closed."""
        return *self._comparers.values(), *self._returning.values(), self.mender
