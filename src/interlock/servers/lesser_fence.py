"""The fence through which administrators may write, and nobody else: for who has to change rows on a server that takes no clients.

MySQL's `super_read_only` stops its administrators too, our own account among them; `read_only` alone lets them through (MySQL manual,
"Server System Variables"; who passes it: `mysql_accounts.py`). What is persisted stays: a server that restarts meanwhile is fenced as
closely as before. MariaDB's `read_only` lets READ ONLY ADMIN through; `NO_LOCK_NO_ADMIN`, of 12 and newer, does not.
"""

from __future__ import annotations

from dataclasses import replace

from interlock.servers import mariadb_facts
from interlock.servers.mysql_script import Seen


def lesser(flavor: str, fence: str) -> str | None:
    """For `Fence.as_was`, by a `WriteFacts.fence` that was seen; None if administrators may write through that one already."""
    if flavor == "mysql":
        seen = Seen.parse(fence)
        return str(replace(seen, closed="read_only")) if seen.closed == "super_read_only" else None
    return mariadb_facts.lesser(fence)
