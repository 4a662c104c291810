"""Which connections are clients', and what one of them does. Pure; the columns are those of `Dialect.sessions`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from interlock.model.facts import SessionFacts
from interlock.servers.accounts import Accounts
from interlock.servers.session import Row, text_of

_NOT_CLIENTS = frozenset({"Binlog Dump", "Binlog Dump GTID", "Daemon", "Slave_IO", "Slave_SQL", "Slave_worker"})
_NOT_USERS = frozenset({"system user", "event_scheduler"})
_COMMENTS = re.compile(r"^(?:\s+|/\*(?!!).*?\*/|--\s[^\n]*\n|#[^\n]*\n)+", re.DOTALL)
_DDL = re.compile(r"(?:ALTER|CREATE|DROP|TRUNCATE|RENAME|OPTIMIZE|REPAIR|ANALYZE)\b", re.IGNORECASE)


def is_client(row: Row, *, ours: Collection[int], our_users: Collection[str]) -> bool:
    """Whether a row of the process list is a client's session: not replication's, the server's own, or Interlock's.

    `ours` are this process's connections. A session of Interlock's account in another process counts once it has a transaction: somebody
    works with that account by hand.
    """
    return (
        text_of(row["user"]) not in _NOT_USERS
        and text_of(row["command"]) not in _NOT_CLIENTS
        and int(text_of(row["id"])) not in ours
        and (text_of(row["user"]) not in our_users or row.get("transaction_s") is not None)
    )


def as_facts(row: Row, *, known: Accounts, last: Mapping[int, str]) -> SessionFacts:
    """One connection. `last` holds the last statement of each session where the server tells."""
    number, user, host = int(text_of(row["id"])), text_of(row["user"]), text_of(row["host"])
    age = row["transaction_s"]
    return SessionFacts(
        id=number,
        user=user,
        host=host,
        command=text_of(row["command"]),
        state=text_of(row["state"]),
        time_s=max(0.0, float(text_of(row["time_s"]) or 0)),
        statement=(text_of(row["statement"]) or last.get(number, ""))[:200],
        transaction_s=None if age is None else max(0.0, float(text_of(age))),
        rows_modified=int(text_of(row["rows_modified"]) or 0),
        passes_read_only=known.passes(user, host),
        administrator=known.is_administrator(user, host),
    )


def log_readers(rows: Iterable[Row], *, our_user: str) -> tuple[str, ...]:
    """Who is sent the binary log now: replicas, and what follows it for other systems. Interlock itself is left out: it may be an audit."""
    found = [(text_of(row["user"]), text_of(row["host"])) for row in rows if _reads_log(row)]
    return tuple(f"{user}@{host}" for user, host in found if user != our_user)


def _reads_log(row: Row) -> bool:
    return text_of(row["command"]).startswith("Binlog Dump")


def turned_out(rows: Iterable[Row], known: Accounts) -> tuple[str, ...]:
    """Of the accounts that replicate from here, those that `offline_mode` would turn out, each as the GRANT that keeps it.

    A session has the rights of its login (MySQL manual, "When Privilege Changes Take Effect"): one from before the GRANT is turned out.
    """
    names = [(text_of(row["user"]), text_of(row["host"])) for row in rows if _reads_log(row)]
    lacking = sorted({user for user, host in names if not known.is_administrator(user, host)})
    which = "which replicates from here (SUPER on MySQL 5.7), then restart its receiver"
    return tuple(f"GRANT CONNECTION_ADMIN ON *.* TO the account {user}, {which}" for user in lacking)


def is_ddl(statement: str) -> bool:
    """Whether a statement changes definitions, behind any comments."""
    return _DDL.match(_COMMENTS.sub("", statement)) is not None
