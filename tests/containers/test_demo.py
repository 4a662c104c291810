from __future__ import annotations

import json

import pytest

from containers.compose import Demo, docker

_LARGEST_MB = {
    "interlock-demo": 200,
    "interlock-haproxy": 120,
    "interlock-dns": 160,
    "interlock-etcd": 130,
    "interlock-mariadb": 180,
    "interlock-mysql": 300,
}
SERVICES = ("prepare", "east", "west", "proxy", "dns", "etcd1", "etcd2", "etcd3", "join", "load", "interlock")


@pytest.fixture(scope="module")
def passwords(pair: Demo) -> dict[str, str]:
    """Of every account, by its name."""
    read = "{file.name: file.read_text().strip() for file in Path('/secrets/setup/accounts').iterdir()}"
    program = f"import json; from pathlib import Path; print(json.dumps({read}))"
    return dict(pair.compose("run", "--rm", "--no-TTY", "--no-deps", "--entrypoint", "python", "prepare", "-c", program).document)


def test_the_demo_moves_the_writes_there_and_back_and_its_exit_code_is_that_of_the_runs(pair: Demo) -> None:
    said = pair.compose("logs", "--no-color", "--no-log-prefix", "interlock").out
    assert docker("wait", pair.container("interlock")).out == "0\n", said
    assert said.count("switchover of demo: succeeded") == 2
    assert ", 0 lost, 0 duplicated, 0 resurrected" in said
    assert "in 3 turns, 0 violations" in said


def test_the_name_leads_to_where_the_proxy_does(pair: Demo) -> None:
    seen = pair.status()
    assert {route["route"]: route["to"] for route in seen["routes"]} == {"writes": seen["writer"], "name": seen["writer"]}


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_is_closed(pair: Demo, service: str) -> None:
    seen = json.loads(docker("inspect", pair.container(service)).out)[0]
    host = seen["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert seen["Config"]["User"] not in {"", "root", "0"}
    assert host["PortBindings"] in ({}, None)


@pytest.mark.parametrize("service", SERVICES)
def test_no_password_is_in_an_image_its_history_or_a_container_s_settings(pair: Demo, passwords: dict[str, str], service: str) -> None:
    image = json.loads(docker("inspect", pair.container(service)).out)[0]["Config"]["Image"]
    settings = docker("inspect", pair.container(service)).out + docker("history", "--no-trunc", image).out
    assert len(passwords) > 5
    assert [name for name, password in passwords.items() if password in settings] == []


def test_a_container_sees_no_password_that_it_does_not_need(pair: Demo) -> None:
    found = docker("exec", pair.container("load"), "find", "/secrets", "-type", "f")
    assert found.code != 0 or found.out.split() == ["/secrets/clients/app"]


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_is_small(pair: Demo, service: str) -> None:
    image = json.loads(docker("inspect", pair.container(service)).out)[0]["Config"]["Image"]
    assert int(docker("image", "inspect", "--format", "{{.Size}}", image).out) < _LARGEST_MB[image] * 1_000_000


def test_stopped_and_started_again_it_opens_one_server_that_holds_all_and_moves_the_writes_once_more(pair: Demo) -> None:
    assert pair.compose("stop").code == 0
    started = pair.compose("up", "--detach", within_s=300)
    assert started.code == 0, started.err
    ended = docker("wait", pair.container("interlock"), within_s=300).out
    assert ended == "0\n", pair.compose("logs", "--no-color", "--no-log-prefix", "--tail", "50", "interlock").out
