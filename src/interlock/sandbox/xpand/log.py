"""A named binlog: MySQL's binary log format, with a Query event for each statement. Source: MySQL internals, "Binlog Event"."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from dataclasses import field

from interlock.dataclass import dataclass
from interlock.sandbox.xpand.errors import Refusal

_QUERY, _ROTATE, _FORMAT, _XID = 2, 4, 15, 16
_MAGIC_BYTES = 4


@dataclass(slots=True, kw_only=True)
class File:
    """`events` hold where each begins, and its bytes."""

    number: int
    size: int = _MAGIC_BYTES
    events: list[tuple[int, bytes]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Log:
    """`grown` is set anew each time something is appended."""

    name: str
    server_id: int
    files: list[File] = field(default_factory=lambda: [File(number=1)])
    grown: asyncio.Event = field(default_factory=asyncio.Event)
    last_xid: int = 0

    def __post_init__(self) -> None:
        self._append(_FORMAT, _format(), self.server_id)

    @property
    def file(self) -> str:
        return self.file_name(self.files[-1])

    @property
    def position(self) -> int:
        return self.files[-1].size

    def file_name(self, file: File) -> str:
        return f"{self.name}.{file.number:06d}"

    def transaction(self, statements: Sequence[str], server_id: int) -> None:
        """`server_id` is that of the cluster that wrote it first."""
        self.last_xid += 1
        for statement in ("BEGIN", *statements):
            self._append(_QUERY, _query(statement), server_id)
        self._append(_XID, struct.pack("<Q", self.last_xid), server_id)
        self._tell()

    def definition(self, statement: str, server_id: int) -> None:
        """DDL stands alone."""
        self._append(_QUERY, _query(statement), server_id)
        self._tell()

    def rotate(self) -> None:
        after = self.files[-1].number + 1
        self._append(_ROTATE, struct.pack("<Q", _MAGIC_BYTES) + f"{self.name}.{after:06d}".encode(), self.server_id)
        self.files.append(File(number=after))
        self._append(_FORMAT, _format(), self.server_id)
        self._tell()

    async def dump(self, file: str, offset: int, *, blocks: bool) -> AsyncIterator[bytes]:
        """Events from there on; to the end, or for ever if it `blocks`. Refusal for a place that is none."""
        index = next((number for number, one in enumerate(self.files) if self.file_name(one) == file), None)
        if index is None or offset > self.files[index].size:
            raise Refusal(f"[50177] Binlog position not found: {file}:{offset}", 1236)
        yield _event(_ROTATE, struct.pack("<Q", offset) + file.encode(), self.server_id, end=0)
        if offset > _MAGIC_BYTES:
            yield _event(_FORMAT, _format(), self.server_id, end=0)
        while True:
            grown, here = self.grown, self.files[index]
            for begins, event in [one for one in here.events if one[0] >= offset]:
                offset = begins + len(event)
                yield event
            if index + 1 < len(self.files):
                index, offset = index + 1, _MAGIC_BYTES
            elif offset >= here.size:
                if not blocks:
                    return
                await grown.wait()

    def _append(self, kind: int, body: bytes, server_id: int) -> None:
        file = self.files[-1]
        event = _event(kind, body, server_id, end=file.size + 19 + len(body))
        file.events.append((file.size, event))
        file.size += len(event)

    def _tell(self) -> None:
        grown, self.grown = self.grown, asyncio.Event()
        grown.set()


def _event(kind: int, body: bytes, server_id: int, *, end: int) -> bytes:
    return struct.pack("<IBIIIH", 0, kind, server_id, 19 + len(body), end, 0) + body


def _query(statement: str) -> bytes:
    return struct.pack("<IIBHH", 0, 0, 0, 0, 0) + b"\0" + statement.encode()


def _format() -> bytes:
    return struct.pack("<H50sIB", 4, b"5.0.45", 0, 19)
