"""Who takes writes, and may this server be opened: the whole of promise 1 as a table."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from interlock.decisions.evidence import wrote_one_after_the_other
from interlock.decisions.giving_up import sentence
from interlock.decisions.replication import holds_nothing_extra, is_caught_up
from interlock.decisions.writes import OtherMaster, is_only_writer, may_open
from interlock.model.facts import ChannelFacts, FenceProof, LoggedTransaction, WriteFacts
from interlock.model.fencing import AgentFacts
from interlock.model.position import LogPoint, MariaDBPosition, parse_position
from interlock.model.topology import ClusterName, ServerName
from interlock.model.verdict import Applied, Done, Refuse, Wait

EAST, WEST, NORTH = ServerName("east"), ServerName("west"), ServerName("north")
AT = MariaDBPosition.parse


def proved(name: ServerName, position: str) -> OtherMaster:
    return OtherMaster(name=name, proof=FenceProof(server=name, position=AT(position), own=AT(""), canary="refused"))


def unproved(name: ServerName, *, accepted: str = "") -> OtherMaster:
    return OtherMaster(name=name, proof=None, why="it does not answer", accepted=accepted)


def outside(name: ServerName) -> OtherMaster:
    agent = AgentFacts(agent="power", cluster=ClusterName(name), fenced=True, whole=True, detail="off")
    return OtherMaster(name=name, proof=None, why="it does not answer", outside=agent)


def channel(received: str | None, *, receiver: str = "No", applier: bool = True, error: str = "") -> ChannelFacts:
    """Into west, from east."""
    return ChannelFacts(
        server=WEST,
        name="",
        source=EAST,
        source_address="",
        receiver=receiver,
        applier=applier,
        lag_s=None,
        error=error,
        received=AT(received) if received is not None else None,
    )


MAY_OPEN = {
    "proved, all there": ([proved(EAST, "1-1-5")], "1-1-5", True, Done),
    "proved, one missing": ([proved(EAST, "1-1-6")], "1-1-5", True, Wait),
    "proved, a domain missing": ([proved(EAST, "1-1-5,3-3-1")], "1-1-5", True, Wait),
    "not proved": ([unproved(EAST)], "1-1-5", True, Refuse),
    "lease lost": ([proved(EAST, "1-1-5")], "1-1-5", False, Refuse),
    "lease lost, though accepted": ([unproved(EAST, accepted="I answer for it")], "1-1-5", False, Refuse),
    "one of two not proved": ([proved(EAST, "1-1-5"), unproved(NORTH)], "1-1-5", True, Refuse),
    "not proved comes before not there": ([proved(EAST, "1-1-9"), unproved(NORTH)], "1-1-5", True, Refuse),
    "one of two is ahead": ([proved(EAST, "1-1-5"), proved(NORTH, "3-3-2")], "1-1-5", True, Wait),
}


@pytest.mark.parametrize(("others", "held", "lease", "kind"), MAY_OPEN.values(), ids=MAY_OPEN.keys())
def test_a_server_may_be_opened_only_if_nobody_else_writes_and_it_holds_all(
    others: list[OtherMaster],
    held: str,
    lease: bool,  # noqa: FBT001 - a table's column
    kind: type,
) -> None:
    verdict = may_open(WEST, AT(held), others, lease_held=lease)
    assert isinstance(verdict, kind)
    if isinstance(verdict, Wait):
        assert isinstance(verdict.until, Applied)
        assert not AT(held).contains(verdict.until.position)
    if isinstance(verdict, Refuse):
        assert verdict.hint


WITHOUT_ITS_WORD = {
    "all that came is applied": (outside(EAST), [channel("1-1-5")], Done),
    "more is applied than came": (outside(EAST), [channel("1-1-4")], Done),
    "nothing ever came": (outside(EAST), [channel("")], Done),
    "one that came is not applied": (outside(EAST), [channel("1-1-6")], Wait),
    "more may come": (outside(EAST), [channel("1-1-5", receiver="Yes")], Wait),
    "more may come soon": (outside(EAST), [channel("1-1-5", receiver="Connecting")], Wait),
    "the applier has stopped before the end": (outside(EAST), [channel("1-1-6", applier=False)], Refuse),
    "the applier has failed before the end": (outside(EAST), [channel("1-1-6", applier=False, error="1062 duplicate")], Refuse),
    "the applier has stopped at the end": (outside(EAST), [channel("1-1-5", applier=False)], Done),
    "what came is not known": (outside(EAST), [channel(None)], Refuse),
    "it replicates from nobody": (outside(EAST), [], Refuse),
    "accepted by name, all applied": (unproved(EAST, accepted="I answer for it"), [channel("1-1-5")], Done),
    "accepted by name, not all applied": (unproved(EAST, accepted="I answer for it"), [channel("1-1-6")], Wait),
    "neither closed nor accepted": (unproved(EAST), [channel("1-1-5")], Refuse),
}


@pytest.mark.parametrize(("other", "channels", "kind"), WITHOUT_ITS_WORD.values(), ids=WITHOUT_ITS_WORD.keys())
def test_where_the_other_says_nothing_all_that_came_from_it_must_be_applied(
    other: OtherMaster, channels: list[ChannelFacts], kind: type
) -> None:
    verdict = may_open(WEST, AT("1-1-5"), [other], channels, lease_held=True)
    assert isinstance(verdict, kind)
    if isinstance(verdict, Refuse):
        assert verdict.hint


BROKEN = replace(channel("1-1-6", applier=False, error="1062 duplicate"), applied=LogPoint(base="bin.", number=1, offset=500))
SAID = sentence(WEST, BROKEN)
MAY_LACK = {
    "what is behind the break": ([proved(EAST, "1-1-6")], [BROKEN], SAID, Done),
    "nothing without the sentence": ([proved(EAST, "1-1-6")], [BROKEN], "", Wait),
    "nothing by another sentence": ([proved(EAST, "1-1-6")], [BROKEN], "I answer for it", Wait),
    "nothing once the channel runs": ([proved(EAST, "1-1-6")], [channel("1-1-6")], SAID, Wait),
    "nothing of another master": ([proved(EAST, "1-1-6"), proved(NORTH, "3-3-2")], [BROKEN], SAID, Wait),
    "nothing of one that is not fenced": ([unproved(EAST)], [BROKEN], SAID, Refuse),
}


@pytest.mark.parametrize(("others", "channels", "said", "kind"), MAY_LACK.values(), ids=MAY_LACK.keys())
def test_a_server_lacks_at_its_opening_only_what_a_person_gave_up(
    others: list[OtherMaster], channels: list[ChannelFacts], said: str, kind: type
) -> None:
    verdict = may_open(WEST, AT("1-1-5"), others, channels, lease_held=True, given_up=said)
    assert isinstance(verdict, kind)
    if isinstance(verdict, Done):
        assert (said in verdict.why, verdict.warnings) == (True, (said,))


def test_an_opening_that_lacks_nothing_rests_on_no_sentence() -> None:
    verdict = may_open(WEST, AT("1-1-6"), [proved(EAST, "1-1-6")], [BROKEN], lease_held=True, given_up=SAID)
    assert isinstance(verdict, Done)
    assert (verdict.warnings, SAID in verdict.why) == ((), False)


def seen(name: ServerName, *, read_only: bool) -> WriteFacts:
    return WriteFacts(server=name, read_only=read_only, position=AT(""), event_scheduler="OFF")


@pytest.mark.parametrize(("east", "west"), list(itertools.product([True, False], repeat=2)))
def test_the_only_writer_is_the_one_that_is_open_while_no_other_is(east: bool, west: bool) -> None:  # noqa: FBT001 - a table's columns
    verdict = is_only_writer(EAST, [seen(EAST, read_only=east), seen(WEST, read_only=west)])
    assert isinstance(verdict, Done) == (not east and west)
    if isinstance(verdict, Refuse):
        assert verdict.hint


def entry(gtid: str) -> LoggedTransaction:
    return LoggedTransaction(gtid=gtid, server_id=int(gtid.split("-")[1]), file="bin.1", offset=4)


LOGS = {
    "nothing written yet": ([], [], Done),
    "the new one wrote next": ([], [entry("2-2-4"), entry("2-2-5")], Done),
    "and it came back": ([entry("2-2-4")], [entry("2-2-4")], Done),
    "the old one wrote after its fence": ([entry("1-1-9")], [], Refuse),
    "and it arrived": ([], [entry("1-1-9")], Refuse),
    "the new one wrote before it was opened": ([], [entry("2-2-6")], Refuse),
}


@pytest.mark.parametrize(("old_log", "new_log", "kind"), LOGS.values(), ids=LOGS.keys())
def test_the_logs_show_that_one_wrote_after_the_other(
    old_log: list[LoggedTransaction], new_log: list[LoggedTransaction], kind: type
) -> None:
    verdict = wrote_one_after_the_other(
        old=EAST, old_id=1, old_log=old_log, new=WEST, new_id=2, new_log=new_log, standby_was=AT("1-1-8,2-2-3")
    )
    assert isinstance(verdict, kind)


def of_log(server: str, offset: int, server_id: int) -> LoggedTransaction:
    return LoggedTransaction(gtid=f"{server}=bin.000001:{offset}", server_id=server_id, file="bin.000001", offset=offset)


LOGS_BY_FILES = {
    "nothing written yet": ([], [of_log("west", 5, 1)], Done),
    "what was left arrived, then the new one wrote": ([], [of_log("west", 5, 1), of_log("west", 6, 2)], Done),
    "and it came back": ([of_log("east", 9, 2)], [of_log("west", 5, 1), of_log("west", 6, 2)], Done),
    "the old one wrote after its fence": ([of_log("east", 9, 1)], [], Refuse),
    "the new one wrote before it held everything": ([], [of_log("west", 5, 2), of_log("west", 6, 1)], Refuse),
}


@pytest.mark.parametrize(("old_log", "new_log", "kind"), LOGS_BY_FILES.values(), ids=LOGS_BY_FILES.keys())
def test_without_gtids_the_order_of_the_logs_shows_it(
    old_log: list[LoggedTransaction], new_log: list[LoggedTransaction], kind: type
) -> None:
    verdict = wrote_one_after_the_other(
        old=EAST,
        old_id=1,
        old_log=old_log,
        new=WEST,
        new_id=2,
        new_log=new_log,
        standby_was=parse_position("east=bin.000001:8,west=bin.000001:4"),
    )
    assert isinstance(verdict, kind)


def test_positions_of_two_kinds_refuse_an_opening_and_say_why() -> None:
    """A channel that is switched from files to GTIDs in the middle of a run."""
    at, by_file = AT("1-1-8"), parse_position("east=bin.000001:8")
    proof = FenceProof(server=EAST, position=by_file, own=by_file, canary="refused")
    verdict = may_open(WEST, at, [OtherMaster(name=EAST, proof=proof)], lease_held=True)
    assert isinstance(verdict, Refuse)
    assert "two kinds of position" in verdict.why
    assert isinstance(is_caught_up(WEST, at, by_file, []), Refuse)
    extra = holds_nothing_extra(WEST, at, EAST, by_file)
    assert isinstance(extra, Refuse)
    assert extra.why == "two kinds of position can't be compared: west at 1-1-8, east at east=bin.000001:8"
    assert "docs/servers/mixed.md" in extra.hint
