"""The marked row that proves where writes go. One table on each pair, one row for each token.

A row is removed only by the server that wrote it: two sides that both removed the same row would break replication (1032).
"""

from __future__ import annotations

from interlock.model.topology import ServerName
from interlock.servers.quoting import text

KEPT_ROWS = 1000
SCHEMA = "CREATE DATABASE IF NOT EXISTS `interlock`"
TABLE = (
    "CREATE TABLE IF NOT EXISTS `interlock`.`canary` (`token` VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY, "
    "`server` VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, "
    "`at` TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)) ENGINE=InnoDB"
)
_WRITABLE = "CONCAT(@@GLOBAL.read_only) IN ('0', 'OFF', 'false')"
"""A number on MySQL and on MariaDB until 11.x; a word from 12 on, where `'ON' = 0` would be true, and perhaps another one on Xpand. Judged
under the statement's locks, which a fence waits for.
"""

MISSING = frozenset({1049, 1146})


def upsert(server: ServerName, token: str) -> str:
    """For an account that does not pass read_only: a read-only server refuses it with 1290, before it looks for the table."""
    return (
        f"INSERT INTO `interlock`.`canary` (`token`, `server`) VALUES ({text(token)}, {text(server)}) "
        f"ON DUPLICATE KEY UPDATE `server`={text(server)}, `at`=CURRENT_TIMESTAMP(6)"
    )


def upsert_if_writable(server: ServerName, token: str) -> str:
    """For Interlock's own account, which passes read_only: the statement itself looks, and writes nothing on a read-only server."""
    return (
        f"INSERT INTO `interlock`.`canary` (`token`, `server`) SELECT {text(token)}, {text(server)} FROM DUAL WHERE {_WRITABLE} "
        f"ON DUPLICATE KEY UPDATE `server`={text(server)}, `at`=CURRENT_TIMESTAMP(6)"
    )


def has_old(server: ServerName) -> str:
    """A row if there is something to prune. Asked first: logged as a statement, a DELETE that finds nothing is a transaction too, and in a
    group commit MariaDB before 11.5 can't send that one to a MySQL (MDEV-33849, docs/servers/mixed.md).
    """
    return f"SELECT 1 FROM `interlock`.`canary` WHERE `server`={text(server)} LIMIT 1 OFFSET {KEPT_ROWS:d}"


def prune_if_writable(server: ServerName) -> str:
    """Removes what is older than the newest KEPT_ROWS of this server. It looks first, too: it must not move a fence's position."""
    newest = f"SELECT `at` FROM `interlock`.`canary` WHERE `server`={text(server)} ORDER BY `at` DESC LIMIT 1 OFFSET {KEPT_ROWS:d}"
    return (
        f"DELETE FROM `interlock`.`canary` WHERE {_WRITABLE} AND `server`={text(server)} "
        f"AND `at` <= (SELECT `at` FROM ({newest}) AS `oldest_kept`)"
    )


def seen(token: str) -> str:
    return f"SELECT 1 FROM `interlock`.`canary` WHERE `token`={text(token)}"
