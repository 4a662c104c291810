"""Links cut without a word, at each moment of a switchover, healed after a while or never."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.matrix import chosen
from faults.stage import Lab, Moment, assert_held, cut, strike_during

LINKS = {
    "between the servers": ("old", "new"),
    "from the tool to the old writer": ("tool", "old"),
    "from the tool to the new one": ("tool", "new"),
}


@pytest.mark.parametrize(("link", "moment", "healed"), chosen(LINKS))
def test_a_cut_link(lab: Lab, tmp_path: Path, link: str, moment: Moment, healed: bool) -> None:
    came = strike_during(lab, cut(*LINKS[link]), moment, tmp_path, healed=healed)
    print(link, moment, healed, came.outcome, round(came.took_s, 1), came.taken_up and came.taken_up["outcome"], came.samples)
    if came.outcome == "halted" or came.taken_up:
        import json

        print(
            json.dumps(
                [
                    came.report["problems"],
                    came.report.get("next_commands"),
                    came.taken_up and came.taken_up["problems"],
                    came.taken_up and came.taken_up.get("next_commands"),
                ],
                indent=1,
            )
        )
    assert_held(came, {"succeeded", "refused", "rolled_back", "halted"})
