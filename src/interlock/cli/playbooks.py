"""`interlock playbook …`: list, show, check and draw playbooks."""

from __future__ import annotations

import json

from interlock.actions.catalogue import catalogue
from interlock.cli.context import Answer, Context, here
from interlock.documents.schema import topology_schema
from interlock.documents.yaml import read_file
from interlock.errors import ExitCode, InvalidFile, Problem, UsageError
from interlock.model.topology import Topology
from interlock.playbook.against import check_against
from interlock.playbook.catalogue import Catalogue
from interlock.playbook.find import find_playbook, in_folder, shipped
from interlock.playbook.graph import mermaid
from interlock.playbook.load import load_playbook
from interlock.playbook.schema import playbook_schema
from interlock.report.tables import Column, table


def list_(_context: Context) -> Answer:
    """Those of the working directory's `playbooks/` first; they hide shipped ones of the same name."""
    own = [(name, path, summary, "here") for name, path, summary in in_folder(here() / "playbooks")]
    names = {name for name, *_ in own}
    found = [*own, *((name, path, summary, "shipped") for name, path, summary in shipped() if name not in names)]
    plain = [{"playbook": name, "path": str(path), "summary": summary, "origin": origin} for name, path, summary, origin in found]
    columns = [Column(title="playbook"), Column(title="from"), Column(title="summary", wraps=True)]
    rows = [[name, origin, summary or "(can't be read: interlock playbook lint)"] for name, _, summary, origin in found]
    return Answer(plain=plain, text=lambda width: table(columns, rows, width))


def show(context: Context) -> Answer:
    """The file itself, so that it can be copied and changed."""
    path = find_playbook(context.options.name, here())
    text = read_file(path)
    return Answer(plain={"playbook": path.stem, "path": str(path), "text": text}, text=lambda _: text)


def lint(context: Context) -> Answer:
    """Every problem of every file. Exits 2 if there is one."""
    known = catalogue()
    topology = _topology(context)
    problems = [problem for name in context.options.files for problem in _problems(name, known, topology)]
    code = ExitCode.USAGE if problems else ExitCode.SUCCEEDED
    plain = {
        "outcome": None,
        "exit_code": int(code),
        "files": list(context.options.files),
        "problems": [
            {"what": str(each), "hint": each.hint, "file": each.file, "line": each.line, "column": each.column} for each in problems
        ],
    }
    text = "\n".join(_as_compilers_do(each) for each in problems) or "\n".join(f"{name}: no problems" for name in context.options.files)
    return Answer(plain=plain, text=lambda _: text, exit_code=code)


def graph(context: Context) -> Answer:
    path = find_playbook(context.options.name, here())
    drawn = mermaid(load_playbook(path, catalogue()))
    return Answer(plain={"playbook": path.stem, "mermaid": drawn}, text=lambda _: drawn)


def schema(context: Context) -> Answer:
    """JSON with or without `--json`."""
    if context.options.of == "topology":
        from interlock.routes.registry import route_fields  # noqa: PLC0415 - only here

        made = topology_schema(route_fields())
    else:
        made = playbook_schema(catalogue())
    return Answer(plain=made, text=lambda _: json.dumps(made, indent=2))


def _topology(context: Context) -> Topology | None:
    path = context.topology_path()
    if path is None:
        return None
    from interlock.bootstrap import read_topology  # noqa: PLC0415 - loads every driver

    return read_topology(path)


def _problems(name: str, known: Catalogue, topology: Topology | None) -> tuple[Problem, ...]:
    try:
        playbook = load_playbook(find_playbook(name, here()), known)
        if topology is not None:
            check_against(playbook, topology)
    except InvalidFile as invalid:
        return invalid.problems
    except UsageError as error:
        return (Problem(file=name, line=0, column=0, what=error.message, hint=error.hint),)
    return ()


def _as_compilers_do(problem: Problem) -> str:
    """`file:line:column: what`, so that editors can jump there."""
    return str(problem) + (f"\n  hint: {problem.hint}" if problem.hint else "")
