"""The words of a segment's effects, for MariaDB and MySQL alike: pure. None of them goes into the binary log (`sql_log_bin=0`).

Why a lock, a REVOKE and a KILL, all three: ACCOUNT LOCK does not touch sessions that are there, and after a REVOKE on a schema a session
goes on writing until its next USE (tried on MariaDB 10.11).
"""

from __future__ import annotations

from collections.abc import Iterable

from interlock.model.effects import CloseSegment, GuardTables, NoteOwner, OpenSegment, SegmentEffect
from interlock.model.segments import AccountState, Right
from interlock.servers import guard_words
from interlock.servers.canary import SCHEMA
from interlock.servers.quoting import name, text

NEEDS = {"mariadb": ("CREATE USER", "BINLOG ADMIN"), "mysql": ("CREATE USER",)}
"""What Interlock's account needs on everything: to lock accounts, and to keep that out of the binary log (SYSTEM_VARIABLES_ADMIN on MySQL,
which it needs anyway). By flavor, of those whose segments can be closed.
"""
_TABLE = (
    "CREATE TABLE IF NOT EXISTS `interlock`.`segment_owner` (`segment` VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL "
    "PRIMARY KEY, `owner` VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `epoch` BIGINT UNSIGNED NOT NULL) ENGINE=InnoDB"
)
MAKE_TABLE = (SCHEMA, _TABLE)
"""Where an owner is noted, made when the first one is."""


def statements(effect: SegmentEffect) -> tuple[str, ...]:
    """What is sent on a connection that logs nothing, in one round trip."""
    match effect:
        case CloseSegment(accounts=accounts):
            locked = (_lock(effect.segment, each, on=True) for each in accounts if not each.locked)
            return (*locked, *(line for each in accounts for line in _taking(each)))
        case OpenSegment(accounts=accounts):
            given = (_grant(each, right) for each in accounts for right in each.rights)
            return (*given, *(_lock(effect.segment, each, on=False) for each in accounts if not each.locked))
        case GuardTables():
            wanted = guard_words.triggers(effect.segment, effect.tenants, effect.tables)
            return guard_words.make(effect.segment, wanted, closed=effect.closed)
        case NoteOwner(segment=segment, note=note):
            if note is None:
                return (f"DELETE FROM `interlock`.`segment_owner` WHERE `segment`={text(segment)}",)
            owner, epoch = text(note.owner), f"{note.epoch:d}"
            noting = (
                f"INSERT INTO `interlock`.`segment_owner` (`segment`, `owner`, `epoch`) VALUES ({text(segment)}, {owner}, {epoch}) "
                f"ON DUPLICATE KEY UPDATE `owner`={owner}, `epoch`={epoch}"
            )
            return (noting,)


def script(effect: SegmentEffect) -> tuple[str, ...]:
    """The same for people: with the setting of the connection, and what follows it."""
    lines = ("SET SESSION sql_log_bin=0", *statements(effect))
    users = ", ".join(sorted(map(text, users_of(effect.accounts)))) if isinstance(effect, CloseSegment) else ""
    if not users:
        return lines
    return (*lines, f"KILL of each session of {users}, until none is left")


def schema_need(schema: str, account: str) -> str:
    """Who gives a right must have it himself, with GRANT OPTION."""
    return f"GRANT ALL PRIVILEGES ON {name(schema)}.* TO {account} WITH GRANT OPTION"


def note_of(segment: str) -> str:
    return f"SELECT `owner`, `epoch` FROM `interlock`.`segment_owner` WHERE `segment`={text(segment)}"


def account_of(account: str) -> tuple[str, str]:
    """User and host of `user@host`."""
    user, _, host = account.rpartition("@")
    return user, host


def users_of(accounts: Iterable[AccountState]) -> set[str]:
    """Whose sessions are those of the segment."""
    return {account_of(each.account)[0] for each in accounts if not each.guard}


def sql_of(account: str) -> str:
    user, host = account_of(account)
    return f"{text(user)}@{text(host)}"


def _lock(segment: str, account: AccountState, *, on: bool) -> str:
    if account.guard:
        return guard_words.lock(segment, on=on)
    return f"ALTER USER {sql_of(account.account)} ACCOUNT {'LOCK' if on else 'UNLOCK'}"


def _taking(account: AccountState) -> tuple[str, ...]:
    """GRANT OPTION by itself: ALL PRIVILEGES stands alone in a REVOKE on a schema (1064 on MariaDB 10.11 and MySQL 9.7)."""
    return tuple(
        f"REVOKE {given} ON {right.on} FROM {sql_of(account.account)}"
        for right in account.rights
        for given in (", ".join(right.privileges), *(("GRANT OPTION",) if right.grant_option else ()))
    )


def _grant(account: AccountState, right: Right) -> str:
    option = " WITH GRANT OPTION" if right.grant_option else ""
    return f"GRANT {', '.join(right.privileges)} ON {right.on} TO {sql_of(account.account)}{option}"
