"""Events of a binary log as bytes, alike from a server's dump and from a file.

Every event is brought into one form: uncompressed, without a checksum of its own. Sources: MySQL internals "Binlog Event Header" and
"COM_BINLOG_DUMP"; MariaDB's sql/log_event.h and `binlog_buf_uncompress` for its compressed events.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from interlock.dataclass import dataclass
from interlock.errors import StatementFailed

MAGIC = b"\xfebin"
_ENCRYPTED_MAGIC = b"\xfdbin"
_HEADER = struct.Struct("<IBIIIH")
HEADER_BYTES = _HEADER.size
_CHECKSUM_BYTES = 4
_CRC32 = 1
_HEARTBEATS = frozenset({27, 41})
_ARTIFICIAL = 0x20  # LOG_EVENT_ARTIFICIAL_F: made up for a dump

QUERY, ROTATE, FORMAT, TRANSACTION_PAYLOAD, _ENCRYPTION = 2, 4, 15, 40, 164
_QUERY_COMPRESSED = 165
_UNCOMPRESSED = {_QUERY_COMPRESSED: QUERY, 166: 23, 167: 24, 168: 25, 169: 30, 170: 31, 171: 32}
"""MariaDB's compressed events, and the plain ones that they stand for."""
_ROW_POST_HEADER = 8  # of the V1 events that MariaDB writes: six bytes of table, two of flags
_QUERY_POST_HEADER = 13
_FIRST_V2, _UPDATES = 30, frozenset({24, 31})


@dataclass(frozen=True, slots=True, kw_only=True)
class RawEvent:
    """`file` and `offset` say where it begins; `body` has neither header nor checksum. `at_s` is its server's clock, in seconds."""

    file: str
    offset: int
    kind: int
    at_s: int
    server_id: int
    body: bytes

    @property
    def packet(self) -> bytes:
        """As a dump would send it, with room for a checksum that nobody looks at."""
        size = HEADER_BYTES + len(self.body) + _CHECKSUM_BYTES
        header = _HEADER.pack(self.at_s, self.kind, self.server_id, size, self.offset + size, 0)
        return b"\0" + header + self.body + b"\0" * _CHECKSUM_BYTES


def from_dump(packets: Iterable[bytes], file: str, offset: int) -> Iterator[RawEvent]:
    """From what answers COM_BINLOG_DUMP for that place. ValueError if an event is broken.

    Where an event begins is counted, not read: MariaDB 11.8 leaves 0 as the end of each event within a transaction (tried on 11.8.6).
    """
    checksum = False
    for packet in packets:
        at_s, kind, server_id, size, end, flags = _header(packet)
        if kind == FORMAT:
            checksum = _has_checksum(packet)
        if kind == ROTATE and (flags & _ARTIFICIAL or at_s == 0):
            file, offset = _rotated(packet)
            continue
        if kind in _HEARTBEATS or (flags & _ARTIFICIAL and kind != FORMAT):
            continue
        body = _body(packet, checksum=checksum or kind == FORMAT)
        if kind == FORMAT and end == 0:  # repeated for who begins in the middle of a file
            yield RawEvent(file=file, offset=4, kind=kind, at_s=at_s, server_id=server_id, body=body)
            continue
        yield _plain(RawEvent(file=file, offset=offset, kind=kind, at_s=at_s, server_id=server_id, body=body))
        offset = end or offset + size


def from_file(path: Path, name: str | None = None) -> Iterator[RawEvent]:
    """From a log's file, called `name` where it came from. Ends quietly where the last event is cut off: it was never whole.

    StatementFailed if the file can't be read, is encrypted, or an event in its middle is damaged.
    """
    name = name or path.name
    try:
        with path.open("rb") as log:
            magic = log.read(len(MAGIC))
            if magic == _ENCRYPTED_MAGIC:
                raise StatementFailed(f"{path} is encrypted", hint="let the server itself be read, when it runs again")
            if magic != MAGIC:
                raise StatementFailed(f"{path} is no binary log: it begins with {magic.hex()}")
            checksum = False
            while len(head := log.read(HEADER_BYTES)) == HEADER_BYTES:
                at_s, kind, server_id, size, end, _ = _HEADER.unpack(head)
                offset = log.tell() - HEADER_BYTES
                if size < HEADER_BYTES or end not in {0, (offset + size) & 0xFFFFFFFF}:
                    raise StatementFailed(f"{path}: the event at {offset} is damaged: its length does not fit", hint="copy the log again")
                rest = log.read(size - HEADER_BYTES)
                if len(rest) < size - HEADER_BYTES:
                    return
                whole = head + rest
                if kind == FORMAT:
                    checksum = _has_checksum(whole)
                if kind == _ENCRYPTION:
                    raise StatementFailed(f"{path} is encrypted from {offset} on", hint="let the server itself be read, when it runs again")
                if checksum and not _is_sound(whole, is_format=kind == FORMAT):
                    raise StatementFailed(f"{path}: the event at {offset} does not match its checksum", hint="copy the log again")
                body = _body(whole, checksum=checksum or kind == FORMAT)
                yield _plain(RawEvent(file=name, offset=offset, kind=kind, at_s=at_s, server_id=server_id, body=body))
    except OSError as error:
        raise StatementFailed(f"{path} can't be read: {error}") from error


def one_event(whole: bytes, file: str, offset: int) -> RawEvent:
    """An event by itself, with a checksum or without one, which is tried."""
    at_s, kind, server_id, _, _, _ = _header(whole)
    body = _body(whole, checksum=_is_sound(whole, is_format=False))
    return RawEvent(file=file, offset=offset, kind=kind, at_s=at_s, server_id=server_id, body=body)


def version_in(path: Path) -> str:
    """The version of the server that wrote the file, as its format event says."""
    first = next(from_file(path), None)
    return first.body[2:52].rstrip(b"\0").decode(errors="replace") if first is not None and first.kind == FORMAT else ""


def _header(whole: bytes) -> tuple[int, int, int, int, int, int]:
    if len(whole) < HEADER_BYTES:
        raise ValueError(f"an event of {len(whole)} bytes")
    at_s, kind, server_id, size, end, flags = _HEADER.unpack_from(whole)
    return at_s, kind, server_id, size, end, flags


def _has_checksum(format_event: bytes) -> bool:
    """The format event's last five bytes: which checksum, and its own (since 5.6 and MariaDB 5.3 always there)."""
    return format_event[-_CHECKSUM_BYTES - 1] == _CRC32


def _is_sound(whole: bytes, *, is_format: bool) -> bool:
    """A log that is in use has a flag set in its format event, which its checksum leaves out (LOG_EVENT_BINLOG_IN_USE_F)."""
    content, said = whole[:-_CHECKSUM_BYTES], int.from_bytes(whole[-_CHECKSUM_BYTES:], "little")
    if is_format:
        content = content[:17] + bytes([content[17] & 0xFE]) + content[18:]
    return zlib.crc32(content) == said


def _body(whole: bytes, *, checksum: bool) -> bytes:
    return whole[HEADER_BYTES : -_CHECKSUM_BYTES if checksum else None]


def _rotated(whole: bytes) -> tuple[str, int]:
    """What follows. The first one comes before the format event, which says whether events have checksums: it is tried."""
    body = _body(whole, checksum=_is_sound(whole, is_format=False))
    return body[8:].decode(errors="replace"), int.from_bytes(body[:8], "little")


def _plain(event: RawEvent) -> RawEvent:
    """MariaDB's `log_bin_compress`: what comes last in an event is packed. ValueError if it can't be unpacked."""
    if event.kind not in _UNCOMPRESSED:
        return event
    kind = _UNCOMPRESSED[event.kind]
    start = _packed_from(event.body, kind)
    try:
        body = event.body[:start] + _unpacked(event.body[start:])
    except (zlib.error, IndexError) as error:
        raise ValueError(f"a compressed event that can't be unpacked: {error}") from error
    return RawEvent(file=event.file, offset=event.offset, kind=kind, at_s=event.at_s, server_id=event.server_id, body=body)


def _packed_from(body: bytes, kind: int) -> int:
    """Behind a query's status and schema, or behind a row event's bitmaps of columns."""
    if kind == QUERY:
        schema, _, status = struct.unpack_from("<BHH", body, 8)
        return int(_QUERY_POST_HEADER + status + schema + 1)
    at = _ROW_POST_HEADER
    if kind >= _FIRST_V2:
        (extra,) = struct.unpack_from("<H", body, at)
        at += extra
    width, taken = _lenenc(body, at)
    bitmaps = 2 if kind in _UPDATES else 1
    return at + taken + bitmaps * ((width + 7) // 8)


def _lenenc(body: bytes, at: int) -> tuple[int, int]:
    """The protocol's length-encoded integer, and how many bytes it took."""
    first = body[at]
    taken = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first, 0)
    return (int.from_bytes(body[at + 1 : at + 1 + taken], "little"), taken + 1) if taken else (first, 1)


def _unpacked(packed: bytes) -> bytes:
    """One byte: 0x80, the algorithm (0 is zlib), and how many bytes the length has; the length, big-endian; the data."""
    length = packed[0] & 0x07
    if packed[0] & 0x70:
        raise ValueError(f"an event compressed by an unknown algorithm: {packed[0]:#x}")
    return zlib.decompress(packed[1 + length :])
