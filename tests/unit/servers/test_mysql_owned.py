"""`gtid_owned` as MySQL writes it: the sessions' numbers run into the next source."""

from __future__ import annotations

import pytest

from interlock.servers.mysql_facts import owned

EAST, WEST = "cdbf2dc3-e77e-11f1-b2f1-02fc00000001", "12345678-e77e-11f1-972f-02fc00000001"


@pytest.mark.parametrize(
    ("told", "position"),
    [
        pytest.param("", "", id="nothing under way"),
        pytest.param(f"{EAST}:7#31", f"{EAST}:7", id="one"),
        pytest.param(f"{EAST}:7#31:9#32", f"{EAST}:7:9", id="two of a source"),
        pytest.param(f"{EAST}:1859#44{WEST}:5830#45", f"{WEST}:5830,{EAST}:1859", id="of two sources, the second begins with a digit"),
        pytest.param(f"{WEST}:5830#4{EAST}:1859#44", f"{WEST}:5830,{EAST}:1859", id="of two sources, the second begins with a letter"),
        pytest.param(f"{EAST}:7#31,{WEST}:5#3", f"{WEST}:5,{EAST}:7", id="with a comma between"),
        pytest.param(f"{EAST}:late:7#31{WEST}:5#3", f"{WEST}:5,{EAST}:late:7", id="tagged"),
    ],
)
def test_transactions_under_way_are_read_without_their_sessions(told: str, position: str) -> None:
    assert str(owned(told)) == position
