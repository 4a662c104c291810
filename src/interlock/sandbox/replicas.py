"""Replicas behind the servers of a sandbox: more servers in its folder, each behind the master of its side, and named in its topology."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.model.topology import Follow
from interlock.sandbox import accounts, pair, settings, sql
from interlock.sandbox.kinds import Kind, kind_named, user_cache
from interlock.sandbox.places import Member, Sandbox
from interlock.sandbox.template import clone, template

_START_S = 30.0
_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """A replica, and the side whose master it begins behind."""

    member: Member
    side: str


def add(
    sandbox: Sandbox, each: int, *, clock: Clock, follow: Follow = Follow.WRITER, options: Mapping[str, str] | None = None
) -> dict[str, Behind]:
    """Start `each` replicas on either side of a sandbox that runs, by their names: `east-r1`. `options` are server options for all.

    They are in the topology file from then on, and end with the sandbox.
    """
    kind = kind_named(sandbox.kind)
    found = {one.member.name: one for side in sandbox.members for one in _planned(sandbox, side, each)}
    own = {"gtid_domain_id": "0"} if kind.flavor == "mariadb" else {}
    passwords = Path(sandbox.directory) / "secrets" / "replicas.sql"
    accounts.write_private(passwords, accounts.passwords_sql({name: sandbox.password(name) for name in accounts.ACCOUNTS}))
    source = template(kind, user_cache(), options or {})
    wider = seen_with(sandbox, found)

    def start(one: Behind) -> None:
        given = {"auto_increment_offset": "1", **own, **(options or {})}
        clone(source, Path(one.member.data))
        option_file = Path(one.member.options)
        option_file.write_text(settings.option_file(one.member, kind, {**given, "init_file": str(passwords)}))
        pair.restart(wider, one.member.name, clock=clock)
        option_file.write_text(settings.option_file(one.member, kind, given))
        _replicate(wider, kind, one, Deadline.after(clock, _START_S))

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(start, found.values()))
    passwords.unlink()
    _name_them(Path(sandbox.topology), found, follow)
    return found


def seen_with(sandbox: Sandbox, replicas: Mapping[str, Behind]) -> Sandbox:
    """The sandbox with its replicas among its members, for SQL on them."""
    return replace(sandbox, members={**sandbox.members, **{name: one.member for name, one in replicas.items()}})


def _planned(sandbox: Sandbox, side: str, each: int) -> list[Behind]:
    """East's are .11, .12…, west's .21, .22… of the sandbox's own network."""
    master, folder = sandbox.members[side], Path(sandbox.directory)
    planned = []
    for number in range(1, each + 1):
        name, server_id = f"{side}-r{number}", 10 * master.server_id + number
        member = replace(
            master,
            name=name,
            server_id=server_id,
            host=f"{master.host.rpartition('.')[0]}.{server_id}",
            socket=str(folder / f"{name}.sock"),
            options=str(folder / f"{name}.cnf"),
            data=str(folder / name),
            log=str(folder / f"{name}.log"),
        )
        planned.append(Behind(member=member, side=side))
    return planned


def _replicate(sandbox: Sandbox, kind: Kind, one: Behind, deadline: Deadline) -> None:
    source = sandbox.members[one.side]
    with closing(sql.connect(sandbox, one.member.name)) as connection:
        sql.rows(connection, kind.follow, source.host, source.port, sandbox.password("repl"))
        sql.rows(connection, kind.start)
        while True:
            (channel,) = sql.rows(connection, kind.channel)
            if all(channel[thread] == "Yes" for thread in kind.runs):
                return
            if deadline.is_over():
                why = next((channel[column] for column in kind.errors if channel[column]), "no reason given")
                raise StatementFailed(f"{one.member.name} does not replicate from {source.name}: {why}", server=one.member.name)
            deadline.clock.sleep(_PAUSE_S)


def _name_them(topology: Path, replicas: Mapping[str, Behind], follow: Follow) -> None:
    lines = []
    side = ""
    for line in topology.read_text().splitlines():
        lines.append(line)
        side = line.strip().removesuffix(":") if line.startswith("  ") and line.endswith(":") and not line.startswith("   ") else side
        own = [one.member for one in replicas.values() if one.side == side]
        if line.startswith("    master:") and own:
            lines.append("    replicas:")
            lines += [f"    - {{name: {each.name}, host: {each.host}, port: {each.port}, follow: {follow.value}}}" for each in own]
    topology.write_text("\n".join(lines) + "\n")
