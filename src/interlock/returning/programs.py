"""The client programs that copy data from here, told apart by what they say of themselves: MariaDB's and MySQL's have the same names.

Passwords are no words of a command line and stand in no environment: they are read from a pipe, as an option file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from interlock.dataclass import dataclass
from interlock.model.topology import Account, SecretRef, ServerSpec, Tls

FOLDER = "INTERLOCK_CLIENT_PROGRAMS"
"""Names the folder of the programs, where those of the path are another flavor's."""

_DUMPS = {"mariadb": ("mariadb-dump", "mysqldump"), "mysql": ("mysqldump",)}
_CLIENTS = {"mariadb": ("mariadb", "mysql"), "mysql": ("mysql",)}
_WITHIN_S = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """`bounds`: the dump takes `--init-command`, so that what it locks for a moment can be bounded (MySQL's of 9.x does)."""

    dump: str
    client: str
    bounds: bool = False


def find_programs(flavor: str, environ: Mapping[str, str]) -> Programs | str:
    """Of this flavor; or why they can't be had."""
    path = os.pathsep.join(filter(None, (environ.get(FOLDER), environ.get("PATH"))))
    dump, client = (_of_flavor(flavor, names.get(flavor, ()), path) for names in (_DUMPS, _CLIENTS))
    if dump is None or client is None:
        missing = (_DUMPS if dump is None else _CLIENTS).get(flavor, ("a dump program",))
        return f"no {' or '.join(missing)} of {flavor} is here ({FOLDER} may name its folder)"
    return Programs(dump=dump, client=client, bounds=b"--init-command" in _told(dump, "--help"))


def _of_flavor(flavor: str, names: tuple[str, ...], path: str) -> str | None:
    return next((found for name in names if (found := shutil.which(name, path=path)) and _flavor_of(found) == flavor), None)


def _flavor_of(program: str) -> str:
    told = _told(program, "--version").lower()
    return "mariadb" if b"mariadb" in told else "mysql" if told else ""


def _told(program: str, word: str) -> bytes:
    """Empty if it does not run."""
    try:
        done = subprocess.run([program, word], capture_output=True, timeout=_WITHIN_S, check=False)  # noqa: S603 - the operator's own
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return b"" if done.returncode else done.stdout


@contextmanager
def option_pipe(flavor: str, spec: ServerSpec, account: Account, secret: Callable[[SecretRef], str]) -> Iterator[tuple[str, int]]:
    """`--defaults-file=…` for a program that logs in there, and the descriptor that it must get."""
    said = login_options(flavor, spec, account, secret)
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "w") as pipe:  # a few hundred bytes: they fit into the pipe
            pipe.write(said)
        yield f"--defaults-file=/dev/fd/{reading}", reading
    finally:
        os.close(reading)


def login_options(flavor: str, spec: ServerSpec, account: Account, secret: Callable[[SecretRef], str]) -> str:
    """The text of an option file by which a program logs in there."""
    password = "" if account.password is None else secret(account.password)
    lines = [
        "[client]",
        f"host={_quoted(spec.host)}",
        f"port={spec.port:d}",
        f"user={_quoted(account.user)}",
        f"password={_quoted(password)}",
        "protocol=tcp",
    ]
    return "\n".join((*lines, *(_mysql_tls if flavor == "mysql" else _mariadb_tls)(spec.access.tls))) + "\n"


def _mariadb_tls(tls: Tls | None) -> list[str]:
    if tls is None:
        return ["skip-ssl"]
    return ["ssl", *_files(tls), "ssl-verify-server-cert" if tls.verify_name else "skip-ssl-verify-server-cert"]


def _mysql_tls(tls: Tls | None) -> list[str]:
    """Without TLS the password is hidden with the server's own key (MySQL manual, "Caching SHA-2 Authentication")."""
    if tls is None:
        return ["ssl-mode=DISABLED", "get-server-public-key"]
    return [f"ssl-mode={'VERIFY_IDENTITY' if tls.verify_name else 'VERIFY_CA' if tls.ca else 'REQUIRED'}", *_files(tls)]


def _files(tls: Tls) -> list[str]:
    named = (("ssl-ca", tls.ca), ("ssl-cert", tls.cert), ("ssl-key", tls.key))
    return [f"{key}={_quoted(str(Path(value)))}" for key, value in named if value is not None]


def _quoted(value: str) -> str:
    """For an option file (MySQL manual, "Using Option Files": within quotes a backslash and a quote are escaped)."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
