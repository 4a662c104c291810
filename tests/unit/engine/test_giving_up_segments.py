"""A segment goes to the side whose channel is broken, in memory: by whose word, and killed at any move of it."""

from __future__ import annotations

import pytest

from interlock.decisions.giving_up import sentence
from interlock.engine.report import RunReport
from interlock.model.effects import OpenSegment
from interlock.playbook.load import parse_playbook
from interlock.playbook.tree import Playbook
from interlock.simulated.process import ProcessKilled
from unit.engine.stage import CATALOGUE
from unit.engine.test_segments import FAILS_AT_THE_END, MOVE, ONTO_WEST, QUIESCE, TO_WEST, Shop


class BrokenShop(Shop):
    """West does not apply any more what east goes on writing; `said` gives that up."""

    def __init__(self, error: str = "1062 duplicate entry") -> None:
        super().__init__()
        for server in (self.pair.east, self.pair.west):
            server.settings["log_keeps_s"] = "604800"
        self.stage.settle()
        self.pair.to_west.stop(error)
        self.stage.settle()
        (channel,) = self.pair.west.channels()
        self.said = sentence(self.pair.west.name, channel)

    def give_up(self, playbook: Playbook = MOVE) -> RunReport:
        self.segments.excused.add("west")
        return self.move(playbook, accept=self.said)

    def assert_as(self, outcome: str) -> None:
        """Written by its clients on one side alone, and by those of the other segment without an error."""
        self.stage.settle()
        assert self.segments.violations == []
        owner = "west" if outcome == "succeeded" else "east"
        assert self.segments.writable("eu") == (owner,)
        if outcome != "succeeded":
            assert self.shape() == self.before
            assert self.segments.missing("eu", "east") == set()
        before = len(self.segments.ledgers["eu"].acknowledged)
        self.stage.settle()
        assert len(self.segments.ledgers["eu"].acknowledged) > before, "its clients do not write any more"
        self.assert_owned("us", "west")
        assert self.segments.ledgers["us"].errors == {}


def opened(shop: Shop, server: str) -> bool:
    return any(isinstance(effect, OpenSegment) and effect.server == server for effect in shop.stage.effects())


def test_what_a_broken_channel_keeps_back_of_a_segment_is_given_up_by_its_sentence_alone() -> None:
    shop = BrokenShop()
    for accept in ("", f"{shop.said} too"):
        refused = shop.move(accept=accept)
        assert (refused.outcome, shop.said in refused.problems[0].hint, shop.stage.effects()) == ("refused", True, [])
    report = shop.give_up()
    assert report.outcome == "succeeded", report.problems
    shop.assert_as("succeeded")
    said, opening = (record for record in shop.stage.store.records(report.run) if record.kind in {"given_up", "opening"})
    assert (said.kind, said.body["sentence"], opening.body["segment"], opening.body["given_up"]) == ("given_up", shop.said, "eu", shop.said)
    assert {each.segments["eu"].note for each in (shop.pair.east, shop.pair.west)} == {shop.pair.west.segments["eu"].note}
    kept = shop.segments.missing("eu", "west")
    assert kept
    assert kept <= shop.pair.east.rows


def test_a_channel_that_was_mended_meanwhile_gives_up_nothing() -> None:
    shop = BrokenShop()
    shop.stage.when(lambda event: getattr(event, "step", "") == "closed", shop.pair.to_west.start)
    report = shop.move(accept=shop.said)
    assert report.outcome == "succeeded", report.problems
    assert "given_up" not in [record.kind for record in shop.stage.store.records(report.run)]
    shop.assert_owned("eu", "west")


def test_an_opening_that_holds_everything_after_all_is_not_told_to_rest_on_what_was_given_up() -> None:
    """Somebody let the channel go on between the sentence and the opening."""
    shop = BrokenShop()
    shop.stage.when(lambda event: getattr(event, "step", "").endswith("segment.open"), shop.pair.to_west.start)
    report = shop.move(accept=shop.said)
    assert report.outcome == "succeeded", report.problems
    told = [(record.kind, record.body.get("given_up", "")) for record in shop.stage.store.records(report.run)]
    assert [one for one in told if one[0] in {"given_up", "opening"}] == [("given_up", ""), ("opening", "")]
    shop.assert_owned("eu", "west")


def test_a_channel_that_is_not_broken_any_more_at_the_opening_gives_up_nothing() -> None:
    """Somebody works on it: its error is gone, and it is not started yet."""
    shop = BrokenShop()
    shop.stage.when(lambda event: getattr(event, "step", "").endswith("segment.open"), shop.pair.to_west.stop)
    report = shop.give_up()
    assert (report.outcome, opened(shop, "west")) == ("rolled_back", False), report.problems
    shop.assert_as("rolled_back")


def test_both_channels_broken_refuse_a_move_for_nothing_could_go_back() -> None:
    shop = BrokenShop()
    shop.pair.to_east.stop("1032 no such row")
    report = shop.move(accept=shop.said)
    assert (report.outcome, shop.stage.effects()) == ("refused", [])
    assert "from west to east has stopped with an error: 1032" in report.problems[0].what


def test_a_check_that_fails_after_it_was_given_up_gives_all_of_it_back() -> None:
    shop = BrokenShop()
    assert shop.give_up(FAILS_AT_THE_END).outcome == "rolled_back"
    shop.assert_as("rolled_back")


def test_a_quiesce_says_the_sentence_while_the_other_cluster_owns_a_segment_and_needs_none_after() -> None:
    shop = BrokenShop()
    refused = shop.stage.run(QUIESCE, ONTO_WEST)
    assert (refused.outcome, shop.said in refused.problems[0].hint) == ("refused", True)
    owned = shop.stage.engine("second").start(QUIESCE, {**ONTO_WEST, "accept": shop.said})
    assert "segment eu is owned by east" in owned.problems[0].what
    assert shop.give_up().outcome == "succeeded"
    quiet = shop.stage.engine("third").start(QUIESCE, ONTO_WEST)
    assert quiet.outcome == "succeeded", quiet.problems
    assert (shop.pair.east.read_only, shop.segments.writable("eu"), shop.segments.violations) == (True, ("west",), [])


HALTS = parse_playbook(FAILS_AT_THE_END.text.replace("on_failure: roll_back", "on_failure: halt"), file="halts.yaml", catalogue=CATALOGUE)


@pytest.mark.parametrize("how", ["resume", "rollback"])
def test_what_was_given_up_is_still_known_after_a_halt(how: str) -> None:
    shop = BrokenShop()
    halted = shop.give_up(HALTS)
    assert (halted.outcome, shop.segments.writable("eu")) == ("halted", ())
    engine = shop.stage.engine("second")
    report = engine.roll_back(halted.run) if how == "rollback" else engine.resume(halted.run)
    assert report.outcome == {"rollback": "rolled_back", "resume": "halted"}[how], report.problems
    assert shop.segments.violations == []


def instants(name: str, playbook: Playbook, how: str, *, first: int, every: int) -> list[object]:
    """At which a run of it can be killed, and how it is taken up then."""
    shop = BrokenShop()
    shop.give_up(playbook)
    moves = range(first, shop.stage.processes["first"].moves + 1, every)
    return [pytest.param(playbook, move, how, id=f"{name}-{move}-{how}") for move in moves]


@pytest.mark.parametrize(
    ("playbook", "move", "how"),
    [
        *instants("there", MOVE, "resume", first=1, every=2),
        *instants("there", MOVE, "rollback", first=2, every=2),
        *instants("and-back", FAILS_AT_THE_END, "resume", first=3, every=6),
    ],
)
def test_killed_with_something_given_up_it_can_be_taken_up(playbook: Playbook, move: int, how: str) -> None:
    """Who resumes it need not say the sentence again: it is in the journal."""
    shop = BrokenShop()
    shop.segments.excused.add("west")
    with pytest.raises(ProcessKilled):
        shop.stage.engine(kill_at=move).start(playbook, {**TO_WEST, "accept": shop.said})
    shop.stage.settle()
    headers = shop.stage.store.runs(None)
    outcome = headers[0].outcome if headers else "refused"
    if outcome is None:
        engine = shop.stage.engine("second")
        outcome = (engine.resume if how == "resume" else engine.roll_back)(headers[0].run).outcome
    goes_back = how == "rollback" or playbook is not MOVE
    assert outcome in ({"rolled_back", "refused", "succeeded"} if goes_back else {"succeeded", "refused"})
    shop.assert_as(outcome)


@pytest.mark.parametrize("how", ["resume", "rollback"])
@pytest.mark.parametrize("at", range(5, 100, 15))
def test_the_quiesce_after_it_can_be_killed_and_opens_nothing(at: int, how: str) -> None:
    """In per cent of its moves. East is fenced with what was given up, or as it was; its segment stays in the west."""
    counted = BrokenShop()
    counted.give_up()
    assert counted.stage.engine("counted").start(QUIESCE, ONTO_WEST).outcome == "succeeded"
    shop = BrokenShop()
    moved = shop.give_up().run
    with pytest.raises(ProcessKilled):
        shop.stage.engine("killed", kill_at=counted.stage.processes["counted"].moves * at // 100).start(QUIESCE, ONTO_WEST)
    shop.stage.settle()
    begun = next(header for header in shop.stage.store.runs(None) if header.run != moved)
    outcome = begun.outcome
    if outcome is None:
        engine = shop.stage.engine("second")
        outcome = (engine.resume if how == "resume" else engine.roll_back)(begun.run).outcome
    assert outcome in {"succeeded", "rolled_back", "refused"}
    assert shop.pair.east.read_only is (outcome == "succeeded")
    shop.assert_as("succeeded")
