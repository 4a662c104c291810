"""Links cut without a word, at each moment of a switchover under load, healed after a while or never."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.matrix import allowed, cases
from faults.stage import Lab, Moment, assert_held, cut, strike_during

_LINKS = {
    "between the servers": ("old", "new"),
    "from the tool to the old writer": ("tool", "old"),
    "from the tool to the new one": ("tool", "new"),
}
_ALWAYS = [
    ("between the servers", Moment.DRAINED, False),
    ("from the tool to the new one", Moment.FENCED, False),
]


@pytest.mark.parametrize(("link", "moment", "healed"), cases(_LINKS, _ALWAYS))
def test_a_cut_link_leaves_one_writer_nothing_lost_and_a_named_outcome(
    lab: Lab, tmp_path: Path, *, link: str, moment: Moment, healed: bool
) -> None:
    assert_held(strike_during(lab, cut(*_LINKS[link]), moment, tmp_path, healed=healed), allowed(moment, healed=healed))
