"""What the demo's containers read, made once: a password for each account, each server's option file, the key of the zone.

Each reader has a volume of its own, so that no container sees a password that it does not need.
"""

from __future__ import annotations

import base64
import secrets
import shutil
from pathlib import Path

from interlock.sandbox import accounts
from interlock.sandbox.places import Member
from interlock.sandbox.settings import option_file

VOLUMES = Path("/secrets")
SIDES = ("east", "west")


def main() -> None:
    """Does nothing where all is made; what an earlier, interrupted call had left is made anew."""
    made = VOLUMES / "setup" / "made"
    if made.exists():
        return
    folder = VOLUMES / "setup" / "accounts"
    shutil.rmtree(folder, ignore_errors=True)
    passwords = accounts.write_passwords(folder)
    for volume, names in (("tool", (accounts.TOOL, accounts.CANARY)), ("clients", (accounts.CLIENT,))):
        for name in names:
            accounts.write_private(VOLUMES / volume / name, passwords[name] + "\n")
    servers = VOLUMES / "servers"
    # bootstrap mode, which reads this file, takes one statement a line
    accounts.write_private(servers / "accounts.sql", "".join(f"{statement};\n" for statement in accounts.statements()))
    accounts.write_private(servers / "passwords.sql", accounts.passwords_sql(passwords))
    for number, side in enumerate(SIDES, start=1):
        (servers / f"{side}.cnf").write_text(options(side, number))
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    accounts.write_private(VOLUMES / "tool" / "tsig", key + "\n")
    accounts.write_private(VOLUMES / "dns" / "key.conf", f'key "interlock" {{ algorithm hmac-sha256; secret "{key}"; }};\n')
    made.touch()


def options(side: str, number: int) -> str:
    """As the sandbox's, in a container: it listens in all of its networks, and its log is the container's, without the connections that
    health checks open and close.
    """
    member = Member(
        name=side,
        server_id=number,
        host=side,
        port=3306,
        socket="/tmp/mariadb.sock",  # noqa: S108 - the container's own
        options=f"/secrets/{side}.cnf",
        data="/var/lib/mysql",
        log="/dev/stderr",
    )
    return option_file(member, {"bind_address": "*", "log_warnings": "1"})


if __name__ == "__main__":
    main()
