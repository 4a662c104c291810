"""What a rule is, and the three shapes that most rules have. A rule is pure: facts in, faults out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field

from interlock.audit.facts import PairSeen, ServerSeen
from interlock.dataclass import dataclass
from interlock.model.audit import AuditVerdict, Fix, FixKind
from interlock.model.versions import version_of
from interlock.servers.quoting import name, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that a rule found. `verdict` in place of the rule's own, where this one is graver or lighter."""

    says: str
    server: str = ""
    object: str = ""
    seen: Mapping[str, str] = field(default_factory=dict)
    fix: Fix | None = None
    verdict: AuditVerdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`question` is 1 to 16, or 0 for what stands beside them; `why` one sentence, `source` where it can be read."""

    id: str
    question: int
    title: str
    verdict: AuditVerdict
    why: str
    source: str
    look: Callable[[PairSeen], Iterable[Fault]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A question of the checklist: its rules, and `tells`, the sentences that it is answered from."""

    question: int
    title: str
    rules: tuple[Rule, ...]
    tells: Callable[[PairSeen], Iterable[str]]


DELIMITER = "$$"
_BY_THE_APPLIER = frozenset({"binlog_format"})
"""MySQL refuses to change these while an applier runs (error 3747, tried on 9.7)."""

Names = tuple[str, ...]
"""A setting by its names over the flavors and versions."""


def wanted(names: Names, good: Callable[[str], bool], value: str) -> Callable[[PairSeen], Iterator[Fault]]:
    """A setting that must be `good` on each master that has it; it is mended to `value`."""

    def look(pair: PairSeen) -> Iterator[Fault]:
        for server in pair.masters:
            its = server.setting(*names)
            if its is not None and not good(its.upper()):
                setting = name_of(server, names)
                yield Fault(
                    says=f"{setting} is {its or 'empty'} on {server.name}",
                    server=server.name,
                    object=setting,
                    seen={one.name: one.setting(*names) or "" for one in pair.masters},
                    fix=set_global(server, setting, value),
                )

    return look


def same(*names: str) -> Callable[[PairSeen], Iterator[Fault]]:
    """A setting that must be the same on both masters; the standby is mended to the writer's."""

    def look(pair: PairSeen) -> Iterator[Fault]:
        writer, standby = pair.writer, pair.standby
        ours, theirs = writer.setting(*names), standby.setting(*names)
        if ours is None or theirs is None or ours.upper() == theirs.upper():
            return
        setting = name_of(standby, names)
        yield Fault(
            says=f"{setting} differs: {ours or 'empty'} on {writer.name}, {theirs or 'empty'} on {standby.name}",
            object=setting,
            seen={writer.name: ours, standby.name: theirs},
            fix=set_global(standby, setting, ours),
        )

    return look


def name_of(server: ServerSeen, names: Names) -> str:
    return next((one for one in names if one in server.settings), names[0])


def set_global(server: ServerSeen, setting: str, value: str) -> Fix:
    """MySQL from 8.0 on keeps it over a restart (MySQL manual, "SET Syntax for Variable Assignment"); else the option file must have it."""
    said = value if value.isdigit() else text(value)
    if server.is_mysql and persists(server):
        kept = f"SET PERSIST {setting} = {said}"
        return with_applier_stopped(server, kept) if setting in _BY_THE_APPLIER else sql(server, kept)
    option = f"-- and under [mysqld] in the option file of {server.name}: {setting} = {value}"
    return Fix(kind=FixKind.SQL, on=server.name, text=f"SET GLOBAL {setting} = {said};\n{option}")


def with_applier_stopped(server: ServerSeen, *statements: str) -> Fix:
    return sql(server, f"STOP {replica(server)} SQL_THREAD", *statements, f"START {replica(server)} SQL_THREAD")


def replica(server: ServerSeen) -> str:
    """The noun in START and STOP (MySQL manual, "START REPLICA", of 8.0.22)."""
    return "REPLICA" if server.is_mysql and version_of(server.facts.version) >= (8, 0, 22) else "SLAVE"


def persists(server: ServerSeen) -> bool:
    return "persisted_globals_load" in server.settings


def option(server: ServerSeen, setting: str, value: str) -> Fix:
    """For what can't be changed while the server runs."""
    return Fix(kind=FixKind.OPTION_FILE, on=server.name, text=f"[mysqld]\n{setting} = {value}")


def sql(server: ServerSeen, *statements: str) -> Fix:
    """To be pasted into a client: one that holds a semicolon (a routine's body) needs another end than that."""
    if not any(";" in one for one in statements):
        return Fix(kind=FixKind.SQL, on=server.name, text=";\n".join(statements))
    ended = "".join(f"{one}{DELIMITER}\n" for one in statements)
    return Fix(kind=FixKind.SQL, on=server.name, text=f"DELIMITER {DELIMITER}\n{ended}DELIMITER ;")


def here_only(server: ServerSeen, *statements: str) -> Fix:
    """Statements that must not reach the other side by replication. A fence that stops administrators too is loosened for them, and made
    whole again; `read_only` itself stays.
    """
    unlogged = ("SET SESSION sql_log_bin = 0", *statements)
    if server.is_mysql and server.settings.get("super_read_only") == "ON":
        return sql(server, "SET GLOBAL super_read_only = 0", *unlogged, "SET GLOBAL super_read_only = 1")
    return sql(server, *unlogged)


def command(said: str) -> Fix:
    return Fix(kind=FixKind.COMMAND, text=said)


def in_topology(said: str) -> Fix:
    return Fix(kind=FixKind.TOPOLOGY, text=said)


def quoted(table: str) -> str:
    """`schema.table` as SQL writes it."""
    schema, _, own = table.partition(".")
    return name(schema, own)


def is_local(server: ServerSeen) -> bool:
    """On the loopback interface nothing is overheard, and a fault of the machine takes both sides: a rehearsal's pair."""
    return server.spec.host.startswith("127.") or server.spec.host in {"::1", "localhost"}
