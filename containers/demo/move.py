"""The demo's story: the pair as it is, the writes moved there and back by the command line, and the ledger against both servers' rows.

Ends with the exit code of the first run that did not succeed, and with 5 if an acknowledged write is lost.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from demo.servers import PAUSE_S, connected, rows
from demo.write import CURRENT, LEDGERS, end_of, ended
from interlock.clock import Deadline, SystemClock
from interlock.sandbox import accounts, ledger
from interlock.sandbox.load import read_ledger

REST_S = 1.0
WITHIN_S = 60.0
HALTED = 5


def main() -> int:
    clock = SystemClock()
    prefix = CURRENT.read_text()
    interlock("status")
    seen = json.loads(interlock("status", "--json", capture=True).stdout)
    others = [name for name in seen["clusters"] if name != seen["writer"]]
    for to in (*others, seen["writer"]):
        clock.sleep(REST_S)
        code = interlock("switchover", "--to", to).returncode
        if code != 0:
            return code
    clock.sleep(REST_S)
    return 0 if is_balanced(prefix, Deadline.after(clock, WITHIN_S)) else HALTED


def interlock(*words: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["interlock", *words], check=False, text=True, stdout=subprocess.PIPE if capture else None)  # noqa: S603, S607


def is_balanced(prefix: str, deadline: Deadline) -> bool:
    """End the clients, and say what became of what they were told. Replication has the time that is left for the last rows."""
    end_of(prefix).touch()
    while not ended(prefix).exists():
        if deadline.is_over():
            raise SystemExit("the clients did not end")
        deadline.clock.sleep(PAUSE_S)
    entries = read_ledger(LEDGERS / prefix)
    while True:
        balances = [ledger.balance(entries, keys_on(side, prefix)) for side in ("east", "west")]
        if deadline.is_over() or not any(balance.lost for balance in balances):
            break
        deadline.clock.sleep(PAUSE_S)
    wrong = {what: sorted({key for each in balances for key in getattr(each, what)}) for what in ("lost", "duplicated", "resurrected")}
    counts = ", ".join(f"{len(keys)} {what}" for what, keys in wrong.items())
    sys.stdout.write(f"the ledger: {len(ledger.acknowledged(entries))} writes acknowledged, {counts}\n")
    for kind, errors in ledger.errors_by_kind(entries).items():
        met = ", ".join(f"{error} ({times} times)" for error, times in errors.items())
        sys.stdout.write(f"errors of {kind} clients: {met or 'none'}\n")
    return not any(wrong.values())


def keys_on(side: str, prefix: str) -> list[str]:
    with connected(side, accounts.CLIENT, Path("/secrets/clients") / accounts.CLIENT) as connection:
        return [row["k"] for row in rows(connection, "SELECT k FROM app.ledger WHERE k LIKE %s", f"{prefix}-%")]


if __name__ == "__main__":
    sys.exit(main())
