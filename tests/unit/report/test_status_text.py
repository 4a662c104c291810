from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from interlock.engine.status import ChannelStatus, ClusterStatus, FenceStatus, RouteStatus, StatusReport
from interlock.model.liveness import Liveness, LivenessFacts
from interlock.model.topology import ClusterName
from interlock.ports import RunHeader
from interlock.report.runs_text import rows_of, runs_text
from interlock.report.status_text import status_text

_OPEN = ClusterStatus(
    reachable=True, flavor="mariadb", version="10.11.6", read_only=False, position="1-1-9", sessions=3, open_transactions=1
)
_DOWN = ClusterStatus(reachable=False, error="no answer")
_DEAD = replace(_DOWN, liveness=LivenessFacts(cluster=ClusterName("west"), state=Liveness.DEAD, why="west is dead: refused here"))


def _status(**changed: object) -> str:
    facts: dict[str, object] = {
        "topology": "shop",
        "writer": "east",
        "clusters": {"east": _OPEN, "west": _DOWN},
        "channels": (ChannelStatus(from_="east", to="west", running=False, lag_s=None, error="1062", source_address="h:1"),),
        "routes": (RouteStatus(route="writes", to=None, leads_to=("east", "west"), holding=True, provable=True),),
        "unfinished_runs": (),
    }
    return status_text(StatusReport(**{**facts, **changed}), 120)  # type: ignore[arg-type]  # a table of changes


@pytest.mark.parametrize(
    "words",
    [
        ["east", "writer", "mariadb 10.11.6", "open", "1-1-9", "3", "1"],
        ["west", "unknown", "does not answer", "unknown", "unknown", "unknown", "unknown"],
        ["east → west", "does not run", "unknown", "1062"],
        ["writes", "east and west", "held"],
    ],
    ids=["writer", "server down", "broken channel", "split route"],
)
def test_what_is_not_known_is_never_shown_as_healthy(words: list[str]) -> None:
    assert [line.split("  ") for line in _status().splitlines() if [w.strip() for w in line.split("  ") if w.strip()] == words]


@pytest.mark.parametrize(
    ("fence", "said"),
    [
        (FenceStatus(loose=False, fleeting=False), "fenced"),
        (FenceStatus(loose=True, fleeting=False), "fenced: administrators write"),
        (FenceStatus(loose=False, fleeting=True), "fenced: until a restart"),
        (FenceStatus(loose=False, fleeting=False, lacks="offline_mode is off"), "fenced: offline_mode is off"),
    ],
    ids=["whole", "loose", "fleeting", "less than is wanted"],
)
def test_a_fence_that_leaks_is_not_shown_as_a_whole_one(fence: FenceStatus, said: str) -> None:
    west = ClusterStatus(reachable=True, flavor="mysql", version="9.7.4", read_only=True, position="", fence=fence)
    (line,) = [line for line in _status(clusters={"west": west}).splitlines() if line.startswith("west  ")]
    assert said in [cell.strip() for cell in line.split("  ")]


def test_problems_come_last_with_their_hints() -> None:
    text = _status(problems=({"what": "no channel from west to east", "hint": "point east at west"},))
    assert text.endswith("problems\n  ✗ no channel from west to east\n    hint: point east at west")
    assert _status().endswith("no problems seen")


def test_two_writers_are_no_writer() -> None:
    assert _status(writer=None).startswith("shop: no single writer")


@pytest.mark.parametrize(("outcome", "resumable"), [(None, True), ("halted", True), ("succeeded", False), ("rolled_back", False)])
def test_a_run_can_be_taken_up_while_it_has_no_outcome_or_is_halted(outcome: str | None, *, resumable: bool) -> None:
    header = RunHeader(
        run="r1", playbook="switchover", topology="shop", started_at=datetime(2025, 3, 1, tzinfo=UTC), state="changing", outcome=outcome
    )
    rows = rows_of([header])
    assert rows[0].resumable is resumable
    assert ("interlock resume r1" in runs_text(rows, 100)) is resumable
    assert (outcome or "unfinished (changing)") in runs_text(rows, 100)


def test_no_runs_is_said() -> None:
    assert runs_text((), 80) == "no runs yet"
    assert runs_text((), 80, Path("/srv/other.db")) == "no runs yet in /srv/other.db"


def test_a_master_that_does_not_answer_is_told_with_its_verdict() -> None:
    assert "does not answer: dead" in _status(clusters={"east": _OPEN, "west": _DEAD})
