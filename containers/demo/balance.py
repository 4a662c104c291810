"""The clients' end, and what became of what they were told: the ledger against both servers' rows, one binary log against the other.

Ends with 5 if an acknowledged write is lost, a row is there that should not be, or both servers ever wrote at once.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from demo.servers import PAUSE_S, connected, rows
from demo.write import CURRENT, LEDGERS, end_of, ended
from interlock.clock import Deadline, SystemClock
from interlock.model.position import Gtid
from interlock.sandbox import accounts, ledger
from interlock.sandbox.binlog_proof import BinlogProof, compare
from interlock.sandbox.load import read_ledger

WITHIN_S = 60.0
FAILED = 5
SIDES = ("east", "west")
CLIENT = Path("/secrets/clients") / accounts.CLIENT
TOOL = Path("/secrets/tool") / accounts.TOOL
# "BEGIN GTID 1-1-7" (MariaDB), "SET @@SESSION.GTID_NEXT= '3e11…:7'" (MySQL): the number is each server's own
_NUMBER = re.compile(r"GTID \d+-\d+-(\d+)|GTID_NEXT= '[^']+:(\d+)'")


def main() -> int:
    deadline = Deadline.after(SystemClock(), WITHIN_S)
    prefix = CURRENT.read_text()
    end_of(prefix).touch()
    while not ended(prefix).exists():
        if deadline.is_over():
            raise SystemExit("the clients did not end")
        deadline.clock.sleep(PAUSE_S)
    CURRENT.unlink()
    return 0 if is_balanced(prefix, deadline) and logs_agree() else FAILED


def is_balanced(prefix: str, deadline: Deadline) -> bool:
    """Replication has the time that is left for the last rows."""
    entries = read_ledger(LEDGERS / prefix)
    while True:
        balances = [ledger.balance(entries, keys_on(side, prefix)) for side in SIDES]
        if deadline.is_over() or not any(balance.lost for balance in balances):
            break
        deadline.clock.sleep(PAUSE_S)
    wrong = {what: sorted({key for each in balances for key in getattr(each, what)}) for what in ("lost", "duplicated", "resurrected")}
    counts = ", ".join(f"{len(keys)} {what}" for what, keys in wrong.items())
    sys.stdout.write(f"the ledger: {len(ledger.acknowledged(entries))} writes acknowledged, {counts}\n")
    for kind, errors in ledger.errors_by_kind(entries).items():
        met = ", ".join(f"{error} ({times} times)" for error, times in errors.items())
        sys.stdout.write(f"errors of {kind} clients: {met or 'none'}\n")
    return bool(ledger.acknowledged(entries)) and not any(wrong.values())


def keys_on(side: str, prefix: str) -> list[str]:
    with connected(side, accounts.CLIENT, CLIENT) as connection:
        return [row["k"] for row in rows(connection, "SELECT k FROM app.ledger WHERE k LIKE %s", f"{prefix}-%")]


def logs_agree() -> bool:
    """Whether both binary logs hold the same transactions in the same order: only then did no server write while the other did."""
    proof = prove()
    sys.stdout.write(
        f"the binary logs: {proof.transactions} transactions in {len(proof.turns)} turns, {len(proof.violations)} violations\n"
    )
    sys.stdout.writelines(f"  {violation}\n" for violation in proof.violations)
    return not proof.violations


def prove() -> BinlogProof:
    east, west = (logged(side) for side in SIDES)
    return compare(SIDES, east, west)


def logged(side: str) -> tuple[Gtid, ...]:
    """Every transaction in a server's binary log, in its order, whichever server wrote it."""
    with connected(side, accounts.TOOL, TOOL) as connection:
        files = [row["Log_name"] for row in rows(connection, "SHOW BINARY LOGS")]
        events = [event for file in files for event in rows(connection, "SHOW BINLOG EVENTS IN %s", file)]
    found = ((event["Server_id"], _NUMBER.search(event["Info"])) for event in events if event["Event_type"].startswith("Gtid"))
    return tuple(Gtid(server, server, int(number[1] or number[2])) for server, number in found if number is not None)


if __name__ == "__main__":
    sys.exit(main())
