from __future__ import annotations

from pathlib import Path

import pytest

from interlock.bootstrap import read_topology
from interlock.errors import InvalidFile, UsageError
from interlock.fleet.pairs import files_in, fits, read_pairs
from scenarios.fleets import topology
from unit.engine.stage import SWITCHOVER


def _write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)


def _problems(folder: Path, given: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(InvalidFile) as invalid:
        read_pairs(files_in(folder), read_topology, fits(SWITCHOVER, given or {}))
    return [str(problem).replace(f"{folder}/", "") for problem in invalid.value.problems]


def test_a_folder_is_its_topology_files_by_name(tmp_path: Path) -> None:
    _write(tmp_path, b=topology("two", 2), a=topology("one", 1))
    (tmp_path / "notes.txt").write_text("no topology")
    (tmp_path / ".hidden.yaml").write_text("nor this")
    found = read_pairs(files_in(tmp_path), read_topology, fits(SWITCHOVER, {"to": "west"}))
    assert [(pair.name, Path(pair.file).name) for pair in found] == [("one", "a.yaml"), ("two", "b.yaml")]


def test_every_problem_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    _write(tmp_path, a="topology: [", b=topology("two", 2).replace("east:", "east: {oops: 1}, x:"), c=topology("three", 3))
    assert {problem.partition(":")[0] for problem in _problems(tmp_path)} == {"a.yaml", "b.yaml"}


def test_two_pairs_of_one_name_are_an_error(tmp_path: Path) -> None:
    _write(tmp_path, a=topology("one", 1), b=topology("one", 2))
    assert _problems(tmp_path) == ["b.yaml:0:0: there are two pairs called 'one'"]


def test_a_server_of_two_pairs_is_an_error(tmp_path: Path) -> None:
    _write(tmp_path, a=topology("one", 1), b=topology("two", 2).replace("10.0.2.1", "10.0.1.2"))
    assert _problems(tmp_path) == ["b.yaml:0:0: server east is one of the pair one too: 10.0.1.2:3306"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        pytest.param({"tu": "west"}, "switchover has no input 'tu'", id="unknown input"),
        pytest.param({"to": "north"}, "to: there is no cluster 'north'", id="unknown cluster"),
        pytest.param({"max_outage": "10"}, "max_outage: '10' is no duration", id="wrong kind"),
    ],
)
def test_inputs_that_can_fit_no_pair_are_told_before_anything_starts(tmp_path: Path, given: dict[str, str], told: str) -> None:
    _write(tmp_path, a=topology("one", 1))
    assert told in _problems(tmp_path, given)[0]


def test_a_folder_without_topology_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no topology file"):
        files_in(tmp_path)
    with pytest.raises(UsageError, match="can't be read: No such file"):
        files_in(tmp_path / "none")
