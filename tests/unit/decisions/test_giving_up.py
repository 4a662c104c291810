"""What a broken channel keeps back is given up by one exact sentence, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.decisions.giving_up import broken_channel, can_catch_up, is_given_up, leads_back, sentence
from interlock.model.facts import ChannelFacts
from interlock.model.position import LogPoint
from interlock.model.topology import ServerName
from interlock.model.verdict import Done, Refuse

EAST, WEST, NORTH = ServerName("east"), ServerName("west"), ServerName("north")
BROKEN = ChannelFacts(
    server=WEST,
    name="",
    source=EAST,
    source_address="",
    receiver="Yes",
    applier=False,
    lag_s=None,
    error="1062 Duplicate entry '7' for key 'PRIMARY'",
    applied=LogPoint(base="bin.", number=1, offset=500),
)
RUNS = replace(BROKEN, applier=True, error="", lag_s=0)
STOPPED = replace(BROKEN, error="")
CUT_OFF = replace(BROKEN, receiver="Connecting", receiver_error=2003, error="2003 error connecting to master")
BOTH = replace(CUT_OFF, applier_error=1062)
SAID = "what west lacks of east after bin.000001:500 is given up, and I answer for it"


def test_the_sentence_names_both_servers_and_the_place() -> None:
    assert sentence(WEST, BROKEN) == SAID
    assert sentence(WEST, replace(BROKEN, applied=None)) == "what west lacks of east after its beginning is given up, and I answer for it"


BY_WHAT_IT_SAYS = {
    "an error": (BROKEN, True),
    "none, and it runs": (RUNS, False),
    "none, and somebody stopped it": (STOPPED, False),
    "somebody stopped it, and the receiver has an error": (CUT_OFF, False),
    "both have one": (BOTH, True),
    "from none of the pair": (replace(BROKEN, source=None), False),
}


@pytest.mark.parametrize(("channel", "broken"), BY_WHAT_IT_SAYS.values(), ids=BY_WHAT_IT_SAYS)
def test_only_an_applier_that_stopped_with_an_error_is_broken(channel: ChannelFacts, broken: bool) -> None:  # noqa: FBT001 - a table's column
    assert (broken_channel([channel]) is not None) is broken


GIVEN_UP = {
    "its sentence": (EAST, [BROKEN], SAID, True),
    "of whichever source it names": (None, [BROKEN], SAID, True),
    "blanks apart": (EAST, [BROKEN], f"  {SAID.replace(' ', '  ')} ", True),
    "another source's": (NORTH, [BROKEN], SAID, False),
    "a word less": (EAST, [BROKEN], SAID.removesuffix(" for it"), False),
    "nothing": (EAST, [BROKEN], "", False),
    "the channel went on since": (EAST, [replace(BROKEN, applied=LogPoint(base="bin.", number=1, offset=600))], SAID, False),
    "it runs again": (EAST, [RUNS], SAID, False),
    "no channel": (EAST, [], SAID, False),
}


@pytest.mark.parametrize(("source", "channels", "accepted", "given_up"), GIVEN_UP.values(), ids=GIVEN_UP)
def test_what_is_given_up(
    source: ServerName | None,
    channels: list[ChannelFacts],
    accepted: str,
    given_up: bool,  # noqa: FBT001 - a table's column
) -> None:
    assert is_given_up(WEST, source, channels, accepted) is given_up


def test_two_broken_channels_are_given_up_each_by_its_own_sentence() -> None:
    from_north = replace(BROKEN, source=NORTH, applied=LogPoint(base="bin.", number=3, offset=900))
    channels = [from_north, BROKEN]
    assert is_given_up(WEST, EAST, channels, SAID)
    assert not is_given_up(WEST, NORTH, channels, SAID)
    assert is_given_up(WEST, None, channels, SAID)


def test_a_broken_channel_refuses_with_the_sentence_and_passes_with_it() -> None:
    refused = can_catch_up(WEST, EAST, [BROKEN], "")
    assert isinstance(refused, Refuse)
    assert "1062 Duplicate entry" in refused.why
    assert f'--accept "{SAID}"' in refused.hint
    mistaken = can_catch_up(WEST, EAST, [BROKEN], "I answer for it")
    assert isinstance(mistaken, Refuse)
    assert mistaken.why.endswith("the accepted sentence is not the one for it")
    passed = can_catch_up(WEST, EAST, [BROKEN], SAID)
    assert isinstance(passed, Done)
    assert [warning.startswith(f"given up: {SAID}") for warning in passed.warnings] == [True]


def test_a_channel_that_runs_needs_no_sentence() -> None:
    assert isinstance(can_catch_up(WEST, EAST, [RUNS], ""), Done)
    assert isinstance(can_catch_up(WEST, EAST, [STOPPED], SAID), Refuse)


BACK = {
    "it runs": (RUNS, "0s behind", ""),
    "broken": (BROKEN, "1062 Duplicate entry", "-i one_way=true"),
    "somebody stopped it": (STOPPED, "the applier is stopped", "start its applier on west"),
    "too far behind": (replace(RUNS, lag_s=9), "9s behind east, limit 5s", "raise max_lag"),
    "of another source": (replace(BROKEN, source=NORTH), "is not set up", "point west at east"),
}


@pytest.mark.parametrize(("channel", "why", "hint"), BACK.values(), ids=BACK.keys())
def test_only_what_is_broken_may_go_one_way(channel: ChannelFacts, why: str, hint: str) -> None:
    plain = leads_back(WEST, EAST, [channel], 5.0, one_way=False)
    assert (why in plain.why, isinstance(plain, Refuse)) == (True, bool(hint))
    if isinstance(plain, Refuse):
        assert hint in plain.hint
    said = leads_back(WEST, EAST, [channel], 5.0, one_way=True)
    if channel is BROKEN:
        assert isinstance(said, Done)
        assert "then the run halts, and it is closed on both" in said.warnings[0]
    else:
        assert said == plain
