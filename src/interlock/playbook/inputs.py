"""What the operator gave → the values of a playbook's inputs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field

from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.documents.problems import did_you_mean, shown
from interlock.documents.values import duration_s
from interlock.errors import InterlockError, Refused, UsageError
from interlock.model.topology import ClusterName, Topology
from interlock.playbook.against import known_names
from interlock.playbook.tree import Input, Playbook

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_ROLES = ("writer", "standby")
_OTHER = "other"


@dataclass(slots=True)
class _Giving:
    """The pair as it is, and what was wrong so far: each a sentence and a hint."""

    known: Mapping[Kind, tuple[str, ...]]
    roles: Mapping[str, ClusterName | None]
    unseen: Sequence[InterlockError]
    problems: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    def add(self, what: str, hint: str) -> None:
        self.problems.append(what)
        if hint and hint not in self.hints:
            self.hints.append(hint)

    def role(self, word: str) -> ClusterName:
        """Refused if it is not known: nothing is guessed from a pair with no writer, or with two."""
        cluster = self.roles[word]
        if cluster is None:
            why = "".join(f"; {error.message}" for error in self.unseen)
            hints = dict.fromkeys(error.hint for error in self.unseen if error.hint)
            hint = "; ".join(hints) or "look at `interlock status`; mend the pair, or name the clusters yourself"
            raise Refused(f"which cluster is the writer is not clear{why}", hint=hint)
        return cluster


def resolve_inputs(
    playbook: Playbook,
    given: Mapping[str, str],
    topology: Topology,
    writer: ClusterName | None,
    standby: ClusterName | None,
    *,
    unseen: Sequence[InterlockError] = (),
) -> dict[str, object]:
    """Every input by its name, as the Python value of its kind; None for one that may be left out and was.

    `unseen`: what kept a server from being looked at, which may be why the writer is not known.

    UsageError with every problem at once; Refused for what the pair as it is does not allow: its writer must be known and is not, or an
    input names a cluster that it must differ from.
    """
    giving = _Giving(known=known_names(topology), roles={"writer": writer, "standby": standby}, unseen=unseen)
    for name in given:
        if name not in playbook.inputs:
            giving.add(f"{playbook.name} has no input {shown(name)}", did_you_mean(name, playbook.inputs))
    values: dict[str, object] = {}
    for name, its in playbook.inputs.items():
        if name in given:
            values[name] = _given(its, given[name], giving)
        elif its.required:
            giving.add(f"input {name!r} is missing", f"give it: -i {name}={its.kind.value.upper()}{f' ({its.doc})' if its.doc else ''}")
        elif its.kind is Kind.CLUSTER and its.default in _ROLES:
            values[name] = giving.role(str(its.default))
        elif its.kind is Kind.CLUSTER and its.default == _OTHER:
            values[name] = None  # known once the one that it differs from is
        else:
            values[name] = its.default
    values |= _others(playbook, values, giving)
    if giving.problems:
        raise UsageError("\n".join(giving.problems), hint="; ".join(giving.hints))
    _see_apart(playbook, values, giving)
    return values


def _others(playbook: Playbook, values: Mapping[str, object], giving: _Giving) -> dict[str, object]:
    """The inputs that are whichever cluster another input is not. Where that one has no value, a problem of its own says so."""
    found: dict[str, object] = {}
    for name, its in playbook.inputs.items():
        if values.get(name) is None and its.kind is Kind.CLUSTER and its.default == _OTHER and values.get(str(its.differs_from)):
            found[name] = next(cluster for cluster in giving.known[Kind.CLUSTER] if cluster != values[str(its.differs_from)])
    return found


def scope_of(
    inputs: Mapping[str, object], topology: Topology, writer: ClusterName | None, standby: ClusterName | None
) -> dict[str, object]:
    """What `${…}` reaches when a run begins. The engine adds the outputs of each step under its id, and `item` in a foreach."""
    known = known_names(topology)
    facts = {
        "name": topology.name,
        "clusters": known[Kind.CLUSTER],
        "servers": known[Kind.SERVER],
        "routes": known[Kind.ROUTES],
        "segments": known[Kind.SEGMENT],
    }
    roles = {word: cluster for word, cluster in (("writer", writer), ("standby", standby)) if cluster is not None}
    return {**inputs, **roles, "topology": facts}


def _given(its: Input, text: str, giving: _Giving) -> object:
    """The value of a text from the command line; None after a problem was added."""
    value = _convert(its, text, giving)
    if value is None and its.kind in (Kind.CLUSTER, Kind.SERVER, Kind.SEGMENT):
        giving.add(f"{its.name}: there is no {its.kind} {shown(text)}", did_you_mean(text, giving.known[its.kind]))
    elif value is None:
        giving.add(f"{its.name}: {shown(text)} is no {its.kind}", _EXAMPLES.get(its.kind, ""))
    elif its.choices and value not in its.choices:
        giving.add(f"{its.name}: {shown(text)} is not one of {', '.join(its.choices)}", did_you_mean(text, its.choices))
    return value


_EXAMPLES = {Kind.DURATION: "durations carry a unit: 200ms, 2s, 5m, 4h, 1d", Kind.FLAG: "flags are true or false"}


def _convert(its: Input, text: str, giving: _Giving) -> object:
    match its.kind:
        case Kind.CLUSTER if text in _ROLES:
            return giving.role(text)
        case Kind.CLUSTER | Kind.SERVER | Kind.SEGMENT:
            return text if text in giving.known[its.kind] else None
        case Kind.DURATION:
            return duration_s(text)
        case Kind.INTEGER:
            return int(text) if _INTEGER.fullmatch(text) else None
        case Kind.FLAG:
            return {"true": True, "false": False}.get(text)
        case _:
            return text if text.isprintable() else None


def _see_apart(playbook: Playbook, values: Mapping[str, object], giving: _Giving) -> None:
    for name, its in playbook.inputs.items():
        other = its.differs_from
        if other is None or values.get(name) is None:
            continue
        forbidden = giving.role(other) if other in _ROLES else values.get(other)
        if values[name] == forbidden:
            also = f"the {other}" if other in _ROLES else f"{other} too"
            rest = [cluster for cluster in giving.known[Kind.CLUSTER] if cluster != forbidden]
            raise Refused(f"{name} is {forbidden}, which is {also}", hint=f"{name} can be: {', '.join(rest)}")
