"""MySQL's tagged GTIDs (8.3 and newer), which the library does not read: the GTID of an event, and the set at the head of a file.

Sources: mysql/serialization (numbers of variable length: as many low bits set as bytes follow, then one that is not), Gtid_event's fields,
and Gtid_set::encode. Tried on 9.7.4.
"""

from __future__ import annotations

import struct

from interlock.model.position import GtidSource, MySQLPosition

_FLAGS, _UUID, _NUMBER, _TAG = range(4)


def tagged_gtid(body: bytes) -> str:
    """`uuid:tag:17`, of an event of type 42. ValueError if it is none."""
    at = 0
    for _ in range(3):  # version, size, and the last field that may not be passed over
        _, at = _varied(body, at)
    found: dict[int, str] = {}
    while len(found) < 4:
        field, at = _varied(body, at)
        if field == _UUID:
            octets = bytearray()
            for _ in range(16):
                octet, at = _varied(body, at)
                octets.append(octet)
            found[field] = _uuid(bytes(octets))
        elif field == _TAG:
            length, at = _varied(body, at)
            found[field], at = body[at : at + length].decode(), at + length
        elif field in {_FLAGS, _NUMBER}:
            value, at = _varied(body, at)
            found[field] = str(value >> 1)  # the lowest bit is the sign's
        else:
            raise ValueError(f"field {field} of a tagged GTID")
    return f"{found[_UUID]}:{found[_TAG]}:{found[_NUMBER]}"


def previous_gtids(body: bytes) -> MySQLPosition:
    """The set of a Previous_gtids event, with tags or without. ValueError or struct.error if it is none."""
    (count,) = struct.unpack_from("<Q", body)
    tagged = count >> 56 == 1
    if tagged:
        count = (count >> 8) & ((1 << 48) - 1)
    at, sets = 8, []
    for _ in range(count):
        uuid, tag = _uuid(body[at : at + 16]), ""
        at += 16
        if tagged:
            length, at = _varied(body, at)
            tag, at = body[at : at + length].decode(), at + length
        (intervals,) = struct.unpack_from("<Q", body, at)
        pairs = [struct.unpack_from("<QQ", body, at + 8 + 16 * index) for index in range(intervals)]
        at += 8 + 16 * intervals
        sets.append((GtidSource(uuid, tag), tuple((first, end - 1) for first, end in pairs)))
    return MySQLPosition(tuple(sorted(sets)))


def _varied(body: bytes, at: int) -> tuple[int, int]:
    """The number that begins there, and where the next one does."""
    if at >= len(body):
        raise ValueError("a tagged GTID that is cut off")
    more = 0
    while more < 8 and body[at] >> more & 1:
        more += 1
    size = more + 1
    whole = int.from_bytes(body[at : at + size], "little")
    return whole >> min(more + 1, 8), at + size


def _uuid(octets: bytes) -> str:
    told = octets.hex()
    return "-".join((told[:8], told[8:12], told[12:16], told[16:20], told[20:]))
