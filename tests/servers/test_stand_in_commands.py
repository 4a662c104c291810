"""The stand-ins as somebody starts them at the terminal."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from interlock.bootstrap import read_topology
from interlock.sandbox.places import Sandbox

MODULES = ("interlock.sandbox.proxysql", "interlock.sandbox.xpand")


@contextmanager
def started(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and what it says until it is ready. It may not outlive the test."""
    argv = [sys.executable, "-m", *words]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, process_group=0) as process:
        assert process.stdout is not None
        try:
            said = ""
            while not said.endswith("Ctrl-C ends it.\n"):
                line = process.stdout.readline()
                assert line, f"it ended after: {said}"
                said += line
            yield process, said
        finally:
            if process.poll() is None:
                process.terminate()


def ended(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    argv: Sequence[str] = [sys.executable, "-m", module, *words]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180, check=False)


def test_a_node_of_proxysql_stands_in_front_of_a_sandbox_until_it_is_interrupted(pair: Sandbox, tmp_path: Path) -> None:
    with started("interlock.sandbox.proxysql", "--sandbox", pair.directory) as (process, said):
        before, routes = Path(pair.topology).read_text().partition("routes:\n")[0], said.partition("routes:\n")[2]
        path = tmp_path / "topology.yaml"
        path.write_text(f"{before}routes:\n{routes.partition('Ctrl-C')[0]}")
        (route,) = read_topology(path).routes.values()
        assert (route.kind, route.settings["writer_hostgroup"]) == ("proxysql", 10)
        assert f"clients  {route.clients[0]}:{route.clients[1]}\n" in said if route.clients else False
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=120) == 0


def test_a_pair_of_xpand_has_its_topology_file_until_it_is_interrupted(tmp_path: Path) -> None:
    folder = Path(f"/tmp/interlock-xpand-{tmp_path.parent.name}-{tmp_path.name}"[:70])  # noqa: S108 - short, for sockets; it is removed
    with started("interlock.sandbox.xpand", "--dir", str(folder)) as (process, said):
        assert f"interlock switchover -t {folder}/topology.yaml --to west" in said
        assert set(read_topology(folder / "topology.yaml").clusters) == {"east", "west"}
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=120) == 0
    assert not folder.exists()


@pytest.mark.parametrize("module", MODULES)
def test_help_is_printed(module: str) -> None:
    assert ended(module, "--help").stdout.startswith(f"usage: python -m {module}")


@pytest.mark.parametrize(
    ("module", "option", "said"),
    [(MODULES[0], "--sandbox", "no sandbox in"), (MODULES[1], "--dir", "exists\n  hint: choose a new folder")],
    ids=["no sandbox", "a folder in use"],
)
def test_a_wrong_folder_is_named(module: str, option: str, said: str, tmp_path: Path) -> None:
    end = ended(module, option, str(tmp_path))
    assert (end.returncode, said in end.stderr) == (2, True), end
    assert tmp_path.exists()
