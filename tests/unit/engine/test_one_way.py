"""A segment leaves a side whose channel is broken, in memory: what it takes, what comes back, what halts, and killed at any move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext

import pytest

from interlock.clock import Deadline
from interlock.decisions.giving_up import sentence
from interlock.engine.guard import Guard
from interlock.engine.journal import Journal, RecordKind
from interlock.engine.report import RunReport
from interlock.engine.segments import SegmentInterlock
from interlock.errors import Refused, StepFailed
from interlock.model.effects import CloseSegment, OpenSegment
from interlock.playbook.tree import Playbook
from interlock.ports import Holder, Record, RunHeader
from interlock.simulated.process import ProcessKilled
from unit.engine.test_back import acts
from unit.engine.test_segments import FAILS_AT_THE_END, MOVE, ONTO_WEST, QUIESCE, TO_WEST, Shop, changed

ONE_WAY = {**TO_WEST, "one_way": "true"}
NEVER = "  - check: sql\n    with: {server: west, query: SELECT x, matches: never}\n"
FAILS_BEFORE_THE_OPENING = changed(old="- phase: flip\n  steps:\n", new=f"- phase: flip\n  steps:\n{NEVER}")


class OneWayShop(Shop):
    """East does not apply any more what west goes on writing."""

    def __init__(self) -> None:
        super().__init__()
        for server in (self.pair.east, self.pair.west):
            server.settings["log_keeps_s"] = "604800"
        self.stage.settle()
        self.pair.to_east.stop("1062 duplicate entry")
        self.stage.settle()

    def go(self, playbook: Playbook = MOVE, **given: str) -> RunReport:
        return self.stage.run(playbook, {**ONE_WAY, **given})

    def mend(self) -> None:
        """What failed, not the channel."""
        self.pair.west.settings["x"] = "never"

    def assert_as(self, outcome: str) -> None:
        self.assert_owned("eu", "west" if outcome == "succeeded" else "east")
        self.assert_owned("us", "west")
        assert self.segments.ledgers["us"].errors == {}
        if outcome != "succeeded":
            assert self.shape() == self.before

    def assert_closed(self) -> None:
        """On both; the other segment goes on."""
        self.stage.settle()
        assert (self.segments.writable("eu"), self.segments.violations) == ((), [])
        self.assert_owned("us", "west")
        assert self.segments.ledgers["us"].errors == {}


def kinds(shop: Shop, run: str) -> list[str]:
    return [record.kind for record in shop.stage.store.records(run)]


def test_without_the_word_it_is_refused_and_told_it() -> None:
    shop = OneWayShop()
    report = shop.move()
    assert (report.outcome, shop.stage.effects()) == ("refused", [])
    assert "replication from west to east has stopped with an error: 1062" in report.problems[0].what
    assert "-i one_way=true" in report.problems[0].hint


def test_it_goes_there_and_the_report_says_what_that_costs() -> None:
    shop = OneWayShop()
    report = shop.go()
    assert report.outcome == "succeeded", report.problems
    shop.assert_as("succeeded")
    warned = [warning for warning in report.warnings if "then the run halts, and it is closed on both" in warning]
    assert len(warned) == 2, report.warnings
    records = kinds(shop, report.run)
    assert records.count("one_way") == 1
    assert records.index("one_way") < records.index("intended")


STANDS: dict[str, tuple[Callable[[Shop], None], str]] = {
    "somebody stopped it": (lambda shop: shop.pair.to_east.stop(), "the applier is stopped"),
    "its lag is not known": (lambda shop: setattr(shop.pair.to_east, "lag_known", False), "the lag is not known"),
    "it is too far behind": (lambda shop: setattr(shop.pair.to_east, "delay_s", 20.0), "behind west, limit 5s"),
}


@pytest.mark.parametrize(("spoil", "why"), STANDS.values(), ids=STANDS.keys())
@pytest.mark.parametrize("one_way", ["false", "true"])
def test_a_channel_that_is_not_broken_is_held_to_the_same_with_the_word_or_without(
    spoil: Callable[[Shop], None], why: str, one_way: str
) -> None:
    shop = Shop()
    spoil(shop)
    shop.pair.clock.sleep(8)
    report = shop.move(one_way=one_way)
    assert (report.outcome, why in report.problems[0].what, "one_way" in report.problems[0].hint) == ("refused", True, False), report


def test_over_a_channel_that_runs_the_word_changes_nothing() -> None:
    plain, said = Shop(), Shop()
    records = []
    for shop, given in ((plain, {}), (said, {"one_way": "true"})):
        report = shop.move(MOVE, **given)
        assert (report.outcome, report.warnings) == ("succeeded", [])
        shop.assert_owned("eu", "west")
        records.append([(record.kind, record.body.get("step")) for record in shop.stage.store.records(report.run)])
    assert records[0] == records[1]


def test_both_channels_broken_take_the_sentence_and_the_word() -> None:
    shop = OneWayShop()
    shop.segments.excused.add("west")
    shop.pair.to_west.stop("1032 no such row")
    (channel,) = shop.pair.west.channels()
    said = sentence(shop.pair.west.name, channel)
    assert shop.go().outcome == "refused"
    assert shop.move(accept=said).outcome == "refused"
    report = shop.go(accept=said)
    assert report.outcome == "succeeded", report.problems
    assert report.evidence["openings"][0]["given_up"] == said  # type: ignore[index]
    shop.stage.settle()
    assert (shop.segments.writable("eu"), shop.segments.violations, shop.segments.ledgers["us"].errors) == (("west",), [], {})


def test_a_check_that_fails_before_the_opening_gives_all_of_it_back_though_nothing_comes_from_there() -> None:
    shop = OneWayShop()
    report = shop.go(FAILS_BEFORE_THE_OPENING)
    assert report.outcome == "rolled_back", report.problems
    assert [each.body["server"] for each in shop.stage.store.records(report.run) if each.kind == "opening"] == ["east"]
    shop.assert_as("rolled_back")


def test_a_check_that_fails_after_the_opening_halts_and_the_run_can_go_on() -> None:
    shop = OneWayShop()
    halted = shop.go(FAILS_AT_THE_END)
    assert halted.outcome == "halted"
    shop.assert_closed()
    assert halted.next_commands == (f"interlock resume {halted.run}",), "what would open it on east again is not printed"
    stuck = halted.problems[-1]
    assert stuck.what.startswith("segment eu can't be taken back: it was opened on west, whose writes east can't have")
    assert halted.run in stuck.hint
    shop.mend()
    report = shop.stage.engine("second").resume(halted.run)
    assert report.outcome == "succeeded", report.problems
    shop.assert_as("succeeded")


def test_a_channel_that_breaks_once_nothing_is_missing_closes_nothing() -> None:
    shop = OneWayShop()
    shop.stage.when(acts("flip/segment.open"), lambda: shop.pair.to_west.stop("1062 duplicate entry"))
    report = shop.go()
    assert report.outcome == "succeeded", report.problems
    assert [channel.applier for channel in shop.pair.west.channels()] == [False]
    assert (shop.segments.writable("eu"), shop.segments.violations) == (("west",), [])


def test_the_way_back_is_refused_with_nothing_touched_until_the_channel_runs() -> None:
    shop = OneWayShop()
    run = shop.go(FAILS_AT_THE_END).run
    before, sent = kinds(shop, run), len(shop.stage.effects())
    with pytest.raises(Refused, match="can't be taken back"):
        shop.stage.engine("second").roll_back(run)
    assert (kinds(shop, run), len(shop.stage.effects())) == (before, sent)
    shop.pair.to_east.stop()  # somebody works on it: its error is gone, and it is not started yet
    with pytest.raises(Refused, match="the applier is stopped"):
        shop.stage.engine("too early").roll_back(run)
    shop.pair.to_east.start()
    report = shop.stage.engine("third").roll_back(run)
    assert report.outcome == "rolled_back", report.problems
    shop.assert_as("rolled_back")


def test_a_channel_that_somebody_mended_meanwhile_brings_all_of_it_back() -> None:
    shop = OneWayShop()
    shop.pair.to_east.delay_s = 1.0  # the last writes arrive that much later
    shop.stage.when(lambda event: getattr(event, "step", "").endswith("route.flip"), shop.pair.to_east.start)
    report = shop.go(FAILS_AT_THE_END)
    assert report.outcome == "rolled_back", report.problems
    shop.assert_as("rolled_back")


def test_who_can_not_be_asked_is_not_waited_for() -> None:
    """East hangs when the check fails: whether it could have the segment back is not known."""
    shop = OneWayShop()
    shop.stage.when(lambda event: getattr(event, "step", "").endswith("verify/sql"), shop.pair.east.hang)
    halted = shop.go(FAILS_AT_THE_END)
    assert (halted.outcome, shop.segments.writable("eu")) == ("halted", ())
    shop.pair.east.go_on()
    shop.stage.processes["first"].kill()  # its lock on east ends with it
    shop.mend()
    assert shop.stage.engine("second").resume(halted.run).outcome == "succeeded"
    shop.assert_as("succeeded")


def test_a_server_that_was_opened_for_it_and_halted_is_opened_again() -> None:
    """West was a fenced standby on which nothing was open."""
    shop = OneWayShop()
    shop.pair.to_east.start()
    assert shop.stage.run(MOVE, {"segment": "us", "to": "east"}).outcome == "succeeded"
    shop.pair.to_east.stop("1062 duplicate entry")
    shop.pair.west.read_only = True
    halted = shop.stage.engine("second").start(FAILS_AT_THE_END, ONE_WAY)
    assert (halted.outcome, shop.segments.writable("eu")) == ("halted", ()), halted.problems
    shop.mend()
    report = shop.stage.engine("third").resume(halted.run)
    assert report.outcome == "succeeded", report.problems
    assert (shop.pair.west.read_only, shop.segments.writable("us")) == (False, ("east",))
    shop.assert_owned("eu", "west")


GIVEN_BACK = {
    "as it was, and opened nowhere else": (True, True, (), True),
    "not as it was": (False, True, (), False),
    "of a run that goes both ways": (True, False, (), False),
    "opened on the other one": (True, True, ("west",), False),
    "opened and closed here again": (True, True, ("east",), True),
}


@pytest.mark.parametrize(("as_was", "one_way", "opened", "sent"), GIVEN_BACK.values(), ids=GIVEN_BACK.keys())
def test_a_segment_is_given_back_without_the_others_position_only_to_whom_it_was_taken_from(
    as_was: bool,  # noqa: FBT001 - a table's column
    one_way: bool,  # noqa: FBT001 - a table's column
    opened: tuple[str, ...],
    sent: bool,  # noqa: FBT001 - a table's column
) -> None:
    shop = OneWayShop()
    store, world = shop.stage.store, shop.stage.engine().world
    lease = store.take_lease("shop", Holder(user="ops", host="here", pid=1, process_started="first", run="r"))
    store.create_run(RunHeader(run="r", playbook="p", topology="shop", started_at=shop.pair.clock.wall(), state="changing"))
    guard, journal = Guard(store, lease, world, shop.pair.clock), Journal(store, "r", shop.pair.clock, str)
    guard.take_locks(again=False, tolerant=False)
    segments = SegmentInterlock(world, guard, journal, lambda _: "")
    east, accounts = shop.pair.east.name, shop.pair.east.segments["eu"].accounts
    world.server(east).segments.apply(CloseSegment(server=east, segment="eu", accounts=accounts), "r")
    if one_way:
        segments.go_one_way(east)
    for server in opened:
        journal.write(RecordKind.OPENING, server=server, segment="eu")
    orders: list[str] = []
    effect = OpenSegment(server=east, segment="eu", accounts=accounts, as_was=as_was)
    with nullcontext() if sent else pytest.raises(StepFailed, match="transactions behind and its applier has stopped"):
        segments.open(effect, Deadline.after(shop.pair.clock, 5.0), "r", lambda: orders.append("open"))
    assert (orders, shop.segments.writable("eu")) == (["open"] if sent else [], ("east",) if sent else ())


def test_each_opening_of_such_a_run_is_on_the_disk_before_it_is_sent_and_no_other_run_waits_for_that() -> None:
    synced: list[bool] = []

    def keep(_run: str, records: Sequence[Record], durable: bool) -> None:  # noqa: FBT001 - as the store tells it
        synced.extend(durable for record in records if record.kind == "opening")

    for shop, given in ((OneWayShop(), ONE_WAY), (Shop(), TO_WEST)):
        shop.stage.store.on_append.append(keep)
        assert shop.stage.run(MOVE, given).outcome == "succeeded"
    assert synced == [True, False]


def opened(shop: Shop, run: str) -> bool:
    """West may have been opened, for the interlock let it through, and the run goes on."""
    records = shop.stage.store.records(run)
    is_open = any(record.kind == "opening" and record.body["server"] == "west" for record in records)
    return is_open and "ended" not in {record.kind for record in records}


def instants(name: str, playbook: Playbook, how: str, *, power: bool = False, first: int, every: int) -> list[object]:
    """At which a run of it can be killed, with or without the machine's power, and how it is taken up then."""
    shop = OneWayShop()
    shop.go(playbook)
    moves = range(first, shop.stage.processes["first"].moves + 1, every)
    return [pytest.param(playbook, move, how, power, id=f"{name}-{move}-{how}{'-power-lost' if power else ''}") for move in moves]


@pytest.mark.parametrize(
    ("playbook", "move", "how", "power"),
    [
        *instants("there", MOVE, "resume", first=1, every=5),
        *instants("there", MOVE, "rollback", first=2, every=5),
        *instants("there", MOVE, "rollback", power=True, first=3, every=4),
        *instants("back", FAILS_BEFORE_THE_OPENING, "resume", first=1, every=16),
        *instants("back", FAILS_BEFORE_THE_OPENING, "rollback", power=True, first=2, every=8),
        *instants("halts", FAILS_AT_THE_END, "resume", power=True, first=3, every=9),
    ],
)
def test_killed_at_any_instant_it_goes_back_whole_before_the_opening_and_on_after_it(
    playbook: Playbook,
    move: int,
    how: str,
    power: bool,  # noqa: FBT001 - a table's column
) -> None:
    shop = OneWayShop()
    with pytest.raises(ProcessKilled):
        shop.stage.engine(kill_at=move).start(playbook, ONE_WAY)
    if power:
        shop.stage.store.lose_power()
    shop.stage.settle()
    headers = shop.stage.store.runs(None)
    outcome = headers[0].outcome if headers else "refused"
    if outcome in {None, "halted"}:
        outcome = taken_up(shop, headers[0].run, how)
    assert outcome in {"succeeded", "rolled_back", "refused"}
    shop.assert_as(outcome)


def taken_up(shop: OneWayShop, run: str, how: str) -> str | None:
    """Its outcome. What was opened is refused the way back; what halts then goes on once the reason is mended."""
    if how == "rollback" and opened(shop, run):
        with pytest.raises(Refused, match="can't be taken back"):
            shop.stage.engine("back").roll_back(run)
        shop.stage.settle()
        return shop.stage.engine("second").resume(run).outcome
    engine = shop.stage.engine("second")
    outcome = (engine.resume if how == "resume" else engine.roll_back)(run).outcome
    if outcome == "halted":
        shop.assert_closed()
        shop.mend()
        outcome = shop.stage.engine("third").resume(run).outcome
    return outcome


def test_a_quiesce_moves_over_it_by_itself_and_its_plan_says_so() -> None:
    shop = OneWayShop()
    refused = shop.stage.run(QUIESCE, ONTO_WEST)
    assert [problem.what.partition(":")[0] for problem in refused.problems] == ["preflight/segment.all_owned"]
    assert any("then the run halts" in warning for warning in refused.warnings)
    assert shop.go().outcome == "succeeded"
    quiet = shop.stage.engine("third").start(QUIESCE, ONTO_WEST)
    assert quiet.outcome == "succeeded", quiet.problems
    assert (shop.pair.east.read_only, shop.segments.writable("eu"), shop.segments.violations) == (True, ("west",), [])
    assert "with an error: 1062" in quiet.certificate
    (canary,) = (step for phase in quiet.phases for step in phase.steps if step.id == "quiet/replication.canary")
    assert (canary.result, "has stopped with an error: 1062" in canary.detail) == ("failed", True), "nobody waits for what can't arrive"
