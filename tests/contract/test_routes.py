"""The contract of routes, which ships (`interlock.routes.contract`), held by every type behind an API, a key or a hook."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from interlock.model.effects import RestoreRoute
from interlock.routes.contract import ROUTE_RULES, Bench, Rule
from servers.etcd_lab import Cluster
from servers.route_benches import EAST, KINDS, WEST, Behind
from servers.route_benches import etcd as etcd_route

_each_rule = pytest.mark.parametrize("rule", ROUTE_RULES, ids=lambda rule: rule.name)


@pytest.fixture(scope="module", params=KINDS)
def made(request: pytest.FixtureRequest) -> Iterator[Behind]:
    """One for all rules: each is put back to east."""
    with KINDS[request.param]() as behind:
        yield behind


@_each_rule
def test_a_type_keeps_the_contract(made: Behind, rule: Rule) -> None:
    held(made, rule)


@_each_rule
def test_etcd_keeps_the_contract(etcd: Cluster, rule: Rule) -> None:
    with etcd_route(etcd) as behind:
        held(behind, rule)


def held(behind: Behind, rule: Rule) -> None:
    route = behind.again()
    before = route.facts()
    try:
        rule.check(Bench(route=route, here=EAST, there=WEST))
    finally:
        behind.again().apply(RestoreRoute(route=route.name, seen=before))
