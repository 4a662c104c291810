"""Positions in replication, and the one question that matters: does this server hold all that the other one acknowledged?

Two rules: a position is compared with another of its own kind only, and *containment* decides, never seconds.

Sources: MariaDB KB "Global Transaction ID" (a GTID is domain-server-sequence; `gtid_binlog_pos` holds the last one of each domain). MySQL
manual, "GTID Format and Storage" (sets of intervals for each source's UUID and, from 8.3, tag; UUIDs and tags in either case).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import NamedTuple, Self

from interlock.dataclass import dataclass

_MARIADB_GTID = re.compile(r"(\d+)-(\d+)-(\d+)")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TAG = re.compile(r"[a-z_][a-z0-9_]{0,31}")
_INTERVAL = re.compile(r"(\d+)(?:-(\d+))?")
_FILE_POINT = re.compile(r"([^=,\s]+)=([^=,\s]*?)(\d+):(\d+)")


class Position(ABC):
    """A point in what a server has logged or applied."""

    def contains(self, other: Position, /) -> bool:
        """Whether a server at this position holds everything up to `other`. Of another kind, only the position before any write is."""
        return other.is_origin or (type(other) is type(self) and self.behind(other) == 0)

    @abstractmethod
    def behind(self, other: Position, /) -> int:
        """How many transactions of `other` are missing here, at the least; 0 if none or not comparable."""

    @property
    @abstractmethod
    def is_origin(self) -> bool:
        """Whether it is the position before any write."""

    def can_be_compared_with(self, other: Position, /) -> bool:
        """Whether both are of one kind, or one of them is the origin."""
        return type(other) is type(self) or other.is_origin or self.is_origin


@dataclass(frozen=True, slots=True)
class Gtid:
    """One MariaDB transaction: replication domain, originating server, sequence number within the domain."""

    domain: int
    server_id: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.domain}-{self.server_id}-{self.sequence}"


@dataclass(frozen=True, slots=True)
class MariaDBPosition(Position):
    """The last GTID of each replication domain, ordered by domain."""

    gtids: tuple[Gtid, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `0-1-42,7-2-9`. The same domain twice keeps the highest sequence number. ValueError if it is no position."""
        last: dict[int, Gtid] = {}
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            matched = _MARIADB_GTID.fullmatch(part)
            if matched is None:
                raise ValueError(f"not a MariaDB GTID: {part!r}")
            gtid = Gtid(*(int(number) for number in matched.groups()))
            known = last.get(gtid.domain)
            if known is None or known.sequence < gtid.sequence:
                last[gtid.domain] = gtid
        return cls(tuple(last[domain] for domain in sorted(last)))

    def of_domain(self, domain: int) -> Gtid | None:
        return next((gtid for gtid in self.gtids if gtid.domain == domain), None)

    def only(self, domain: int) -> MariaDBPosition:
        """The part of one domain. A replica that waits for a domain it never saw waits until the time-out, so ask for the source's own."""
        return MariaDBPosition(tuple(gtid for gtid in self.gtids if gtid.domain == domain))

    def written_by(self, domain: int | None, server_id: int) -> MariaDBPosition:
        """The last transaction that this server itself wrote into its own domain; empty if another server's stands there."""
        return MariaDBPosition(tuple(gtid for gtid in self.gtids if (gtid.domain, gtid.server_id) == (domain, server_id)))

    def behind(self, other: Position, /) -> int:
        if not isinstance(other, MariaDBPosition):
            return 0
        missing = 0
        for theirs in other.gtids:
            ours = self.of_domain(theirs.domain)
            missing += max(0, theirs.sequence - (ours.sequence if ours else 0))
        return missing

    @property
    def is_origin(self) -> bool:
        return not self.gtids

    def __str__(self) -> str:
        return ",".join(str(gtid) for gtid in self.gtids)


Interval = tuple[int, int]
"""First and last transaction number, both of them in it."""


class GtidSource(NamedTuple):
    """Whose numbers they are in MySQL: the server's UUID and, if it has one, the tag; both in lower case."""

    uuid: str
    tag: str = ""


@dataclass(frozen=True, slots=True)
class MySQLPosition(Position):
    """A GTID set: for each source its numbers, as intervals in order that neither touch nor overlap."""

    sets: tuple[tuple[GtidSource, tuple[Interval, ...]], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `uuid:1-5:7:tag:1-3,uuid:2`. ValueError if it is no GTID set."""
        found: dict[GtidSource, list[Interval]] = {}
        for part in filter(None, (piece.strip().lower() for piece in text.split(","))):
            uuid, *rest = (word.strip() for word in part.split(":"))
            if _UUID.fullmatch(uuid) is None or not rest:
                raise ValueError(f"not a MySQL GTID set: {part!r}")
            source = GtidSource(uuid)
            for word in rest:
                if _TAG.fullmatch(word):
                    source = GtidSource(uuid, word)
                else:
                    found.setdefault(source, []).append(_interval(word, part))
        return cls(tuple((source, _joined(found[source])) for source in sorted(found)))

    def intervals(self, source: GtidSource) -> tuple[Interval, ...]:
        return next((intervals for known, intervals in self.sets if known == source), ())

    def written_by(self, uuid: str) -> MySQLPosition:
        """What the server of this UUID wrote itself, with any tag."""
        return MySQLPosition(tuple(one for one in self.sets if one[0].uuid == uuid.lower()))

    def minus(self, other: MySQLPosition) -> MySQLPosition:
        """What is here and not in `other`, as GTID_SUBTRACT tells."""
        left = ((source, _without(intervals, other.intervals(source))) for source, intervals in self.sets)
        return MySQLPosition(tuple((source, intervals) for source, intervals in left if intervals))

    def behind(self, other: Position, /) -> int:
        if not isinstance(other, MySQLPosition):
            return 0
        return sum(last - first + 1 for _, intervals in other.minus(self).sets for first, last in intervals)

    @property
    def is_origin(self) -> bool:
        return not self.sets

    def __str__(self) -> str:
        return ",".join(
            ":".join([source.uuid, *filter(None, [source.tag]), *(str(a) if a == b else f"{a}-{b}" for a, b in intervals)])
            for source, intervals in self.sets
        )


@dataclass(frozen=True, slots=True)
class LogPoint:
    """Where a binary log is read or written: the file's name and number (`east-bin.` and 12), and the offset in bytes.

    `digits` is how many the number is written with. It is not compared: a log that comes to its 1,000,000th file writes seven.
    """

    base: str
    number: int
    offset: int
    digits: int = field(default=6, compare=False)

    @classmethod
    def of(cls, file: str, offset: int) -> Self:
        """ValueError if the file's name has no number at its end."""
        matched = re.fullmatch(r"(.*?)(\d+)", file)
        if matched is None:
            raise ValueError(f"not the name of a binary log file: {file!r}")
        return cls(matched[1], int(matched[2]), offset, len(matched[2]))

    def __str__(self) -> str:
        return f"{self.file}:{self.offset}"

    @property
    def file(self) -> str:
        return f"{self.base}{self.number:0{self.digits}d}"

    def reaches(self, other: LogPoint) -> bool:
        """Logs of another name can't be compared: somebody renamed them, or these are two servers."""
        return self.base == other.base and (self.number, self.offset) >= (other.number, other.offset)


@dataclass(frozen=True, slots=True)
class FilePosition(Position):
    """For each server of the pair a point *in that server's own log*: for itself how far it wrote, for its sources how far it applied.

    Ordered by server. Meant for pairs without GTIDs, and for mixed ones; what a log's reset (RESET MASTER) makes of it can't be told.
    """

    points: tuple[tuple[str, LogPoint], ...] = ()

    @classmethod
    def of(cls, points: Mapping[str, LogPoint]) -> Self:
        return cls(tuple(sorted(points.items(), key=lambda one: one[0])))

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `east=mysql-bin.000012:4711,west=mysql-bin.000003:120`. ValueError if it is no such position."""
        points: dict[str, LogPoint] = {}
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            matched = _FILE_POINT.fullmatch(part)
            if matched is None or matched[1] in points:
                raise ValueError(f"not a binary log position: {part!r}")
            points[matched[1]] = LogPoint.of(matched[2] + matched[3], int(matched[4]))
        return cls.of(points)

    def of_server(self, server: str) -> LogPoint | None:
        return next((point for name, point in self.points if name == server), None)

    def only(self, server: str) -> FilePosition:
        """The part of one server's log."""
        return FilePosition(tuple(one for one in self.points if one[0] == server))

    def behind(self, other: Position, /) -> int:
        """How many logs are not read as far as `other`: each lacks one transaction at the least."""
        if not isinstance(other, FilePosition):
            return 0
        ours = dict(self.points)
        return sum(1 for server, theirs in other.points if server not in ours or not ours[server].reaches(theirs))

    @property
    def is_origin(self) -> bool:
        return not self.points

    def __str__(self) -> str:
        return ",".join(f"{server}={point.file}:{point.offset}" for server, point in self.points)


def parse_position(text: str) -> Position:
    """A position from the text in a journal, a playbook or a report; the empty text is the origin of every kind. ValueError says what it
    could not be read as.
    """
    if "=" in text:
        return FilePosition.parse(text)
    return MySQLPosition.parse(text) if ":" in text else MariaDBPosition.parse(text)


def _interval(word: str, part: str) -> Interval:
    matched = _INTERVAL.fullmatch(word)
    if matched is None:
        raise ValueError(f"not a MySQL GTID set: {word!r} in {part!r}")
    first, last = int(matched[1]), int(matched[2] or matched[1])
    if not 1 <= first <= last:
        raise ValueError(f"not a MySQL GTID set: the interval {word!r} in {part!r}")
    return first, last


def _joined(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    joined: list[Interval] = []
    for first, last in sorted(intervals):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return tuple(joined)


def _without(intervals: Iterable[Interval], taken: Iterable[Interval]) -> tuple[Interval, ...]:
    left = list(intervals)
    for gone_first, gone_last in taken:
        left = [
            piece
            for first, last in left
            for piece in ((first, min(last, gone_first - 1)), (max(first, gone_last + 1), last))
            if piece[0] <= piece[1]
        ]
    return tuple(left)
