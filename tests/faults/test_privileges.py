"""Least privilege: what `interlock grants` prints is enough, and preflight names each line of it that is taken away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from interlock.sandbox.accounts import CANARY, TOOL
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from interlock.servers.grants import CANARY_ACCOUNT_PRIVILEGES, CANARY_PRIVILEGES
from interlock.servers.mariadb import NEEDS
from scenarios.command_line import Ended, environment, interlock
from servers.mariadb_lab import ALL_WITH_GRANT_OPTION

_ACCOUNTS = {TOOL: f"'{TOOL}'@'%'", CANARY: f"'{CANARY}'@'%'"}
_GRANTS = [
    *((TOOL, need.privilege, "*.*") for need in NEEDS),
    *((TOOL, privilege, "`interlock`.*") for privilege in CANARY_PRIVILEGES),
    *((CANARY, privilege, "`interlock`.`canary`") for privilege in CANARY_ACCOUNT_PRIVILEGES),
]


@pytest.fixture(scope="module")
def granting(pair: Sandbox) -> Iterator[Sandbox]:
    """The pair with an administrator who may grant, as long as this module runs: on each server by itself, out of the binary logs."""
    before = query(pair, "east", "SELECT JSON_VALUE(Priv, '$.access') AS access FROM mysql.global_priv WHERE User='admin'")[0]["access"]
    _set_access(pair, ALL_WITH_GRANT_OPTION)
    with _revoked(pair, "INSERT, UPDATE, DELETE, CREATE", "*.*", f"{TOOL}@'%'"):  # what only a rejoin needs, and stands for much else
        yield pair
    _set_access(pair, int(before))


def _set_access(pair: Sandbox, access: int) -> None:
    change = f"UPDATE mysql.global_priv SET Priv=JSON_SET(Priv, '$.access', {access}) WHERE User='admin'"
    for name in pair.members:
        query(pair, name, f"SET STATEMENT sql_log_bin=0 FOR {change}")
        query(pair, name, "FLUSH LOCAL PRIVILEGES")


@contextmanager
def _revoked(pair: Sandbox, privilege: str, scope: str, account: str) -> Iterator[None]:
    _on_both(pair, f"REVOKE {privilege} ON {scope} FROM {account}")
    try:
        yield
    finally:
        _on_both(pair, f"GRANT {privilege} ON {scope} TO {account}")


def _on_both(pair: Sandbox, statement: str) -> None:
    for name in pair.members:
        query(pair, name, f"SET STATEMENT sql_log_bin=0 FOR {statement}")


def _named(planned: Ended) -> set[str]:
    """The GRANTs of the problem, whatever the width of the terminal was."""
    flat = re.sub(r"\s+", " ", planned.out)
    return set(re.findall(r"GRANT [A-Z_, ]+ ON \S+ TO '\w+'@'%'", flat))


@pytest.mark.parametrize(("user", "privilege", "scope"), [pytest.param(*each, id=f"{each[0]}: {each[1]} on {each[2]}") for each in _GRANTS])
def test_a_grant_that_is_taken_away_is_named_by_preflight(granting: Sandbox, tmp_path: Path, user: str, privilege: str, scope: str) -> None:
    """It alone: so all that were taken away before were given again."""
    with _revoked(granting, privilege, scope, _ACCOUNTS[user]):
        planned = interlock("plan", "switchover", env=environment(granting, tmp_path))
    assert planned.code == 3, planned
    assert _named(planned) == {f"GRANT {privilege} ON {scope} TO {_ACCOUNTS[user]}"}


def test_with_exactly_what_is_printed_a_switchover_succeeds(granting: Sandbox, tmp_path: Path) -> None:
    """Also after all of them were revoked and granted again."""
    printed = interlock("grants", env=environment(granting, tmp_path)).out
    for user, privilege, _ in _GRANTS:
        assert re.search(rf"GRANT [A-Z_, ]*\b{privilege}\b[A-Z_, ]* ON \S+ TO ", printed), (user, privilege)
    assert interlock("run", "switchover", env=environment(granting, tmp_path)).code == 0
