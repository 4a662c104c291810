from __future__ import annotations

import pytest

from interlock.actions.logs_salvage import SalvageLogs, SeenLogs
from interlock.model.effects import CopyLogs
from interlock.model.topology import ClusterName, LogsSpec, ServerName
from interlock.model.verdict import Act, Done, Verdict

EAST, WEST = ClusterName("east"), ServerName("west")
ACTION = SalvageLogs(cluster=EAST, server=WEST, within_s=30.0)
LOGS = LogsSpec(folder="/var/lib/mysql", base="binlog.")
NOTHING = Done("nothing of the binary log of east was copied")

SEEN: dict[str, tuple[SeenLogs, Verdict]] = {
    "the topology does not say where": (
        SeenLogs(run="r1", logs=None, first=""),
        Done("the topology does not say where the binary log of east is", ("set clusters.east.logs, so that it is copied",)),
    ),
    "from where the other side has read it": (
        SeenLogs(run="r1", logs=LOGS, first="binlog.000007"),
        Act("copy the binary log of east from binlog.000007 on", once=True, otherwise=NOTHING),
    ),
    "the other side does not say": (
        SeenLogs(run="r1", logs=LOGS, first=""),
        Act("copy the binary log of east from its first file on", once=True, otherwise=NOTHING),
    ),
}


@pytest.mark.parametrize(("seen", "verdict"), SEEN.values(), ids=SEEN)
def test_a_log_that_cannot_be_copied_fails_nothing(seen: SeenLogs, verdict: Verdict) -> None:
    assert ACTION.decide(seen) == verdict


def test_it_copies_and_has_nothing_to_undo() -> None:
    seen = SeenLogs(run="r1", logs=LOGS, first="binlog.000007")
    assert ACTION.effects(seen) == (
        CopyLogs(run="r1", cluster=EAST, folder="/var/lib/mysql", base="binlog.", first="binlog.000007", within_s=30.0),
    )
    assert ACTION.undo(seen, None) == ()
    assert ACTION.effects(SeenLogs(run="r1", logs=None, first="")) == ()
