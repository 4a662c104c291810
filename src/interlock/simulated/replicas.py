"""Servers behind a simulated pair: clients never reach them."""

from __future__ import annotations

from dataclasses import replace

from interlock.model.topology import ClusterName, Follow, ServerName
from interlock.simulated.database import Database
from interlock.simulated.pair import SimulatedPair
from interlock.simulated.replication import Channel


def with_replica(pair: SimulatedPair, name: str, *, cluster: str = "east", follow: Follow = Follow.WRITER) -> Channel:
    """A replica behind the master of a cluster, in the pair's topology too; its channel. A world that was made before does not know it."""
    master = pair.database(cluster)
    number = 10 + len(pair.replicas)
    server = Database(name=ServerName(name), server_id=number, clock=pair.clock, network=pair.network, flavor=master.flavor)
    pair.replicas[name] = server
    channel = Channel(source=master, target=server, neighbour=pair.database)
    channel.connect()
    channel.pump()
    its = pair.topology.clusters[ClusterName(cluster)]
    spec = replace(its.master, name=server.name, host=f"{name}.example", is_master=False, follow=follow)
    clusters = {**pair.topology.clusters, its.name: replace(its, replicas=(*its.replicas, spec))}
    pair.topology = replace(pair.topology, clusters=clusters)
    return channel
