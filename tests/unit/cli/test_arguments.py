from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from resource import RUSAGE_CHILDREN, getrusage

import pytest

from interlock.cli.arguments import commands_of, parse, parser
from interlock.cli.runs import inputs_of
from interlock.cli.words.inputs import WORDS
from interlock.errors import UsageError
from interlock.playbook.load import load_playbook
from unit.engine.stage import CATALOGUE, SHIPPED

_HEAVY = ("interlock.bootstrap", "interlock.engine", "pymysql", "yaml", "msgspec", "rich", "paramiko", "transitions", "ssl")


@pytest.mark.parametrize(
    "words",
    [["-t", "a.yaml", "--json", "status"], ["status", "--json", "-t", "a.yaml"], ["--json", "status", "--topology", "a.yaml"]],
    ids=["before", "after", "both"],
)
def test_global_options_stand_before_the_command_or_after_it(words: Sequence[str]) -> None:
    options = parse(words)
    assert (options.topology, options.json, options.yes, options.does) == ("a.yaml", True, False, "status:status")


def test_global_options_stand_behind_an_inner_command_too() -> None:
    options = parse(["--store", "sqlite:x", "playbook", "lint", "f.yaml", "--json"])
    assert (options.store, options.json, options.files) == ("sqlite:x", True, ["f.yaml"])


@pytest.mark.parametrize(
    ("words", "what", "hint"),
    [
        (["swichover"], "there is no command 'swichover'", "did you mean 'switchover'?"),
        (["serve"], "there is no command 'serve'", None),
        (["playbook", "lst"], "there is no command 'lst'", "did you mean 'list'?"),
        (["playbook", "schema", "topologie"], "there is no KIND 'topologie'", "did you mean 'topology'?"),
        (["run"], "the following arguments are required: PLAYBOOK", "interlock run PLAYBOOK; all of it: interlock run --help"),
        (
            ["segment", "move", "eu"],
            "the following arguments are required: --to",
            "interlock segment move NAME --to CLUSTER; all of it: interlock segment move --help",
        ),
        (
            ["quiesce", "--onto", "west"],
            "the following arguments are required: --for, --reason",
            "interlock quiesce --onto CLUSTER --for TIME --reason TEXT; all of it: interlock quiesce --help",
        ),
        (["fleet"], "the following arguments are required: COMMAND", "interlock fleet COMMAND; all of it: interlock fleet --help"),
        (["status", "--jsn"], "unrecognized arguments: --jsn", "interlock status --help"),
        (["runs", "--top", "x"], "unrecognized arguments: --top x", "interlock runs --help"),
        (["segment", "list", "eu"], "unrecognized arguments: eu", "interlock segment list --help"),
        (["drill", "--count", "0"], "argument --count: '0' is not a number from 1 to 10000", "interlock drill --help"),
    ],
    ids=[
        "near",
        "not in this version",
        "inner",
        "choice",
        "missing",
        "missing beside a word",
        "two missing",
        "no inner",
        "option",
        "no abbreviations",
        "a word too many",
        "count",
    ],
)
def test_a_wrong_word_is_named_with_what_it_may_have_meant(words: Sequence[str], what: str, hint: str | None) -> None:
    with pytest.raises(UsageError) as wrong:
        parse(words)
    assert wrong.value.message == what
    assert hint is None or wrong.value.hint == hint


SAID = [
    pytest.param(["switchover", "--to", "west"], {"to": "west"}, id="switchover"),
    pytest.param(["failover", "--to", "west", "--accept", "so be it"], {"to": "west", "accept": "so be it"}, id="failover"),
    pytest.param(["rejoin", "east", "-i", "data=copy"], {"cluster": "east", "data": "copy"}, id="rejoin"),
    pytest.param(
        ["quiesce", "--onto", "west", "--for", "4h", "--reason", "a=b", "--applier", "running"],
        {"onto": "west", "for": "4h", "reason": "a=b", "applier": "running"},
        id="quiesce",
    ),
]


@pytest.mark.parametrize(
    "words",
    [
        ["rejoin", "east", "--json"],
        ["rejoin", "--json", "east"],
        ["--json", "rejoin", "--yes", "east"],
        ["rejoin", "-i", "data=copy", "east"],
    ],
    ids=["behind", "between", "everywhere", "an input"],
)
def test_a_word_that_may_be_left_out_is_found_behind_an_option_too(words: Sequence[str]) -> None:
    assert inputs_of(parse(["plan", *words]).input)["cluster"] == "east"


@pytest.mark.parametrize(("words", "inputs"), SAID)
def test_a_plan_and_a_run_take_the_words_of_the_playbooks_own_command(words: Sequence[str], inputs: dict[str, str]) -> None:
    for before in ([], ["plan"], ["run"]):
        assert inputs_of(parse([*before, *words]).input) == inputs


@pytest.mark.parametrize("words", [["move", "eu", "--to", "west"], ["return", "eu"]], ids=["move", "return"])
def test_a_segment_takes_in_a_word_what_is_given_up_for_it(words: Sequence[str]) -> None:
    assert inputs_of(parse(["segment", *words, "--accept", "so be it", "-i", "hold=true"]).input) == {"accept": "so be it", "hold": "true"}


def test_a_word_by_its_place_is_the_playbooks_own_or_none() -> None:
    assert inputs_of(parse(["plan", "repair", "c1", "--onto", "west"]).input) == {"diff": "c1", "onto": "west"}
    with pytest.raises(UsageError) as wrong:
        parse(["plan", "switchover", "west"])
    assert wrong.value.message == "switchover takes no word like 'west'"


@pytest.mark.parametrize(
    ("words", "values"),
    [(["--to", "west", "-i", "to=east"], "'west' and 'east'"), (["-i", "to=east", "--to", "west"], "'east' and 'west'")],
    ids=["by its word first", "by its name first"],
)
def test_an_input_that_is_said_in_both_ways_is_told_with_both_values(words: Sequence[str], values: str) -> None:
    with pytest.raises(UsageError) as wrong:
        inputs_of(parse(["switchover", *words]).input)
    assert wrong.value.message == f"the input 'to' is given twice: {values}"


@pytest.mark.parametrize("playbook", WORDS)
def test_every_word_stands_for_an_input_of_its_playbook(playbook: str) -> None:
    its = load_playbook(SHIPPED / f"{playbook}.yaml", CATALOGUE).inputs
    said = {word.input: word.required for word in WORDS[playbook]}
    assert said.keys() <= its.keys()
    assert {name for name, one in its.items() if one.required} <= {name for name, required in said.items() if required}


def test_every_command_explains_itself_and_names_what_carries_it_out() -> None:
    found = list(commands_of(parser()))
    assert len(found) >= 20
    for command in found:
        assert command.description
        assert command.get_default("does") or list(commands_of(command)), command.prog


def test_the_command_that_the_line_begins_with_is_made_alone_and_as_it_is_among_all() -> None:
    whole = {command.prog: command.format_help() for command in commands_of(parser())}
    for name in {prog.split()[1] for prog in whole}:
        alone = {command.prog: command.format_help() for command in commands_of(parser(name))}
        assert alone == {prog: text for prog, text in whole.items() if prog.split()[1] == name}


def test_help_loads_nothing_heavy_and_answers_at_once() -> None:
    code = (
        "import sys\nfrom interlock.cli.main import main\n"
        "try: main(['switchover', '--help'])\nexcept SystemExit: pass\n"
        f"sys.exit(','.join(name for name in {_HEAVY!r} if name in sys.modules) or 0)"
    )
    before = getrusage(RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    after = getrusage(RUSAGE_CHILDREN)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--to CLUSTER" in done.stdout
    # of the processor's time, for a loaded machine's own says nothing: 0.05 s is what it takes
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.25
