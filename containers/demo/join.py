"""Makes two fresh servers a pair: each replicates from the other, and east takes the writes. What is a pair already is left so."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from pymysql.connections import Connection
from pymysql.cursors import DictCursor

from demo.servers import PAUSE_S, await_server, connected, rows, value
from interlock.clock import Deadline, SystemClock
from interlock.sandbox import accounts

ACCOUNTS = Path("/secrets/setup/accounts")
WITHIN_S = 60.0


def main() -> None:
    deadline = Deadline.after(SystemClock(), WITHIN_S)
    admin = ACCOUNTS / accounts.ADMIN
    for side in ("east", "west"):
        await_server(side, accounts.ADMIN, admin, deadline)
    with ExitStack() as stack:
        east, west = (stack.enter_context(connected(side, accounts.ADMIN, admin)) for side in ("east", "west"))
        replicate(east, "west", deadline)
        replicate(west, "east", deadline)
        if fenced(east) and fenced(west):
            hold_the_same(east, west)
            rows(east, "SET GLOBAL read_only=0")
        if fenced(west) and not rows(east, "SHOW TABLES FROM app LIKE 'ledger'"):
            rows(east, accounts.LEDGER)
    await_server("proxy", accounts.CLIENT, ACCOUNTS / accounts.CLIENT, deadline)


def replicate(server: Connection[DictCursor], source: str, deadline: Deadline) -> None:
    """Wait until it runs. SystemExit with the server's own words if it does not."""
    if not rows(server, "SHOW SLAVE STATUS"):
        rows(
            server,
            "CHANGE MASTER TO MASTER_HOST=%s, MASTER_USER=%s, MASTER_PASSWORD=%s, MASTER_USE_GTID=slave_pos, "
            "MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=1",
            source,
            accounts.REPLICATION,
            (ACCOUNTS / accounts.REPLICATION).read_text().rstrip("\n"),
        )
        rows(server, "START SLAVE")
    while True:
        (channel,) = rows(server, "SHOW SLAVE STATUS")
        if channel["Slave_IO_Running"] == channel["Slave_SQL_Running"] == "Yes":
            return
        if deadline.is_over() or channel["Last_SQL_Error"]:
            raise SystemExit(f"no replication from {source}: {channel['Last_SQL_Error'] or channel['Last_IO_Error']}")
        deadline.clock.sleep(PAUSE_S)


def fenced(server: Connection[DictCursor]) -> bool:
    return bool(value(server, "SELECT @@read_only"))


def hold_the_same(east: Connection[DictCursor], west: Connection[DictCursor]) -> None:
    """After a restart both are fenced: neither may be opened that lacks what the other has."""
    for server, other in ((east, west), (west, east)):
        position = value(other, "SELECT @@gtid_binlog_pos")
        if position and value(server, "SELECT MASTER_GTID_WAIT(%s, 10)", position) != 0:
            raise SystemExit(f"one server does not hold {position} of the other after 10s: it is for a person to decide")


if __name__ == "__main__":
    main()
