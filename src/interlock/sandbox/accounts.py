"""The accounts of a sandbox. Each has a random password of its own, in a file that only the owner reads."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from interlock.sandbox.kinds import Kind
from interlock.servers.grants import grants_sql, repair_grant, return_grant

TOOL, CANARY, REPLICATION, CLIENT, ADMIN, WATCH = "interlock", "interlock_canary", "repl", "app", "admin", "watch"

# no unique key on k: a row that arrives twice shall be seen, not refused
LEDGER = (
    "CREATE TABLE app.ledger (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, k VARCHAR(64) NOT NULL, "
    "server_id INT UNSIGNED NOT NULL, KEY k (k)) ENGINE=InnoDB"
)
_NEWEST = (99, 0, 0)
ACCOUNTS = (TOOL, CANARY, REPLICATION, CLIENT, ADMIN, WATCH)


def statements(kind: Kind) -> tuple[str, ...]:
    """What makes the accounts and the schemas, without a password: nobody can log in until `passwords_sql` was run.

    The tool and its canary get what `interlock grants` prints, with what only some commands need: to put lost rows of `app` back, and to
    bring a server back that holds more than the writer.
    """
    return (
        "FLUSH PRIVILEGES",
        *(kind.new_account.format(user=user) for user in ACCOUNTS),
        "CREATE DATABASE app",
        *(f"GRANT {grant} TO {user}@'%'" for user, grant in kind.grants.items()),
        *(line.partition(";")[0] for line in grants_sql(kind.flavor, TOOL, CANARY).splitlines() if not line.startswith("--")),
        repair_grant("app", f"{TOOL}@'%'"),
        return_grant(kind.flavor, _NEWEST, f"{TOOL}@'%'"),
        *kind.more,
    )


def write_passwords(folder: Path) -> dict[str, str]:
    """A new password for each account, each in a file of the account's name, mode 0600, in `folder` (made 0700)."""
    folder.mkdir(mode=0o700)
    passwords = {user: secrets.token_urlsafe(18) for user in ACCOUNTS}
    for user, password in passwords.items():
        write_private(folder / user, password + "\n")
    return passwords


def write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def passwords_sql(passwords: Mapping[str, str]) -> str:
    """For `init_file`, which the server reads before it lets anyone in; not logged, so that each server of the ring has it as its own."""
    lines = ["SET sql_log_bin=0;"]
    lines += [f"ALTER USER {user}@'%' IDENTIFIED BY '{password}';" for user, password in passwords.items()]
    return "\n".join(lines) + "\n"
