"""What `trepctl status -json` prints, as facts. The fields and values are those of Continuent's documentation."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from interlock.clock import SystemClock
from interlock.errors import StatementFailed
from interlock.model.effects import OutsideEffect, RunCommand
from interlock.model.facts import ChannelFacts, CommandResult
from interlock.model.position import LogPoint
from interlock.model.topology import ChannelSpec, ClusterName, ServerName
from interlock.servers.trepctl import Replicator, event_point, read_status

ONLINE: Mapping[str, object] = {
    "appliedLastEventId": "mysql-bin.000018:0000000000070227;140",
    "appliedLastSeqno": 206,
    "appliedLatency": 0.464,
    "currentEventId": "NONE",
    "maximumStoredSeqNo": 206,
    "pendingError": "NONE",
    "pendingExceptionMessage": "NONE",
    "pipelineSource": "thl://db1:2112/",
    "relativeLatency": 5.007,
    "role": "slave",
    "serviceName": "east",
    "state": "ONLINE",
}
FAILED = {**ONLINE, "state": "OFFLINE:ERROR", "appliedLatency": -1, "pendingError": "Event application failed: seqno=10 fragno=0"}
POINT = LogPoint.of("mysql-bin.000018", 70227)


class Printing:
    """`ports.Outside` that prints one text, and remembers what it was asked."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[OutsideEffect] = []

    def script(self, effect: OutsideEffect, /) -> tuple[str, ...]:
        return (str(effect),)

    def run(self, effect: OutsideEffect, /) -> CommandResult:
        self.asked.append(effect)
        return CommandResult(argv=("trepctl",), exit_code=0, stdout=self.text, stderr="")


def replicator(printing: Printing, host: str | None = "west") -> Replicator:
    spec = ChannelSpec(kind="tungsten", service="east", trepctl=("/opt/continuent/trepctl",))
    name = ClusterName(host) if host is not None else None
    return Replicator(spec, server=ServerName("west"), source=ServerName("east"), host=name, outside=printing, clock=SystemClock())


SEEN: dict[str, tuple[Mapping[str, object], tuple[str, bool, int | None, str, LogPoint | None]]] = {
    "online": (ONLINE, ("Yes", True, 0, "", POINT)),
    "offline": ({**ONLINE, "state": "OFFLINE:NORMAL"}, ("OFFLINE:NORMAL", False, None, "", POINT)),
    "going online": ({**ONLINE, "state": "GOING-ONLINE:SYNCHRONIZING"}, ("GOING-ONLINE:SYNCHRONIZING", False, None, "", POINT)),
    "failed": (FAILED, ("OFFLINE:ERROR", False, None, "Event application failed: seqno=10 fragno=0", POINT)),
    "failed without words": ({**FAILED, "pendingError": "NONE"}, ("OFFLINE:ERROR", False, None, "OFFLINE:ERROR", POINT)),
    "nothing applied yet": ({**ONLINE, "appliedLastEventId": "NONE", "appliedLatency": -1}, ("Yes", True, None, "", None)),
    "latency not told": ({**ONLINE, "appliedLatency": None}, ("Yes", True, None, "", POINT)),
}


@pytest.mark.parametrize(("told", "expected"), SEEN.values(), ids=SEEN.keys())
def test_a_status_is_the_channel_that_it_tells_of(
    told: Mapping[str, object], expected: tuple[str, bool, int | None, str, LogPoint | None]
) -> None:
    receiver, applier, lag_s, error, applied = expected
    assert replicator(Printing(json.dumps(told))).channel() == ChannelFacts(
        server=ServerName("west"),
        name="east",
        source=ServerName("east"),
        source_address="thl://db1:2112/",
        receiver=receiver,
        applier=applier,
        lag_s=lag_s,
        error=error,
        using="tungsten",
        applied=applied,
    )


@pytest.mark.parametrize("host", ["west", None], ids=["on its host", "here"])
def test_it_is_asked_where_the_topology_says(host: str | None) -> None:
    printing = Printing(json.dumps(ONLINE))
    replicator(printing, host).status()
    (asked,) = printing.asked
    assert isinstance(asked, RunCommand)
    assert (asked.argv, asked.host) == (("/opt/continuent/trepctl", "-service", "east", "status", "-json"), host)


def test_a_recent_status_is_not_asked_for_twice() -> None:
    printing = Printing(json.dumps(ONLINE))
    one = replicator(printing)
    assert one.recent() == one.recent() == one.status()
    assert len(printing.asked) == 2


STRANGE = {
    "no JSON": ("Operation failed: RMI", "no JSON"),
    "a list": ("[]", "printed no status"),
    "without a state": (json.dumps({"serviceName": "east"}), "printed no status"),
    "another service": (json.dumps({**ONLINE, "serviceName": "west"}), "tells of service west, not of east"),
    "an event of another kind": (json.dumps({**ONLINE, "appliedLastEventId": "3E11FA47-71CA-11E1:23"}), "no point in a binary log"),
}


@pytest.mark.parametrize(("text", "words"), STRANGE.values(), ids=STRANGE.keys())
def test_what_is_no_status_fails_with_what_it_was(text: str, words: str) -> None:
    with pytest.raises(StatementFailed, match=words):
        read_status(text, service="east")


def test_points_of_one_log_are_in_its_order() -> None:
    before, after = event_point("mysql-bin.000018:0000000000070227;140"), event_point("mysql-bin.000019:0000000000000004;-1")
    assert before is not None
    assert after is not None
    assert after.reaches(before)
    assert not before.reaches(after)
