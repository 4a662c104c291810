"""Faults that are planted on a real pair, and the printed fix applied as it is printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from interlock.audit.catalogue import chapters
from interlock.audit.judge import judge
from interlock.audit.pair import collect
from interlock.audit.rule import DELIMITER
from interlock.audit.sql_checks import all_checks
from interlock.bootstrap import Wiring, read_topology
from interlock.model.audit import AuditNotes, AuditReport, Finding, Fix, FixKind
from interlock.sandbox import sql
from interlock.sandbox.accounts import write_private
from interlock.sandbox.kinds import kind_named
from interlock.sandbox.places import Sandbox
from interlock.servers.grants import audit_grants_sql

Statements = tuple[str, ...]
AUDITOR = "auditor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A fault: what is done on each side (unlogged if `apart`), and the `rule` and `question` that must find it, about `object`. `only`:
    the flavor. `fix` is a part of what must be printed. `after` is done on east in the end, `after_west` unlogged on west.
    """

    id: str
    rule: str
    question: int
    object: str = ""
    east: Statements = ()
    west: Statements = ()
    apart: bool = False
    fix: str = ""
    only: str = ""
    after: Statements = ()
    after_west: Statements = ()


@dataclass(slots=True)
class Lab:
    """One pair, audited with an account that has what `interlock grants --audit` prints and nothing else. `own` is the sandbox's topology
    as plain YAML, `topology` the same with that account.
    """

    sandbox: Sandbox
    folder: Path
    own: dict[str, Any] = field(init=False)
    topology: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.own = yaml.safe_load(Path(self.sandbox.topology).read_text())
        self.own["access"]["tls"] = "off"  # which YAML 1.1 reads as a flag
        grants = audit_grants_sql(self.sandbox.kind, AUDITOR).splitlines()
        password = self.folder / "password"
        write_private(password, "secret")
        self.run("east", (f"CREATE USER {AUDITOR}@'%' IDENTIFIED BY 'secret'", *(line.partition(";")[0] for line in grants)))
        self.caught_up()
        access = {**self.own["access"], "user": AUDITOR, "password": {"file": str(password)}}
        self.topology = {**self.own, "access": access}

    @property
    def is_mysql(self) -> bool:
        return self.sandbox.kind == "mysql"

    def audit(self, *, changed: Mapping[str, Any] | None = None, accepted: bool = False) -> AuditReport:
        """Of the sandbox's topology, or of a changed one; without what the sandbox's own accepts."""
        path = self.folder / "topology.yaml"
        path.write_text(yaml.safe_dump(dict(changed or self.topology), sort_keys=False))
        topology = read_topology(path)
        if not accepted:
            topology = replace(topology, audit=AuditNotes(answers=topology.audit.answers, checks=topology.audit.checks))
        wiring, checks = Wiring(topology, f"sqlite:{self.folder}/store.db"), all_checks(topology)
        try:
            return judge(collect(wiring.world, wiring.clock, runs=wiring.store.runs(topology.name), checks=checks), chapters(checks))
        finally:
            wiring.close()

    def run(self, server: str, statements: Statements, *, apart: bool = False) -> None:
        """As the sandbox's administrator; `apart`: without the log, also where a fence stops administrators."""
        with closing(sql.connect(self.sandbox, server)) as connection:
            fenced = self.is_mysql and apart and sql.value(connection, "SELECT @@GLOBAL.super_read_only")
            if fenced:
                sql.rows(connection, "SET GLOBAL super_read_only=0")
            if apart:
                sql.rows(connection, "SET SESSION sql_log_bin=0")
            for statement in statements:
                sql.rows(connection, statement)
            if fenced:
                sql.rows(connection, "SET GLOBAL super_read_only=1")

    def apply(self, fix: Fix) -> None:
        """As printed: every statement, on the server that it names, on one connection."""
        assert fix.kind is FixKind.SQL
        lines = "\n".join(line for line in fix.text.splitlines() if not line.startswith(("--", "DELIMITER ")))
        end = f"{DELIMITER}\n" if fix.text.startswith("DELIMITER ") else ";\n"
        with closing(sql.connect(self.sandbox, fix.on)) as connection:
            for statement in f"{lines}\n".split(end):
                if statement.strip(" ;\n"):
                    sql.rows(connection, statement.strip("\n"))

    def caught_up(self) -> None:
        """West holds all that east logged."""
        kind = kind_named(self.sandbox.kind)
        position = str(next(iter(sql.query(self.sandbox, "east", kind.position)[0].values()))).replace("\n", "")
        assert next(iter(sql.query(self.sandbox, "west", kind.wait, position, 60)[0].values())) == 0


@contextmanager
def planted(lab: Lab, fault: Planted) -> Iterator[None]:
    try:
        lab.run("west", fault.west, apart=fault.apart)
        lab.run("east", fault.east, apart=fault.apart)
        if not fault.apart:
            lab.caught_up()
        yield
    finally:
        lab.run("east", fault.after)
        lab.run("west", fault.after_west, apart=True)
        lab.caught_up()


def found(report: AuditReport, rule: str, about: str = "") -> list[Finding]:
    return [one for one in report.findings if one.rule == rule and (not about or about in {one.object, one.server})]


def merged(into: Mapping[str, Any], snippet: Mapping[str, Any]) -> dict[str, Any]:
    """A topology with the lines of a printed fix."""
    result = dict(into)
    for key, value in snippet.items():
        result[key] = merged(result.get(key) or {}, value) if isinstance(value, dict) else value
    return result
