"""The events of MariaDB's binary log that tell of transactions."""

from __future__ import annotations

import re

from interlock.model.position import MariaDBPosition
from interlock.servers.gtid_log import LogWords
from interlock.servers.session import Row, text_of

_GTID = re.compile(r"GTID (\d+-\d+-\d+)")


def begins(row: Row) -> bool:
    """Whether an event begins a transaction: MariaDB logs a GTID event for each, whatever its channels use."""
    return text_of(row["Event_type"]) == "Gtid"


def gtid_of(row: Row) -> str | None:
    """`0-1-42`. The server in it is the event's own (Server_id): the log keeps it once."""
    matched = _GTID.search(text_of(row["Info"])) if begins(row) else None
    return matched[1] if matched is not None else None


WORDS = LogWords(heading="Gtid_list", gtid_of=gtid_of, parse=MariaDBPosition.parse)
