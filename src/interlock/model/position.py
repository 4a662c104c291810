"""Positions in replication, and the one question that matters: does this server hold all that the other one acknowledged?

Two rules: a position is compared with another of its own kind only, and *containment* decides, never seconds.

Sources: MariaDB KB "Global Transaction ID" (a GTID is domain-server-sequence; `gtid_binlog_pos` holds the last one of each domain).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

_MARIADB_GTID = re.compile(r"(\d+)-(\d+)-(\d+)")


class Position(ABC):
    """A point in what a server has logged or applied."""

    @abstractmethod
    def contains(self, other: Position, /) -> bool:
        """Whether a server at this position holds everything up to `other`. Positions of another kind are never contained."""

    @abstractmethod
    def behind(self, other: Position, /) -> int:
        """How many transactions of `other` are missing here, at the least; 0 if none or not comparable."""


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

    def contains(self, other: Position, /) -> bool:
        return isinstance(other, MariaDBPosition) and self.behind(other) == 0

    def behind(self, other: Position, /) -> int:
        if not isinstance(other, MariaDBPosition):
            return 0
        missing = 0
        for theirs in other.gtids:
            ours = self.of_domain(theirs.domain)
            missing += max(0, theirs.sequence - (ours.sequence if ours else 0))
        return missing

    def __str__(self) -> str:
        return ",".join(str(gtid) for gtid in self.gtids)


def parse_position(text: str) -> Position:
    """A position from the text in a journal, a playbook or a report. ValueError says what it could not be read as."""
    return MariaDBPosition.parse(text)
