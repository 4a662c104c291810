"""MySQL's compressed transactions, taken apart by the server's own mysqlbinlog: the standard library of Python 3.11 knows no zstd.

The events go through a file of a few of them, and come back as the BINLOG statements that the program prints (tried with 9.7). Without the
program they stay as they are, and are told as not readable. Source: MySQL manual, "Binary Log Transaction Compression".
"""

from __future__ import annotations

import base64
import binascii
import re
import shutil
import struct
import subprocess
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from interlock.losses import raw
from interlock.losses.raw import RawEvent

PROGRAM = "mysqlbinlog"
VARIABLE = "INTERLOCK_MYSQLBINLOG"
"""Names the program where the one of the path is another (MariaDB's has the same name)."""

_AT_ONCE, _BYTES_AT_ONCE = 500, 16 << 20
_WITHIN_S = 60
_XID = 16
_VERSION, _OLDEST = re.compile(rb"Ver (\d+)\."), 8  # MariaDB's, of the same name, counts its own versions: 3.x
_BEGIN, _END = b"# Start of compressed events.", b"# End of compressed events."
_STATEMENT = re.compile(rb"^BINLOG '\n([A-Za-z0-9+/=\n]*)'", re.MULTILINE)
_BASE64 = re.compile(rb"[A-Za-z0-9+/\n]+={0,2}")
"""Each event is padded by itself, and the next one follows."""

_NAMED = re.compile(rb"^#\d{6} .* end_log_pos \d+ (?:CRC32 0x[0-9a-f]+ )?\t(\w+)", re.MULTILINE)
_ROWS, _OTHERS = frozenset({b"Table_map", b"Write_rows", b"Update_rows", b"Delete_rows"}), frozenset({b"Query", b"Xid", b"Rows_query"})


def mysqlbinlog(environ: Mapping[str, str]) -> str | None:
    """The program of MySQL; None if there is none here."""
    program = environ.get(VARIABLE) or shutil.which(PROGRAM, path=environ.get("PATH"))
    if program is None:
        return None
    try:
        told = subprocess.run([program, "--version"], capture_output=True, timeout=_WITHIN_S, check=False)  # noqa: S603 - the operator's own
    except (OSError, subprocess.TimeoutExpired):
        return None
    matched = _VERSION.search(told.stdout)
    return program if told.returncode == 0 and matched is not None and int(matched[1]) >= _OLDEST else None


def unpacked(log: Iterable[RawEvent], program: str | None) -> Iterator[RawEvent]:
    """The same events, with what was compressed in its place; a compressed one that can't be taken apart stays."""
    form: RawEvent | None = None
    waiting: list[RawEvent] = []
    packed = size = 0
    for event in log:
        if event.kind == raw.FORMAT:
            yield from _flushed(form, waiting, program)
            form, packed, size = event, 0, 0
            waiting.clear()
        waiting.append(event)
        if event.kind == raw.TRANSACTION_PAYLOAD:
            packed, size = packed + 1, size + len(event.body)
        if packed == 0 or packed >= _AT_ONCE or size > _BYTES_AT_ONCE:
            yield from _flushed(form, waiting, program)
            waiting.clear()
            packed = size = 0
    yield from _flushed(form, waiting, program)


def _flushed(form: RawEvent | None, events: Sequence[RawEvent], program: str | None) -> Iterator[RawEvent]:
    packed = [event for event in events if event.kind == raw.TRANSACTION_PAYLOAD]
    found = _taken_apart(form, packed, program) if packed and form is not None and program is not None else None
    groups = iter(found or [[event] for event in packed])
    for event in events:
        if event.kind == raw.TRANSACTION_PAYLOAD:
            yield from next(groups)
        else:
            yield event


def _taken_apart(form: RawEvent, packed: Sequence[RawEvent], program: str) -> list[list[RawEvent]] | None:
    """For each its events and the commit; None if the program fails, or says something else than is expected."""
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder:  # only its owner may look: it holds customers' rows
        file = Path(folder) / "log.000001"
        file.write_bytes(raw.MAGIC + b"".join(map(_written, (form, *packed))))
        try:
            done = subprocess.run(  # noqa: S603 - as above
                [program, "--no-defaults", "--force-if-open", str(file)], capture_output=True, timeout=_WITHIN_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    parts = done.stdout.split(_BEGIN)[1:]
    if done.returncode or len(parts) != len(packed):
        return None
    try:
        return [_events(part, event) for part, event in zip(parts, packed, strict=True)]
    except (binascii.Error, struct.error, ValueError):
        return None


def _events(part: bytes, of: RawEvent) -> list[RawEvent]:
    """What the BINLOG statements hold, and the end that the program prints as COMMIT. ValueError unless they hold every event of rows that
    the program names, and it names nothing else that changes data.
    """
    part = part.partition(_END)[0]
    found: list[RawEvent] = []
    for matched in _STATEMENT.finditer(part):
        data = b"".join(base64.b64decode(each) for each in _BASE64.findall(matched[1]))
        while data:
            size = struct.unpack_from("<I", data, 9)[0]
            if not raw.HEADER_BYTES <= size <= len(data):
                raise ValueError(f"an event of {size} bytes among {len(data)}")
            found.append(raw.one_event(data[:size], of.file, of.offset))
            data = data[size:]
    names = Counter(_NAMED.findall(part))
    if not set(names) <= _ROWS | _OTHERS or names[b"Query"] != 1 or sum(names[name] for name in _ROWS) != len(found) or not found:
        raise ValueError(f"{len(found)} events were read of {dict(names)}")
    found.append(RawEvent(file=of.file, offset=of.offset, kind=_XID, at_s=of.at_s, server_id=of.server_id, body=bytes(8)))
    return found


def _written(event: RawEvent) -> bytes:
    """As it stands in a file with checksums. (The format event says that there are some: its last byte.)"""
    body = event.body[:-1] + b"\x01" if event.kind == raw.FORMAT else event.body
    content = event.packet[1 : 1 + raw.HEADER_BYTES] + body
    return content + zlib.crc32(content).to_bytes(4, "little")
