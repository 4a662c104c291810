"""An active/active pair in memory: a segment's move there and back, what refuses it, what goes back, and killed at any move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from interlock.actions.comparing import CompareSegment, SeenComparing
from interlock.engine.events import StepWaits
from interlock.engine.plan import plan
from interlock.engine.report import RunReport
from interlock.engine.segment_status import segments_now
from interlock.errors import InvalidFile
from interlock.model.comparing import BeginComparison
from interlock.model.effects import CloseSegment, NoteOwner, OpenSegment
from interlock.model.segments import AccountState, SegmentNote
from interlock.model.topology import ClusterName
from interlock.model.verdict import Done
from interlock.playbook.load import load_playbook, parse_playbook
from interlock.playbook.tree import Playbook
from interlock.simulated.active_active import EU, US, Segments, with_segments
from interlock.simulated.database import BOUND_S
from interlock.simulated.pair import simulated_pair
from interlock.simulated.process import ProcessKilled
from unit.engine.stage import CATALOGUE, SHIPPED, SWITCHOVER, Stage

MOVE = load_playbook(SHIPPED / "move-segment.yaml", CATALOGUE)
ADOPT = load_playbook(SHIPPED / "adopt-segment.yaml", CATALOGUE)
QUIESCE = load_playbook(SHIPPED / "quiesce.yaml", CATALOGUE)
REJOIN = load_playbook(SHIPPED / "rejoin.yaml", CATALOGUE)
TO_WEST = {"segment": "eu", "to": "west"}
RETURN = {"segment": "eu", "to": "east"}


def changed(*, old: str, new: str) -> Playbook:
    """The shipped playbook with one text for another."""
    assert old in MOVE.text
    return parse_playbook(MOVE.text.replace(old, new), file="changed.yaml", catalogue=CATALOGUE)


FAILS_AT_THE_END = changed(
    old="- phase: verify\n  steps:\n",
    new="- phase: verify\n  steps:\n  - check: sql\n    with: {server: west, query: SELECT x, matches: never}\n",
)


class Shop:
    """Both segments with a client each; how they stood is remembered."""

    def __init__(self) -> None:
        self.pair = simulated_pair(clients=0)
        self.segments: Segments = with_segments(self.pair)
        self.stage = Stage(pair=self.pair)
        self.before = self.shape()

    def shape(self) -> object:
        here = [database.segments for database in (self.pair.east, self.pair.west)]
        return [(name, each.accounts, each.note) for segments in here for name, each in segments.items()], self.pair.proxy.leads_to

    def move(self, playbook: Playbook = MOVE, **given: str) -> RunReport:
        return self.stage.run(playbook, {**TO_WEST, **given})

    def assert_owned(self, segment: str, owner: str) -> None:
        """Written by its clients on its owner and nowhere else, with nothing lost."""
        self.stage.settle()
        assert self.segments.violations == []
        assert self.pair.violations == []
        assert self.segments.writable(segment) == (owner,)
        assert self.segments.missing(segment, owner) == set()
        before = len(self.segments.ledgers[segment].acknowledged)
        self.stage.settle()
        assert len(self.segments.ledgers[segment].acknowledged) > before, "its clients do not write any more"


def test_a_segment_moves_there_and_back_and_the_other_one_sees_nothing() -> None:
    shop = Shop()
    for to, epoch in (("west", 1), ("east", 2)):
        assert shop.move(to=to).outcome == "succeeded"
        shop.assert_owned("eu", to)
        assert [each.segments["eu"].note for each in (shop.pair.east, shop.pair.west)] == [
            SegmentNote(owner=ClusterName(to), epoch=epoch)
        ] * 2
        assert shop.pair.proxy.leads_to == (to,)
    shop.assert_owned("us", "west")
    assert shop.segments.ledgers["us"].errors == {}


@pytest.mark.parametrize("delay_s", [0.02, 0.2, 1.0])
@pytest.mark.parametrize(("playbook", "outcome"), [(MOVE, "succeeded"), (FAILS_AT_THE_END, "rolled_back")], ids=["there", "and-back"])
def test_what_other_clients_go_on_writing_where_it_was_closed_is_not_waited_for(delay_s: float, playbook: Playbook, outcome: str) -> None:
    """However far away the sides are: the other segment's writes on west are always ahead of what has come to east."""
    shop = Shop()
    assert shop.move().outcome == "succeeded"
    shop.pair.to_east.delay_s = shop.pair.to_west.delay_s = delay_s
    report = shop.move(playbook, to="east")
    assert report.outcome == outcome, report.problems
    shop.pair.to_east.delay_s = shop.pair.to_west.delay_s = 0.002
    shop.assert_owned("eu", "east" if outcome == "succeeded" else "west")
    shop.assert_owned("us", "west")


@pytest.mark.parametrize("how", ["resume", "rollback"])
@pytest.mark.parametrize("at", range(40, 100, 4))
def test_nor_by_who_takes_the_run_up(at: int, how: str) -> None:
    """In per cent of its moves."""
    shop, counted = Shop(), Shop()
    for each in (shop, counted):
        assert each.move().outcome == "succeeded"
        each.pair.to_east.delay_s = 0.2
    assert counted.stage.engine("counted").start(MOVE, RETURN).outcome == "succeeded"
    with pytest.raises(ProcessKilled):
        shop.stage.engine("killed", kill_at=counted.stage.processes["counted"].moves * at // 100).start(MOVE, RETURN)
    begun = shop.stage.store.runs(None)[0]
    engine = shop.stage.engine("second")
    outcome = (engine.resume if how == "resume" else engine.roll_back)(begun.run).outcome
    assert outcome in {"succeeded", "rolled_back", "refused"}
    shop.assert_owned("eu", "east" if outcome == "succeeded" else "west")
    shop.assert_owned("us", "west")


def test_what_an_account_may_goes_with_its_segment() -> None:
    shop = Shop()
    states = shop.pair.east.segments["eu"].accounts
    shop.move()
    assert shop.pair.west.segments["eu"].accounts == states
    assert shop.pair.east.segments["eu"].accounts == (AccountState(account="app_eu@%", locked=True),)


CLOSED = (AccountState(account="app_eu@%", locked=True),)
OPEN_IN_THE_WEST = (AccountState(account="app_eu@%", locked=False),)


def refuse(name: str, spoil: Callable[[Shop], object], message: str, **given: str) -> object:
    return pytest.param(spoil, message, given, id=name)


@pytest.mark.parametrize(
    ("spoil", "message", "given"),
    [
        refuse("owned there already", Shop.shape, "owned by east already", to="east"),
        refuse("open on both", lambda shop: setattr(shop.pair.west.segments["eu"], "accounts", OPEN_IN_THE_WEST), "open on west, too"),
        refuse(
            "others write it", lambda shop: setattr(shop.pair.east.segments["eu"], "writers", ("root@%",)), "others can write segment eu"
        ),
        refuse(
            "an account is missing", lambda shop: setattr(shop.pair.west.segments["eu"], "accounts", ()), "west has no account app_eu@%"
        ),
        refuse(
            "the servers disagree",
            lambda shop: setattr(shop.pair.west.segments["eu"], "note", SegmentNote(owner=ClusterName("east"), epoch=3)),
            "different epochs",
        ),
        refuse("its route leads elsewhere", lambda shop: setattr(shop.pair.proxy, "leads_to", (ClusterName("west"),)), "leads to west"),
        refuse("the channel is broken", lambda shop: shop.pair.to_west.stop("1062"), "1062"),
        refuse(
            "its route is another's too",
            lambda shop: setattr(
                shop.pair, "topology", replace(shop.pair.topology, segments={"eu": EU, "us": replace(US, route=EU.route)})
            ),
            "is also that of us",
        ),
        refuse(
            "it has no schemas",
            lambda shop: setattr(shop.pair, "topology", replace(shop.pair.topology, segments={"eu": replace(EU, schemas=())})),
            "has no schemas",
        ),
    ],
)
def test_a_move_is_refused_with_nothing_changed(spoil: Callable[[Shop], object], message: str, given: dict[str, str]) -> None:
    shop = Shop()
    spoil(shop)
    report = shop.move(MOVE, **given)
    assert (report.outcome, [type(each) for each in shop.stage.effects()]) == ("refused", [])
    assert message in report.problems[0].what


def differs(shop: Shop, *, by: str = "app_eu") -> None:
    """A row of the segment's clients that never came to the other side."""
    shop.pair.east.rows.add(f"{by}-planted")


def test_a_segment_whose_rows_differ_is_not_moved_and_no_client_has_waited() -> None:
    shop = Shop()
    differs(shop)
    report = shop.move()
    assert (report.outcome, shop.stage.effects(), shop.shape()) == ("refused", [], shop.before)
    (problem,) = report.problems
    assert "segment eu differs on west from its owner's in app.rows (1 row)" in problem.what
    assert problem.hint.startswith("`interlock diff --resume ")
    assert problem.hint.endswith("or -i may_differ=app.rows")
    assert shop.segments.ledgers["eu"].errors == {}


@pytest.mark.parametrize("may_differ", ["*", "app.rows"])
def test_what_may_differ_is_moved_and_told(may_differ: str) -> None:
    shop = Shop()
    differs(shop)
    report = shop.move(may_differ=may_differ)
    told = {"*": "the tables of segment eu on west were not compared", "app.rows": "app.rows (1 row) differs, as it may"}[may_differ]
    assert report.outcome == "succeeded"
    assert any(told in warning for warning in report.warnings), report.warnings


def test_rows_of_another_segment_may_differ() -> None:
    shop = Shop()
    differs(shop, by="app_us")
    assert shop.move().outcome == "succeeded"


def test_of_a_segment_that_names_no_tables_it_is_told_that_nothing_was_compared() -> None:
    compare = CompareSegment(segment="eu", to=ClusterName("west"))
    verdict = compare.decide(SeenComparing(comparing=None, segment=replace(EU, schemas=())))
    assert isinstance(verdict, Done)
    assert verdict.warnings == ("nothing of segment eu was compared: it names no schemas",)


def test_each_run_of_a_process_compares_anew() -> None:
    """As `segment move all` and a long-lived program make them."""
    shop = Shop()
    engine = shop.stage.engine()
    assert [engine.start(MOVE, {**TO_WEST, "to": to}).outcome for to in ("west", "east")] == ["succeeded"] * 2
    differs(shop)
    assert engine.start(MOVE, TO_WEST).outcome == "refused"


def test_who_stops_it_while_rows_are_compared_has_changed_nothing_and_the_reading_ends() -> None:
    shop = Shop()
    shop.stage.when(lambda event: isinstance(event, StepWaits), lambda: setattr(shop.stage.stop, "requested", True))
    report = shop.move()
    assert (report.outcome, shop.stage.effects(), shop.shape()) == ("refused", [], shop.before)
    begun = BeginComparison(cluster=ClusterName("west"), schemas=EU.schemas)
    seen = shop.stage.worlds[0].comparer("west").facts(begun)
    assert seen is not None
    assert seen.error == "it was ended before its end"


def test_what_became_otherwise_while_rows_were_compared_refuses_the_move() -> None:
    shop = Shop()
    shop.stage.when(
        lambda event: isinstance(event, StepWaits), lambda: setattr(shop.pair.west.segments["eu"], "accounts", OPEN_IN_THE_WEST)
    )
    report = shop.move()
    assert (report.outcome, shop.stage.effects()) == ("refused", [])
    assert "ready: segment eu is open on west, too" in report.problems[0].what


def test_a_plan_compares_nothing_and_shows_what_comes_after() -> None:
    shop = Shop()
    shown = plan(MOVE, TO_WEST, shop.stage.engine().world, ())
    steps = {step.id: step for phase in shown.phases for step in phase.steps}
    assert (shown.would, steps["compare/segment.compare"].result, steps["ready"].result) == ("succeed", "would", "passes")
    assert steps["compare/segment.compare"].script == ("compare west",)
    assert steps["closed"].script
    assert shop.stage.effects() == []
    left_out = plan(MOVE, {**TO_WEST, "may_differ": "*"}, shop.stage.engine().world, ())
    (warning,) = [warning for phase in left_out.phases for step in phase.steps for warning in step.warnings]
    assert "were not compared" in warning


def test_who_is_trusted_may_write_it_too() -> None:
    shop = Shop()
    shop.pair.east.segments["eu"].writers = ("root@%",)
    shop.pair.topology = replace(shop.pair.topology, segments={"eu": replace(EU, trusted=("root@%",)), "us": US})
    assert shop.move().outcome == "succeeded"


def test_a_check_that_fails_after_the_opening_gives_it_all_back() -> None:
    shop = Shop()
    assert shop.move(FAILS_AT_THE_END).outcome == "rolled_back"
    assert shop.shape() == shop.before
    shop.assert_owned("eu", "east")
    shop.assert_owned("us", "west")
    assert shop.segments.ledgers["us"].errors == {}


def test_a_halt_closes_the_segment_alone_and_it_can_be_resumed() -> None:
    shop = Shop()
    text = FAILS_AT_THE_END.text.replace("on_failure: roll_back", "on_failure: halt")
    report = shop.move(parse_playbook(text, file="halts.yaml", catalogue=CATALOGUE))
    assert report.outcome == "halted"
    assert shop.segments.writable("eu") == ()
    shop.assert_owned("us", "west")
    assert shop.stage.engine("second").roll_back(report.run).outcome == "rolled_back"
    shop.assert_owned("eu", "east")


@pytest.mark.parametrize("kind", [CloseSegment, OpenSegment, NoteOwner])
def test_an_effect_whose_reply_is_lost_is_looked_at_before_anything_is_decided(kind: type[CloseSegment | OpenSegment | NoteOwner]) -> None:
    shop = Shop()
    for database in (shop.pair.east, shop.pair.west):
        database.faults.lose_reply.add(kind)
    assert shop.move().outcome in {"succeeded", "rolled_back"}
    owner = "west" if shop.pair.proxy.leads_to == ("west",) else "east"
    shop.assert_owned("eu", owner)


def test_a_segment_is_opened_nowhere_while_a_session_can_write_it_elsewhere() -> None:
    """An administrator unlocks it on its old owner, in the outage."""
    shop = Shop()
    shop.stage.when(
        lambda event: getattr(event, "step", "").endswith("segment.open"),
        lambda: setattr(shop.pair.east.segments["eu"], "accounts", OPEN_IN_THE_WEST),
    )
    report = shop.move()
    assert report.outcome == "rolled_back"
    assert "not proved closed on east" in report.problems[0].what
    assert not any("opened" in each or "and" in each for each in shop.segments.violations)
    shop.assert_owned("eu", "east")


def test_a_server_of_an_older_epoch_is_not_opened() -> None:
    shop = Shop()
    newer = SegmentNote(owner=ClusterName("east"), epoch=7)
    shop.stage.when(
        lambda event: getattr(event, "step", "").endswith("segment.open"), lambda: setattr(shop.pair.east.segments["eu"], "note", newer)
    )
    report = shop.move()
    assert "epoch" in report.problems[0].what
    assert report.outcome == "rolled_back"
    shop.assert_owned("eu", "east")


@pytest.mark.parametrize(
    ("name", "given", "what"),
    [
        ("switchover", {"to": "west"}, "switchover moves whole servers"),
        ("failover", {"to": "west"}, "failover moves whole servers"),
        ("rejoin", {"cluster": "east"}, "segment eu is owned by east"),
        ("quiesce", {"onto": "west", "for": "1h", "reason": "disk of east"}, "segment eu is owned by east"),
    ],
)
def test_what_moves_whole_servers_is_refused_with_the_command_that_moves_every_segment(name: str, given: dict[str, str], what: str) -> None:
    shop = Shop()
    report = shop.stage.run(load_playbook(SHIPPED / f"{name}.yaml", CATALOGUE), given)
    assert (report.outcome, shop.stage.effects()) == ("refused", [])
    assert what in report.problems[0].what
    assert report.problems[0].hint.startswith("`interlock segment move all --to west`")


def test_a_segment_that_is_open_on_both_is_closed_where_it_has_no_owner_and_stays_so() -> None:
    shop = Shop()
    shop.pair.west.segments["eu"].accounts = OPEN_IN_THE_WEST
    shop.segments.violations.clear()
    report = shop.stage.run(ADOPT, {"segment": "eu", "owner": "east"})
    assert report.outcome == "succeeded"
    shop.assert_owned("eu", "east")
    assert [each.segments["eu"].note for each in (shop.pair.east, shop.pair.west)] == [SegmentNote(owner=ClusterName("east"), epoch=1)] * 2
    assert shop.move().outcome == "succeeded"


def test_a_fence_that_keeps_us_out_too_refuses_to_adopt_only_while_something_is_to_be_written_there() -> None:
    """MySQL's super_read_only: before, the run closed nothing there and was taken back, with the server's bare 1290."""
    shop = Shop()
    shop.pair.west.segments["eu"].accounts = OPEN_IN_THE_WEST
    shop.segments.violations.clear()
    shop.pair.west.set_read_only(on=True)
    shop.pair.west.ajar = False
    refused = shop.stage.run(ADOPT, {"segment": "eu", "owner": "east"})
    assert (refused.outcome, shop.stage.effects()) == ("refused", [])
    assert "west is fenced so closely" in refused.problems[0].what
    assert refused.problems[0].hint.startswith("SET GLOBAL super_read_only=0 on west")
    shop.pair.west.ajar = True
    assert shop.stage.engine("second").start(ADOPT, {"segment": "eu", "owner": "east"}).outcome == "succeeded"
    shop.pair.west.ajar = False
    assert shop.stage.engine("third").start(ADOPT, {"segment": "eu", "owner": "east"}).outcome == "succeeded"


ONTO_WEST = {"onto": "west", "for": "1h", "reason": "disk of east"}


def owned_by_west() -> Shop:
    shop = Shop()
    shop.pair.east.settings["log_keeps_s"] = shop.pair.west.settings["log_keeps_s"] = "604800"
    assert shop.move().outcome == "succeeded"
    return shop


def test_a_cluster_that_owns_no_segment_any_more_is_quiesced_and_comes_back_and_has_its_segment_again() -> None:
    shop = owned_by_west()
    quiet = shop.stage.run(QUIESCE, ONTO_WEST)
    assert quiet.outcome == "succeeded", quiet.problems
    assert (shop.pair.east.read_only, shop.pair.west.read_only) == (True, False)
    assert shop.move(to="east").outcome == "refused"
    back = shop.stage.run(REJOIN, {"cluster": "east"})
    assert back.outcome == "succeeded", back.problems
    assert shop.pair.east.read_only
    assert shop.move(to="east").outcome == "succeeded"
    assert not shop.pair.east.read_only
    shop.assert_owned("eu", "east")
    shop.assert_owned("us", "west")
    assert shop.segments.ledgers["us"].errors == {}


def test_a_certificate_tells_what_need_not_have_been_equal_when_segments_moved() -> None:
    shop = owned_by_west()
    report = shop.stage.run(QUIESCE, {**ONTO_WEST, "may_differ": "*"})
    (quiet,) = (step for phase in report.phases for step in phase.steps if step.id == "quiet")
    assert "beware: segments were moved though these tables may differ from west's: *" in str(quiet.outputs["certificate"])


def test_a_server_with_an_open_segment_is_not_opened_beside_the_other() -> None:
    """An administrator let somebody in there while the server was fenced."""
    shop = owned_by_west()
    shop.pair.east.read_only = True
    shop.pair.east.segments["us"].accounts = (AccountState(account="app_us@%", locked=False),)
    report = shop.move(to="east")
    assert report.outcome == "refused", report.problems
    assert "east is not opened beside the other one: segment us is open there" in report.problems[0].what
    assert shop.pair.east.read_only


def test_a_quiesce_that_fails_opens_the_server_again_beside_the_one_that_owns_the_segments() -> None:
    shop = owned_by_west()
    quiet, never = "- phase: quiet\n  steps:\n", "  - check: sql\n    with: {server: west, query: SELECT x, matches: never}\n"
    assert quiet in QUIESCE.text
    text = QUIESCE.text.replace(quiet, quiet + never)
    report = shop.stage.run(parse_playbook(text, file="fails.yaml", catalogue=CATALOGUE), ONTO_WEST)
    assert report.outcome == "rolled_back", report.problems
    assert not shop.pair.east.read_only
    shop.assert_owned("eu", "west")
    assert shop.move(to="east").outcome == "succeeded"


def all_at_west_and_east_fenced() -> Shop:
    """As a quiesce and a rejoin leave them."""
    shop = owned_by_west()
    shop.pair.east.read_only = True
    shop.before = shop.shape()
    return shop


def ends_of(name: str, given: dict[str, str], playbook: Playbook, began: Callable[[], Shop]) -> list[object]:
    """Each instant at which a run of it can be killed, every seventh."""
    shop = began()
    shop.stage.run(playbook, given)
    moves = shop.stage.processes["first"].moves
    return [pytest.param(move, given, playbook, began, id=f"{name}-{move}") for move in range(1, moves + 1, 7)]


@pytest.mark.parametrize("how", ["resume", "rollback"])
@pytest.mark.parametrize(
    ("move", "given", "playbook", "began"),
    [*ends_of("return", RETURN, MOVE, all_at_west_and_east_fenced), *ends_of("quiesce", ONTO_WEST, QUIESCE, owned_by_west)],
)
def test_a_server_that_is_closed_or_opened_beside_the_other_can_be_killed_at_any_instant(
    move: int, given: dict[str, str], playbook: Playbook, began: Callable[[], Shop], how: str
) -> None:
    shop = began()
    was_fenced, earlier = shop.pair.east.read_only, shop.stage.store.runs(None)
    with pytest.raises(ProcessKilled):
        shop.stage.engine("killed", kill_at=move).start(playbook, given)
    shop.stage.settle()
    begun = [header for header in shop.stage.store.runs(None) if header not in earlier]
    outcome = begun[0].outcome if begun else "refused"
    if outcome is None:
        engine = shop.stage.engine("second")
        outcome = (engine.resume if how == "resume" else engine.roll_back)(begun[0].run).outcome
    assert outcome in {"succeeded", "rolled_back", "refused"}
    moved = outcome == "succeeded" and playbook is MOVE
    assert shop.pair.east.read_only == (was_fenced if outcome != "succeeded" else playbook is QUIESCE)
    shop.assert_owned("eu", "east" if moved else "west")
    shop.assert_owned("us", "west")
    assert shop.segments.ledgers["us"].errors == {}


WAIT = '- do: replication.wait\n    with: {server: "${'
FENCE = "  - id: closed\n    "
UNSAFE = [
    pytest.param(FENCE, f"{FENCE}when: ${{hold}}\n    ", "without closing it", id="no fence"),
    pytest.param("- do: segment.hand_over", "- do: segment.hand_over\n    when: ${hold}", "without handing it over", id="no owner"),
    pytest.param(f"{WAIT}to", f"{WAIT}from", "without a catch-up", id="another server catches up"),
    pytest.param('"${closed.position}"', "0-1-1", "without a catch-up", id="with another position"),
    pytest.param('server: "${to}", accounts', 'server: "${from}", accounts', "without closing it", id="opened where it was closed"),
]


@pytest.mark.parametrize(("old", "new", "message"), UNSAFE)
def test_a_playbook_that_could_open_a_segment_too_early_is_rejected(old: str, new: str, message: str) -> None:
    with pytest.raises(InvalidFile, match=message.replace("$", r"\$")):
        changed(old=old, new=new)


def moves_of(playbook: Playbook) -> int:
    shop = Shop()
    shop.move(playbook)
    return shop.stage.processes["first"].moves


@pytest.mark.parametrize("how", ["resume", "rollback"])
@pytest.mark.parametrize("move", range(1, moves_of(MOVE) + 1))
def test_a_move_that_was_killed_at_any_instant_can_be_taken_up(move: int, how: str) -> None:
    shop = Shop()
    with pytest.raises(ProcessKilled):
        shop.stage.engine(kill_at=move).start(MOVE, TO_WEST)
    shop.stage.settle()
    headers = shop.stage.store.runs(None)
    outcome = headers[0].outcome if headers else "refused"
    if outcome is None:
        engine = shop.stage.engine("second")
        outcome = (engine.resume if how == "resume" else engine.roll_back)(headers[0].run).outcome
    assert outcome in {"succeeded", "rolled_back", "refused"}
    shop.assert_owned("eu", "west" if outcome == "succeeded" else "east")
    shop.assert_owned("us", "west")
    assert shop.segments.ledgers["us"].errors == {}
    if outcome != "succeeded":
        assert shop.shape() == shop.before


@pytest.mark.parametrize("move", range(1, moves_of(FAILS_AT_THE_END) + 1, 3))
def test_a_move_that_goes_back_can_be_killed_and_goes_on_going_back(move: int) -> None:
    shop = Shop()
    with pytest.raises(ProcessKilled):
        shop.stage.engine(kill_at=move).start(FAILS_AT_THE_END, TO_WEST)
    shop.stage.settle()
    headers = shop.stage.store.runs(None)
    if headers and headers[0].outcome is None:
        assert shop.stage.engine("second").resume(headers[0].run).outcome in {"rolled_back", "refused"}
    assert shop.shape() == shop.before
    shop.assert_owned("eu", "east")


def test_switchover_is_what_it_was_on_a_pair_without_segments() -> None:
    stage = Stage()
    assert stage.run(SWITCHOVER).outcome == "succeeded"


def test_status_tells_each_segment_on_both_sides_and_what_is_wrong_with_it() -> None:
    shop = Shop()
    shop.move()
    seen = {each.segment: each for each in segments_now(shop.stage.worlds[0])}
    assert {name: (each.owner, each.epoch, each.home) for name, each in seen.items()} == {
        "eu": ("west", 1, "east"),
        "us": ("west", 0, "west"),
    }
    assert {name: each.open for name, each in seen["eu"].clusters.items()} == {"east": False, "west": True}
    assert seen["eu"].problems == ()
    assert [problem["what"] for problem in seen["us"].problems] == ["no server has noted who owns segment us: west does by the topology"]


def test_an_owner_that_is_fenced_is_told_for_nobody_can_write_what_it_owns() -> None:
    """It came back from a crash with `read_only=1` in its option file, and its segments' accounts are as they were."""
    shop = Shop()
    shop.pair.east.set_read_only(on=True)
    seen = segments_now(shop.stage.engine().world)
    told = {each.segment: [(problem["what"], problem["hint"]) for problem in each.problems] for each in seen}
    assert told["eu"][0] == (
        "east is fenced, and owns segment eu: nobody can write it",
        "SET GLOBAL read_only=0 on east, if every segment of the other side is closed there",
    )
    assert not [what for what, _ in told["us"] if "fenced" in what]


def test_a_server_that_does_not_answer_hides_nothing_of_the_other_one() -> None:
    shop = Shop()
    shop.pair.east.hang()
    world = shop.stage.engine().world
    began_s = shop.pair.clock.monotonic_s()
    seen = segments_now(world)
    assert shop.pair.clock.monotonic_s() - began_s < BOUND_S * 1.5
    assert [(each.clusters["east"].open, each.clusters["west"].open) for each in seen] == [(None, False), (None, True)]
    assert {each.problems[0]["what"] for each in seen} == {"east does not answer"}
