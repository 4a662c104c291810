"""Types of routes that come with other packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.clock import SystemClock
from interlock.errors import UsageError
from interlock.hosts.local import Here
from interlock.model.topology import RouteName, RouteSpec, Topology
from interlock.routes.parts import RouteParts
from interlock.routes.pointer import PointerRoute
from interlock.routes.registry import ROUTE_TYPES, make_route, route_fields

CLOCK = SystemClock()
PARTS = RouteParts(topology=Topology(name="shop", clusters={}), outside=Here(CLOCK), clock=CLOCK)

MODULE = """
import dataclasses
from interlock.routes.command import COMMAND
MINE = dataclasses.replace(COMMAND, name="mine")
NOT_ONE = 42
"""


def install(folder: Path, entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package as pip would leave it."""
    module = f"routes_of_{folder.name}"
    folder.joinpath(f"{module}.py").write_text(MODULE)
    info = folder / f"{module}-1.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
    info.joinpath("entry_points.txt").write_text(f"[interlock.routes]\n{entry.format(module=module)}\n")
    monkeypatch.syspath_prepend(str(folder))


def make(kind: str) -> object:
    return make_route(RouteSpec(name=RouteName("r"), kind=kind, settings={"flip": ("true", "{to}")}), PARTS)


def test_a_package_can_bring_a_type_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(route_fields()) == set(ROUTE_TYPES)
    install(tmp_path, "mine = {module}:MINE", monkeypatch)
    assert set(route_fields()) == {*ROUTE_TYPES, "mine"}
    assert isinstance(make("mine"), PointerRoute)


def test_no_package_takes_the_place_of_a_type_that_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "command = {module}:NOT_ONE", monkeypatch)
    assert isinstance(make("command"), PointerRoute)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("mine = {module}:NOT_ONE", "is no RouteType: 42"),
        ("mine = {module}:ABSENT", "can't be loaded from"),
        ("mine = no_such_module_at_all:X", "No module named 'no_such_module_at_all'"),
    ],
    ids=["another thing", "no name", "no module"],
)
def test_a_broken_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, words: str) -> None:
    install(tmp_path, entry, monkeypatch)
    with pytest.raises(UsageError, match=words):
        make("mine")
