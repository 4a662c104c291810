"""What the demo's containers read, made once: a password for each account, the option files of both kinds of server, the key of the zone.

Each reader has a volume of its own, so that no container sees a password that it does not need.
"""

from __future__ import annotations

import base64
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from interlock.sandbox import accounts
from interlock.sandbox.kinds import MARIADB, MYSQL, Kind
from interlock.sandbox.places import Member
from interlock.sandbox.settings import option_file

VOLUMES = Path("/secrets")
SIDES = ("east", "west")
_LOG = {"mariadb": "/dev/stderr", "mysql": "stderr"}
_OWN = {"mariadb": {"log_warnings": "1"}, "mysql": {"log_error_verbosity": "1", "innodb_numa_interleave": "0"}}


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
    for kind in (MARIADB, MYSQL):
        write_servers(VOLUMES / "servers" / kind.name, kind, passwords)
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    accounts.write_private(VOLUMES / "tool" / "tsig", key + "\n")
    accounts.write_private(VOLUMES / "dns" / "key.conf", f'key "interlock" {{ algorithm hmac-sha256; secret "{key}"; }};\n')
    made.touch()


def write_servers(folder: Path, kind: Kind, passwords: Mapping[str, str]) -> None:
    """What both servers of a kind read: the accounts, their passwords, where the server's own files are, and each one's options."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    # the servers take one statement a line here
    accounts.write_private(folder / "accounts.sql", "".join(f"{statement};\n" for statement in accounts.statements(kind)))
    accounts.write_private(folder / "passwords.sql", accounts.passwords_sql(passwords))
    (folder / "paths.cnf").write_text("[mysqld]\n" + "".join(f"{name}={value}\n" for name, value in kind.paths().items()))
    for number, side in enumerate(SIDES, start=1):
        (folder / f"{side}.cnf").write_text(options(side, number, kind))


def options(side: str, number: int, kind: Kind) -> str:
    """As the sandbox's, in a container: it listens in all of its networks, and its log is the container's, without the connections that
    health checks open and close.
    """
    member = Member(
        name=side,
        server_id=number,
        host=side,
        port=3306,
        socket="/tmp/server.sock",  # noqa: S108 - the container's own
        options=f"/secrets/{kind.name}/{side}.cnf",
        data="/var/lib/mysql",
        log=_LOG[kind.flavor],
    )
    return option_file(member, kind, {"bind_address": "*", **_OWN[kind.flavor]})


if __name__ == "__main__":
    main()
