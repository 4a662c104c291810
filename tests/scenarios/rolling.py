"""Changes of a table under load, one side after the other, and what the two sides hold of it afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from interlock.decisions.declarations import are_alike
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from scenarios.command_line import Ended, interlock
from scenarios.pair_state import eventually, switchover_with

ALTER = "ADD COLUMN note VARCHAR(20) NOT NULL DEFAULT 'none', ADD INDEX by_note (note)"
_MARK = "INSERT INTO app.ledger (k, server_id, note) VALUES ('written between', @@server_id, 'kept')"
WRITES_BETWEEN = f"""- do: sql
    with: {{server: "${{to}}", statements: ["{_MARK}"]}}
    undo: none"""
"""What an application of the new declaration writes while the other side still has the old one."""


def definition(sandbox: Sandbox, server: str) -> str:
    return str(query(sandbox, server, "SHOW CREATE TABLE app.ledger")[0]["Create Table"])


def definitions(sandbox: Sandbox) -> dict[str, str]:
    return {server: definition(sandbox, server) for server in sandbox.members}


def rolling_with(folder: Path, alter: str = ALTER, *, put: Mapping[str, str] | None = None) -> str:
    """The shipped playbook with a table and an ALTER as its defaults, and a step put first into a phase; the file's name."""
    path = folder / "rolling.yaml"
    switchover_with(path, put=put, of="rolling-ddl")
    given = {
        "table: {type: text, ": "table: {type: text, default: app.ledger, ",
        "alter: {type: text, ": f'alter: {{type: text, default: "{alter}", ',
    }
    text = path.read_text()
    for old, new in given.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return str(path)


def rolls(playbook: str, env: Mapping[str, str]) -> Ended:
    return interlock("run", playbook, "--json", env=env, within_s=300)


def rows_are_equal(sandbox: Sandbox, columns: str) -> bool:
    """Of the ledger, once each side has what the other one wrote."""

    def equal() -> bool:
        first, second = (query(sandbox, server, f"SELECT {columns} FROM app.ledger ORDER BY id") for server in sandbox.members)
        return first == second

    return eventually(equal, 30.0)


def are_declared_alike(sandbox: Sandbox) -> bool:
    first, second = definitions(sandbox).values()
    return are_alike(first, second)
