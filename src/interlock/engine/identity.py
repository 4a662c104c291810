"""Is this the pair that the run began on? Names in a topology file are easily the same; servers are not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from interlock.engine.journal import RecordKind
from interlock.errors import DriverError, Refused, UsageError
from interlock.model.topology import ServerName
from interlock.ports import Record, RunHeader, Store, World


def identities(world: World, *, tolerant: bool, silent: Collection[ServerName] = ()) -> dict[str, object]:
    """Each master's address and server id, for the journal. Of one that does not answer: DriverError, or with `tolerant` the address.
    `silent` ones are not asked.
    """
    found: dict[str, dict[str, object]] = {}
    for master in world.topology.masters():
        its = found[master.name] = {"address": f"{master.host}:{master.port}"}
        if master.name in silent:
            continue
        try:
            its["server_id"] = world.server(master.name).facts().server_id
        except DriverError:
            if not tolerant:
                raise
    return dict(found)


def see_same_pair(world: World, recorded: Mapping[str, object], run: str) -> None:
    """UsageError if a master of the topology has another address or server id than when the run began. One that is silent is met later."""
    for master in world.topology.masters():
        was = recorded.get(master.name)
        if not isinstance(was, Mapping):
            continue
        address = f"{master.host}:{master.port}"
        if was.get("address") != address:
            raise UsageError(
                f"run {run} began with {master.name} at {was.get('address')}, and the topology file has it at {address}",
                hint="give the topology file that the run began with; if the server has moved, put its old address back to end this run",
            )
        if "server_id" not in was:
            continue  # it said nothing when the run began
        try:
            server_id = world.server(master.name).facts().server_id
        except DriverError:
            continue
        if was.get("server_id") != server_id:
            raise UsageError(
                f"run {run} began with {master.name} as server id {was.get('server_id')}, and {address} is {server_id} now",
                hint="another server has this address: look at both before anything is changed",
            )


def see_not_overtaken(store: Store, header: RunHeader, others: Sequence[RunHeader]) -> None:
    """Refused if a later run of the pair has opened a server since: to go on, or back, would take the writes from where it put them."""
    other = overtaken_by(store, header, others)
    if other is not None:
        raise Refused(
            f"run {other.run} of this pair has moved the writes since run {header.run} was left",
            hint=f"what {header.run} left behind no longer counts: `interlock status`, then start a new run",
        )


def overtaken_by(store: Store, header: RunHeader, others: Sequence[RunHeader]) -> RunHeader | None:
    """The run that has opened a server under a later lease than this one's last, if any. A clock may be set back, an epoch is not."""
    last = max((epoch for epoch, _ in _by_epoch(store, header)), default=None)
    if last is None:
        return None  # it never began
    return next(
        (
            other
            for other in others
            if other.run != header.run
            and any(epoch > last and record.kind == RecordKind.OPENING for epoch, record in _by_epoch(store, other))
        ),
        None,
    )


def _by_epoch(store: Store, header: RunHeader) -> Iterator[tuple[int, Record]]:
    """The records of a run, each with the epoch of the lease that it was written under."""
    epoch = 0
    for record in store.records(header.run):
        if record.kind in {RecordKind.STARTED, RecordKind.TAKEN_OVER}:
            epoch = int(str(record.body["epoch"]))
        yield epoch, record
