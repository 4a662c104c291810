"""`interlock window` on logs with a planted quiet hour, and on logs that are too short to tell."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from scenarios.command_line import environment, interlock
from scenarios.pair_state import CLOCK

DAY_S, BIN_S = 86_400, 600
QUIET_HOUR = 3


def plant(sandbox: Sandbox, days: int) -> None:
    """A transaction in each ten minutes of the days until now, but for an hour of each, by the time stamps that the log keeps."""
    now_s = int(CLOCK.wall().timestamp())
    with closing(sql.connect(sandbox, "east")) as east:
        for at in range(now_s - days * DAY_S, now_s, BIN_S):
            if at % DAY_S // 3600 != QUIET_HOUR:
                sql.rows(east, f"SET timestamp={at}")
                sql.rows(east, "INSERT INTO app.ledger (k, server_id) VALUES ('then', @@server_id)")


@pytest.mark.parametrize("flavor", ["fresh_pair", "fresh_mysql_pair"])
def test_a_quiet_hour_in_the_logs_is_found_and_short_logs_say_so(flavor: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    sandbox: Sandbox = request.getfixturevalue(flavor)
    env = environment(sandbox, tmp_path)
    refused = interlock("window", "--for", "40m", "--json", env=env)
    assert (refused.code, "too short to tell" in refused.out) == (3, True)
    plant(sandbox, 3)
    for side in ("east", "west"):  # west has nothing of its own, and its log is as old as the pair
        with closing(sql.connect(sandbox, side)) as admin:
            sql.rows(admin, "FLUSH BINARY LOGS")
    answer = interlock("window", "--for", "40m", "--json", env=env)
    assert answer.code == 0, answer.out
    best = answer.document["windows"][0]
    assert QUIET_HOUR * 3600 <= best["begins_s"] <= QUIET_HOUR * 3600 + 1200
    assert (best["most_per_s"], answer.document["cycle"]) == (0.0, "day")
    told = interlock("window", "--for", "40m", env=env).out
    assert "03:00 to 03:40" in told or "03:10 to 03:50" in told or "03:20 to 04:00" in told
