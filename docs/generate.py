"""Writes the pages that say what the code says: `docs/generate.py`, or with `--check` names each that is stale and exits 1."""

# ruff: noqa: INP001 - a script, not a package

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from interlock.actions.catalogue import catalogue
from interlock.audit.catalogue import OWN as AUDIT_CHAPTERS
from interlock.cli.arguments import commands_of, parser
from interlock.documents.fields import Field
from interlock.documents.schema import topology_schema
from interlock.engine.states import FINAL, MOVES, State
from interlock.model.audit import BESIDE
from interlock.playbook.catalogue import ActionSpec, Verb
from interlock.playbook.schema import playbook_schema
from interlock.routes.registry import route_fields

DOCS = Path(__file__).parent
_MADE = "<!-- made by docs/generate.py: change the code, then run `make docs` -->"
_WIDTH = "100"


def main(argv: list[str]) -> int:
    """Exit code 1 if `--check` finds a stale page."""
    os.environ["COLUMNS"] = _WIDTH  # argparse wraps at it
    stale = []
    for name, text in pages():
        path = DOCS / name
        if path.exists() and path.read_text() == text:
            continue
        if "--check" in argv:
            stale.append(name)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            sys.stdout.write(f"wrote docs/{name}\n")
    for name in stale:
        sys.stderr.write(f"docs/{name} is stale: make docs\n")
    return 1 if stale else 0


def pages() -> Iterator[tuple[str, str]]:
    """Each page's path below `docs/`, and its text."""
    yield "states.md", states()
    yield "actions.md", actions()
    yield "commands.md", commands()
    yield "audit-rules.md", audit_rules()
    yield "schemas/playbook.schema.json", json.dumps(playbook_schema(catalogue()), indent=2) + "\n"
    yield "schemas/topology.schema.json", json.dumps(topology_schema(route_fields()), indent=2) + "\n"


def states() -> str:
    """The table of moves, drawn and listed."""
    ends = [f"  {state.value} --> [*]" for state in State if state in FINAL]
    arrows = [f"  {move.source.value} --> {move.target.value}: {move.event.value}" for move in MOVES]
    rows = [f"| {move.source.value} | {move.event.value} | {move.target.value} | {move.reason} |" for move in MOVES]
    drawn = ["```mermaid", "stateDiagram-v2", f"  [*] --> {State.CHECKING.value}", *arrows, *ends, "```"]
    table = ["| from | event | to | reason |", "|---|---|---|---|", *rows]
    return "\n".join(["# The life of a run", "", _MADE, "", *drawn, "", *table, ""])


def actions() -> str:
    """Every action by its verb, with what it takes and gives."""
    lines = [
        "# Actions",
        "",
        _MADE,
        "",
        "What stands behind `do:` and `check:` in a playbook. A gate (`gate: QUESTION`) takes nothing else.",
    ]
    for verb, words in ((Verb.CHECK, "Checks: they only read"), (Verb.DO, "Effects: each has its undo")):
        lines += ["", f"## {words}"]
        for spec in sorted((spec for spec in catalogue().values() if spec.verb is verb), key=lambda spec: spec.name):
            lines += ["", f"### `{verb.value}: {spec.name}`", "", spec.summary, *_params(spec)]
    return "\n".join([*lines, ""])


def _params(spec: ActionSpec) -> Iterator[str]:
    if spec.params:
        yield from ("", "| with | kind | default | |", "|---|---|---|---|")
        yield from (f"| `{param.name}` | {param.kind.value} | {_default(param)} | {_doc(param)} |" for param in spec.params)
    if spec.outputs:
        yield ""
        yield "Gives " + ", ".join(f"`{name}` ({kind.value})" for name, kind in spec.outputs.items()) + "."


def _default(param: Field) -> str:
    if param.required:
        return "required"
    match param.default:
        case None | "" | () | []:
            return "none"
        case bool() as flag:
            return f"`{str(flag).lower()}`"
        case float() as seconds:
            return f"`{seconds:g}s`" if param.kind.value == "duration" else f"`{seconds:g}`"
        case dict() as mapping if not mapping:
            return "none"
        case tuple() as items:
            return f"`[{', '.join(str(item) for item in items)}]`"
        case other:
            return f"`{other}`"


def _doc(param: Field) -> str:
    choices = f" ({', '.join(param.choices)})" if param.choices else ""
    return f"{param.doc}{choices}".replace("|", "\\|")


def audit_rules() -> str:
    """Every rule of the audit, by question."""
    lines = [
        "# Audit rules",
        "",
        _MADE,
        "",
        "What `interlock audit` looks at ([audit.md](audit.md)). A rule is accepted, and asked for, by its id.",
    ]
    for chapter in AUDIT_CHAPTERS:
        title = chapter.title if chapter.question == BESIDE else f"{chapter.question}. {chapter.title}"
        lines += ["", f"## {title}", "", "| id | what must hold | if not | why | source |", "|---|---|---|---|---|"]
        for rule in chapter.rules:
            cells = (f"`{rule.id}`", rule.title, rule.verdict.value.replace("_", " "), rule.why, rule.source)
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join([*lines, ""])


def commands() -> str:
    """The help of every command."""
    top = parser()
    lines = ["# Commands", "", _MADE, "", "```", top.format_help().rstrip(), "```"]
    for command in commands_of(top):
        lines += ["", f"## `{command.prog}`", "", "```", command.format_help().rstrip(), "```"]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
