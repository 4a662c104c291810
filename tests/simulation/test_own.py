"""Somebody's own playbook in simulated nights: told what its checks answer, and judged by what its owner expects."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.simulated.__main__ import main
from interlock.simulated.play import play
from interlock.simulated.schedules import Fault, FaultKind, Recovery, Schedule
from interlock.simulated.variants import TEXTS

README = (Path(__file__).parents[2] / "README.md").read_text()
PAGE = (Path(__file__).parents[2] / "docs" / "simulation.md").read_text()
JOBS = ("--answer", "SELECT COUNT(*) FROM shop.jobs=0")
ANSWERS = (*JOBS, "--answer", "jobs show=frozen", "--answer", "https://shop.example/health=ok")


@pytest.fixture
def move(tmp_path: Path) -> str:
    """The README's own example."""
    begin = README.index("playbook: move\n")
    path = tmp_path / "move.yaml"
    path.write_text(README[begin : README.index("```", begin)])
    return str(path)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((), 0, "ends as refused\n  before: SELECT COUNT(*) FROM shop.jobs on east answered ''"),
        (ANSWERS, 0, "ends as succeeded\n"),
        ((*ANSWERS, "--expect", "succeeded"), 0, "ends as succeeded\n"),
        (("--expect", "succeeded"), 1, "quiet: nothing stood against it, and it ended as refused, not as succeeded"),
        (("--answer", "west:SELECT COUNT(*) FROM shop.jobs=0"), 0, "ends as refused\n"),
        (("--answer", "east:SELECT COUNT(*) FROM shop.jobs=0", "--answer", "jobs show=frozen"), 0, "ends as succeeded\n"),
        ((*ANSWERS, "-i", "jobs=leave"), 0, "ends as succeeded\n"),
    ],
    ids=["no answer", "answers", "as expected", "not as expected", "the other server's answer", "one server's answer", "an input"],
)
def test_an_own_playbook_ends_as_its_answers_make_it(
    words: tuple[str, ...], code: int, told: str, move: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--playbook", move, "--nights", "30", *words]) == code
    assert told in capsys.readouterr().out


def test_a_failing_check_of_an_own_playbook_breaks_no_promise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(TEXTS["fails-after-the-flip"].replace("fails-after-the-flip", "mine"))
    assert main(["--playbook", str(path), "--nights", "40"]) == 0
    assert "ends as rolled_back\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--playbook", "nowhere.yaml"), "nowhere.yaml:0:0: cannot be read: No such file or directory\n  hint: check the name"),
        (("--playbook", "MOVE", "--answer", "SELECT 1"), "--answer 'SELECT 1' is not [SERVER:]QUESTION=TEXT\n  hint: such as"),
        (("--playbook", "MOVE", "-i", "to"), "-i 'to' is not NAME=VALUE\n  hint: such as -i to=west"),
        (("--playbook", "MOVE", "-i", "nobody=1"), "move can't be played: "),
        (("--expect", "succeeded"), "--expect are for a playbook of your own\n  hint: name it with --playbook FILE"),
    ],
    ids=["no such file", "an answer to nothing", "an input without value", "an unknown input", "no own playbook"],
)
def test_a_wrong_word_is_named(words: tuple[str, ...], said: str, move: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([move if word == "MOVE" else word for word in words]) == 2
    assert said in capsys.readouterr().err


def test_the_pages_command_is_the_one_that_is_tried() -> None:
    assert all(f'"{word}"' in PAGE or f" {word}" in PAGE for word in ANSWERS if word != "--answer")


def test_the_story_says_what_never_came() -> None:
    late = Fault(kind=FaultKind.LAG, place=("west",), at_move=100_000, for_s=1.0)
    told = play(Schedule(faults=(late,), kills=(0, 260), recoveries=(Recovery.RESUME,)), tell=True).story
    never = [line.partition("never struck: ")[2] for line in told if "never struck" in line]
    assert never == ["lag west at move 100000 for 1s", "recovery resume", "kill of process 2 at its move 260"]


def test_the_story_does_not_take_back_what_came() -> None:
    told = play(Schedule(kills=(40,), recoveries=(Recovery.RESUME,)), tell=True).story
    assert any(line.endswith("process 1 ends: killed") for line in told)
    assert not any("never struck" in line for line in told)
