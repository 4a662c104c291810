from __future__ import annotations

import pytest

from interlock.documents.fencing_fields import ROUTES_OF
from interlock.documents.topology import parse_topology
from interlock.errors import InvalidFile
from interlock.fencing.registry import FENCING
from interlock.fencing.routing import CLOSED
from interlock.model.topology import ClusterName, Topology
from interlock.routes.registry import route_fields

PAIR = """\
topology: shop
access: {{user: interlock, tls: off}}
clusters:
  east:
    master: {{host: 10.1.0.10}}
{ssh}    fencing:
{fencing}
  west: {{master: {{host: 10.2.0.10}}}}
routes:
  writes: {{type: haproxy, socket: "unix:/run/haproxy.sock", backend: mysql, servers: {{east: a, west: b}}}}
  name: {{type: command, flip: [./flip, "{{to}}"]}}
"""
SSH = "    ssh: {host: 10.1.0.10, user: ops}\n"


def parse(*fencing: str, ssh: bool = True) -> Topology:
    text = PAIR.format(ssh=SSH if ssh else "", fencing="\n".join(f"    - {each}" for each in fencing))
    return parse_topology(text, file="/etc/interlock/shop.yaml", route_types=route_fields())


def test_every_way_of_the_file_has_its_agent_and_every_route_of_theirs_its_words() -> None:
    ways = [
        "{type: service, unit: mariadb, option_file: /etc/mysql/conf.d/zz-interlock.cnf, sudo: true}",
        "{type: port, allow: [10.0.0.9, 'fd00::9']}",
        "{type: proxy, route: all}",
        "{type: command, fence: [./power, off], show: [./power, show], fenced: 'off', within: 20s}",
        "{type: command, name: cloud, fence: [./cloud, off], show: [./cloud, show], fenced: 'off', whole: false}",
    ]
    read = parse(*ways).clusters[ClusterName("east")].fencing
    assert [settings["type"] for settings in read] == ["service", "port", "proxy", "command", "command"]
    assert read[3]["within"] == 20.0
    assert {str(settings["type"]) for settings in read} | {"address"} == FENCING.keys()
    assert {kind for kinds in ROUTES_OF.values() for kind in kinds} == CLOSED.keys()


@pytest.mark.parametrize(
    ("fencing", "column", "what", "hint"),
    [
        pytest.param("{type: servic, unit: x}", 14, "fencing has an unknown type 'servic'", "did you mean 'service'?", id="unknown-type"),
        pytest.param("{type: service}", 7, "lacks 'unit'", "the systemd unit", id="a-service-without-its-unit"),
        pytest.param("{type: service, unit: -x}", 29, "'-x' is no name of a unit", "", id="a-unit-that-is-an-option"),
        pytest.param("{type: service, unit: x, option_file: zz.cnf}", 45, "'zz.cnf' is no absolute path", "", id="a-relative-file"),
        pytest.param("{type: port, port: 70000}", 26, "70000 is not between 1 and 65535", "", id="no-port"),
        pytest.param("{type: port, allow: [ops]}", 27, "'ops' is no address", "", id="no-address"),
        pytest.param("{type: address, route: vip}", 23, "there is no route 'vip'", "", id="no-such-route"),
        pytest.param(
            "{type: address, route: writes}",
            23,
            "fencing by address can't use route 'writes', which is of type haproxy",
            "it takes a route of type vip, and there is none",
            id="a-route-without-an-address",
        ),
        pytest.param(
            "{type: proxy, route: name}",
            21,
            "fencing by proxy can't use route 'name', which is of type command",
            "it takes a route of type haproxy or proxysql: writes",
            id="a-route-that-can-not-end-sessions",
        ),
        pytest.param("{type: command, fence: [./x], fenced: y}", 7, "lacks 'show'", "", id="a-command-that-tells-nothing"),
        pytest.param("{type: port, within: 5}", 28, "within is the number '5', not a duration", "say the unit: 5s", id="no-unit"),
    ],
)
def test_what_is_wrong_with_a_way_is_told_with_its_place_and_a_hint(fencing: str, column: int, what: str, hint: str) -> None:
    with pytest.raises(InvalidFile) as wrong:
        parse(fencing)
    (problem,) = wrong.value.problems
    assert (problem.line, problem.column) == (8, column)
    assert what in problem.what
    assert hint in problem.hint


@pytest.mark.parametrize("fencing", ["{type: service, unit: x}", "{type: port}"])
def test_what_is_done_on_the_host_needs_a_way_to_log_in_there(fencing: str) -> None:
    with pytest.raises(InvalidFile) as wrong:
        parse(fencing, ssh=False)
    (problem,) = wrong.value.problems
    assert "there is no way to log in there" in problem.what
    assert problem.hint == "add `ssh` to east"


def test_two_ways_have_two_names() -> None:
    with pytest.raises(InvalidFile, match="two ways of fencing east are called 'a'"):
        parse("{type: port, name: a}", "{type: service, unit: x, name: a}")
