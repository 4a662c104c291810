"""What docs/fencing.md shows is what the program reads."""

from __future__ import annotations

import re
from pathlib import Path

from interlock.documents.topology import parse_topology
from interlock.fencing.registry import FENCING, names_of
from interlock.model.topology import ClusterName
from interlock.routes.registry import route_fields

PAGE = Path(__file__).parents[3] / "docs" / "fencing.md"
AROUND = """\
topology: shop
access: {{user: interlock, tls: off}}
{example}  west: {{master: {{host: 10.2.0.10}}}}
routes:
  writes: {{type: haproxy, socket: "unix:/run/haproxy.sock", backend: mysql, servers: {{east: a, west: b}}}}
"""


def test_the_example_is_read_and_each_of_its_ways_is_one_that_there_is() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    shop = parse_topology(AROUND.format(example=example), file="/etc/interlock/shop.yaml", route_types=route_fields())
    fencing = shop.clusters[ClusterName("east")].fencing
    assert names_of(fencing) == ("proxy", "service", "port", "command")
    assert fencing[3]["fence"] == ("/etc/interlock/hooks/power", "off", "{cluster}")


def test_every_way_has_its_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert set(rows) == FENCING.keys()
