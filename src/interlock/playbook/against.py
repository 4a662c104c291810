"""A playbook against one topology: do the servers, clusters and routes that it names exist there?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial

from interlock.documents.fields import Field, Kind
from interlock.documents.problems import At, Place, Problems, shown
from interlock.documents.yaml import ListNode, MapNode, Node, read_tree
from interlock.errors import Refused
from interlock.model.topology import Topology
from interlock.playbook.catalogue import Role, Verb
from interlock.playbook.safety import in_turn
from interlock.playbook.tree import Playbook, Step

_CLUSTER_WORDS = ("writer", "standby", "other")


def check_against(playbook: Playbook, topology: Topology) -> None:
    """InvalidFile with every literal name that the topology does not have. Templates are looked at when they are resolved."""
    problems = Problems(playbook.path or playbook.name)

    @cache
    def root() -> Node | None:
        """Read again only to say where a problem stands: every run comes by here, and few have one."""
        return read_tree(playbook.text, Problems("")) if playbook.text else None

    known = known_names(topology)
    for placed in in_turn(playbook):
        for step in (placed.step, *(placed.step.undo or ())):
            _check_step(step, known, root, problems)
    for name, its in playbook.inputs.items():
        if isinstance(its.default, str) and its.kind in (Kind.CLUSTER, Kind.SERVER) and its.default not in _CLUSTER_WORDS:
            _check_names(
                (its.default,), its.kind, f"the default of {name}", known=known, at=partial(_input_place, root, name), problems=problems
            )
    problems.raise_any()


def see_segments_left_alone(playbook: Playbook, topology: Topology, given: Mapping[str, str]) -> None:
    """Refused if it moves the writes of whole servers, on a pair of which each side owns segments, and heeds no segment. The way on leads
    to where the inputs that are `given` say.
    """
    roles = {placed.step.spec.role for placed in in_turn(playbook)}
    if not topology.segments or roles & {Role.OPENS_SEGMENT, Role.OWNS_ALL}:
        return
    if roles.isdisjoint({Role.FENCES, Role.FENCES_OUTSIDE, Role.OPENS}):
        return
    raise Refused(
        f"both masters of {topology.name} take writes, each of its own segments: {playbook.name} moves whole servers",
        hint=f"`interlock segment move all --to {given.get('to', 'CLUSTER')}`, or one of {', '.join(topology.segments)} instead of all",
    )


def known_names(topology: Topology) -> dict[Kind, tuple[str, ...]]:
    """The names that a value of each kind can have. A server is named by itself, a master by its cluster too."""
    clusters = tuple(str(name) for name in topology.clusters)
    servers = tuple(str(server.name) for server in topology.servers())
    return {
        Kind.CLUSTER: clusters,
        Kind.SERVER: servers,
        Kind.ROUTES: tuple(str(name) for name in topology.routes),
        Kind.SEGMENT: tuple(topology.segments),
    }


def _check_step(step: Step, known: dict[Kind, tuple[str, ...]], root: Callable[[], Node | None], problems: Problems) -> None:
    if step.spec.verb is Verb.GATE:
        return
    for param in step.spec.params:
        value = step.args.get(param.name)
        if param.kind in known and value is not None:
            names = value if isinstance(value, tuple) else (value,)
            literal = tuple(name for name in names if isinstance(name, str) and (param.kind, name) != (Kind.ROUTES, "all"))
            _check_names(
                literal,
                param.kind,
                f"{step.spec.name} {param.name}",
                known=known,
                at=partial(_arg_place, root, step, param),
                problems=problems,
            )


def _check_names(
    names: tuple[str, ...], kind: Kind, subject: str, *, known: dict[Kind, tuple[str, ...]], at: Callable[[], Place], problems: Problems
) -> None:
    word = "route" if kind is Kind.ROUTES else kind.value
    for name in names:
        if name not in known[kind]:
            problems.add_unknown(at(), f"{subject}: there is no {word} {shown(name)} in this topology", name, known[kind])


def _arg_place(root: Callable[[], Node | None], step: Step, param: Field) -> Place:
    node = _mapping_at(root(), step.line)
    given = node.get("with") if node is not None else None
    return given.get(param.name) or At(step.line, 1) if isinstance(given, MapNode) else At(step.line, 1)


def _input_place(root: Callable[[], Node | None], name: str) -> Place:
    whole = root()
    inputs = whole.get("inputs") if isinstance(whole, MapNode) else None
    its = inputs.get(name) if isinstance(inputs, MapNode) else None
    return (its.get("default") or its) if isinstance(its, MapNode) else At(1, 1)


def _mapping_at(root: Node | None, line: int) -> MapNode | None:
    """The step that begins in this line: one that says do, check or gate."""
    waiting = [root] if root is not None else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, MapNode):
            if node.line == line and any(verb.value in node.entries for verb in Verb):
                return node
            waiting += node.entries.values()
        elif isinstance(node, ListNode):
            waiting += node.items
    return None
