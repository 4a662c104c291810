"""What every store promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from pathlib import Path

import pytest

from interlock.decisions.leases import Liveness
from interlock.engine.marks import put_mark, take_mark_away
from interlock.errors import LeaseLost, PairBusy, StoreFailed, UsageError
from interlock.ports import Record, Store
from unit.stores.contract import KINDS, START, Place, failed, header, hold, holder, place, record


@pytest.fixture(params=KINDS)
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = place(request.param, tmp_path, lambda: request.getfixturevalue("etcd"))
    yield made
    made.close()


@pytest.fixture
def store(here: Place) -> Store:
    return here.another()


# -- journal


@pytest.mark.parametrize("durable", [True, False])
def test_records_come_back_as_they_were_written(store: Store, *, durable: bool) -> None:
    written = [
        record(1, position="0-1-42", nothing=None, nested={"a": [1, 2.5, True]}),
        record(2, hostile="`quo'te\"\n\0 \ud800 ☃", big=2**80),
        record(3),
    ]
    store.create_run(header("r1"))
    store.append("r1", written[:1], durable=durable)
    store.append("r1", written[1:], durable=durable)
    assert store.records("r1") == tuple(written)


def test_a_time_of_another_zone_is_the_same_moment(store: Store) -> None:
    at = START.astimezone(timezone(timedelta(hours=5, minutes=30)))
    store.create_run(header("r1"))
    store.append("r1", [Record(seq=1, kind="step", at=at)], durable=False)
    assert store.records("r1")[0].at == START
    assert store.header("r1").started_at.tzinfo == UTC


@pytest.mark.parametrize(
    ("seqs", "message"),
    [
        pytest.param([2], "record 2 of run r1 does not follow record 0", id="begins late"),
        pytest.param([1, 3], "record 3 of run r1 does not follow record 1", id="gap"),
        pytest.param([1, 1], "record 1 of run r1 does not follow record 1", id="twice"),
    ],
)
def test_a_record_out_of_order_is_refused_and_none_is_written(store: Store, seqs: list[int], message: str) -> None:
    store.create_run(header("r1"))
    with pytest.raises(StoreFailed, match=message) as refused:
        store.append("r1", [record(seq) for seq in seqs], durable=True)
    assert "interlock show r1" in refused.value.hint
    assert store.records("r1") == ()


@pytest.mark.parametrize(
    "value", [pytest.param(float("nan"), id="nan"), pytest.param(object(), id="object"), pytest.param({1, 2}, id="set")]
)
def test_a_body_that_is_not_json_is_refused_and_none_is_written(store: Store, value: object) -> None:
    store.create_run(header("r1"))
    with pytest.raises(StoreFailed, match=r"record 2 \(step\) of run r1 is not plain JSON"):
        store.append("r1", [record(1), record(2, value=value)], durable=True)
    assert store.records("r1") == ()


def test_records_of_one_run_are_not_anothers(store: Store) -> None:
    for run in ("r1", "r2"):
        store.create_run(header(run))
    store.append("r1", [record(1, of="r1")], durable=False)
    store.append("r2", [record(1, of="r2")], durable=False)
    store.append("r1", [record(2, of="r1")], durable=False)
    assert [found.body["of"] for found in store.records("r1")] == ["r1", "r1"]
    assert [found.body["of"] for found in store.records("r2")] == ["r2"]


def test_an_unknown_run_can_not_be_written(store: Store) -> None:
    for attempt in (
        lambda: store.append("nope", [record(1)], durable=True),
        lambda: store.set_state("nope", "halted", "halted"),
        lambda: store.reserve("nope", 1000),
        lambda: store.records("nope"),
    ):
        with pytest.raises(StoreFailed, match="there is no run 'nope'") as refused:
            attempt()
        assert refused.value.hint == "list them: interlock runs"


def test_what_one_handle_writes_another_reads(here: Place, store: Store) -> None:
    other = here.another()
    store.create_run(header("r1"))
    store.append("r1", [record(1)], durable=False)
    assert other.records("r1") == (record(1),)


def test_threads_may_share_a_store(store: Store) -> None:
    runs = [f"r{number}" for number in range(4)]
    lease = store.take_lease("shop", holder(1))

    def work(run: str) -> None:
        store.create_run(header(run))
        for seq in range(1, 21):
            store.append(run, [record(seq, of=run)], durable=seq % 5 == 0)
            store.check_lease(lease)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, runs))
    assert all(len(store.records(run)) == 20 for run in runs)


def test_room_can_be_made_and_records_fit(store: Store) -> None:
    store.create_run(header("r1"))
    store.reserve("r1", 50_000)
    store.reserve("r1", 50_000)
    store.append("r1", [record(1, filler="x" * 40_000)], durable=True)
    assert len(store.records("r1")) == 1


# -- runs


def test_a_run_is_created_once(store: Store) -> None:
    store.create_run(header("r1"))
    with pytest.raises(StoreFailed, match="run r1 is there already") as refused:
        store.create_run(header("r1", topology="other"))
    assert refused.value.hint == "go on with it: interlock resume r1"
    assert store.header("r1").topology == "shop"


def test_a_state_and_an_outcome_are_kept(store: Store) -> None:
    store.create_run(header("r1"))
    store.set_state("r1", "flip", None)
    assert (store.header("r1").state, store.header("r1").outcome) == ("flip", None)
    store.set_state("r1", "ended", "succeeded")
    assert (store.header("r1").state, store.header("r1").outcome) == ("ended", "succeeded")


def test_runs_are_listed_newest_first_and_by_topology(store: Store) -> None:
    for run, topology, minutes in [("b", "shop", 1), ("c", "other", 3), ("a", "shop", 2), ("d", "shop", 2)]:
        store.create_run(header(run, topology=topology, minutes=minutes))
    assert [found.run for found in store.runs(None)] == ["c", "d", "a", "b"]
    assert [found.run for found in store.runs("shop")] == ["d", "a", "b"]
    assert store.runs("nope") == ()


@pytest.mark.parametrize(
    ("typed", "run"),
    [pytest.param("sw-2", "sw-2", id="whole"), pytest.param("sw-1", "sw-1a", id="beginning"), pytest.param("q", "qq", id="one letter")],
)
def test_a_run_is_found_by_a_beginning_that_is_its_own(store: Store, typed: str, run: str) -> None:
    for known in ("sw-1a", "sw-2", "sw-2b", "qq"):
        store.create_run(header(known))
    assert store.header(typed).run == run


@pytest.mark.parametrize(
    ("typed", "message", "hint"),
    [
        pytest.param("sw", "2 runs begin with 'sw'", "which one: sw-22, sw-11", id="ambiguous"),
        pytest.param("sw-12", "there is no run 'sw-12'", "did you mean sw-", id="near"),
        pytest.param("zzz", "there is no run 'zzz'", "the latest ones: sw-22, sw-11; all of them: interlock runs", id="far"),
        pytest.param("", "there is no run ''", "the latest ones: sw-22, sw-11; all of them: interlock runs", id="empty"),
        pytest.param("\udcff'\0", 'there is no run "\\udcff', "the latest ones", id="hostile"),
    ],
)
def test_an_unknown_run_is_a_usage_error_that_names_the_nearest(store: Store, typed: str, message: str, hint: str) -> None:
    store.create_run(header("sw-11"))
    store.create_run(header("sw-22", minutes=1))
    with pytest.raises(UsageError) as refused:
        store.header(typed)
    assert refused.value.message.startswith(message)
    assert refused.value.hint.startswith(hint)


def test_a_store_without_runs_says_so(store: Store) -> None:
    with pytest.raises(UsageError, match="there is no run 'r1'") as refused:
        store.header("r1")
    assert "no runs yet" in refused.value.hint


# -- lease


def test_every_taking_raises_the_epoch(store: Store) -> None:
    epochs = []
    for _ in range(3):
        lease = store.take_lease("shop", holder(1))
        epochs.append(lease.epoch)
        store.release_lease(lease)
    assert epochs == [1, 2, 3]


def test_pairs_do_not_hinder_each_other(store: Store) -> None:
    store.take_lease("shop", holder(1))
    assert store.take_lease("other", holder(2)).epoch == 1


@pytest.mark.parametrize(
    ("seen", "seconds", "hint"),
    [
        pytest.param(Liveness.ALIVE, 1, "wait for it, or look at it: interlock show r1", id="alive"),
        pytest.param(Liveness.ALIVE, 3600, "wait for it, or look at it: interlock show r1", id="alive, however late"),
        pytest.param(Liveness.UNKNOWN, 29.9, "its lease ends at 2025-03-01 12:00:30 UTC", id="unknown, in its time"),
    ],
)
def test_a_pair_that_is_held_is_busy_and_its_holder_named(here: Place, store: Store, seen: Liveness, seconds: float, hint: str) -> None:
    lease = store.take_lease("shop", holder(4242))
    here.seen[4242] = seen
    here.clock.sleep(seconds)
    with pytest.raises(PairBusy) as busy:
        here.another().take_lease("shop", holder(1, run="r2"))
    assert busy.value.message == "shop is held by anna@ops1, pid 4242, run r1, since 2025-03-01 12:00:00 UTC"
    assert hint in busy.value.hint
    store.check_lease(lease)


@pytest.mark.parametrize(
    ("seen", "seconds"),
    [pytest.param(Liveness.GONE, 0, id="proved gone, at once"), pytest.param(Liveness.UNKNOWN, 30, id="unknown, when its time is over")],
)
def test_a_lease_is_taken_over_and_the_old_holder_learns_it(here: Place, store: Store, seen: Liveness, seconds: float) -> None:
    old = store.take_lease("shop", holder(1))
    here.seen[1] = seen
    here.clock.sleep(seconds)
    new = here.another().take_lease("shop", holder(2, run="r2"))
    assert new.epoch == old.epoch + 1
    with pytest.raises(LeaseLost, match=r"the lease of shop was taken over by .*run r2") as lost:
        store.check_lease(old)
    assert "interlock show r2" in lost.value.hint
    store.release_lease(old)
    store.check_lease(new)


def test_a_lease_that_is_checked_is_renewed(here: Place, store: Store) -> None:
    lease = store.take_lease("shop", holder(1))
    for _ in range(10):
        here.clock.sleep(19)
        store.check_lease(lease)
    with pytest.raises(PairBusy):
        store.take_lease("shop", holder(2))


def test_a_lease_whose_time_is_over_is_renewed_if_nobody_took_it(here: Place, store: Store) -> None:
    lease = store.take_lease("shop", holder(1))
    here.clock.sleep(3600)
    store.check_lease(lease)
    with pytest.raises(PairBusy):
        store.take_lease("shop", holder(2))


def test_a_released_lease_is_free_and_no_longer_the_holders(store: Store) -> None:
    lease = store.take_lease("shop", holder(1))
    store.release_lease(lease)
    store.release_lease(lease)
    with pytest.raises(LeaseLost, match="the lease of shop was released"):
        store.check_lease(lease)
    assert store.take_lease("shop", holder(2)).epoch == 2


# -- marks


def test_a_pair_without_marks_has_none(store: Store) -> None:
    assert store.marks("shop") == ()


def test_marks_come_back_as_they_were_set_oldest_first(here: Place) -> None:
    late = hold(minutes=5, until=START + timedelta(hours=4))
    early = replace(failed("east", minutes=1), reason="`quo'te\"\n ☃", subject="e/a %s")
    for mark in (late, early, failed("east", topology="other")):
        put_mark(here.another(), mark)
    assert here.another().marks("shop") == (early, late)


def test_a_mark_of_the_same_kind_and_subject_is_replaced(store: Store) -> None:
    put_mark(store, hold(minutes=1))
    put_mark(store, failed("east", minutes=2))
    put_mark(store, hold(minutes=3, by="ben@ops2"))
    assert store.marks("shop") == (failed("east", minutes=2), hold(minutes=3, by="ben@ops2"))


def test_a_mark_that_is_taken_away_leaves_the_others(store: Store) -> None:
    """Who set it, and when, plays no part in it."""
    others = (hold(), failed("east"), failed("west", topology="other"))
    for mark in (*others, failed("west")):
        put_mark(store, mark)
    take_mark_away(store, failed("west", minutes=9))
    assert store.marks("shop") == (failed("east"), hold())
    assert store.marks("other") == others[2:]


def test_taking_away_what_is_not_there_is_no_error(store: Store) -> None:
    take_mark_away(store, hold())
    assert store.marks("shop") == ()


@pytest.mark.parametrize(
    ("meanwhile", "changed"),
    [
        pytest.param(lambda _: None, True, id="nothing"),
        pytest.param(lambda store: put_mark(store, hold(by="ben@ops2")), False, id="another set the same one"),
        pytest.param(lambda store: put_mark(store, failed("west")), False, id="another set one more"),
        pytest.param(lambda store: take_mark_away(store, failed("east")), False, id="another took one away"),
        pytest.param(lambda store: put_mark(store, failed("east", minutes=5)), False, id="another set one anew"),
        pytest.param(lambda store: put_mark(store, failed("east", topology="other")), True, id="another pair was marked"),
    ],
)
def test_marks_are_changed_only_as_they_were_seen(here: Place, meanwhile: Callable[[Store], None], changed: bool) -> None:  # noqa: FBT001 - a case
    mine, another = here.another(), here.another()
    put_mark(mine, failed("east"))
    seen = mine.marks("shop")
    meanwhile(another)
    before = another.marks("shop")
    assert mine.change_marks("shop", seen, add=[hold()], take=[failed("east")]) is changed
    assert another.marks("shop") == ((hold(),) if changed else before)


def test_of_two_that_hold_at_the_same_instant_one_has_it(here: Place) -> None:
    """Both have seen that nobody does."""
    anna, ben = here.another(), here.another()
    seen = [store.marks("shop") for store in (anna, ben)]
    first = anna.change_marks("shop", seen[0], add=[hold(by="anna@ops1")])
    second = ben.change_marks("shop", seen[1], add=[hold(by="ben@ops2")])
    assert (first, second) == (True, False)
    assert [mark.by for mark in ben.marks("shop")] == ["anna@ops1"]


def test_a_mark_is_taken_away_only_if_it_is_still_the_one_that_was_seen(here: Place) -> None:
    mine, another = here.another(), here.another()
    put_mark(mine, hold())
    seen = mine.marks("shop")
    put_mark(another, hold(by="ben@ops2"))
    assert not mine.change_marks("shop", seen, take=seen)
    assert mine.change_marks("shop", mine.marks("shop"), take=mine.marks("shop"))
    assert another.marks("shop") == ()
