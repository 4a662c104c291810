"""The demo's clients: the sandbox's load, through the proxy, until somebody asks for its end. Its ledger is a volume that others read."""

from __future__ import annotations

import secrets
from pathlib import Path

from interlock.clock import SystemClock
from interlock.sandbox import accounts
from interlock.sandbox.load import Clients

LEDGERS = Path("/ledgers")
CURRENT = LEDGERS / "current"
"""Holds the prefix of the keys that are written now, once every client writes."""
CLIENTS = 4
"""Of each kind: with a connection each, and with one for each transaction."""


def main() -> None:
    clock = SystemClock()
    CURRENT.unlink(missing_ok=True)
    prefix = secrets.token_hex(4)
    folder = LEDGERS / prefix
    folder.mkdir()
    clients = Clients(
        host="proxy",
        port=3306,
        user=accounts.CLIENT,
        password_file=f"/secrets/clients/{accounts.CLIENT}",
        pooled=CLIENTS,
        fresh=CLIENTS,
        pause_s=0.02,
        prefix=prefix,
        folder=str(folder),
    )
    with clients.start() as program:
        CURRENT.write_text(prefix)
        while not end_of(prefix).exists():
            clock.sleep(0.1)
        program.stop()
    ended(prefix).touch()


def end_of(prefix: str) -> Path:
    """Its being there asks the clients to end."""
    return LEDGERS / f"{prefix}.end"


def ended(prefix: str) -> Path:
    """Its being there says that the ledger is whole."""
    return LEDGERS / f"{prefix}.ended"


if __name__ == "__main__":
    main()
