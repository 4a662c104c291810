"""A server with several addresses (`others` of the topology), and what else one of its keys may say."""

from __future__ import annotations

import pytest

from interlock.documents.topology import parse_topology
from interlock.errors import InvalidFile
from interlock.model.topology import Topology


def parse(west: str) -> Topology:
    text = f"topology: t\naccess: {{user: u, tls: off}}\nclusters:\n  east:\n    master: {{host: a}}\n  west:\n    master: {west}\n"
    return parse_topology(text, file="/etc/interlock/t.yaml", route_types={})


def test_each_is_tried_in_its_order_and_has_the_servers_port_unless_it_says_another() -> None:
    west = parse("{host: b, port: 3307, others: [c, 'd:3399'], binlog: pair}").server("west")
    assert west.places == (("b", 3307), ("c", 3307), ("d", 3399))
    assert west.binlog == "pair"
    assert parse("{host: b, others: c}").server("west").places == (("b", 3306), ("c", 3306))
    assert parse("{host: b}").server("west").places == (("b", 3306),)


@pytest.mark.parametrize(
    ("others", "what"),
    [
        ("['c d']", "'c d' is no address"),
        ("['c:']", "'c:' is no address"),
        ("['c:99999']", "'c:99999' is no address"),
        ("['c:x']", "'c:x' is no address"),
        ("[a]", "west has the address of east: a:3306"),
        ("[b]", "west has the address of west: b:3306"),
    ],
    ids=["blank", "no port", "port out of range", "port no number", "another server's", "its own twice"],
)
def test_what_is_no_address_of_its_own_is_a_problem(others: str, what: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        parse(f"{{host: b, others: {others}}}")
    assert [what in str(problem) for problem in caught.value.problems] == [True]


def test_the_harder_fence_is_mysqls_alone() -> None:
    assert [parse(f"{{host: b{more}}}").server("west").fence for more in (", fence: offline_mode", "")] == ["offline_mode", None]
    for more, what in (("flavor: mariadb, fence: offline_mode", "west is mariadb, which has no offline_mode"), ("fence: power", "power")):
        with pytest.raises(InvalidFile) as caught:
            parse(f"{{host: b, {more}}}")
        assert [what in str(problem) for problem in caught.value.problems] == [True]
