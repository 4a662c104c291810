"""From `--store URL` to a store."""

from __future__ import annotations

import os
from pathlib import Path

from interlock.clock import Clock
from interlock.errors import UsageError
from interlock.ports import Store
from interlock.stores.sqlite import SqliteStore

_FORMS = "sqlite:///ABSOLUTE/FILE or sqlite:FILE, or etcd://HOST:PORT,HOST:PORT/PREFIX"


def open_store(url: str | None, clock: Clock) -> Store:
    """The store that `url` names; without one, a SQLite file in the user's state folder. UsageError for a URL that names none."""
    if url and url.partition(":")[0] in {"etcd", "etcds"}:
        from interlock.stores.etcd import EtcdStore  # noqa: PLC0415 - HTTP and TLS, which SQLite does without
        from interlock.stores.etcd_url import etcd_place  # noqa: PLC0415 - as above

        return EtcdStore(etcd_place(url, os.environ), clock)
    return SqliteStore.open(sqlite_path(url) if url else default_path(), clock)


def sqlite_path(url: str) -> Path:
    """The file that `sqlite:///FILE` (absolute) or `sqlite:FILE` names."""
    scheme, colon, rest = url.partition(":")
    if scheme != "sqlite" or not colon:
        raise UsageError(f"{url!r} is not a store", hint=f"write {_FORMS}")
    if rest.startswith("//") and not rest.startswith("///"):
        raise UsageError(f"{url!r} names a host; a SQLite store is a file of this machine", hint=f"write {_FORMS}")
    path = rest.removeprefix("//")
    if not path or path.endswith("/") or "\0" in path:
        raise UsageError(f"{url!r} names no file", hint=f"write {_FORMS}")
    return Path(path).expanduser().absolute()


def store_file(url: str | None) -> Path | None:
    """The SQLite file that the URL names; the usual one without a URL, None of another store."""
    if url is None:
        return default_path()
    return sqlite_path(url) if url.startswith("sqlite:") else None


def state_folder(url: str | None) -> Path:
    """Where files of runs are kept: beside the SQLite store, or in the user's state folder if the store is elsewhere."""
    return (store_file(url) or default_path()).parent


def default_path() -> Path:
    """`$XDG_STATE_HOME/interlock/interlock.db`. A relative XDG_STATE_HOME is ignored, as the XDG Base Directory Specification says."""
    told = os.environ.get("XDG_STATE_HOME", "")
    state = Path(told) if told.startswith("/") else Path.home() / ".local" / "state"
    return state / "interlock" / "interlock.db"
