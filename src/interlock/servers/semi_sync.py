"""Semi-synchronous replication as a server tells of it: alike in every flavor but for the names of the two sides.

MariaDB has it built in and says master and slave; MySQL has it as plugins, of both names from 8.0.26 on. What has no variables of it has
none of it. (MariaDB KB "Semisynchronous Replication"; MySQL manual of the same title.)
"""

from __future__ import annotations

from collections.abc import Sequence

from interlock.model.facts import SemiSyncFacts
from interlock.model.topology import ServerName
from interlock.servers.session import Result, text_of

LOOK = ("SHOW GLOBAL VARIABLES LIKE 'rpl\\_semi\\_sync\\_%'", "SHOW GLOBAL STATUS LIKE 'Rpl\\_semi\\_sync\\_%'")
_WORDS = ("source/replica", "master/slave")


def facts(server: ServerName, results: Sequence[Result]) -> SemiSyncFacts:
    """From what LOOK gave. The count of clients is kept also while commits do not wait; a receiver that has connected is told of before its
    source counts it (both tried on MariaDB 10.11).
    """
    told = {text_of(row["Variable_name"]).lower(): text_of(row["Value"]) for result in results for row in result.rows}
    for words in _WORDS:
        sends, receives = words.split("/")
        enabled = f"rpl_semi_sync_{sends}_enabled", f"rpl_semi_sync_{receives}_enabled"
        if any(name in told for name in enabled):
            return SemiSyncFacts(
                server=server,
                words=words,
                waits=told.get(enabled[0]) in {"ON", "1"},
                acknowledges=told.get(enabled[1]) in {"ON", "1"},
                active=told.get(f"rpl_semi_sync_{receives}_status") in {"ON", "1"},
                clients=int(told.get(f"rpl_semi_sync_{sends}_clients") or 0),
                timeout_ms=int(told.get(f"rpl_semi_sync_{sends}_timeout") or 0),
            )
    return SemiSyncFacts(server=server, words="")
