"""What a client in a drill says of itself is counted, and nothing that it started is left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from interlock.clock import Deadline, SystemClock
from interlock.errors import UsageError
from interlock.sandbox.told_client import Tally, told_client


def test_its_lines_are_counted_by_word_and_code_and_every_other_line_is_passed_over() -> None:
    lines = "done\\nerror 1213\\nerror 1213\\nhello\\ndone now then\\nerror\\ngave_up 2013\\n done\\n"
    with told_client(["sh", "-c", f"printf '{lines}'; echo \"error $PLACE\""], {"PLACE": "here"}) as client:
        while client.ended() is None:
            SystemClock().sleep(0.01)
        said = client.stop()
    assert said == Tally(done=1, errors={"1213": 2, "-": 1, "here": 1}, gave_up={"2013": 1})
    assert said.retried == 3


def test_what_it_started_ends_with_it(tmp_path: Path) -> None:
    """Also what does not heed SIGTERM: the group is killed."""
    noted = tmp_path / "pid"
    script = f"sh -c 'trap \"\" TERM; echo $$ > {noted}.new; mv {noted}.new {noted}; while :; do sleep 0.05; done' & wait"
    deadline = Deadline.after(SystemClock(), 60)
    with told_client(["sh", "-c", script], {}):
        while not noted.exists():
            assert not deadline.is_over()
            SystemClock().sleep(0.01)
    while Path(f"/proc/{noted.read_text().strip()}").exists():
        assert not deadline.is_over()
        SystemClock().sleep(0.01)


def test_a_command_that_there_is_not_is_named() -> None:
    with pytest.raises(UsageError, match="/no/such can't be started"), told_client(["/no/such"], dict(os.environ)):
        pass
