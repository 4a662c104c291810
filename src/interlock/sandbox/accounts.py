"""The accounts of a sandbox. Each has a random password of its own, in a file that only the owner reads."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

TOOL, CANARY, REPLICATION, CLIENT, ADMIN, WATCH = "interlock", "interlock_canary", "repl", "app", "admin", "watch"

GRANTS: Mapping[str, tuple[str, ...]] = {
    TOOL: (
        # SUPER: SET GLOBAL event_scheduler asks for it in 10.11 (MariaDB server system variables, event_scheduler)
        (
            "PROCESS, RELOAD, SUPER, EVENT, REPLICATION SLAVE, READ ONLY ADMIN, REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN, "
            "SLAVE MONITOR, BINLOG MONITOR, CONNECTION ADMIN ON *.*"
        ),
        "SELECT ON mysql.*",
        "ALL ON interlock.*",
    ),
    CANARY: ("SELECT, INSERT, UPDATE, DELETE ON interlock.*",),
    REPLICATION: ("REPLICATION SLAVE, REPLICATION SLAVE ADMIN, SLAVE MONITOR, BINLOG MONITOR ON *.*",),
    CLIENT: ("SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER, LOCK TABLES, EVENT, TRIGGER, EXECUTE ON app.*",),
    ADMIN: ("ALL ON *.* TO admin@'%' WITH GRANT OPTION",),
    WATCH: ("USAGE ON *.*",),
}


def statements() -> tuple[str, ...]:
    """What makes the accounts and the schemas, without a password: nobody can log in until `passwords_sql` was run."""
    made = ["FLUSH PRIVILEGES", "CREATE DATABASE app", "CREATE DATABASE interlock"]
    for user, grants in GRANTS.items():
        made.append(f"CREATE USER {user}@'%' IDENTIFIED VIA mysql_native_password USING 'invalid'")
        made += [f"GRANT {grant}" if " TO " in grant else f"GRANT {grant} TO {user}@'%'" for grant in grants]
    made += [
        # no unique key on k: a row that arrives twice shall be seen, not refused
        (
            "CREATE TABLE app.ledger (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, k VARCHAR(64) NOT NULL, "
            "server_id INT UNSIGNED NOT NULL, KEY k (k)) ENGINE=InnoDB"
        ),
        (
            "CREATE TABLE interlock.canary (token VARCHAR(64) NOT NULL PRIMARY KEY, server VARCHAR(64) NOT NULL DEFAULT '', "
            "at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)) ENGINE=InnoDB"
        ),
    ]
    return tuple(made)


def write_passwords(folder: Path) -> dict[str, str]:
    """A new password for each account, each in a file of the account's name, mode 0600, in `folder` (made 0700)."""
    folder.mkdir(mode=0o700)
    passwords = {user: secrets.token_urlsafe(18) for user in GRANTS}
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
