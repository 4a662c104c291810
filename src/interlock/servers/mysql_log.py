"""The events of MySQL's binary log that tell of transactions."""

from __future__ import annotations

import re

from interlock.model.position import MySQLPosition
from interlock.servers.gtid_log import LogWords
from interlock.servers.session import Row, text_of

_NEXT = re.compile(r"GTID_NEXT\s*=\s*'([0-9A-Fa-f-]{36}:[^']+)'")
_BEGINS = frozenset({"Gtid", "Gtid_tagged_log_event", "Anonymous_Gtid"})


def begins(row: Row) -> bool:
    """Whether an event begins a transaction: each has one that says its GTID, or that it has none (from 5.7.6 on)."""
    return text_of(row["Event_type"]) in _BEGINS


def gtid_of(row: Row) -> str | None:
    """`uuid:17` or `uuid:tag:17`."""
    matched = _NEXT.search(text_of(row["Info"])) if begins(row) else None
    return matched[1].lower() if matched is not None else None


WORDS = LogWords(heading="Previous_gtids", gtid_of=gtid_of, parse=MySQLPosition.parse)
