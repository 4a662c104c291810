"""Makes two fresh servers a pair: each replicates from the other, and east takes the writes. What is a pair already is left so."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from pymysql.connections import Connection
from pymysql.cursors import DictCursor

from demo.servers import PAUSE_S, await_server, connected, rows, value
from interlock.clock import Deadline, SystemClock
from interlock.sandbox import accounts
from interlock.sandbox.kinds import MARIADB, MYSQL, Kind

ACCOUNTS = Path("/secrets/setup/accounts")
WITHIN_S = 60.0


def main() -> None:
    deadline = Deadline.after(SystemClock(), WITHIN_S)
    admin = ACCOUNTS / accounts.ADMIN
    for side in ("east", "west"):
        await_server(side, accounts.ADMIN, admin, deadline)
    with ExitStack() as stack:
        east, west = (stack.enter_context(connected(side, accounts.ADMIN, admin)) for side in ("east", "west"))
        kind = MARIADB if "MariaDB" in value(east, "SELECT VERSION()") else MYSQL
        replicate(east, kind, "west", deadline)
        replicate(west, kind, "east", deadline)
        if fenced(east) and fenced(west):
            hold_the_same(east, west, kind)
            rows(east, "SET GLOBAL read_only=0")
        if fenced(west) and not rows(east, "SHOW TABLES FROM app LIKE 'ledger'"):
            rows(east, accounts.LEDGER)
    await_server("proxy", accounts.CLIENT, ACCOUNTS / accounts.CLIENT, deadline)


def replicate(server: Connection[DictCursor], kind: Kind, source: str, deadline: Deadline) -> None:
    """Wait until it runs. SystemExit with the server's own words if it does not."""
    if not rows(server, kind.channel):
        password = (ACCOUNTS / accounts.REPLICATION).read_text().rstrip("\n")
        rows(server, kind.follow, source, 3306, password)
        rows(server, kind.start)
    while True:
        (channel,) = rows(server, kind.channel)
        if all(channel[thread] == "Yes" for thread in kind.runs):
            return
        failed, refused = (channel[column] for column in kind.errors)
        if deadline.is_over() or failed:
            raise SystemExit(f"no replication from {source}: {failed or refused}")
        deadline.clock.sleep(PAUSE_S)


def fenced(server: Connection[DictCursor]) -> bool:
    return bool(value(server, "SELECT @@read_only"))


def hold_the_same(east: Connection[DictCursor], west: Connection[DictCursor], kind: Kind) -> None:
    """After a restart both are fenced: neither may be opened that lacks what the other has."""
    for server, other in ((east, west), (west, east)):
        position = value(other, kind.position)
        if position and value(server, kind.wait, position, 10) != 0:
            raise SystemExit(f"one server does not hold {position} of the other after 10s: it is for a person to decide")


if __name__ == "__main__":
    main()
