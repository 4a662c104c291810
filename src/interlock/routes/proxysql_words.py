"""How a text and a server are written in the SQL of ProxySQL's admin interface, which is SQLite's; and the mark of a hold."""

from __future__ import annotations

from interlock.routes.proxysql_settings import Address

HELD = " [held by interlock]"


def text(value: str) -> str:
    """A text as SQLite takes it. ValueError for a NUL, which would end it."""
    if "\0" in value:
        raise ValueError(f"not a text that SQLite can hold: {value!r}")
    return "'" + value.replace("'", "''") + "'"


def is_server(server: Address) -> str:
    return f"(hostname={text(server.host)} AND port={server.port})"
