"""A team's own rules, as docs/audit.md prints them, on a real pair."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from scenarios.command_line import environment, interlock

_PAGE = Path(__file__).parents[2] / "docs" / "audit.md"
_BLOCK = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", re.DOTALL)
_TABLE = (
    "CREATE DATABASE shop",
    "CREATE TABLE shop.orders (id INT PRIMARY KEY, customer INT)",
    "INSERT INTO shop.orders VALUES (1, 1), (2, NULL)",
)


@pytest.fixture(scope="module")
def env(pair: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The page's files, the package among them as pip would leave it, and a pair with what its checks ask for."""
    tmp_path = tmp_path_factory.mktemp("rules")
    page = dict(_BLOCK.findall(_PAGE.read_text()))
    topology = tmp_path / "topology.yaml"
    topology.write_text(Path(pair.topology).read_text() + page["topology.yaml"])
    (tmp_path / "shop-checks.yaml").write_text(page["shop-checks.yaml"])
    packages = tmp_path / "packages"
    info = packages / "shop_audit_rules-1.dist-info"
    info.mkdir(parents=True)
    (packages / "shop_audit_rules.py").write_text(page["shop_audit_rules.py"])
    project = tomllib.loads(page["pyproject.toml"])
    points = project["project"]["entry-points"]["interlock.audit_rules"]
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["include"] == [f"{points['shop'].partition(':')[0]}.py"]
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-audit-rules\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[interlock.audit_rules]\nshop = {points['shop']}\n")
    for statement in _TABLE:
        query(pair, "east", statement)
    return {**environment(pair, tmp_path), "INTERLOCK_TOPOLOGY": str(topology), "PYTHONPATH": str(packages)}


def _asked(env: dict[str, str], *words: str) -> tuple[int, list[dict[str, Any]]]:
    done = interlock("audit", *words, "--json", env=env, within_s=240)
    return done.code, [one for question in done.document["questions"] for one in question["findings"]]


def test_a_check_of_a_file_finds_its_row_and_the_printed_fix_mends_it(pair: Sandbox, env: dict[str, str]) -> None:
    code, (found,) = _asked(env, "--rule", "shop.orders_have_a_customer")
    assert (code, found["question"], found["verdict"], found["object"]) == (3, 4, "unfit", "order 2")
    assert (found["server"], found["source"], found["fix"]["on"]) == ("east", "shop-checks.yaml", "east")
    query(pair, "east", found["fix"]["text"])
    assert _asked(env, "--rule", "shop.orders_have_a_customer") == (0, [])
    assert _asked(env, "--rule", "shop.orders_are_counted") == (0, [])


def test_a_rule_of_a_package_finds_its_setting_and_the_printed_fix_mends_it(pair: Sandbox, env: dict[str, str]) -> None:
    code, found = _asked(env, "--rule", "shop.idle_connections")
    assert (code, [(one["server"], one["object"], one["verdict"]) for one in found]) == (
        0,
        [("east", "wait_timeout", "needs_attention"), ("west", "wait_timeout", "needs_attention")],
    )
    for one in found:
        query(pair, one["server"], one["fix"]["text"].partition(";")[0])
    assert _asked(env, "--rule", "shop.idle_connections") == (0, [])


def test_a_mistake_in_a_file_of_checks_stops_the_audit_and_nothing_else(env: dict[str, str], tmp_path: Path) -> None:
    topology, file = Path(env["INTERLOCK_TOPOLOGY"]), tmp_path / "shop-checks.yaml"
    env = {**env, "INTERLOCK_TOPOLOGY": str(tmp_path / "topology.yaml")}
    (tmp_path / "topology.yaml").write_text(topology.read_text())
    file.write_text(
        topology.with_name(file.name).read_text().replace("verdict: unfit", "verdict: fatal").replace("on: writer", "on: east-r7")
    )
    told = interlock("audit", env=env)
    assert told.code == 2
    assert f"{file}:6:12: " in told.err
    assert "'fatal'" in told.err
    assert f"{file}:5:7: an audit check is to run on 'east-r7', which is no server" in told.err
    assert interlock("status", env=env).code == 0
