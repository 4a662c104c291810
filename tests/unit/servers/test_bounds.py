"""Every statement that a driver sends is bounded on the server, but for those that are named here, each with its reason.

A time-out at the client is no cancel: the bound on the server comes first. What a server can't bound is ended by the client's bound: its
connection is killed from another one and proved gone (`orphans.py`).
"""

from __future__ import annotations

import re

import pytest

from interlock.model.effects import (
    ChannelEffect,
    Fence,
    KillSessions,
    Open,
    Repoint,
    RunSql,
    SendHeartbeat,
    ServerEffect,
    SetEventScheduler,
    SetSemiSync,
    StartApplier,
    StartReceiver,
    StopApplier,
    StopReceiver,
)
from interlock.model.topology import ServerName
from interlock.servers.dialect import Dialect
from interlock.servers.flavors import flavor_named
from interlock.servers.versions import version_of

EAST = ServerName("east")
SERVER_EFFECTS: tuple[ServerEffect, ...] = (
    Fence(server=EAST, within_s=1.5),
    Open(server=EAST, within_s=1.5),
    SetEventScheduler(server=EAST, on=True),
    KillSessions(server=EAST, ids=(7,)),
)
SPOKEN = {
    "mariadb 10.5": ("mariadb", "5.5.5-10.5.23-MariaDB"),
    "mariadb 11.8": ("mariadb", "11.8.3-MariaDB"),
    "mysql 5.7": ("mysql", "5.7.44-log"),
    "mysql 8.0": ("mysql", "8.0.39"),
    "mysql 9.7": ("mysql", "9.7.0"),
}
_OWN = re.compile(r"SET STATEMENT max_statement_time=([0-9.]+), lock_wait_timeout=\d+ FOR ")

GAPS = {
    "mariadb": {},
    "mysql": {
        "SHOW": "max_execution_time is for SELECT; it reads what is in memory",
        "KILL": "it only raises a flag",
        "SET GLOBAL event_scheduler": "stopping waits for the scheduler's thread, not for its events",
        "SET GLOBAL rpl_semi_sync": "it waits for no lock of a table",
        "STOP": "rpl_stop_replica_timeout is the whole server's (a year by default)",
        "START": "it waits for the threads to have started",
        "CHANGE": "it waits for the threads to have stopped, which STOP did before it",
    },
}
"""Of each flavor, how the statements begin that nothing bounds on the server, and why that is borne."""


def dialect(spoken: str) -> Dialect:
    flavor, version = SPOKEN[spoken]
    return flavor_named(flavor).speaks("east", version)


def script_of(spoken: str, effect: ServerEffect | ChannelEffect) -> tuple[str, ...]:
    flavor, version = SPOKEN[spoken]
    match effect:
        case Repoint() | StopApplier() | StartApplier() | StopReceiver() | StartReceiver() | SendHeartbeat() | SetSemiSync():
            words = flavor_named(flavor).channels
            assert words is not None
            return words(version_of(version)).script(effect)
        case _:
            return dialect(spoken).script(effect)


def effects(spoken: str) -> tuple[ServerEffect | ChannelEffect, ...]:
    using = "slave_pos" if spoken.startswith("mariadb") else "auto_position"
    words = "master/slave" if version_of(SPOKEN[spoken][1]) < (8, 0, 26) or using == "slave_pos" else "source/replica"
    return (
        *SERVER_EFFECTS,
        Repoint(server=EAST, channel="", source=ServerName("west"), host="10.0.0.2", port=3306, using=using),
        StopApplier(server=EAST, channel="x"),
        StartApplier(server=EAST, channel="x"),
        StopReceiver(server=EAST, channel="x"),
        StartReceiver(server=EAST, channel="x"),
        SetSemiSync(server=EAST, words=words, waits=True, acknowledges=False, channels=("",)),
    )


def is_bounded(spoken: str, statement: str, before: tuple[str, ...]) -> bool:
    """By itself, by what stands before it in the script, or by how its connection begins."""
    setup = dialect(spoken).setup.first
    if SPOKEN[spoken][0] == "mariadb":  # the session's max_statement_time is for every statement (MariaDB KB, "Aborting Statements")
        return bool(_OWN.match(statement)) or "max_statement_time=" in setup
    if statement.startswith("SET SESSION "):
        return True
    if statement.startswith("SELECT "):  # MySQL manual, "max_execution_time": read-only SELECT alone
        return "max_execution_time=" in setup
    waits_for_locks = "read_only" in statement
    return waits_for_locks and any("lock_wait_timeout=" in one for one in before)


@pytest.mark.parametrize("spoken", SPOKEN)
def test_a_statement_is_bounded_on_the_server_or_named_with_its_reason(spoken: str) -> None:
    flavor = SPOKEN[spoken][0]
    met: set[str] = set()
    for effect in effects(spoken):
        script = script_of(spoken, effect)
        assert script, effect
        for number, statement in enumerate(script):
            if is_bounded(spoken, statement, script[:number]):
                continue
            gaps = [gap for gap in GAPS[flavor] if statement.startswith(gap)]
            assert gaps, f"nothing bounds {statement!r} on {spoken}"
            met |= set(gaps)
    assert met <= GAPS[flavor].keys()
    if spoken == "mysql 9.7":
        assert met | {"SHOW"} == GAPS[flavor].keys(), "a gap that is none any more"


@pytest.mark.parametrize("spoken", SPOKEN)
def test_a_connection_begins_with_bounds_on_statements_and_on_locks(spoken: str) -> None:
    setup = dialect(spoken).setup.first
    wanted = ("max_statement_time", "lock_wait_timeout", "innodb_lock_wait_timeout")
    if SPOKEN[spoken][0] == "mysql":
        wanted = ("max_execution_time", *wanted[1:])
    assert [name for name in wanted if f"{name}=" not in setup] == []


@pytest.mark.parametrize("spoken", SPOKEN)
def test_a_teams_own_statements_run_on_a_connection_that_is_bounded_by_their_time(spoken: str) -> None:
    effect = RunSql(server=EAST, statements=("CALL nightly()",), within_s=2.5)
    assert script_of(spoken, effect) == ("CALL nightly()",)
    name, value = ("max_statement_time", "2.5") if spoken.startswith("mariadb") else ("max_execution_time", "2500")
    bounds = dialect(spoken).bounds(effect.within_s)
    assert f"{name}={value}" in bounds
    assert "lock_wait_timeout=3" in bounds


def test_a_bound_of_an_effect_reaches_every_statement_of_it_on_mariadb() -> None:
    for effect in effects("mariadb 11.8")[4:]:
        for statement in script_of("mariadb 11.8", effect):
            matched = _OWN.match(statement)
            assert matched, statement
            assert matched[1] == "5"
