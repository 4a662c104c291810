"""What the store in etcd promises beyond the contract of every store: real leases, lost majorities, late writes, TLS, a full etcd."""

from __future__ import annotations

import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from interlock.clock import Clock, Deadline, SystemClock
from interlock.decisions.leases import Liveness
from interlock.errors import LeaseLost, PairBusy, StoreFailed
from interlock.ports import Lease, Record, Store
from interlock.stores.etcd import EtcdStore
from interlock.stores.etcd_url import etcd_place
from servers.certificates import Authority
from servers.etcd_lab import Cluster, etcd_cluster
from servers.odd_proxy import odd_proxy
from unit.stores.contract import header, hold, holder, record
from waiting import eventually

LEASE_S = 3
CLOCK = SystemClock()


class OffClock(SystemClock):
    """The machine's clock, some hours off."""

    def __init__(self, hours: float) -> None:
        self._off = timedelta(hours=hours)

    def wall(self) -> datetime:
        return super().wall() + self._off


def store(url: str, clock: Clock = CLOCK) -> EtcdStore:
    """On a machine from which no holder's process can be seen."""
    return EtcdStore(etcd_place(url, {}), clock, lambda _: Liveness.UNKNOWN)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Members of it may be stopped. `healed` wakes them."""
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder, etcd_cluster(Path(folder)) as made:
        yield made


@pytest.fixture
def healed(cluster: Cluster) -> Iterator[Cluster]:
    yield cluster
    for member in cluster.members:
        if member.has_ended():
            member.start()
        member.wake()
    cluster.await_health()


@pytest.fixture
def opened() -> Iterator[Callable[..., EtcdStore]]:
    """Makes handles that are closed in the end, also those whose clock is some hours off."""
    stores: list[EtcdStore] = []

    def made(url: str, hours: float = 0) -> EtcdStore:
        stores.append(store(url, OffClock(hours)))
        return stores[-1]

    yield made
    for each in stores:
        each.close()


# -- the lease


def test_a_holder_that_ended_loses_its_lease_by_etcds_clock_and_writes_nothing_more(
    etcd: Cluster, opened: Callable[..., EtcdStore]
) -> None:
    url = etcd.url(query=f"?lease={LEASE_S}s")
    first, second = opened(url), opened(url, hours=-1)  # what a slow clock says of the lease's end does not count
    old = first.take_lease("shop", holder(1))
    first.create_run(header("r1"))
    first.append("r1", [record(1)], durable=True)
    ended_at_s = CLOCK.monotonic_s()
    first._leases.close()  # as when its machine ends: nobody renews
    with pytest.raises(PairBusy, match="shop is held by anna@ops1, pid 1, run r1"):
        second.take_lease("shop", holder(2, run="r1", host="ops2"))
    new = _taken_in_time(second)
    assert CLOCK.monotonic_s() - ended_at_s > 0.5 * LEASE_S
    assert new.epoch == old.epoch + 1
    attempts: list[Callable[[], None]] = [
        lambda: first.append("r1", [record(2, by="old")], durable=False),
        lambda: first.set_state("r1", "ended", "succeeded"),
        lambda: first.append("r1", [record(2, by="old")], durable=True),
    ]
    for attempt in attempts:
        with pytest.raises(StoreFailed, match="the lease of shop was taken over by anna@ops2, pid 2, run r1"):
            attempt()
    with pytest.raises(LeaseLost, match="the lease of shop was taken over by anna@ops2, pid 2"):
        first.check_lease(old)
    second.append("r1", [record(2, by="new")], durable=False)
    assert [found.body for found in second.records("r1")] == [{}, {"by": "new"}]
    assert second.header("r1").outcome is None


def _taken_in_time(opened: Store) -> Lease:
    deadline = Deadline.after(CLOCK, 60)
    while True:
        try:
            return opened.take_lease("shop", holder(2, run="r1", host="ops2"))
        except PairBusy:
            assert not deadline.is_over()
            CLOCK.sleep(0.05)


def test_a_clock_that_is_an_hour_fast_takes_no_lease_from_a_holder_that_lives(etcd: Cluster, opened: Callable[..., EtcdStore]) -> None:
    url = etcd.url(query=f"?lease={LEASE_S}s")
    first, second = opened(url), opened(url, hours=1)
    lease = first.take_lease("shop", holder(1))
    deadline = Deadline.after(CLOCK, LEASE_S + 1.0)  # it does nothing for longer than its lease, but it lives
    while not deadline.is_over():
        with pytest.raises(PairBusy, match="shop is held by anna@ops1"):
            second.take_lease("shop", holder(2, run="r2"))
        CLOCK.sleep(0.2)
    first.check_lease(lease)


# -- members that are gone


@pytest.mark.parametrize(("who", "way"), [("leader", "stop"), ("the one that is asked", "kill")])
def test_one_member_of_three_is_not_missed(healed: Cluster, opened: Callable[..., EtcdStore], who: str, way: str) -> None:
    used = opened(healed.url())
    lease = used.take_lease("shop", holder(1))
    used.create_run(header("r1"))
    member = healed.leader() if who == "leader" else healed.members[0]
    (member.stop if way == "stop" else member.kill)()
    assert eventually(lambda: _appended(used))  # on a busy machine an election may take longer than the two seconds of a call
    used.check_lease(lease)
    assert used.records("r1") == (record(1),)


def _appended(used: EtcdStore) -> bool:
    try:
        used.append("r1", [record(1)], durable=True)
    except StoreFailed:
        return False
    return True


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_without_the_majority_nothing_is_sure_and_it_is_said_in_time(healed: Cluster, opened: Callable[..., EtcdStore], way: str) -> None:
    used = opened(healed.url())
    lease = used.take_lease("shop", holder(1))
    used.create_run(header("r1"))
    for member in healed.members[:2]:
        (member.stop if way == "stop" else member.kill)()
    with pytest.raises(StoreFailed, match="etcd gave no answer within 1s") as failed:
        used.check_lease(lease)
    assert "majority" in failed.value.hint
    took_s = []
    for _ in range(4):  # what follows waits no longer than it must
        began_s = CLOCK.monotonic_s()
        with pytest.raises(StoreFailed):
            used.append("r1", [record(1)], durable=False)
        took_s.append(CLOCK.monotonic_s() - began_s)
    assert min(took_s) < 1.0
    with pytest.raises(StoreFailed):
        used.release_lease(lease)


# -- what lands although it failed


def test_an_append_that_landed_although_it_failed_gives_way_to_the_one_that_follows(
    etcd: Cluster, opened: Callable[..., EtcdStore]
) -> None:
    with odd_proxy(etcd.address(0)) as proxy:
        used, other = opened(f"etcd://{proxy.address}/lost"), opened(etcd.url("lost"))
        used.take_lease("shop", holder(1))
        used.create_run(header("r1"))
        used.append("r1", [record(1)], durable=True)
        proxy.let_out.clear()
        with pytest.raises(StoreFailed, match="etcd gave no answer within 2s"):
            used.append("r1", [record(2, says="failed"), record(3, says="failed")], durable=True)
        assert len(other.records("r1")) == 3, "it did not land: the test proves nothing"
        proxy.let_out.set()
        CLOCK.sleep(0.6)
        used.append("r1", [record(2, says="goes on")], durable=True)
        used.append("r1", [record(3, says="goes on")], durable=True)
    assert [found.body.get("says") for found in other.records("r1")] == [None, "goes on", "goes on"]


def test_what_lands_late_changes_nothing_any_more(etcd: Cluster, opened: Callable[..., EtcdStore]) -> None:
    with odd_proxy(etcd.address(0)) as proxy:
        used, also, other = opened(f"etcd://{proxy.address}/late"), opened(f"etcd://{proxy.address}/late"), opened(etcd.url("late"))
        used.take_lease("shop", holder(1))
        used.create_run(header("r1"))
        also.set_state("r1", "changing", None)
        proxy.let_in.clear()
        proxy.sent.clear()
        with pytest.raises(StoreFailed):
            used.append("r1", [record(1, says="late")], durable=True)
        with pytest.raises(StoreFailed):
            also.set_state("r1", "late", None)
        other.append("r1", [record(1, says="in time")], durable=True)
        other.set_state("r1", "ended", "rolled_back")
        proxy.let_in.set()
        assert proxy.sent.wait(60)
        CLOCK.sleep(0.3)
    assert [found.body for found in other.records("r1")] == [{"says": "in time"}]
    assert other.header("r1").outcome == "rolled_back"


def test_a_write_whose_reply_is_lost_is_made_once(etcd: Cluster, opened: Callable[..., EtcdStore]) -> None:
    with odd_proxy(etcd.address(0)) as proxy:
        used = opened(f"etcd://{proxy.address}/once")
        for write in (
            lambda: used.take_lease("shop", holder(1)),
            lambda: used.create_run(header("r1")),
            lambda: used.append("r1", [record(1)], durable=True),
            lambda: used.set_state("r1", "changing", None),
        ):
            proxy.loses = b"request_put"
            write()
            assert proxy.loses == b"", "no reply was lost: the test proves nothing"
        assert used.records("r1") == (record(1),)
        assert used.header("r1").state == "changing"
        for loses, seen, add, take in ((b"request_put", [], [hold()], []), (b"request_delete", [hold()], [], [hold()])):
            proxy.loses = loses
            assert used.change_marks("shop", seen, add=add, take=take), "it was done, and is said not to be"
            assert proxy.loses == b"", "no reply was lost: the test proves nothing"
        assert used.marks("shop") == ()
    assert etcd.ask("kv/range", {"key": b64encode(b"once/epoch/shop").decode()})["kvs"][0]["value"] == b64encode(b"1").decode()


# -- space, identity, suspicion


def test_an_etcd_that_is_full_refuses_before_the_first_effect(tmp_path: Path) -> None:
    with etcd_cluster(tmp_path, size=1, options=["--quota-backend-bytes", str(256 << 10)]) as small:
        used = store(small.url())
        used.create_run(header("r1"))
        used.reserve("r1", 1 << 20)
        with pytest.raises(StoreFailed, match="database space exceeded") as full:
            _fill(used)
        assert "etcdctl alarm disarm" in full.value.hint
        with pytest.raises(StoreFailed, match="etcd has raised NOSPACE: run r1 may need 1048576 bytes"):
            used.reserve("r1", 1 << 20)
        used.close()


def _fill(used: Store) -> None:
    """Many times what fits: etcd counts what it has committed to its file, which it does every tenth of a second."""
    for seq in range(1, 400):
        used.append("r1", [record(seq, filler="x" * (64 << 10))], durable=True)


def test_tls_and_an_account(tmp_path: Path) -> None:
    network = "127.31.7"
    authority = Authority(tmp_path)
    certificate, key = authority.issue("etcd", f"{network}.1")
    options = ["--cert-file", str(certificate), "--key-file", str(key), "--auth-token", "simple"]
    with etcd_cluster(tmp_path, size=1, options=options, scheme="https", network=network) as guarded:
        open_ = store(guarded.url("p", f"?ca={authority.ca}"))
        for path, body in (
            ("auth/user/add", {"name": "root", "password": "s3cret"}),
            ("auth/user/grant", {"user": "root", "role": "root"}),
            ("auth/enable", {}),
        ):
            open_._client.call(path, body, within_s=60)
        with pytest.raises(StoreFailed, match="user name is empty") as nobody:
            open_.runs(None)
        assert "INTERLOCK_ETCD_USER" in nobody.value.hint
        open_.close()
        environ = {"INTERLOCK_ETCD_USER": "root", "INTERLOCK_ETCD_PASSWORD": "s3cret", "INTERLOCK_ETCD_CA": str(authority.ca)}
        known = EtcdStore(etcd_place(guarded.url("p"), environ), CLOCK)
        known.create_run(header("r1"))
        known._client._token = "forgotten.1"  # as by a member that was started again
        assert known.header("r1").run == "r1"
        known.close()
        wrong = EtcdStore(etcd_place(guarded.url("p"), {**environ, "INTERLOCK_ETCD_PASSWORD": "wr0ng"}), CLOCK)
        with pytest.raises(StoreFailed, match="authentication failed") as refused:
            wrong.runs(None)
        assert "wr0ng" not in refused.value.message + refused.value.hint
        wrong.close()
        stranger = store(guarded.url("p"))
        with pytest.raises(StoreFailed, match="certificate verify failed"):
            stranger.runs(None)
        stranger.close()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        pytest.param("run/r1", "{", "the header of run .*run/r1 in etcd can't be read", id="header"),
        pytest.param(
            "run/r1", '{"run": 1}', "the header of run .*run/r1 in etcd can't be read: 'playbook'", id="header without its fields"
        ),
        pytest.param("record/r1/00000001", "[1]", "the append .*record/r1/00000001 of run r1 can't be read", id="append"),
        pytest.param("record/r1/00000001", '{"records": [{"seq": 1}]}', "can't be read: 'kind'", id="record without its fields"),
        pytest.param("record/r1/00000002", '{"token": "x", "records": []}', "record 2 of run r1 is missing: record 3 comes next", id="gap"),
    ],
)
def test_what_was_changed_by_hand_is_named(etcd: Cluster, opened: Callable[..., EtcdStore], key: str, value: str, message: str) -> None:
    url = etcd.url()
    used = opened(url)
    used.create_run(header("r1"))
    for seq in (1, 2, 3):
        used.append("r1", [Record(seq=seq, kind="step", at=CLOCK.wall())], durable=True)
    prefix = etcd_place(url, {}).prefix
    etcd.ask("kv/put", {"key": b64encode(f"{prefix}/{key}".encode()).decode(), "value": b64encode(value.encode()).decode()})
    with pytest.raises(StoreFailed, match=message) as broken:
        used.runs(None) and used.records("r1")
    assert "by hand" in broken.value.hint


@pytest.mark.parametrize("value", ["{", "[]", '{"epoch": 1}', '{"epoch": 1, "holder": {"who": 1}}'])
def test_a_lease_that_was_changed_by_hand_is_nobodys(etcd: Cluster, opened: Callable[..., EtcdStore], value: str) -> None:
    url = etcd.url()
    prefix = etcd_place(url, {}).prefix
    etcd.ask("kv/put", {"key": b64encode(f"{prefix}/lease/shop".encode()).decode(), "value": b64encode(value.encode()).decode()})
    with pytest.raises(StoreFailed, match="the lease of shop in etcd can't be read"):
        opened(url).take_lease("shop", holder(1))


def test_nobody_at_that_address_is_said_with_each_ones_reason() -> None:
    nowhere = store("etcd://127.31.8.1:2379,127.31.8.2:2379")
    with pytest.raises(StoreFailed, match=r"127.31.8.1:2379: .*Connection refused; 127.31.8.2:2379: .*Connection refused") as failed:
        nowhere.check_lease(Lease(topology="shop", epoch=1, holder=holder(1)))
    assert "reachable from here" in failed.value.hint
    nowhere.close()
