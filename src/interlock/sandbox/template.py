"""The data directory that every sandbox's servers are copied from: made once for each server version, kept in the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from interlock.errors import StatementFailed
from interlock.sandbox import accounts

_OPTIONS = (
    "--no-defaults",
    "--force",
    "--skip-name-resolve",
    "--skip-test-db",
    "--innodb-log-file-size=4M",
    "--innodb-buffer-pool-size=8M",
    "--innodb-autoextend-increment=1",
)


def user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "interlock"


def template(programs: Mapping[str, str], cache: Path) -> Path:
    """The template's path; it is made if it is not there (about a second). Safe when two processes come at once, and after a crash."""
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    ready = cache / f"template-{_key(programs['mariadbd'])}"
    if ready.is_dir():
        return ready
    with _alone(cache / f"{ready.name}.lock"):
        if not ready.is_dir():
            for left_by_a_crash in cache.glob(f"{ready.name}.making-*"):
                shutil.rmtree(left_by_a_crash)
            making = Path(tempfile.mkdtemp(prefix=f"{ready.name}.making-", dir=cache))
            try:
                _make(programs["mariadb-install-db"], making)
                (making / "data").rename(ready)
            finally:
                shutil.rmtree(making)
    return ready


def clone(source: Path, to: Path) -> None:
    shutil.copytree(source, to)


def _key(server: str) -> str:
    version = subprocess.run([server, "--no-defaults", "--version"], capture_output=True, check=True, timeout=30).stdout  # noqa: S603 - found by name
    said = b"\0".join([version, *(text.encode() for text in (*_OPTIONS, *accounts.statements()))])
    return hashlib.sha256(said).hexdigest()[:16]


def _make(install: str, folder: Path) -> None:
    statements = folder / "template.sql"
    statements.write_text("".join(f"{statement};\n" for statement in accounts.statements()))  # bootstrap mode: one statement a line
    owner = ("--user=root",) if os.geteuid() == 0 else ()
    argv = [install, *_OPTIONS, *owner, f"--datadir={folder / 'data'}", f"--extra-file={statements}"]
    done = subprocess.run(argv, capture_output=True, check=False, timeout=120)  # noqa: S603 - our own words
    if done.returncode != 0:
        raise StatementFailed(
            f"mariadb-install-db ended with exit code {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}",
            hint="is the disk full, or the installed MariaDB older than 10.5?",
        )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # given back by the kernel when the holder ends, however it ends
        yield
