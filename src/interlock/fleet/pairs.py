"""A folder of topology files → the pairs of a fleet, or every problem of every file at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from interlock.documents.problems import shown
from interlock.errors import InvalidFile, Problem, Refused, UsageError
from interlock.fleet.model import Pair
from interlock.model.topology import Topology
from interlock.playbook.against import check_against
from interlock.playbook.find import SUFFIXES
from interlock.playbook.inputs import resolve_inputs
from interlock.playbook.tree import Playbook


def files_in(folder: Path) -> tuple[Path, ...]:
    """Every topology file of the folder itself, by name. UsageError if there is none."""
    try:
        files = sorted(path.absolute() for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file() and path.name[0] != ".")
    except OSError as error:
        raise UsageError(f"{folder} can't be read: {error.strerror}", hint="--topologies takes a folder of topology files") from error
    if not files:
        raise UsageError(f"{folder} holds no topology file", hint=f"their names end in {' or '.join(SUFFIXES)}")
    return tuple(files)


def read_pairs(files: Sequence[Path], read: Callable[[Path], Topology], check: Callable[[Topology], None]) -> tuple[Pair, ...]:
    """InvalidFile with every problem of every file, two pairs of one name and a server of two pairs among them."""
    problems: list[Problem] = []
    names: dict[str, Path] = {}
    places: dict[tuple[str, int], tuple[str, Path]] = {}
    for file in files:
        try:
            topology = read(file)
            check(topology)
        except InvalidFile as invalid:
            problems += [_of(file, problem) for problem in invalid.problems]
            continue
        except UsageError as error:
            problems.append(Problem(file=str(file), line=0, column=0, what=error.message, hint=error.hint))
            continue
        problems += _shared(file, topology, names, places)
    if problems:
        raise InvalidFile(problems)
    return tuple(Pair(name=name, file=str(file)) for name, file in names.items())


def fits(playbook: Playbook, given: dict[str, str]) -> Callable[[Topology], None]:
    """What can be said of a playbook and its inputs before anybody looks at a server: InvalidFile or UsageError if they don't fit a
    topology, whichever cluster is the writer.
    """

    def check(topology: Topology) -> None:
        check_against(playbook, topology)
        wrong: UsageError | None = None
        for writer in topology.clusters:
            standby = next((name for name in topology.clusters if name != writer), None)
            try:
                resolve_inputs(playbook, given, topology, writer, standby)
            except UsageError as error:
                wrong = error
            except Refused:
                return  # it depends on what the servers say
            else:
                return
        if wrong is not None:
            raise wrong

    return check


def _of(file: Path, problem: Problem) -> Problem:
    """A playbook's problem with one topology names that one too: others may have none with it."""
    if Path(problem.file) == file:
        return problem
    return Problem(file=problem.file, line=problem.line, column=problem.column, what=f"{problem.what} ({file})", hint=problem.hint)


def _shared(file: Path, topology: Topology, names: dict[str, Path], places: dict[tuple[str, int], tuple[str, Path]]) -> list[Problem]:
    problems = []
    first = names.setdefault(topology.name, file)
    if first != file:
        hint = f"the other is {first}; a fleet runs each pair once"
        problems.append(Problem(file=str(file), line=0, column=0, what=f"there are two pairs called {shown(topology.name)}", hint=hint))
    for server in topology.servers():
        other, where = places.setdefault((server.host, server.port), (topology.name, file))
        if where != file:
            what = f"server {server.name} is one of the pair {other} too: {server.host}:{server.port}"
            problems.append(Problem(file=str(file), line=0, column=0, what=what, hint=f"see {where}; a server belongs to one pair"))
    return problems
