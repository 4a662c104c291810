"""From what the operator gave to what an action gets."""

from __future__ import annotations

import pytest

from interlock.documents.topology import parse_topology
from interlock.errors import InvalidFile, Refused, StepFailed, UsageError
from interlock.model.position import MariaDBPosition
from interlock.model.topology import ClusterName
from interlock.playbook.against import check_against
from interlock.playbook.expressions import Unknown
from interlock.playbook.inputs import resolve_inputs, scope_of
from interlock.playbook.load import parse_playbook
from interlock.playbook.resolve import foreach_items, resolve_args
from interlock.playbook.tree import Playbook, Step
from unit.documents.example import ROUTE_TYPES, SHOP
from unit.playbook.small_catalogue import CATALOGUE, SWITCHOVER

EAST, WEST = ClusterName("east"), ClusterName("west")
TOPOLOGY = parse_topology(SHOP, file="/shop.yaml", route_types=ROUTE_TYPES)
PLAYBOOK = parse_playbook(SWITCHOVER, file="/p.yaml", catalogue=CATALOGUE)
TYPES = parse_playbook(
    """\
playbook: types
inputs:
  n: {type: integer, default: 1}
  sure: {type: flag, default: false}
  name: {type: text, required: false}
  on: {type: server, default: east-r1}
  kind: {type: choice, choices: [fast, slow], default: fast}
  a: {type: cluster, default: east}
  b: {type: cluster, default: standby, not: a}
phases:
- phase: one
  steps:
  - gate: "${n} ${sure} ${name} ${on} ${kind}"
""",
    file="/t.yaml",
    catalogue=CATALOGUE,
)


def given(playbook: Playbook, writer: ClusterName | None = EAST, /, **values: str) -> dict[str, object]:
    return resolve_inputs(playbook, values, TOPOLOGY, writer, None if writer is None else WEST)


def test_inputs_become_values_of_their_kind() -> None:
    assert given(PLAYBOOK, to="west", drain="200ms") == {"to": "west", "from": "east", "max_outage": 10.0, "drain": 0.2}
    assert given(TYPES, n="-5", sure="true", on="west", kind="slow") == {
        "n": -5,
        "sure": True,
        "name": None,
        "on": "west",
        "kind": "slow",
        "a": "east",
        "b": "west",
    }


@pytest.mark.parametrize(
    ("playbook", "values", "what", "hint"),
    [
        pytest.param(PLAYBOOK, {"to": "west", "drian": "1s"}, "switchover has no input 'drian'", "'drain'", id="unknown"),
        pytest.param(PLAYBOOK, {}, "input 'to' is missing", "-i to=CLUSTER", id="missing"),
        pytest.param(PLAYBOOK, {"to": "wset"}, "to: there is no cluster 'wset'", "'west'", id="no-such-cluster"),
        pytest.param(PLAYBOOK, {"to": "east"}, "to is east, which is the writer", "to can be: west", id="not-the-writer"),
        pytest.param(PLAYBOOK, {"to": "writer"}, "to is east, which is the writer", "west", id="the-word-writer"),
        pytest.param(PLAYBOOK, {"to": "west", "drain": "5"}, "drain: '5' is no duration", "200ms", id="no-unit"),
        pytest.param(TYPES, {"n": "five"}, "n: 'five' is no integer", "", id="integer"),
        pytest.param(TYPES, {"sure": "yes"}, "sure: 'yes' is no flag", "true or false", id="flag"),
        pytest.param(TYPES, {"kind": "fats"}, "kind: 'fats' is not one of fast, slow", "'fast'", id="choice"),
        pytest.param(TYPES, {"on": "east-r2"}, "there is no server 'east-r2'", "'east-r1'", id="server"),
        pytest.param(TYPES, {"b": "east"}, "b is east, which is a too", "west", id="not-another-input"),
        pytest.param(TYPES, {"name": "a\nb"}, "name: 'a\\nb' is no text", "", id="newline"),
    ],
)
def test_wrong_inputs_are_told_with_a_hint(playbook: Playbook, values: dict[str, str], what: str, hint: str) -> None:
    with pytest.raises((UsageError, Refused)) as caught:
        given(playbook, **values)
    assert what in caught.value.message
    assert hint in caught.value.hint
    # What the words can't be is bad usage; what the pair as it is does not allow is refused.
    assert isinstance(caught.value, Refused) == ("which is" in what)


def test_all_wrong_inputs_are_told_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        given(PLAYBOOK, drain="x", what="y")
    assert len(caught.value.message.splitlines()) == 3


@pytest.mark.parametrize("values", [{"to": "west"}, {"to": "west", "from": "east"}])
def test_no_clear_writer_refuses(values: dict[str, str]) -> None:
    with pytest.raises(Refused, match="which cluster is the writer is not clear") as caught:
        given(PLAYBOOK, None, **values)
    assert caught.value.hint


def step(text: str) -> Step:
    inputs = "  to: {type: cluster}\n  n: {type: integer}\n  t: {type: text}\n"
    first = "  - {id: seen, check: command, with: {run: [x]}}\n  - {id: f, do: server.fence, with: {server: east}}\n"
    text = f"playbook: p\ninputs:\n{inputs}phases:\n- phase: a\n  steps:\n{first}  - {text}\n"
    found = parse_playbook(text, file="/p.yaml", catalogue=CATALOGUE).phases[0].steps[-1]
    assert isinstance(found, Step)
    return found


POSITION = MariaDBPosition.parse("0-1-5")
SCOPE = {
    **scope_of({"to": "west", "n": 3, "t": "writes"}, TOPOLOGY, EAST, WEST),
    "f": {"position": POSITION},
}


@pytest.mark.parametrize(
    ("text", "args"),
    [
        pytest.param(
            '{do: replication.wait, with: {server: "${to}", position: "${f.position}"}}',
            {"server": "west", "position": POSITION, "within": 5.0},
            id="defaults-are-filled-in",
        ),
        pytest.param(
            '{do: replication.wait, with: {server: "${to}", position: 0-1-5}}',
            {"server": "west", "position": POSITION, "within": 5.0},
            id="literal-position",
        ),
        pytest.param(
            '{do: route.flip, with: {route: all, to: "${standby}"}}',
            {"route": ("writes", "proxysql", "name", "address", "anything"), "to": "west"},
            id="all-routes",
        ),
        pytest.param('{do: route.hold, with: {route: "${t}"}}', {"route": ("writes",)}, id="route-of-a-text"),
        pytest.param('{do: route.hold, with: {route: [name, "${t}"]}}', {"route": ("name", "writes")}, id="route-list"),
        pytest.param('{do: command, with: {run: [x, "${n}", "--to=${to}"]}}', {"run": ("x", "3", "--to=west"), "env": None}, id="words"),
        pytest.param('{check: command, with: {run: [x], exits: "${n}"}}', {"run": ("x",), "exits": (3,)}, id="integers"),
        pytest.param(
            '{check: command, with: {run: [x, "${seen.stdout}"]}}',
            {"run": Unknown("seen.stdout"), "exits": (0,)},
            id="unknown-stays-unknown",
        ),
    ],
)
def test_arguments_are_resolved_to_their_kind(text: str, args: dict[str, object]) -> None:
    assert resolve_args(step(text), SCOPE) == args


@pytest.mark.parametrize(
    ("scope", "what"),
    [
        ({"to": 5}, "step a/route.flip: to is '5': there is no such cluster"),
        ({"to": "north"}, "step a/route.flip: to is 'north': there is no such cluster"),
        ({"t": "write"}, "step a/route.flip: route is 'write': there is no such route"),
        ({"to": None}, "step a/route.flip: to has no value"),
    ],
)
def test_a_mistyped_value_fails_the_step_and_names_it(scope: dict[str, object], what: str) -> None:
    with pytest.raises(StepFailed) as caught:
        resolve_args(step('{do: route.flip, with: {route: "${t}", to: "${to}"}}'), {**SCOPE, **scope})
    assert caught.value.message == what
    assert caught.value.step == "a/route.flip"


def test_foreach_gives_its_items() -> None:
    each = step('{do: route.hold, foreach: "${topology.routes}", with: {route: "${item}"}}')
    assert foreach_items(each, SCOPE)[:2] == ("writes", "proxysql")  # type: ignore[index]
    assert foreach_items(each, {}) == Unknown("topology.routes")
    assert foreach_items(step("{gate: go?, foreach: [a, b]}"), {}) == ("a", "b")


@pytest.mark.parametrize(
    ("old", "new", "at", "what", "hint"),
    [
        ('server: "${from}", age', "server: eats, age", (15, 20), "no server 'eats'", "'east'"),
        ("{route: all, expect", "{route: [wirtes, name], expect", (38, 19), "no route 'wirtes'", "'writes'"),
        ('to: "${to}"}', "to: east-r1}", (32, 28), "no cluster 'east-r1'", "'east'"),
        ("default: writer", "default: north", (6, 34), "no cluster 'north'", "known: east, west"),
    ],
)
def test_names_are_held_against_a_topology(old: str, new: str, at: tuple[int, int], what: str, hint: str) -> None:
    assert old in SWITCHOVER
    check_against(PLAYBOOK, TOPOLOGY)
    playbook = parse_playbook(SWITCHOVER.replace(old, new, 1), file="/p.yaml", catalogue=CATALOGUE)
    with pytest.raises(InvalidFile) as caught:
        check_against(playbook, TOPOLOGY)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == at
    assert what in problem.what
    assert hint in problem.hint
