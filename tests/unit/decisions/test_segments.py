"""May this segment be opened here? Each reason against it, by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.decisions.segments import OtherSide, are_all_owned, has_segments, may_open_beside, may_open_segment, owner_of
from interlock.model.facts import ChannelFacts, WriteFacts
from interlock.model.position import LogPoint, parse_position
from interlock.model.segments import AccountState, SegmentFacts, SegmentNote
from interlock.model.topology import ClusterName, SegmentSpec, ServerName
from interlock.model.verdict import Done, Refuse, Verdict, Wait

EAST, WEST = ClusterName("east"), ClusterName("west")
SPEC = SegmentSpec(name="eu", schemas=("shop_eu",), accounts=("app@%",), owner=EAST, route=None)


def closed(server: str, position: str = "1-1-10,2-2-5", *, owner: ClusterName | None = WEST, epoch: int = 2) -> SegmentFacts:
    return SegmentFacts(
        server=ServerName(server),
        segment="eu",
        position=parse_position(position),
        accounts=(AccountState(account="app@%", locked=True),),
        note=SegmentNote(owner=owner, epoch=epoch) if owner is not None else None,
    )


HERE = closed("west")
CASES: dict[str, tuple[SegmentFacts, OtherSide, Verdict]] = {
    "closed there, all is here, and it is the owner": (
        HERE,
        OtherSide(name=ServerName("east"), closed=closed("east")),
        Done("west holds all that was written of eu, and nobody else can write it"),
    ),
    "not proved closed there": (
        HERE,
        OtherSide(name=ServerName("east"), closed=None, why="app@% is not locked"),
        Refuse("segment eu is not opened on west: it is not proved closed on east (app@% is not locked)", "close it on east, then resume"),
    ),
    "something is missing here": (
        HERE,
        OtherSide(name=ServerName("east"), closed=closed("east", "1-1-12,2-2-5")),
        Wait("west is 2 transactions behind east (1-1-10,2-2-5 has not reached 1-1-12,2-2-5)"),
    ),
    "the other one knows of a newer epoch": (
        HERE,
        OtherSide(name=ServerName("east"), closed=closed("east", epoch=3)),
        Refuse(
            "segment eu is not opened on west: it is in epoch 2 there, and east knows of epoch 3",
            "hand it over on both servers first: segment.hand_over",
        ),
    ),
    "another one owns it": (
        closed("west", owner=EAST),
        OtherSide(name=ServerName("east"), closed=closed("east", owner=EAST)),
        Refuse("segment eu is not opened on west: east owns it, by west's own table", "hand it over first: segment.hand_over"),
    ),
    "nobody has noted an owner, and the topology names another": (
        closed("west", owner=None),
        OtherSide(name=ServerName("east"), closed=closed("east", owner=None)),
        Refuse("segment eu is not opened on west: east owns it, by west's own table", "hand it over first: segment.hand_over"),
    ),
}


@pytest.mark.parametrize(("here", "other", "expected"), CASES.values(), ids=CASES.keys())
def test_a_segment_is_opened_only_by_its_owner_and_only_when_it_is_closed_elsewhere(
    here: SegmentFacts, other: OtherSide, expected: Verdict
) -> None:
    found = may_open_segment(WEST, SPEC, here, (other,))
    assert (type(found), found.why) == (type(expected), expected.why)
    if isinstance(found, Refuse) and isinstance(expected, Refuse):
        assert found.hint == expected.hint
    if isinstance(found, Wait):
        assert found.until is not None
        assert (found.until.server, str(found.until.position)) == ("west", "1-1-12,2-2-5")


BROKEN = ChannelFacts(
    server=ServerName("west"),
    name="",
    source=ServerName("east"),
    source_address="east:3306",
    receiver="Yes",
    applier=False,
    lag_s=None,
    error="1062 Duplicate entry '7'",
    applied=LogPoint(base="binlog.", number=3, offset=4711),
)
SAID = "what west lacks of east after binlog.000003:4711 is given up, and I answer for it"
GIVEN_UP: dict[str, tuple[ChannelFacts, str, OtherSide, type[Verdict]]] = {
    "word for word": (BROKEN, SAID, OtherSide(name=ServerName("east"), closed=closed("east", "1-1-12,2-2-5")), Done),
    "of another place": (
        replace(BROKEN, applied=LogPoint(base="binlog.", number=3, offset=4712)),
        SAID,
        OtherSide(name=ServerName("east"), closed=closed("east", "1-1-12,2-2-5")),
        Wait,
    ),
    "the channel runs again": (
        replace(BROKEN, applier=True, error=""),
        SAID,
        OtherSide(name=ServerName("east"), closed=closed("east", "1-1-12,2-2-5")),
        Wait,
    ),
    "of a server that does not say that it is closed": (
        BROKEN,
        SAID,
        OtherSide(name=ServerName("east"), closed=None, why="silent"),
        Refuse,
    ),
    "of one that knows of a newer epoch": (BROKEN, SAID, OtherSide(name=ServerName("east"), closed=closed("east", epoch=3)), Refuse),
}


@pytest.mark.parametrize(("channel", "said", "other", "expected"), GIVEN_UP.values(), ids=GIVEN_UP.keys())
def test_what_a_broken_channel_keeps_back_can_be_given_up_and_nothing_else(
    channel: ChannelFacts, said: str, other: OtherSide, expected: type[Verdict]
) -> None:
    assert isinstance(may_open_segment(WEST, SPEC, HERE, (other,), (channel,), given_up=said), expected)


GIVEN_BACK: dict[str, tuple[OtherSide, type[Verdict]]] = {
    "never opened there": (OtherSide(name=ServerName("east"), closed=closed("east", "1-1-12,2-2-5"), written=False), Done),
    "not even a position of the same kind": (
        OtherSide(name=ServerName("east"), closed=closed("east", "east=a.000001:4"), written=False),
        Done,
    ),
    "not proved closed there": (OtherSide(name=ServerName("east"), closed=None, why="silent", written=False), Refuse),
    "a newer epoch is known there": (OtherSide(name=ServerName("east"), closed=closed("east", epoch=3), written=False), Refuse),
}


@pytest.mark.parametrize(("other", "expected"), GIVEN_BACK.values(), ids=GIVEN_BACK.keys())
def test_what_nobody_can_have_written_elsewhere_need_not_come_from_there(other: OtherSide, expected: type[Verdict]) -> None:
    assert isinstance(may_open_segment(WEST, SPEC, HERE, (other,)), expected)


def test_positions_of_two_kinds_tell_nothing() -> None:
    found = may_open_segment(WEST, SPEC, HERE, (OtherSide(name=ServerName("east"), closed=closed("east", "east=a.000001:4")),))
    assert isinstance(found, Refuse)
    assert "two kinds of position" in found.why


OPEN_BY = {
    "an account can log in": (replace(HERE, accounts=(AccountState(account="app@%", locked=False),)), "app@% is not locked"),
    "a session is left": (replace(HERE, sessions=(7, 9)), "2 sessions of its accounts"),
    "nothing": (HERE, ""),
}


@pytest.mark.parametrize(("seen", "expected"), OPEN_BY.values(), ids=OPEN_BY.keys())
def test_what_lets_a_client_write_is_named(seen: SegmentFacts, expected: str) -> None:
    assert (seen.open_by, seen.is_closed) == (expected, not expected)


def test_the_newest_note_names_the_owner_and_the_topology_while_there_is_none() -> None:
    assert owner_of(SPEC, (closed("east", owner=EAST, epoch=1), closed("west", owner=WEST, epoch=2))) == WEST
    assert owner_of(SPEC, (closed("east", owner=None), closed("west", owner=None))) == EAST


def test_a_pair_without_segments_may_have_one_writer() -> None:
    assert has_segments(()) is None


LET_IN = (AccountState(account="app@%", locked=False),)
UNLOCKED = "app@% is not locked"
OWNED: dict[str, tuple[SegmentFacts, SegmentFacts, bool, Verdict]] = {
    "owned, and closed elsewhere": (closed("east"), replace(HERE, accounts=LET_IN), False, Done("west owns every segment")),
    "owned by the other one": (
        closed("east", owner=EAST),
        closed("west", owner=EAST),
        False,
        Refuse("segment eu is owned by east", "`interlock segment move all --to west`; `interlock quiesce` does it by itself"),
    ),
    "open on both": (
        replace(closed("east"), accounts=LET_IN),
        replace(HERE, accounts=LET_IN),
        False,
        Refuse(
            f"segment eu of west is open on east, too: {UNLOCKED}",
            "`interlock run adopt-segment -i segment=eu -i owner=west`",
        ),
    ),
    "its owner is fenced": (
        closed("east"),
        replace(HERE, accounts=LET_IN),
        True,
        Refuse("west owns every segment, and west is fenced", "SET GLOBAL read_only=0 on west"),
    ),
}


@pytest.mark.parametrize(("east", "west", "fenced", "verdict"), OWNED.values(), ids=OWNED.keys())
def test_a_cluster_can_be_fenced_whole_once_the_other_one_owns_every_segment(
    east: SegmentFacts,
    west: SegmentFacts,
    fenced: bool,  # noqa: FBT001 - a row of the table
    verdict: Verdict,
) -> None:
    writes = WriteFacts(server=ServerName("west"), read_only=fenced, position=west.position, event_scheduler="OFF")
    assert are_all_owned(WEST, writes, [SPEC], [{EAST: east, WEST: west}]) == verdict


def test_a_server_is_opened_beside_another_while_no_segment_is_open_there() -> None:
    assert may_open_beside(ServerName("west"), [HERE]) == Done("no segment can be written on west")
    refused = may_open_beside(ServerName("west"), [replace(HERE, accounts=LET_IN)])
    assert isinstance(refused, Refuse)
    assert refused.why == f"west is not opened beside the other one: segment eu is open there: {UNLOCKED}"
    assert isinstance(may_open_beside(ServerName("west"), []), Refuse), "of a pair without segments the whole rule holds"
