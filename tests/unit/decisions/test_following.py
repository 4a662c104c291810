from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.decisions.following import Meeting, Wanted, next_move, way_back
from interlock.model.effects import Repoint
from interlock.model.facts import ChannelFacts, ReplicaFacts
from interlock.model.position import LogPoint, MariaDBPosition
from interlock.model.topology import ServerName
from interlock.model.verdict import Done, Refuse, Wait

EAST, WEST, REPLICA = ServerName("east"), ServerName("west"), ServerName("east-r1")
EAST_END, WEST_POINT = LogPoint.of("binlog.000003", 700), LogPoint.of("binlog.000009", 120)
CHANNEL = ChannelFacts(
    server=REPLICA,
    name="",
    source=EAST,
    source_address="10.0.0.1:3306",
    receiver="Yes",
    applier=True,
    lag_s=0,
    error="",
    using="slave_pos",
    applied=EAST_END,
)
BY_GTID = ReplicaFacts(server=REPLICA, position=MariaDBPosition.parse("1-1-40"), channels=(CHANNEL,))
BY_FILE = replace(BY_GTID, channels=(replace(CHANNEL, using="position"),))
WANTED = Wanted(source=WEST, host="10.0.0.2", port=3307, holds=MariaDBPosition.parse("1-1-42,2-2-7"))
MEETING = Meeting(source=EAST, of_source=EAST_END, of_writer=WEST_POINT)
MET = replace(WANTED, meeting=MEETING)


def led(replica: ReplicaFacts, **changes: object) -> ReplicaFacts:
    return replace(replica, channels=(replace(replica.channels[0], **changes),))  # type: ignore[arg-type]


ORPHAN = led(BY_GTID, receiver="No", error="2003 can't connect", received=MariaDBPosition.parse("1-1-42"))
BEHIND_GONE = replace(WANTED, gone=EAST)
MOVE = Repoint(server=REPLICA, channel="", source=WEST, host="10.0.0.2", port=3307, using="slave_pos")
MOVES = {
    "by GTID, the writer holds all of it": (BY_GTID, WANTED, MOVE),
    "it is there already": (led(BY_GTID, source=WEST), WANTED, "east-r1 follows west"),
    "it connects": (led(BY_GTID, source=WEST, receiver="Connecting"), WANTED, "east-r1 connects to west (Connecting)"),
    "ahead of the writer": (
        replace(BY_GTID, position=MariaDBPosition.parse("1-1-44")),
        WANTED,
        "east-r1 holds 2 transactions that west lacks",
    ),
    "a write of its own": (
        replace(BY_GTID, position=MariaDBPosition.parse("1-1-40,11-11-1")),
        WANTED,
        "east-r1 holds 1 transactions that west lacks",
    ),
    "the writer does not say": (BY_GTID, replace(WANTED, holds=None), "what west holds is not known"),
    "it does not answer": (ReplicaFacts(server=REPLICA, error="east-r1: 2003"), WANTED, "east-r1: 2003"),
    "no channel of the pair": (led(BY_GTID, source=None), WANTED, "east-r1 does not follow one server of this pair"),
    "two channels of the pair": (
        replace(BY_GTID, channels=(CHANNEL, replace(CHANNEL, name="b", source=WEST))),
        WANTED,
        "east-r1 does not follow one server of this pair",
    ),
    "an error": (led(BY_GTID, error="1062"), WANTED, "east-r1 has stopped with an error: 1062"),
    "applier stopped": (led(BY_GTID, applier=False), WANTED, "the applier of east-r1 is stopped"),
    "receiver stopped": (led(BY_GTID, receiver="No"), WANTED, "the receiver of east-r1 is stopped"),
    "by file, at the same place": (BY_FILE, MET, replace(MOVE, using="position", at=WEST_POINT)),
    "by file, not there yet": (
        led(BY_FILE, applied=LogPoint.of("binlog.000003", 699)),
        MET,
        "east-r1 has not applied the log of east to its end",
    ),
    "by file, further than its source": (
        led(BY_FILE, applied=LogPoint.of("binlog.000003", 701)),
        MET,
        "east-r1 is further in the log of east than that server itself",
    ),
    "by file, no place known": (BY_FILE, WANTED, "east-r1 follows east by file and offset, which are not known in the log of west"),
    "by file, behind another server": (
        led(BY_FILE, source=ServerName("other")),
        MET,
        "east-r1 follows other by file and offset, which are not known in the log of west",
    ),
    "its source is gone": (ORPHAN, BEHIND_GONE, MOVE),
    "its source is gone, and the applier has stopped": (
        led(ORPHAN, applier=False, error="1062"),
        BEHIND_GONE,
        "east-r1 has stopped with an error: 1062",
    ),
    "its source is gone, and it has received what the writer lacks": (
        led(ORPHAN, received=MariaDBPosition.parse("1-1-45")),
        BEHIND_GONE,
        "east-r1 has received 3 transactions of east that west lacks",
    ),
    "its source is gone, and it uses no GTIDs": (
        led(ORPHAN, using="position"),
        BEHIND_GONE,
        "east-r1 follows east by file and offset, which are not known in the log of west",
    ),
    "another one is gone": (led(BY_GTID, receiver="No"), replace(WANTED, gone=WEST), "the receiver of east-r1 is stopped"),
}


@pytest.mark.parametrize(("replica", "wanted", "expected"), MOVES.values(), ids=MOVES.keys())
def test_a_replica_is_moved_only_where_it_loses_and_repeats_nothing(replica: ReplicaFacts, wanted: Wanted, expected: Repoint | str) -> None:
    move = next_move(replica, wanted)
    if isinstance(expected, Repoint):
        assert move == expected
        return
    assert isinstance(move, Done | Wait | Refuse)
    assert move.why == expected
    assert not isinstance(move, Refuse) or move.hint


HOME = Wanted(source=EAST, host="10.0.0.1", port=3306, holds=MariaDBPosition.parse("1-1-50,2-2-7"))
HOME_MET = replace(HOME, meeting=MEETING)
AT_WEST = led(BY_GTID, source=WEST)
AT_WEST_BY_FILE = led(BY_FILE, source=WEST, applied=WEST_POINT)
BACK = Repoint(server=REPLICA, channel="", source=EAST, host="10.0.0.1", port=3306, using="slave_pos")
BACK_BY_FILE = replace(BACK, using="position", at=EAST_END)
WAYS_BACK = {
    "by GTID": (BY_GTID, AT_WEST, HOME, BACK),
    "by GTID, supposed": (BY_GTID, None, HOME, BACK),
    "it does not answer: tried, so that it is told": (BY_GTID, ReplicaFacts(server=REPLICA, error="2003"), HOME, BACK),
    "it is there": (BY_GTID, BY_GTID, HOME, None),
    "by GTID, the old source lacks some of it": (BY_GTID, replace(AT_WEST, position=MariaDBPosition.parse("2-2-8")), HOME, None),
    "by file, nothing applied since": (BY_FILE, AT_WEST_BY_FILE, HOME_MET, BACK_BY_FILE),
    "by file, supposed": (BY_FILE, None, HOME_MET, BACK_BY_FILE),
    "by file, something applied since": (BY_FILE, led(AT_WEST_BY_FILE, applied=LogPoint.of("binlog.000009", 300)), HOME_MET, None),
    "by file, no place known": (BY_FILE, AT_WEST_BY_FILE, HOME, None),
    "it followed another one": (AT_WEST, BY_GTID, HOME, None),
}


@pytest.mark.parametrize(("before", "now", "wanted", "expected"), WAYS_BACK.values(), ids=WAYS_BACK.keys())
def test_a_replica_goes_back_only_where_it_loses_and_repeats_nothing(
    before: ReplicaFacts, now: ReplicaFacts | None, wanted: Wanted, expected: Repoint | None
) -> None:
    assert way_back(before, now, wanted) == expected
