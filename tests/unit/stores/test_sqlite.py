"""What only a file can do wrong: rights, damage, other programs, other versions, full disks, killed processes."""

from __future__ import annotations

import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from interlock.decisions.leases import RENEW_AFTER
from interlock.engine.marks import put_mark
from interlock.errors import PairBusy, StoreFailed
from interlock.ports import Lease
from interlock.stores.database import open_database
from interlock.stores.schema import APPLICATION_ID, SCHEMA
from interlock.stores.sqlite import SqliteStore
from unit.stores.contract import HandClock, header, hold, holder, record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "interlock.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore.open(path, HandClock())
    opened.create_run(header("r1"))
    yield opened
    opened.close()


def sizes(path: Path) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in sorted(path.parent.iterdir())}


@contextmanager
def files_end_at(size_bytes: int) -> Iterator[None]:
    """No file of this process can grow beyond. Stands in for a full disk: SQLite sees EFBIG instead of ENOSPC."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# -- rights


def test_file_and_folder_are_the_owners_alone(store: SqliteStore, path: Path) -> None:
    store.append("r1", [record(1)], durable=True)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {
        "interlock.db": 0o600,
        "interlock.db-shm": 0o600,
        "interlock.db-wal": 0o600,
    }


@pytest.mark.parametrize("mode", [pytest.param(0o777, id="open to all"), pytest.param(0o1777, id="like /tmp")])
def test_a_folder_that_everybody_may_write_into_is_refused(path: Path, mode: int) -> None:
    path.parent.mkdir()
    path.parent.chmod(mode)
    with pytest.raises(StoreFailed, match="everybody may write into") as refused:
        SqliteStore.open(path, HandClock())
    assert f"chmod o-w {path.parent}" in refused.value.hint
    assert sizes(path) == {}


def test_a_file_that_everybody_may_write_is_refused(store: SqliteStore, path: Path) -> None:
    store.close()
    path.chmod(0o666)
    with pytest.raises(StoreFailed, match="everybody may write to the store") as refused:
        SqliteStore.open(path, HandClock())
    assert f"chmod 0600 {path}" in refused.value.hint


# -- damage


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9000])


def scribbled(path: Path) -> None:
    text = bytearray(path.read_bytes())
    text[4096 : 3 * 4096] = b"\xa5" * 2 * 4096
    path.write_bytes(bytes(text))


def foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE run (name TEXT)")


def without_tables(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        other.execute(f"PRAGMA user_version = {len(SCHEMA)}")


def no_file(path: Path) -> None:
    path.unlink()
    path.mkdir()


def only_the_wal(path: Path) -> None:
    path.unlink()
    path.with_name(path.name + "-wal").write_bytes(b"old")


@pytest.mark.parametrize(
    ("damage", "message", "hint"),
    [
        pytest.param(lambda path: path.write_bytes(b""), "is empty", "begin a new store", id="empty"),
        pytest.param(lambda path: path.write_bytes(b"not a store\n" * 999), "not a database", "begin a new store", id="text"),
        pytest.param(lambda path: path.write_bytes(b"\0" * 8192), "not a database", "begin a new store", id="zeros"),
        pytest.param(truncated, "malformed", "begin a new store", id="truncated"),
        pytest.param(scribbled, "malformed", "begin a new store", id="scribbled"),
        pytest.param(without_tables, "no such table", "begin a new store", id="without tables"),
        pytest.param(foreign, "of another program", "--store", id="of another program"),
        pytest.param(no_file, "is not a file", "--store", id="a folder"),
        pytest.param(only_the_wal, "is gone, its interlock.db-wal is left", "begin a new store", id="only the WAL"),
    ],
)
def test_a_broken_file_is_named_and_nothing_is_made_of_it(
    store: SqliteStore, path: Path, damage: Callable[[Path], object], message: str, hint: str
) -> None:
    store.append("r1", [record(seq, filler="x" * 3000) for seq in range(1, 9)], durable=True)
    store.close()
    damage(path)

    def use() -> None:
        with closing(SqliteStore.open(path, HandClock())) as again:
            again.records("r1")
            again.reserve("r1", 1000)

    with pytest.raises(StoreFailed, match=message) as refused:
        use()
    assert str(path) in refused.value.message
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param("DELETE FROM record WHERE seq = 2", "record 2 of run r1 is missing: record 3 comes next", id="gap"),
        pytest.param("DELETE FROM record WHERE seq = 1", "record 1 of run r1 is missing: record 2 comes next", id="no beginning"),
        pytest.param("UPDATE record SET body = '{\"a\":' WHERE seq = 2", "record 2 of run r1 can't be read", id="cut JSON"),
        pytest.param("UPDATE record SET body = '[1]' WHERE seq = 2", "record 2 of run r1 can't be read: its body is not", id="a list"),
        pytest.param("UPDATE record SET body = CAST(x'ff' AS TEXT) WHERE seq = 2", "record 2 of run r1 can't be read", id="not UTF-8"),
        pytest.param(f"UPDATE record SET body = '{'[' * 100_000}' WHERE seq = 2", "record 2 of run r1 can't be read", id="too deep"),
        pytest.param("UPDATE record SET at = 'yesterday' WHERE seq = 3", "record 3 of run r1 can't be read", id="no time"),
        pytest.param("UPDATE record SET at = '2025-01-01' WHERE seq = 3", "record 3 of run r1 can't be read", id="no time zone"),
    ],
)
def test_a_broken_journal_names_run_and_record(store: SqliteStore, path: Path, change: str, message: str) -> None:
    store.append("r1", [record(seq) for seq in (1, 2, 3)], durable=True)
    with closing(sqlite3.connect(path)) as by_hand, by_hand:
        by_hand.execute("DROP TRIGGER record_is_never_changed")
        by_hand.execute("DROP TRIGGER record_is_never_removed")
        by_hand.execute(change)
    with pytest.raises(StoreFailed, match=message) as refused:
        store.records("r1")
    assert "begin a new run" in refused.value.hint


@pytest.mark.parametrize("statement", ["UPDATE record SET body = '{}'", "DELETE FROM record"])
def test_records_can_not_be_changed(store: SqliteStore, path: Path, statement: str) -> None:
    store.append("r1", [record(1, a=1)], durable=True)
    with closing(sqlite3.connect(path)) as by_hand, pytest.raises(sqlite3.IntegrityError, match="records are append-only"):
        by_hand.execute(statement)


def test_a_closed_store_says_so(store: SqliteStore) -> None:
    store.close()
    with pytest.raises(StoreFailed, match="could not list its runs: Cannot operate on a closed database"):
        store.runs(None)


def removed(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()


def replaced(path: Path) -> None:
    other = path.parent / "other.db"
    SqliteStore.open(other, HandClock()).close()
    other.replace(path)


def a_whole_new_store(path: Path) -> None:
    removed(path)
    SqliteStore.open(path, HandClock()).close()


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda store, _: store.append("r1", [record(1)], durable=True), id="a durable record"),
        pytest.param(lambda store, _: store.append("r1", [record(1)], durable=False), id="a record"),
        pytest.param(lambda store, _: store.set_state("r1", "ended", "succeeded"), id="the state"),
        pytest.param(lambda store, _: store.create_run(header("r2")), id="a new run"),
        pytest.param(lambda store, _: store.reserve("r1", 1000), id="room"),
        pytest.param(lambda store, _: store.take_lease("other", holder(1)), id="another lease"),
        pytest.param(lambda store, lease: store.release_lease(lease), id="the lease's end"),
    ],
)
@pytest.mark.parametrize("harm", [removed, replaced, a_whole_new_store])
def test_a_file_that_is_removed_or_replaced_while_it_is_used_takes_nothing_more(
    store: SqliteStore, path: Path, harm: Callable[[Path], object], use: Callable[[SqliteStore, Lease], object]
) -> None:
    """What is written to a removed file nobody will ever find: the run would go on, and could not be resumed."""
    lease = store.take_lease("shop", holder(1))
    harm(path)
    with pytest.raises(StoreFailed, match="was removed or replaced while it was in use") as refused:
        use(store, lease)
    assert str(path) in refused.value.message
    assert "put the file back" in refused.value.hint


def test_the_lease_in_a_file_that_is_gone_is_not_renewed(path: Path) -> None:
    """To look at it takes one read; that the file is gone is seen when it is to be written, at the latest with the next record."""
    clock = HandClock()
    opened = SqliteStore.open(path, clock)
    try:
        lease = opened.take_lease("shop", holder(1))
        removed(path)
        clock.sleep(RENEW_AFTER.total_seconds() + 1)
        with pytest.raises(StoreFailed, match="was removed or replaced while it was in use"):
            opened.check_lease(lease)
    finally:
        opened.close()


def test_a_file_that_is_moved_away_and_put_back_is_used_again(store: SqliteStore, path: Path) -> None:
    aside = path.with_suffix(".aside")
    path.rename(aside)
    with pytest.raises(StoreFailed, match="was removed or replaced"):
        store.append("r1", [record(1)], durable=True)
    aside.rename(path)
    store.append("r1", [record(1)], durable=True)
    assert store.records("r1") == (record(1),)


# -- versions


NEXT = (*SCHEMA, ("ALTER TABLE run ADD COLUMN note TEXT NOT NULL DEFAULT ''", "UPDATE run SET note = 'moved'"))


def test_an_older_store_is_brought_up_to_date_and_keeps_its_runs(store: SqliteStore, path: Path) -> None:
    store.append("r1", [record(1, a=1)], durable=True)
    newer = SqliteStore(open_database(path, NEXT), HandClock())
    assert newer.records("r1") == (record(1, a=1),)
    newer.close()
    with closing(sqlite3.connect(path)) as by_hand:
        assert by_hand.execute("SELECT note FROM run").fetchall() == [("moved",)]


@pytest.mark.parametrize("version", range(1, len(SCHEMA)))
def test_a_store_of_any_version_that_shipped_keeps_its_runs_and_takes_marks(path: Path, version: int) -> None:
    with closing(SqliteStore(open_database(path, SCHEMA[:version]), HandClock())) as old:
        old.create_run(header("r1"))
        old.append("r1", [record(1, a=1)], durable=True)
    with closing(SqliteStore.open(path, HandClock())) as newer:
        put_mark(newer, hold())
        assert newer.records("r1") == (record(1, a=1),)
        assert newer.marks("shop") == (hold(),)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        pytest.param(
            "kind", "'closed'", "the mark closed of shop can't be read: 'closed' is not a valid MarkKind", id="of another version"
        ),
        pytest.param("set_at", "'noon'", "the mark hold of shop can't be read: Invalid isoformat", id="no time"),
        pytest.param("until", "'2025-03-01'", "the mark hold of shop can't be read: '2025-03-01' has no time zone", id="no time zone"),
    ],
)
def test_a_mark_that_cant_be_read_is_not_passed_over(store: SqliteStore, path: Path, column: str, value: str, message: str) -> None:
    """Else a hold would hold nothing."""
    put_mark(store, hold())
    with closing(sqlite3.connect(path)) as by_hand, by_hand:
        by_hand.execute(f"UPDATE mark SET {column} = {value}")
    with pytest.raises(StoreFailed, match=message) as refused:
        store.marks("shop")
    assert "newer Interlock" in refused.value.hint


def test_a_migration_that_fails_leaves_the_old_version(store: SqliteStore, path: Path) -> None:
    broken = (*NEXT, ("CREATE TABLE run (x)",))
    with pytest.raises(StoreFailed, match="table run already exists"):
        open_database(path, broken)
    store.close()
    again = SqliteStore.open(path, HandClock())
    assert again.header("r1").run == "r1"
    again.close()


def test_a_newer_store_is_refused_and_left_alone(path: Path) -> None:
    open_database(path, NEXT).close()
    before = path.read_bytes()
    told = f"written by a newer Interlock: its schema is version {len(NEXT)}, this one knows {len(SCHEMA)}"
    with pytest.raises(StoreFailed, match=told) as refused:
        SqliteStore.open(path, HandClock())
    assert "use the newer Interlock" in refused.value.hint
    assert path.read_bytes() == before


# -- full disks


@pytest.mark.parametrize(
    ("body_bytes", "durable_every"),
    [
        pytest.param(20, 1, id="tiny"),
        pytest.param(500, 3, id="usual"),
        pytest.param(2200, 1, id="half a page and a bit"),
        pytest.param(4300, 1, id="a page and a bit"),
        pytest.param(40_000, 2, id="large"),
    ],
)
def test_after_room_was_made_the_records_fit_on_a_full_disk(store: SqliteStore, path: Path, body_bytes: int, durable_every: int) -> None:
    size = 400_000
    lease = store.take_lease("shop", holder(1))
    store.reserve("r1", size)
    reserved = sizes(path)
    with files_end_at(max(reserved.values())):
        written = 0
        for seq in range(1, size // (body_bytes + 128) + 1):
            store.append("r1", [record(seq, filler="x" * body_bytes)], durable=seq % durable_every == 0)
            store.check_lease(lease)
            written = seq
        store.set_state("r1", "ended", "succeeded")
    assert sizes(path) == reserved
    assert len(store.records("r1")) == written


def test_two_runs_at_once_have_room_each(store: SqliteStore, path: Path) -> None:
    other = SqliteStore.open(path, HandClock())
    other.create_run(header("r2", topology="other"))
    size = 2_000_000
    store.reserve("r1", size)
    other.reserve("r2", size)
    reserved = sizes(path)
    for seq in range(1, 401):
        store.append("r1", [record(seq, filler="x" * 4300)], durable=False)
        other.append("r2", [record(seq, filler="x" * 4300)], durable=False)
    assert sizes(path) == reserved
    other.close()


def test_room_that_was_not_used_is_used_by_the_next_run(store: SqliteStore, path: Path) -> None:
    store.reserve("r1", 100_000)
    store.set_state("r1", "ended", "succeeded")
    first = sizes(path)
    for run in ("r2", "r3", "r4"):
        store.create_run(header(run))
        store.reserve(run, 100_000)
        store.set_state(run, "ended", "succeeded")
    assert sizes(path)["interlock.db"] <= first["interlock.db"] + 4 * 4096


def test_a_full_disk_is_met_when_room_is_made_and_left_as_it_was(store: SqliteStore, path: Path) -> None:
    before = sizes(path)["interlock.db"]
    with files_end_at(2_000_000), pytest.raises(StoreFailed, match="could not make room for run r1") as refused:
        store.reserve("r1", 100_000)
    assert "is the disk full?" in refused.value.hint
    assert sizes(path)["interlock.db-wal"] == 0
    assert sizes(path)["interlock.db"] <= before + 8 * 4096
    store.append("r1", [record(1)], durable=True)


def test_a_disk_that_is_too_small_is_refused_before_anything_is_written(store: SqliteStore, path: Path) -> None:
    before = sizes(path)
    with pytest.raises(StoreFailed, match=r"the disk of the store .* is full: \d+ KiB are free, run r1 may need \d+ KiB") as refused:
        store.reserve("r1", 10**15)
    assert f"make room in {path.parent}" in refused.value.hint
    assert sizes(path) == before


def test_a_reader_that_stays_is_named_when_room_is_made(path: Path, store: SqliteStore) -> None:
    """The WAL can't begin again under a reader, so there would be no room in it."""
    store.append("r1", [record(1)], durable=True)
    store._database._connection.execute("PRAGMA busy_timeout = 50")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM run").fetchall()
        with pytest.raises(StoreFailed, match="another process keeps reading it") as refused:
            store.reserve("r1", 1000)
    assert f"fuser {path}" in refused.value.hint
    store.reserve("r1", 1000)


# -- several processes


def test_a_writer_that_stays_is_named(path: Path, store: SqliteStore) -> None:
    store._database._connection.execute("PRAGMA busy_timeout = 50")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreFailed, match="could not record run r1: database is locked") as refused:
            store.append("r1", [record(1)], durable=True)
    assert f"fuser {path}" in refused.value.hint


PROGRAM = """
import os, signal, sys
from pathlib import Path
from interlock.clock import SystemClock
from interlock.ports import Record
from interlock.stores.holder import this_holder
from interlock.stores.sqlite import SqliteStore
clock = SystemClock()
store = SqliteStore.open(Path(sys.argv[1]), clock)
store.take_lease("shop", this_holder("r1"))
for seq in range(1, 51):
    store.append("r1", [Record(seq=seq, kind="step", at=clock.wall(), body={})], durable=False)
print("there", flush=True)
sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_records_outlive_a_killed_process_and_its_lease_does_not(path: Path, store: SqliteStore) -> None:
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stdout.readline() == "there\n"
        with pytest.raises(PairBusy, match=rf"pid {program.pid}, run r1"):
            store.take_lease("shop", holder(1, run="r2"))
        program.stdin.write("\n")
        program.stdin.flush()
        program.wait(60)
    assert program.returncode == -signal.SIGKILL
    assert store.take_lease("shop", holder(1, run="r2")).epoch == 2
    assert [found.seq for found in store.records("r1")] == list(range(1, 51))


def test_many_processes_may_make_the_store_at_once(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from interlock.clock import SystemClock; from interlock.stores.sqlite import SqliteStore;"
        "sys.stdin.readline(); store = SqliteStore.open(Path(sys.argv[1]), SystemClock()); print(len(store.runs(None))); store.close()"
    )
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for program in programs:
        assert program.stdin is not None
        program.stdin.write("\n")
        program.stdin.flush()
    said = [program.communicate(timeout=120) for program in programs]
    assert said == [("0\n", "")] * 4
    # Two that close at the same moment may each take the other for the last one, and leave an empty WAL.
    assert sizes(path).keys() <= {"interlock.db", "interlock.db-shm", "interlock.db-wal"}


@pytest.mark.usefixtures("store")
def test_room_is_made_while_another_run_copies_the_log_back(path: Path) -> None:
    """SQLite does not wait for another connection's checkpoint, so runs of many pairs in one store would refuse each other."""
    program = (
        "import sys; from pathlib import Path; from datetime import UTC, datetime\n"
        "from interlock.clock import SystemClock; from interlock.ports import RunHeader; from interlock.stores.sqlite import SqliteStore\n"
        "store = SqliteStore.open(Path(sys.argv[1]), SystemClock()); run = sys.argv[2]\n"
        "store.create_run(RunHeader(run=run, playbook='p', topology=run, started_at=datetime.now(UTC), state='checking'))\n"
        "[store.reserve(run, 1 << 18) for _ in range(4)]; store.close()"
    )
    others = [subprocess.Popen([sys.executable, "-c", program, str(path), f"other{n}"], stderr=subprocess.PIPE) for n in range(4)]
    ended = [(other.communicate(timeout=180)[1].decode(), other.returncode) for other in others]
    assert ended == [("", 0)] * len(others)
