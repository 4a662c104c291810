"""What `trepctl status -json` prints, as facts. The fields and values are those of Continuent's documentation."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from interlock.clock import SystemClock
from interlock.errors import BoundReached, StatementFailed
from interlock.model.effects import OutsideEffect, RunCommand, SendHeartbeat, StartApplier, StartReceiver, StopApplier, StopReceiver
from interlock.model.facts import ChannelFacts, CommandResult
from interlock.model.position import FilePosition, LogPoint
from interlock.model.topology import ChannelSpec, ClusterName, ServerName
from interlock.servers.trepctl import Replicator, ReplicatorEffect
from interlock.servers.trepctl_heartbeat import Origin
from interlock.servers.trepctl_status import event_point, read_status

WEST = ServerName("west")
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
    "offline": ({**ONLINE, "state": "OFFLINE:NORMAL"}, ("No", False, None, "", POINT)),
    "going online": ({**ONLINE, "state": "GOING-ONLINE:SYNCHRONIZING"}, ("GOING-ONLINE:SYNCHRONIZING", False, None, "", POINT)),
    "failed": (FAILED, ("No", False, None, "Event application failed: seqno=10 fragno=0", POINT)),
    "failed without words": ({**FAILED, "pendingError": "NONE"}, ("No", False, None, "OFFLINE:ERROR", POINT)),
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
        received=FilePosition.of({"east": applied}) if applied is not None else None,
    )


@pytest.mark.parametrize(
    ("told", "received"),
    [
        pytest.param(ONLINE, POINT, id="all-is-applied"),
        pytest.param({**ONLINE, "maximumStoredSeqNo": 207}, LogPoint.of("mysql-bin.000018", 70228), id="more-is-received"),
        pytest.param({**ONLINE, "maximumStoredSeqNo": -1}, None, id="not-told"),
        pytest.param({**ONLINE, "appliedLastEventId": "NONE"}, None, id="nothing-applied"),
    ],
)
def test_what_it_received_is_past_what_it_applied_if_its_number_is(told: Mapping[str, object], received: LogPoint | None) -> None:
    expected = None if received is None else FilePosition.of({"east": received})
    assert replicator(Printing(json.dumps(told))).channel().received == expected


BEHIND = {**ONLINE, "maximumStoredSeqNo": 230}
WAIT = ("wait", "-applied", "230", "-limit", "5")


@pytest.mark.parametrize(
    ("effect", "told", "ordered"),
    [
        pytest.param(StopReceiver(server=WEST, channel="east"), BEHIND, [WAIT, ("offline",)], id="what-was-received-is-applied-first"),
        pytest.param(StopReceiver(server=WEST, channel="east"), ONLINE, [("offline",)], id="nothing-to-apply"),
        pytest.param(StopReceiver(server=WEST, channel="east"), FAILED, [("offline",)], id="offline-already"),
        pytest.param(StopApplier(server=WEST, channel="east"), BEHIND, [("offline",)], id="applier"),
        pytest.param(StartReceiver(server=WEST, channel="east"), FAILED, [("online",)], id="start-receiver"),
        pytest.param(StartApplier(server=WEST, channel="east"), FAILED, [("online",)], id="start-applier"),
    ],
)
def test_one_switch_stops_and_starts_both_of_its_ends(
    effect: ReplicatorEffect, told: Mapping[str, object], ordered: list[tuple[str, ...]]
) -> None:
    printing = Printing(json.dumps(told))
    replicator(printing).apply(effect)
    asked = [one.argv[3:] for one in printing.asked if isinstance(one, RunCommand)]
    assert asked == [("status", "-json"), *ordered, ("status", "-json")]


def test_a_replicator_that_is_too_far_behind_stays_on_line_and_says_so() -> None:
    class Slow(Printing):
        def run(self, effect: OutsideEffect, /) -> CommandResult:
            if isinstance(effect, RunCommand) and "wait" in effect.argv:
                self.asked.append(effect)
                raise StatementFailed("trepctl ended with 1: Wait timed out!")
            return super().run(effect)

    slow = Slow(json.dumps(BEHIND))
    with pytest.raises(BoundReached, match="has not applied all that it received") as late:
        replicator(slow).apply(StopReceiver(server=WEST, channel="east"))
    assert "still on line" in late.value.hint
    assert not any("offline" in one.argv for one in slow.asked if isinstance(one, RunCommand))


class Numbering(Printing):
    """The source's replicator reads a heartbeat `late` looks after it was sent; the standby applies it, or never does."""

    def __init__(self, *, late: int = 0, applies: bool = True, role: str = "master", state: str = "ONLINE") -> None:
        super().__init__("")
        self.late, self.applies, self.told = late, applies, {**ONLINE, "role": role, "state": state}
        self.sent = False

    def run(self, effect: OutsideEffect, /) -> CommandResult:
        assert isinstance(effect, RunCommand)
        if "heartbeat" in effect.argv:
            self.sent = True
        elif "wait" in effect.argv and not self.applies:
            raise StatementFailed("trepctl ended with 1: Wait timed out!")
        elif self.sent and effect.host == "east":
            self.late -= 1
        number = 206 + int(self.sent and self.late < 0)
        self.text = json.dumps({**self.told, "appliedLastSeqno": number} if effect.host == "east" else ONLINE)
        return super().run(effect)


def beating(source: Numbering) -> Replicator:
    spec = ChannelSpec(kind="tungsten", service="east", trepctl=("trepctl",))
    origin = Origin(source=ServerName("east"), service="east", trepctl=("/source/trepctl",), host=ClusterName("east"))
    return Replicator(spec, server=WEST, source=ServerName("east"), host=None, outside=source, clock=SystemClock(), origin=origin)


BEAT = SendHeartbeat(server=WEST, channel="east", within_s=30.0)


@pytest.mark.parametrize("late", [0, 2])
def test_a_heartbeat_is_sent_on_the_source_and_its_number_waited_for_on_the_standby(late: int) -> None:
    source = Numbering(late=late)
    beating(source).apply(BEAT)
    asked = [(one.host, one.argv) for one in source.asked if isinstance(one, RunCommand)]
    ask = ("east", ("/source/trepctl", "-service", "east", "status", "-json"))
    beat = ("east", ("/source/trepctl", "-service", "east", "heartbeat", "-name", "interlock"))
    assert asked[:-2] == [ask, beat, *[ask] * (1 + late)]
    host, wait = asked[-2]
    assert (host, wait[:-1]) == (None, ("trepctl", "-service", "east", "wait", "-applied", "207", "-limit"))


def test_a_plan_shows_the_three_commands_of_a_heartbeat() -> None:
    assert len(beating(Numbering()).script(BEAT)) == 3


BEATEN = {
    "never read": (Numbering(late=10**6), 0.01, BoundReached, "east: its replicator read no heartbeat"),
    "never applied": (Numbering(applies=False), 30.0, BoundReached, "west: east has not applied number 207, a heartbeat of east"),
    "of a slave": (Numbering(role="slave"), 30.0, StatementFailed, "is slave and ONLINE"),
    "of one off line": (Numbering(state="OFFLINE:NORMAL"), 30.0, StatementFailed, "is master and OFFLINE:NORMAL"),
}


@pytest.mark.parametrize(("source", "within_s", "error", "words"), BEATEN.values(), ids=BEATEN)
def test_a_heartbeat_that_does_not_arrive_says_where_it_was_last(
    source: Numbering, within_s: float, error: type[StatementFailed], words: str
) -> None:
    with pytest.raises(error, match=words):
        beating(source).apply(SendHeartbeat(server=WEST, channel="east", within_s=within_s))


def test_without_a_channel_on_the_source_s_side_nobody_knows_its_replicator() -> None:
    with pytest.raises(StatementFailed, match="nobody knows how the replicator of east is asked") as unknown:
        replicator(Printing(json.dumps(ONLINE))).apply(BEAT)
    assert "of the cluster of east too" in unknown.value.hint


def test_what_it_told_before_it_went_off_line_stands() -> None:
    """Off line it tells no numbers."""
    printing = Printing(json.dumps(ONLINE))
    one = replicator(printing)
    one.status()
    printing.text = json.dumps(
        {**ONLINE, "state": "OFFLINE:NORMAL", "appliedLastEventId": "NONE", "appliedLastSeqno": -1, "maximumStoredSeqNo": -1}
    )
    seen = one.channel()
    assert (seen.receiver, seen.applied, seen.received) == ("No", POINT, FilePosition.of({"east": POINT}))


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
