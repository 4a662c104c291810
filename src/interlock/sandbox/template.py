"""The data directory that every sandbox's servers are copied from: made once for each server version, kept in the user's cache."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from interlock.errors import StatementFailed
from interlock.sandbox import accounts
from interlock.sandbox.kinds import Kind

_MAKING_S = 120
_MARIADB_OPTIONS = (
    "--no-defaults",
    "--skip-name-resolve",
    "--innodb-log-file-size=4M",
    "--innodb-buffer-pool-size=8M",
    "--innodb-autoextend-increment=1",
)
_MYSQL_OPTIONS = (
    "--no-defaults",
    "--initialize-insecure",
    "--innodb-redo-log-capacity=32M",
    "--innodb-doublewrite=OFF",
    "--innodb-flush-method=nosync",
    "--innodb-use-native-aio=0",
    "--innodb-autoextend-increment=1",
)
_FIXED = {"mysql": ("lower_case_table_names",)}
"""MySQL manual, "lower_case_table_names": from 8.0 on it must be what the server was initialized with."""
_SYSTEM_TABLES = (
    "mariadb_system_tables.sql",
    "mariadb_performance_tables.sql",
    "mariadb_system_tables_data.sql",
    "fill_help_tables.sql",
    "maria_add_gis_sp_bootstrap.sql",
    "mariadb_sys_schema.sql",
)


def template(kind: Kind, cache: Path, options: Mapping[str, str] = MappingProxyType({})) -> Path:
    """The template's path; it is made if it is not there (some seconds). Safe when two processes come at once, and after a crash. Of a
    server's `options` it takes those that it can't change any more once its data are there.
    """
    fixed = tuple(f"--{name}={options[name]}" for name in _FIXED.get(kind.flavor, ()) if name in options)
    program = kind.program_path(kind.program, "mariadb-server-core")
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    ready = cache / f"template-{_key(kind, program, fixed)}"
    if ready.is_dir():
        return ready
    with _alone(cache / f"{ready.name}.lock"):
        if not ready.is_dir():
            for left_by_a_crash in cache.glob(f"{ready.name}.making-*"):
                shutil.rmtree(left_by_a_crash)
            making = Path(tempfile.mkdtemp(prefix=f"{ready.name}.making-", dir=cache))
            try:
                _make(kind, program, making, fixed)
                (making / "data" / "auto.cnf").unlink(missing_ok=True)  # each MySQL server makes a UUID of its own
                (making / "data").rename(ready)
            finally:
                shutil.rmtree(making)
    return ready


def clone(source: Path, to: Path) -> None:
    shutil.copytree(source, to)


@functools.cache
def version_text(program: str) -> bytes:
    """What a server's program says of itself."""
    return subprocess.run([program, "--no-defaults", "--version"], capture_output=True, check=True, timeout=30).stdout  # noqa: S603 - found by name


def _key(kind: Kind, program: str, fixed: Sequence[str]) -> str:
    said = b"\0".join(
        [version_text(program), *(text.encode() for text in (*_MARIADB_OPTIONS, *_MYSQL_OPTIONS, *fixed, *accounts.statements(kind)))]
    )
    return hashlib.sha256(said).hexdigest()[:16]


def _make(kind: Kind, program: str, folder: Path, fixed: Sequence[str]) -> None:
    """The folder `data` in `folder`, with the accounts, none of which can log in yet."""
    data, statements = folder / "data", folder / "template.sql"
    statements.write_text("".join(f"{statement};\n" for statement in accounts.statements(kind)))  # one statement a line
    owner = ("--user=root",) if os.geteuid() == 0 else ()
    paths = tuple(f"--{name}={value}" for name, value in kind.paths().items())
    if kind.flavor == "mysql":
        _run([program, *_MYSQL_OPTIONS, *fixed, *owner, *paths, f"--datadir={data}", f"--init-file={statements}"], b"")
    elif kind.folder() is None:
        install = kind.program_path("mariadb-install-db", "mariadb-server-core")
        _run([install, *_MARIADB_OPTIONS, "--force", "--skip-test-db", *owner, f"--datadir={data}", f"--extra-file={statements}"], b"")
    else:
        (data / "mysql").mkdir(parents=True)
        share = Path(kind.paths()["lc_messages_dir"])
        words = ["create database if not exists mysql;\nuse mysql;\nSET @auth_root_socket=NULL;\n"]
        words += [(share / name).read_text() for name in _SYSTEM_TABLES]
        text = "".join([*words, statements.read_text()])
        _run([program, *_MARIADB_OPTIONS, "--bootstrap", "--max-allowed-packet=8M", *owner, *paths, f"--datadir={data}"], text.encode())


def _run(argv: Sequence[str], given: bytes) -> None:
    done = subprocess.run(argv, input=given, capture_output=True, check=False, timeout=_MAKING_S)  # noqa: S603 - our own words
    if done.returncode != 0:
        raise StatementFailed(
            f"{Path(argv[0]).name} ended with exit code {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}",
            hint="is the disk full, or the installed MariaDB older than 10.5?",
        )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # given back by the kernel when the holder ends, however it ends
        yield
