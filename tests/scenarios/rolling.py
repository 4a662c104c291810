"""Changes of a table under load, one side after the other, and what the two sides hold of it afterwards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from interlock.decisions.declarations import are_alike
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from scenarios.command_line import Ended, interlock
from scenarios.killer import Killer
from scenarios.pair_state import switchover_with
from waiting import eventually

_PATIENT = {
    "max_outage: {type: duration, default: 10s": "max_outage: {type: duration, default: 25s",
    "fence: {type: duration, default: 2s": "fence: {type: duration, default: 20s",
    "oldest_transaction: {type: duration, default: 5s": "oldest_transaction: {type: duration, default: 60s",
    "max_lag: {type: duration, default: 5s": "max_lag: {type: duration, default: 60s",
    "lock_wait: {type: duration, default: 20s": "lock_wait: {type: duration, default: 60s",
    "within: 5s}": "within: 60s}",
}
"""On a busy machine, nothing of this shall decide how a run ends."""


def definition(sandbox: Sandbox, server: str) -> str:
    return str(query(sandbox, server, "SHOW CREATE TABLE app.ledger")[0]["Create Table"])


def alter_of(column: str) -> str:
    """A column and an index of its name."""
    return f"ADD COLUMN {column} VARCHAR(20) NOT NULL DEFAULT 'none', ADD INDEX by_{column} ({column})"


def writes_between(column: str) -> str:
    """A step: what an application of the new declaration writes while the other side still has the old one."""
    statement = f"INSERT INTO app.ledger (k, server_id, {column}) VALUES ('with {column}', @@server_id, 'kept')"
    return f"""- do: sql
    with: {{server: "${{to}}", statements: ["{statement}"]}}
    undo: none"""


def rolling_with(folder: Path, alter: str, *, put: Mapping[str, str] | None = None, back: bool = False) -> str:
    """The shipped playbook with table, ALTER and the way home as its defaults, and a step put first into a phase; the file's name."""
    path = folder / "rolling.yaml"
    switchover_with(path, put=put, of="rolling-ddl")
    given = {
        "table: {type: text, ": "default: app.ledger, ",
        "alter: {type: text, ": f'default: "{alter}", ',
        "back: {type: flag, default: ": "true, doc: " if back else "false, doc: ",
    }
    text = path.read_text()
    for key, value in given.items():
        before, found, after = text.partition(key)
        assert found
        text = f"{before}{key}{value}{after.removeprefix('false, doc: ')}"
    for hurried, patient in _PATIENT.items():
        assert hurried in text
        text = text.replace(hurried, patient)
    path.write_text(text)
    return str(path)


def rolls(playbook: str, env: Mapping[str, str]) -> Ended:
    return interlock("run", playbook, "--json", env=env, within_s=300)


def rows_are_equal(sandbox: Sandbox) -> bool:
    """Of the ledger with all its columns, once each side has what the other one wrote."""

    def equal() -> bool:
        first, second = (query(sandbox, server, "SELECT * FROM app.ledger ORDER BY id") for server in sandbox.members)
        return first == second

    return eventually(equal)


def are_declared_alike(sandbox: Sandbox) -> bool:
    first, second = (definition(sandbox, server) for server in sandbox.members)
    return are_alike(first, second)


@dataclass(slots=True, kw_only=True)
class RollingKiller(Killer):
    """Each of its runs adds a column of its own."""

    columns: int = 0

    @classmethod
    def of(cls, pair: Sandbox, folder: Path) -> RollingKiller:
        return cls(pair=pair, folder=folder, playbook=rolling_with(folder, ""))

    def count(self, kind: str) -> int:
        rolling_with(self.folder, self._next())
        done = self._do(kind, 0, "run", self.playbook, "west")
        assert done.returncode == 0, done.stderr
        self.moments = int(json.loads(done.stdout)[kind])
        self.bring_back("east")
        return self.moments

    def kill(self, to: str, kind: str, number: int, then: str) -> str:
        """Also that both sides have the column if the run succeeded, and none of them if it did not."""
        rolling_with(self.folder, self._next())
        outcome = super(RollingKiller, self).kill(to, kind, number, then)
        where = f"{then} after {kind} {number}: {outcome}"
        assert are_declared_alike(self.pair), where
        assert (f"`n{self.columns}`" in definition(self.pair, "east")) is (outcome == "succeeded"), where
        return outcome

    def _next(self) -> str:
        self.columns += 1
        return f"ADD COLUMN n{self.columns} INT NOT NULL DEFAULT {self.columns}"
