from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock.sandbox.places import Sandbox
from interlock.sandbox.processes import running
from interlock.sandbox.sql import query
from scenarios.command_line import environment, interlock, start


@pytest.fixture
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """State folders have short paths: sockets lie below them."""
    env = environment(None, tmp_path_factory.mktemp("c"))
    yield env
    interlock("sandbox", "down", env=env)


def test_a_sandbox_goes_up_is_used_as_it_says_and_goes_down(env: dict[str, str]) -> None:
    up = interlock("sandbox", "up", "--json", env=env)
    assert up.code == 0, up
    said = up.document
    assert {"directory", "topology", "writer", "clients", "servers"} <= said.keys()
    used = {**env, "INTERLOCK_TOPOLOGY": said["topology"], "INTERLOCK_STORE": said["store"]}
    assert interlock("switchover", "--to", "west", env=used).code == 0
    assert interlock("drill", "--count", "2", "--pooled", "2", "--fresh", "2", "--json", env=used).document["clean"] is True
    assert len(interlock("runs", "--json", env=used).document) == 3
    assert interlock("sandbox", "status", "--json", env=env).document["missing"] == []
    assert f"export INTERLOCK_TOPOLOGY={said['topology']}\n" in interlock("sandbox", "status", env=env).out
    again = interlock("sandbox", "up", env=env)
    assert (again.code, "holds a sandbox already" in again.err, "another one with --dir" in again.err) == (2, True, True)
    assert interlock("sandbox", "down", env=env).code == 0
    assert not Path(said["directory"]).exists()
    assert running(Path(said["directory"])) == ()
    assert interlock("sandbox", "status", env=env).code == 2


def test_the_demo_tells_its_story_and_loses_nothing(env: dict[str, str]) -> None:
    done = interlock("demo", env={**env, "INTERLOCK_TOPOLOGY": "/nowhere"})
    assert done.code == 0, done
    assert "lost 0" in done.out
    assert "rolled back, exit code 4" in done.out
    assert "All is as it should be." in done.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["ctrl-c", "sigterm", "hang-up"])
def test_a_demo_that_is_stopped_leaves_nothing(env: dict[str, str], number: signal.Signals, tmp_path: Path) -> None:
    with start("demo", env={**env, "TMPDIR": str(tmp_path)}) as process:
        assert process.stdout is not None
        address = next(line for line in process.stdout if "clients connect to" in line).split()[3].rstrip(";")
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    network = address.rpartition(".")[0]
    assert not [line for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if _listens_in(line, network)]


def _listens_in(line: str, network: str) -> bool:
    """Whether a line of /proc/net/tcp (proc(5)) is a listening socket of the network, its address in hex, last byte first."""
    _, local, _, state, *_ = line.split()
    octets = [str(byte) for byte in reversed(bytes.fromhex(local.partition(":")[0]))]
    return state == "0A" and ".".join(octets[:3]) == network


def test_drill_without_a_sandbox_says_how_to_get_one(env: dict[str, str]) -> None:
    done = interlock("drill", env=env)
    assert (done.code, "interlock sandbox up" in done.err) == (2, True)


def test_the_sandbox_whose_topology_is_in_use_is_the_one_that_is_meant(env: dict[str, str], tmp_path: Path) -> None:
    """A drill on another one would rehearse what nobody looks at, and the one that is removed is not to be guessed."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "sandbox.json").write_text("{}")
    used = {**env, "INTERLOCK_TOPOLOGY": str(other / "topology.yaml")}
    done = interlock("drill", env=used)
    assert (done.code, str(other) in done.err) == (2, True), done
    kept = interlock("sandbox", "down", env=used)
    assert (kept.code, f"--dir {other}, or --dir " in kept.err, other.exists()) == (2, True, True), kept


def test_grants_are_for_the_accounts_of_the_topology(pair: Sandbox, tmp_path: Path) -> None:
    without = interlock("grants", env=environment(None, tmp_path))
    text = Path(pair.topology).read_text().replace("user: interlock\n", "user: mover\n")
    (tmp_path / "topology.yaml").write_text(text)
    named = interlock("grants", "-t", str(tmp_path / "topology.yaml"), env=environment(None, tmp_path))
    assert "GRANT PROCESS ON *.* TO 'interlock'@'%'" in without.out
    assert "GRANT PROCESS ON *.* TO 'mover'@'%'" in named.out
    version = query(pair, "east", "SELECT VERSION() AS version")[0]["version"].partition("-")[0]
    assert f"-- for mariadb {version}" in named.out
    words = ("-t", str(tmp_path / "topology.yaml"), "--flavor", "mysql", "--version", "5.7")
    older = interlock("grants", *words, env=environment(None, tmp_path)).out
    assert ("-- for mysql 5.7\n" in older, "GRANT SUPER ON *.* TO 'mover'@'%'" in older) == (True, True)
    assert interlock("grants", "--flavor", "oracle", env=environment(None, tmp_path)).code == 2
