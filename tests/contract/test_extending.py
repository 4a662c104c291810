"""The worked examples of docs/extending.md, installed as pip would leave them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from interlock.clock import SystemClock
from interlock.hosts.local import Here
from interlock.model.topology import RouteSpec
from interlock.routes.contract import ROUTE_RULES, Bench, Broken
from interlock.routes.parts import RouteParts
from interlock.sandbox import pair as pairs
from scenarios.routed import go, wired
from servers.route_benches import EAST, ROUTE, WEST, topology

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
BLOCK = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", re.DOTALL)


def modules_of(project: dict[str, Any]) -> list[str]:
    """The modules that its entry points name: without them in the wheel nothing is installed but a name."""
    return [place.partition(":")[0] for points in project["project"]["entry-points"].values() for place in points.values()]


def install(folder: Path) -> None:
    """Every file of the page; the two pyproject files are one package's here."""
    entries: dict[str, dict[str, str]] = {}
    for name, text in BLOCK.findall(PAGE.read_text()):
        if name == "pyproject.toml":
            project = tomllib.loads(text)
            assert {"requires", "build-backend"} <= project["build-system"].keys()
            assert {"name", "version"} <= project["project"].keys()
            assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["include"] == [f"{name}.py" for name in modules_of(project)]
            entries |= project["project"]["entry-points"]
        else:
            folder.joinpath(name).write_text(text)
    info = folder / "worked_examples-1.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: worked-examples\nVersion: 1\n")
    groups = (f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in points.items()) for group, points in entries.items())
    info.joinpath("entry_points.txt").write_text("\n".join(groups))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    install(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("interlock_file_route", "interlock_forkdb"):
        sys.modules.pop(name, None)


def run_its_tests(folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), os.environ.get("PYTHONPATH", "")))}
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder / "test_file_route.py")]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False).stdout


def test_the_route_of_the_page_keeps_the_contract(installed: Path) -> None:
    assert re.search(r"= \d+ passed in", said := run_its_tests(installed)), said
    assert "failed" not in said


@pytest.mark.parametrize(
    ("whole", "broken", "words"),
    [
        ('return f"{cluster}\\n"', "return None", "after PointTo it leads to ('east',), expected west"),
        ('return seen.endpoints[0].raw["text"]', "return None", "restored to"),
        ("    def script(self, effect):", "    def no_script(self, effect):", "no attribute 'script'"),
        ("raw={", "raw={'at': str(__import__('time').monotonic()), ", "`raw` holds nothing that moves by itself"),
        ("cluster=word if word in self.clusters else None", "cluster=self.clusters[0]", "expected west"),
    ],
    ids=["no flip", "no way back", "no script", "a clock in raw", "a constant for a look"],
)
def test_the_contract_tells_what_is_missing(installed: Path, whole: str, broken: str, words: str) -> None:
    source = installed.joinpath("interlock_file_route.py").read_text()
    assert whole in source
    assert words in "\n".join(broken_rules(source.replace(whole, broken), installed))
    assert broken_rules(source, installed) == []


def broken_rules(source: str, folder: Path) -> list[str]:
    """What the contract says of a route whose module has this text."""
    module = ModuleType("tried")
    sys.modules["tried"] = module  # dataclasses look their module up
    exec(source, module.__dict__)  # noqa: S102 - the page's own code
    writer, clock, said = folder / "writer", SystemClock(), []
    for rule in ROUTE_RULES:
        writer.write_text("east\n")
        spec = RouteSpec(name=ROUTE, kind="file", settings={"path": str(writer)})
        route = module.FILE.make(spec, RouteParts(topology=topology(), outside=Here(clock), clock=clock))
        try:
            rule.check(Bench(route=route, here=EAST, there=WEST))
        except (Broken, AttributeError) as error:
            said.append(f"{rule.name}: {error}")
    return said


def test_a_switchover_goes_through_the_route_and_the_flavor_of_the_page(installed: Path) -> None:
    """A real pair that greets as ForkDB, and a route that is a file: nobody follows it, so it has no clients."""
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder:
        sandbox = pairs.up(Path(folder) / "pair", clock=clock, options={"version": "10.11.6-ForkDB"})
        try:
            writer = installed / "writer"
            writer.write_text("east\n")
            path = Path(sandbox.topology)
            text = path.read_text().partition("routes:\n")[0]
            path.write_text(f'{text}routes:\n  writes: {{type: file, path: "{writer}"}}\n')
            with wired(sandbox) as wiring:
                assert {wiring.world.server(name).facts().flavor for name in ("east", "west")} == {"forkdb"}
                report = go(wiring, "west")
                assert (report.outcome, writer.read_text()) == ("succeeded", "west\n"), report
        finally:
            pairs.down(Path(folder) / "pair")
