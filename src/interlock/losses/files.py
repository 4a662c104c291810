"""The old writer's log from files: copied from its host, or lying where this machine can read them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from interlock.errors import StatementFailed
from interlock.losses.folder import Manifest
from interlock.losses.live import MOST, Found
from interlock.losses.parsing import Parser, TableOf
from interlock.losses.payload import unpacked
from interlock.losses.raw import RawEvent, from_file
from interlock.losses.tagged import previous_gtids
from interlock.model.losses import ReadTransaction
from interlock.model.position import FilePosition, LogPoint, MariaDBPosition, Position, parse_position

_GTID_LIST, _PREVIOUS_GTIDS = 163, 35


def holds(position: Position, name: str) -> bool:
    """Whether a position holds a transaction of this name; one whose GTID could not be read is held by none."""
    try:
        wanted = parse_position(name)
    except ValueError:
        return False
    return isinstance(wanted, type(position)) and position.contains(wanted)


def read_files(
    folder: Path, manifest: Manifest, since: Position, table_of: TableOf, *, not_by: int | None, program: str | None = None
) -> Found:
    """What the files have after `since`; see `live.read_live`. StatementFailed if one can't be read."""

    def named(event: RawEvent) -> str | None:
        if not isinstance(since, FilePosition):
            return None
        return str(FilePosition.of({manifest.server: LogPoint.of(event.file, event.offset + 1)}))

    def wanted(event: RawEvent, name: str) -> bool:
        return not holds(since, name) and not (isinstance(since, FilePosition) and event.server_id == not_by)

    parser = Parser(manifest.flavor, table_of, named=named, wanted=wanted)
    found: list[ReadTransaction] = []
    try:
        for transaction in parser.transactions(unpacked(_events(folder, manifest), program)):
            found.append(transaction)
            if len(found) > MOST:
                raise StatementFailed(f"{folder} has more than {MOST} transactions since", hint="read the log by hand")
    except (ValueError, struct.error) as error:
        raise StatementFailed(f"{folder}: the copied log can't be read: {error}") from error
    return Found(
        transactions=tuple(found),
        reaches_back=_reaches_back(folder, manifest, since),
        source=f"the copy of {manifest.server}'s binary log of {manifest.at}, in {folder}",
        takes_writes=any(one.grew for one in manifest.files),
    )


def _events(folder: Path, manifest: Manifest) -> Iterator[RawEvent]:
    for one in manifest.files:
        yield from from_file(folder / one.name, one.name)


def _reaches_back(folder: Path, manifest: Manifest, since: Position) -> bool:
    if not manifest.files:
        return False
    first = manifest.files[0].name
    if isinstance(since, FilePosition):
        point = since.of_server(manifest.server)
        return point is not None and point.base == LogPoint.of(first, 4).base and point.number >= LogPoint.of(first, 4).number
    readers: dict[int, Callable[[bytes], Position]] = {_GTID_LIST: _gtid_list, _PREVIOUS_GTIDS: previous_gtids}
    for count, event in enumerate(from_file(folder / first)):
        if event.kind in readers:
            try:
                return since.contains(readers[event.kind](event.body))
            except (struct.error, ValueError):
                return False
        if count > 8:
            break
    return False


def _gtid_list(body: bytes) -> Position:
    """MariaDB KB, "GTID_LIST_EVENT": a count in 28 bits, then domain, server and sequence number of each."""
    count = struct.unpack_from("<I", body)[0] & 0x0FFFFFFF
    read = (struct.unpack_from("<IIQ", body, 4 + 16 * index) for index in range(count))
    return MariaDBPosition.parse(",".join(f"{domain}-{server}-{sequence}" for domain, server, sequence in read))
