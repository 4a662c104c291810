"""Programs that hang (SIGSTOP) or are gone (SIGKILL), at each moment of a switchover under load; what was killed is started again, or not.

The command's own end by kill -9, at every record of its journal, has a table of its own among the scenarios.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.matrix import allowed, cases
from faults.stage import Lab, Moment, assert_held, frozen, frozen_tool, killed, strike_during

_FAULTS = {
    "the old writer hangs": lambda: frozen("old"),
    "the new one hangs": lambda: frozen("new"),
    "the proxy hangs": lambda: frozen("haproxy"),
    "the old writer is gone": lambda: killed("old"),
    "the new one is gone": lambda: killed("new"),
    "the proxy is gone": lambda: killed("haproxy"),
}
_ALWAYS = [
    ("the old writer hangs", Moment.CAUGHT_UP, True),
    ("the new one is gone", Moment.FENCED, True),
]


@pytest.mark.parametrize(("fault", "moment", "healed"), cases(_FAULTS, _ALWAYS))
def test_a_program_that_hangs_or_is_gone_leaves_one_writer_nothing_lost_and_a_named_outcome(
    lab: Lab, tmp_path: Path, *, fault: str, moment: Moment, healed: bool
) -> None:
    assert_held(strike_during(lab, _FAULTS[fault](), moment, tmp_path, healed=healed), allowed(moment, healed=healed))


@pytest.mark.parametrize("moment", [Moment.FENCED])
def test_a_command_that_hangs_keeps_the_pair_and_goes_on_when_it_wakes_up(lab: Lab, tmp_path: Path, moment: Moment) -> None:
    assert_held(strike_during(lab, frozen_tool(), moment, tmp_path, healed=True), {"succeeded", "rolled_back"})
