"""When a segment was closed and opened where, as the journals of a pair's runs tell: for who reads the logs later."""

from __future__ import annotations

from collections.abc import Iterator

from interlock.engine.journal import RecordKind
from interlock.model.conflicts import Turn
from interlock.model.position import parse_position
from interlock.model.topology import Topology
from interlock.ports import Record, Store


def turns_of(store: Store, topology: Topology) -> tuple[Turn, ...]:
    """Oldest first."""
    headers = reversed(store.runs(topology.name))
    return tuple(turn for header in headers for record in store.records(header.run) for turn in _turn(record, topology))


def _turn(record: Record, topology: Topology) -> Iterator[Turn]:
    segment, server = record.body.get("segment"), record.body.get("server")
    if record.kind not in {RecordKind.PROVED, RecordKind.OPENING} or not isinstance(segment, str):
        return
    spec = next((master for master in topology.masters() if master.name == server), None)
    if spec is not None:
        position = parse_position(str(record.body["position"]))
        yield Turn(segment=segment, cluster=spec.cluster, position=position, open=record.kind == RecordKind.OPENING, at=record.at)
