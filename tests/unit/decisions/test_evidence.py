"""What the binary logs prove, for GTIDs of each kind."""

from __future__ import annotations

import pytest

from interlock.decisions.evidence import steps_to
from interlock.model.position import parse_position

UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
OTHER = "4e11fa47-71ca-11e1-9e33-c80aa9429562"


@pytest.mark.parametrize(
    ("held", "gtid", "steps"),
    [
        pytest.param("1-1-7", "1-1-8", 1, id="mariadb-next"),
        pytest.param("1-1-7", "1-1-10", 3, id="mariadb-two-before-it"),
        pytest.param(f"{UUID}:1-7", f"{UUID}:8", 1, id="mysql-next"),
        pytest.param(f"{UUID}:1-7", f"{UUID}:10", 3, id="mysql-two-before-it"),
        pytest.param(f"{UUID}:1-4:6-7", f"{UUID}:8", 1, id="mysql-next-over-a-hole"),
        pytest.param(f"{UUID}:1-4:6-7", f"{UUID}:5", 1, id="mysql-the-hole-filled"),
        pytest.param(f"{UUID}:1-7", f"{UUID}:night:1", 1, id="mysql-a-new-tag"),
        pytest.param(f"{OTHER}:1", f"{UUID}:2", 2, id="nothing-held-of-it"),
        pytest.param("west=bin.000002:400", "west=bin.000002:401", 1, id="file"),
    ],
)
def test_a_first_write_is_the_very_next_one_or_something_stands_before_it(held: str, gtid: str, steps: int) -> None:
    assert steps_to(parse_position(held), gtid) == steps
