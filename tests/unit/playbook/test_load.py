from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.documents.fields import Kind
from interlock.errors import InvalidFile, Problem
from interlock.playbook.expressions import TextTemplate
from interlock.playbook.load import load_playbook, parse_playbook
from interlock.playbook.tree import OnFailure, Parallel, Playbook, Retry, Step
from unit.playbook.small_catalogue import CATALOGUE, SWITCHOVER


def parse(text: str) -> Playbook:
    return parse_playbook(text, file="/p/switchover.yaml", catalogue=CATALOGUE)


def problems(text: str) -> list[Problem]:
    with pytest.raises(InvalidFile) as caught:
        parse(text)
    return list(caught.value.problems)


def with_step(step: str, *, before: str = "- phase: verify") -> str:
    """The switchover with one phase more; the step begins in line 37."""
    assert before in SWITCHOVER
    return SWITCHOVER.replace(before, f"- phase: more\n  steps:\n  - {step}\n{before}")


def changed(old: str, new: str) -> str:
    assert old in SWITCHOVER
    return SWITCHOVER.replace(old, new, 1)


def only_step(step: str) -> Step:
    phase = next(phase for phase in parse(with_step(step)).phases if phase.name == "more")
    (found,) = phase.steps
    assert isinstance(found, Step)
    return found


def test_the_example_of_the_design_is_read_whole() -> None:
    playbook = parse(SWITCHOVER)
    assert (playbook.name, playbook.version, playbook.on_failure) == ("switchover", 1, OnFailure.ROLL_BACK)
    assert [phase.name for phase in playbook.phases] == ["preflight", "fence", "catch_up", "flip", "verify"]
    assert playbook.inputs["to"].required
    assert playbook.inputs["to"].differs_from == "writer"
    assert playbook.inputs["from"].default == "writer"
    assert playbook.inputs["max_outage"].default == 10.0
    hold, fence = playbook.phases[1].steps
    assert (hold.id, fence.id) == ("fence/route.hold", "fenced")
    assert isinstance(fence, Step)
    assert fence.args["within"] == 2.0
    assert isinstance(fence.args["server"], TextTemplate)
    assert fence.line == 20
    assert playbook.text == SWITCHOVER


def test_templates_stand_inside_lists_and_mappings() -> None:
    step = only_step('do: command\n    with: {run: [./x, "--to=${to}", 5], env: {TO: "${to}", N: 1}}')
    run, env = step.args["run"], step.args["env"]
    assert isinstance(run, tuple)
    assert (run[0], run[2]) == ("/p/x", "5")
    assert isinstance(run[1], TextTemplate)
    assert isinstance(env, dict)
    assert env["N"] == "1"


@pytest.mark.parametrize(
    ("key", "name", "value"),
    [
        ("retry: 3", "retry", Retry(times=3, pause_s=1.0)),
        ("retry: {times: 2, pause: 200ms}", "retry", Retry(times=2, pause_s=0.2)),
        ("timeout: 1m", "timeout_s", 60.0),
        ("undo: none", "undo", ()),
        ("on_failure: halt", "on_failure", OnFailure.HALT),
    ],
)
def test_keys_of_a_step(key: str, name: str, value: object) -> None:
    assert getattr(only_step(f'do: sessions.kill\n    with: {{server: "${{from}}"}}\n    {key}'), name) == value


def test_undo_is_a_list_of_effects_with_ids_of_their_own() -> None:
    undo = only_step("id: mine\n    do: command\n    with: {run: [a]}\n    undo:\n    - do: command\n      with: {run: [b]}").undo
    assert undo is not None
    assert [step.id for step in undo] == ["mine/undo"]


def test_gate_foreach_when_and_parallel() -> None:
    gate = only_step('gate: "Go on to ${to}?"')
    assert (gate.spec.name, str(gate.args["message"])) == ("gate", "Go on to ${to}?")
    each = only_step(
        'do: route.flip\n    foreach: "${topology.routes}"\n    with: {route: "${item}", to: "${to}"}\n    when: "${to} == \'west\'"'
    )
    assert each.foreach is not None
    assert each.when is not None
    text = with_step("parallel:\n    - do: sessions.kill\n      with: {server: east}\n    - check: command\n      with: {run: [x]}")
    (parallel,) = parse(text).phases[4].steps
    assert isinstance(parallel, Parallel)
    assert [step.id for step in parallel.steps] == ["more/sessions.kill", "more/command"]


@pytest.mark.parametrize(
    ("text", "at", "what", "hint"),
    [
        pytest.param(
            changed("do: server.fence", "do: server.fense"), (21, 9), "unknown action 'server.fense'", "'server.fence'", id="action"
        ),
        pytest.param(changed("do: route.hold", "check: route.hold"), (18, 12), "unknown action", "it is one for `do:`", id="verb"),
        pytest.param(changed("max_lag: 5s", "max_lag: 5"), (13, 38), "not a duration", "say the unit: 5s", id="bare-number"),
        pytest.param(changed("times: 3", "times: many"), (38, 48), "not an integer", "", id="kind"),
        pytest.param(changed("times: 3", "tims: 3"), (38, 41), "has no key 'tims'", "'times'", id="param"),
        pytest.param(changed("age: 5s", "age: '${x'"), (15, 37), "'${' is not closed", "$${", id="open-reference"),
        pytest.param(changed("${fenced.position}", "${fence.position}"), (26, 40), "unknown reference", "'fenced.position'", id="step"),
        pytest.param(changed("${fenced.position}", "${fenced.pos}"), (26, 40), "unknown reference", "fenced.position", id="output"),
        pytest.param(changed("${fenced.position}", "${max_outage}"), (26, 39), "of kind duration, not position", "", id="template-kind"),
        pytest.param(changed("${max_outage}", "${to}"), (26, 69), "of kind cluster, not duration", "", id="input-kind"),
        pytest.param(
            changed("  max_outage: {type: duration", "  max_outage: {type: durations"), (7, 22), "not one of", "'duration'", id="type"
        ),
        pytest.param(changed("not: writer", "not: form"), (5, 23), "neither writer, standby", "'from'", id="not"),
        pytest.param(changed("drain:", "writer:"), (8, 3), "has a meaning of its own", "another name", id="reserved-input"),
        pytest.param(changed("default: 2s", "default: two"), (8, 36), "not a duration", "200ms", id="default"),
        pytest.param(changed("phase: verify", "phase: flip"), (35, 3), "two phases called 'flip'", "", id="phase-twice"),
        pytest.param(
            changed("check: replication.healthy", "do: sessions.kill"), (12, 5), "nothing may change", "later phase", id="preflight"
        ),
        pytest.param(changed("on_failure: roll_back ", "on_failure: rollback "), (41, 13), "not one of", "'roll_back'", id="choice"),
        pytest.param(changed("  - id: fenced\n    do", "  - id: to\n    do"), (20, 9), "name of an input", "another", id="id-of-an-input"),
        pytest.param(with_step("do: command\n    check: command"), (37, 5), "has do and check", "exactly one", id="two-verbs"),
        pytest.param(with_step("id: x"), (37, 5), "neither do, check nor gate", "exactly one", id="no-verb"),
        pytest.param(with_step("do: command\n    with: {run: ls -l}"), (38, 17), "not a list of words", "no shell", id="shell-line"),
        pytest.param(with_step("do: command"), (37, 5), "command lacks 'run'", "the run", id="missing-param"),
        pytest.param(with_step("gate: go?\n    with: {a: 1}"), (38, 5), "a gate has no parameters", "", id="gate-with"),
        pytest.param(with_step("gate: go?\n    when: to == 'x'"), (38, 11), "'to' is not understood here", "${to}", id="when"),
        pytest.param(
            with_step('gate: go?\n    when: "true and ${too}"'), (38, 21), "unknown reference ${too}", "'to'", id="when-reference"
        ),
        pytest.param(with_step('gate: go?\n    when: "${to}"'), (38, 11), "of kind cluster, not a flag", "compare", id="when-kind"),
        pytest.param(with_step('gate: go?\n    foreach: "${to}"'), (38, 14), "foreach is no list", "topology.routes", id="foreach-kind"),
        pytest.param(with_step('gate: "${item}"'), (37, 12), "unknown reference ${item}", "", id="item-outside"),
        pytest.param(with_step("gate: go?\n    retry: 0"), (38, 12), "retry is 0 times", "", id="retry"),
        pytest.param(with_step("gate: go?\n    undo: none"), (38, 5), "a gate has an undo", "only effects", id="undo-of-a-gate"),
        pytest.param(with_step("do: command\n    with: {run: [a]}\n    undo: later"), (39, 11), "undo is no list", "none", id="undo"),
        pytest.param(
            with_step("do: command\n    with: {run: [a]}\n    undo:\n    - check: command\n      with: {run: [b]}"),
            (40, 7),
            "an undo step has 'check'",
            "do, with",
            id="undo-check",
        ),
        pytest.param(
            with_step('do: sql\n    with: {server: east, statements: x, password: "${to}"}'),
            (38, 51),
            "password is ${to} of kind cluster, not secret",
            "never taken",
            id="secret-template",
        ),
        pytest.param(
            with_step('parallel:\n    - id: a\n      check: command\n      with: {run: [x]}\n    - gate: "${a.stdout}"'),
            (41, 14),
            "unknown reference ${a.stdout}",
            "line 38: only outputs of earlier steps",
            id="sibling",
        ),
    ],
)
def test_each_problem_has_its_place_and_hint(text: str, at: tuple[int, int], what: str, hint: str) -> None:
    found = [problem for problem in problems(text) if (problem.line, problem.column) == at]
    assert found, [str(problem) for problem in problems(text)]
    assert what in found[0].what
    assert hint in found[0].hint


def test_one_mistake_is_one_problem() -> None:
    for old, new in (("do: server.fence", "do: server.fense"), ("type: cluster, not: writer", "type: clutser, not: writer")):
        assert len(problems(changed(old, new))) == 1


def test_all_problems_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = SWITCHOVER.replace("default: 2s", "default: 2").replace("max_lag: 5s", "max_log: 5s").replace("times: 3", "times: x")
    assert [problem.line for problem in problems(text)] == [8, 13, 13, 38]


def test_a_reference_to_a_later_step_says_so() -> None:
    text = changed("age: 5s", 'age: "${fenced.position}"')
    assert "step 'fenced' stands in line 20" in problems(text)[0].hint


def test_an_input_may_be_left_out_if_it_says_so() -> None:
    playbook = parse(changed("{type: duration, default: 2s}", "{type: duration, required: false}"))
    assert not playbook.inputs["drain"].required
    assert playbook.inputs["drain"].kind is Kind.DURATION


def test_a_hundred_thousand_inputs_end_fast() -> None:
    inputs = "".join(f"  i{number}: {{type: text}}\n" for number in range(100_000))
    begun = time.process_time()
    assert problems(f"playbook: p\ninputs:\n{inputs}phases: []\n")
    assert time.process_time() - begun < 5


def test_thousands_of_wrong_steps_end_fast() -> None:
    steps = "".join(f'  - {{id: step{number}, gate: "${{nothing{number}.x}}"}}\n' for number in range(3000))
    begun = time.process_time()
    found = problems(f"playbook: p\nphases:\n- phase: a\n  steps:\n{steps}")
    assert len(found) == 101
    assert found[-1].what == "and 2900 more problems"
    assert time.process_time() - begun < 5


def test_a_file_is_loaded_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "switchover.yaml"
    path.write_text(SWITCHOVER)
    assert load_playbook(path, CATALOGUE).path == str(path)
    with pytest.raises(InvalidFile, match="cannot be read"):
        load_playbook(tmp_path / "other.yaml", CATALOGUE)


@given(st.integers(0, len(SWITCHOVER)), st.integers(0, 30), st.text(alphabet="{}[]:,-&*\"'`$\n \0x1", max_size=5))
def test_a_mutated_playbook_is_read_or_has_problems(at: int, cut: int, put: str) -> None:
    with contextlib.suppress(InvalidFile):
        assert parse(SWITCHOVER[:at] + put + SWITCHOVER[at + cut :]).phases
