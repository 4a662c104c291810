"""Playbooks that a simulated night can play: those that ship, and small ones that each bend the bones of a switchover in one way."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from interlock.actions.catalogue import catalogue
from interlock.playbook.catalogue import Catalogue
from interlock.playbook.find import shipped
from interlock.playbook.load import load_playbook, parse_playbook
from interlock.playbook.tree import Playbook
from interlock.simulated.schedules import Sickness

_BONES = """\
playbook: {name}
version: 1
summary: The bones of a switchover.
inputs:
  to: {{type: cluster, not: writer, default: standby}}
  from: {{type: cluster, default: writer}}
phases:
- phase: preflight
  steps:
  - check: pair.one_writer
    with: {{server: "${{from}}"}}
  - check: replication.healthy
    with: {{both_ways: true, max_lag: 5s}}
  - id: reaches
    check: replication.reaches
    with: {{from: "${{from}}", to: "${{to}}", within: 5s}}
{before}- phase: fence
  steps:
{hold}  - id: fenced
    do: server.fence
    with: {{server: "${{from}}", within: 2s}}
- phase: catch_up
  steps:
{between}  - do: replication.wait
    with: {{server: "${{to}}", position: "${{fenced.position}}", within: 5s}}
- phase: flip
  steps:
  - id: open
    do: server.open
    with: {{server: "${{to}}"}}
  - id: flip
    do: route.flip
    with: {{route: all, to: "${{to}}"}}
- phase: verify
  steps:
  - check: route.canary
    with: {{route: all, expect: "${{to}}"}}
{after}{end}"""

_HOLD = "  - do: route.hold\n    with: {route: all}\n"
_FAILS = "  - check: sql\n    with: {server: west, query: SELECT x, matches: never}\n"
_NOTE = '  - do: sql\n    with: {server: west, statements: ["SET note=1"], undo: ["SET note="], show: SELECT note, done: "1"}\n'


def _bones(name: str, *, before: str = "", hold: str = _HOLD, between: str = "", after: str = "", end: str = "") -> str:
    prepare = f"- phase: prepare\n  steps:\n{before}" if before else ""
    return _BONES.format(name=name, before=prepare, hold=hold, between=between, after=after, end=end)


TEXTS: Mapping[str, str] = {
    name: _bones(name, **parts)
    for name, parts in {
        "bones": {},
        "without-hold": {"hold": ""},
        "fails-before-the-opening": {"between": _FAILS},
        "fails-after-the-flip": {"after": _FAILS},
        "halts-before-the-opening": {"between": _FAILS, "end": "on_failure: halt\n"},
        "halts-after-the-flip": {"after": _FAILS, "end": "on_failure: halt\n"},
        "gate": {"before": "  - gate: Shall clients wait now?\n", "after": _NOTE},
        "in-parallel": {
            "before": "  - parallel:\n"
            '    - do: sql\n      with: {server: east, statements: ["SET a=1"], undo: ["SET a="], show: SELECT a, done: "1"}\n'
            "    - check: server.no_ddl\n      with: {server: west}\n",
            "after": _FAILS,
        },
        "for-each": {
            "before": '  - do: sql\n    foreach: "${topology.servers}"\n'
            '    with: {server: "${item}", statements: ["SET b=1"], undo: ["SET b="], show: SELECT b, done: "1"}\n',
            "after": _FAILS,
        },
        "goes-on": {"between": _FAILS.rstrip("\n") + "\n    on_failure: continue\n", "after": _NOTE},
    }.items()
}


@cache
def known() -> Catalogue:
    return catalogue()


@cache
def parsed(text: str) -> Playbook:
    """Each text is read once: resuming reads it from the journal again and again."""
    return parse_playbook(text, file="simulated", catalogue=known())


GIVEN: Mapping[str, Mapping[str, str]] = {
    "quiesce": {"onto": "west", "for": "4h", "reason": "its disk"},
    "rolling-ddl": {"table": "app.t", "alter": "ADD COLUMN note TEXT, ADD INDEX by_k (k)"},
}
"""What a night tells a shipped playbook that must be told something."""

BEARS: Mapping[str, frozenset[Sickness]] = {"quiesce": frozenset({Sickness.WRITERS_APPLIER})}
"""What needs no refusal: a quiesced cluster applies nothing anyway."""


@cache
def playbooks() -> Mapping[str, Playbook]:
    """By their names; the shipped ones first, of those that a night can begin on a healthy pair."""
    ship = {name: load_playbook(path, known()) for name, path, _ in shipped()}
    ship = {name: playbook for name, playbook in ship.items() if name in GIVEN or not any(its.required for its in playbook.inputs.values())}
    return {**ship, **{name: parsed(text) for name, text in TEXTS.items()}}


@cache
def drawn() -> tuple[str, ...]:
    """The names to draw a night's playbook from: what ships, and need not be told anything, comes up three times as often."""
    return tuple(name for name in playbooks() for _ in range(1 if name in TEXTS or name in GIVEN else 3))


def expected_end(playbook: Playbook, *, answer: bool) -> str:
    """How a night must end in which nothing happens but the run: a variant's name says it, and a gate goes by the `answer`."""
    if playbook.name == "gate" and not answer:
        return "refused"
    if playbook.name.startswith("halts"):
        return "halted"
    return "rolled_back" if playbook.name.startswith("fails") or playbook.name in {"in-parallel", "for-each"} else "succeeded"
