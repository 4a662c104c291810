"""Beside the questions: who gets in where nobody should write, and by which way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from interlock.audit.facts import Origin, PairSeen, ServerSeen
from interlock.audit.hosts import OPTION_FILES
from interlock.audit.rule import Fault, Rule, in_topology, is_local, option, persists, replica, set_global, sql
from interlock.model.audit import BESIDE, AuditVerdict, Fix

_UNFIT, _ATTENTION = AuditVerdict.UNFIT, AuditVerdict.NEEDS_ATTENTION


_EMPTY_AT_START = frozenset({"COMPILE-TIME", "COMPILED", "AUTO"})
_FROM_FILE = frozenset({"CONFIG", "EXPLICIT", "GLOBAL", "SERVER", "EXTRA", "PERSISTED"})


def _starts_writable(pair: PairSeen) -> Iterator[Fault]:
    for server in pair.masters:
        told = _starts_open(pair, server)
        if told:
            setting = "super_read_only" if server.is_mysql else "read_only"
            yield Fault(
                says=f"{server.name} takes writes when it starts: {told}",
                server=server.name,
                object=setting,
                seen={server.name: ", ".join(f"{one}: {its.word} {its.path}".strip() for one, its in _origins(server).items())},
                fix=option(server, setting, "1"),
            )


def _starts_open(pair: PairSeen, server: ServerSeen) -> str:
    """Why it would; empty if it would not, or nothing tells. Where a value in force comes from says what the next start does, until
    somebody sets it: then only the option files do, if its host can be asked.
    """
    origins = _origins(server)
    if not origins:
        return ""
    if all(one.word in _EMPTY_AT_START for one in origins.values()):
        return "no option file sets it"
    if all(one.word in _FROM_FILE | _EMPTY_AT_START for one in origins.values()):
        return "" if any(server.settings.get(one) in {"ON", "1"} for one in origins) else "its option file says so"
    if persists(server):
        return ""  # what was set may stand in a file of the server's own
    host = next((one for one in pair.hosts if one.cluster == server.spec.cluster), None)
    if host is None or host.error or any(place.startswith(OPTION_FILES) for place in host.unread):
        return ""
    return "" if any(map(_fences, host.options)) else "no option file on its host sets it"


def _origins(server: ServerSeen) -> Mapping[str, Origin]:
    names = ("super_read_only", "read_only") if server.is_mysql else ("read_only",)
    return {one: server.origins[one] for one in names if one in server.origins}


def _fences(line: str) -> bool:
    """Whether a line of an option file has the server start fenced: `read_only`, `read-only = 1`…"""
    value = line.partition("#")[0].partition("=")[2].strip().upper()
    return value in {"", "1", "ON", "TRUE", "NO_LOCK", "NO_LOCK_NO_ADMIN"}


def _loose_fence(pair: PairSeen) -> Iterator[Fault]:
    for server in pair.masters:
        if server.writes.read_only and server.writes.loose:
            yield Fault(
                says=f"{server.name} is fenced by read_only alone: administrators write through it",
                server=server.name,
                object="super_read_only",
                seen={server.name: "read_only=ON, super_read_only=OFF"},
                fix=set_global(server, "super_read_only", "1"),
            )


def _passing(pair: PairSeen) -> Iterator[Fault]:
    """Interlock's own must pass, to open again. One that can only come from the server's own machine is its administrator's."""
    own = {one.spec.access.account.user for one in pair.masters}
    for account in pair.writer.accounts:
        if account.passes and not account.locked and account.user not in own and account.host != "localhost":
            rights = "SUPER, READ ONLY ADMIN" if account.super else "READ ONLY ADMIN"
            yield Fault(
                says=f"{account.name} writes through read_only",
                object=account.name,
                seen={pair.writer.name: rights},
                fix=sql(pair.writer, f"REVOKE {rights} ON *.* FROM {account.name}"),
            )


def _tls(pair: PairSeen) -> Iterator[Fault]:
    for server in pair.servers:
        if is_local(server):
            continue
        if server.spec.access.tls is None:
            yield Fault(
                says=f"Interlock logs in at {server.name} without TLS",
                server=server.name,
                object="access.tls",
                fix=in_topology("access:\n  tls: on   # or {ca: FILE}"),
            )
        for link in server.links:
            if not link.tls:
                yield Fault(
                    says=f"{server.name} replicates from {link.source_address} without TLS",
                    server=server.name,
                    object=link.source_address,
                    fix=_tls_on(server, link.channel),
                )


def _tls_on(server: ServerSeen, channel: str) -> Fix:
    if replica(server) == "REPLICA":
        of = f" FOR CHANNEL '{channel}'" if channel else ""
        return sql(server, f"STOP REPLICA{of}", f"CHANGE REPLICATION SOURCE TO SOURCE_SSL=1{of}", f"START REPLICA{of}")
    of = f" '{channel}'" if channel else ""
    return sql(server, f"STOP SLAVE{of}", f"CHANGE MASTER{of} TO MASTER_SSL=1", f"START SLAVE{of}")


def _replication_accounts(pair: PairSeen) -> Iterator[Fault]:
    """Each side's channel logs in at the other one: the account is needed on both, and needs little."""
    for server in pair.masters:
        for link in server.links:
            source = next((one for one in pair.masters if link.source_address in one.spec.addresses), None)
            if source is None:
                continue
            for account in source.accounts:
                if account.user == link.user and account.super:
                    yield Fault(
                        says=f"{account.name}, which {server.name} replicates with, has SUPER on {source.name}",
                        object=account.name,
                        seen={source.name: "SUPER"},
                        fix=sql(pair.writer, f"REVOKE SUPER ON *.* FROM {account.name}"),
                    )


RULES = (
    Rule(
        id="fence.starts_fenced",
        question=BESIDE,
        title="A master that starts takes no writes",
        verdict=_UNFIT,
        why="after a crash the old writer comes back while the other side is the writer, and takes writes again",
        source="docs/switchover.md",
        look=_starts_writable,
    ),
    Rule(
        id="fence.stops_administrators",
        question=BESIDE,
        title="The standby is fenced for administrators too",
        verdict=_ATTENTION,
        why="a script with an administrator's account writes on the standby without noticing",
        source='MySQL manual, "super_read_only"',
        look=_loose_fence,
    ),
    Rule(
        id="accounts.pass_read_only",
        question=BESIDE,
        title="No account besides Interlock's writes through a fence",
        verdict=_ATTENTION,
        why="what such an account runs goes on writing on a fenced server",
        source='MariaDB KB, "READ ONLY ADMIN"',
        look=_passing,
    ),
    Rule(
        id="accounts.tls",
        question=BESIDE,
        title="Replication and Interlock are encrypted",
        verdict=_ATTENTION,
        why="every row and Interlock's commands can be read and changed on the way",
        source='MySQL manual, "Setting Up Replication to Use Encrypted Connections"',
        look=_tls,
    ),
    Rule(
        id="accounts.replication",
        question=BESIDE,
        title="Replication's account may replicate, and no more",
        verdict=_ATTENTION,
        why="its password stands on the other server, where whoever reads it gets all that it may do",
        source='MySQL manual, "Creating a User for Replication"',
        look=_replication_accounts,
    ),
)
