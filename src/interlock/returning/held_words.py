"""How a server is made to hold exactly a position, with a binary log that begins there: pure.

RESET SLAVE (RESET REPLICA) first: what came of a channel goes, with the error that stopped it; the source, account, password and the way
to find a place stay (tried on MariaDB 10.11; MySQL manual). MariaDB: RESET MASTER, then `gtid_binlog_state`, only while the log is empty,
and `gtid_slave_pos`, only while no channel runs (MariaDB KB "Global Transaction ID"). MySQL: RESET BINARY LOGS AND GTIDS (RESET MASTER
before 8.2), and `gtid_purged`.
"""

from __future__ import annotations

from collections.abc import Sequence

from interlock.servers.quoting import text
from interlock.servers.versions import Version

RELEASED = (8, 2, 0)
"""From here on MySQL says BINARY LOGS AND GTIDS; from 8.0.22 on it says REPLICA."""

_REPLICA = (8, 0, 22)


def held_words(flavor: str, version: Version, position: str, channels: Sequence[str]) -> tuple[str, ...]:
    """`channels` are the names of the server's channels, which are stopped first."""
    if flavor == "mariadb":
        return (
            *(f"{verb} SLAVE{f' {text(one)}' if one else ''}" for one in channels for verb in ("STOP", "RESET")),
            "RESET MASTER",
            f"SET GLOBAL gtid_binlog_state={text(position)}",
            f"SET GLOBAL gtid_slave_pos={text(position)}",
        )
    noun = "REPLICA" if version >= _REPLICA else "SLAVE"
    return (
        *(f"{verb} {noun} FOR CHANNEL {text(one)}" for one in channels for verb in ("STOP", "RESET")),
        "RESET BINARY LOGS AND GTIDS" if version >= RELEASED else "RESET MASTER",
        f"SET GLOBAL gtid_purged={text(position)}",
    )


def writer_words(flavor: str) -> tuple[str, ...]:
    """What the writer is told, once its channels from the server stand still; nothing but on MariaDB.

    It asks for what its `gtid_slave_pos` lacks, also of its own domain, and the new log begins later: 1236. It holds all that it logged, so
    that is what it says. Refused (BEHIND) if the writer wrote between the reading and the setting.
    """
    return ("SET GLOBAL gtid_slave_pos=@@GLOBAL.gtid_binlog_pos",) if flavor == "mariadb" else ()


BEHIND = 1947
"""`gtid_strict_mode`: the binary log has a more recent GTID (tried on MariaDB 10.11)."""
