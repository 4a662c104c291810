"""A dump through our process into a client, played by two small programs: told how far it is, held to a rate, and never left hanging."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.clock import Deadline, SystemClock
from interlock.model.returning import CopyFacts
from interlock.model.topology import Access, Account, ClusterName, ServerName, ServerSpec
from interlock.returning.dump import Copied, DumpCopy
from interlock.returning.programs import Programs

CLOCK = SystemClock()
HEAD = "echo \"/* SET @@GLOBAL.GTID_PURGED='+11af5619-e743-11f1-b8f7-02fc00000001:1-3';*/\""
TABLE = "echo; echo '-- Dumping data for table `t`'; echo 'INSERT;'"
WHOLE = f"{HEAD}; {TABLE}; {TABLE}"


def spec(name: str) -> ServerSpec:
    access = Access(account=Account(user="interlock", password=None), tls=None)
    return ServerSpec(name=ServerName(name), cluster=ClusterName(name), host="127.0.0.1", port=1, access=access)


def copy(folder: Path, dump: str, client: str, *, bytes_per_s: int = 0) -> DumpCopy:
    paths = []
    for name, script in (("dump", dump), ("client", client)):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        paths.append(str(path))
    what = Copied(
        flavor="mysql", source=spec("west"), target=spec("east"), schemas=("app",), tables=2, size_bytes=100, bytes_per_s=bytes_per_s
    )
    return DumpCopy(what, Programs(dump=paths[0], client=paths[1]), secret=lambda _: "", clock=CLOCK)


def ended(under_way: DumpCopy, within_s: float = 20.0) -> CopyFacts:
    deadline = Deadline.after(CLOCK, within_s)
    while not under_way.facts().is_over:
        assert not deadline.is_over(), under_way.facts()
        CLOCK.sleep(0.01)
    return under_way.facts()


def test_all_that_is_dumped_arrives_behind_the_words_that_keep_it_out_of_the_log(tmp_path: Path) -> None:
    under_way = copy(tmp_path, WHOLE, f"cat > {tmp_path}/arrived")
    under_way.start()
    facts = ended(under_way)
    assert (str(facts.position), facts.error, facts.tables) == ("11af5619-e743-11f1-b8f7-02fc00000001:1-3", "", 2)
    arrived = (tmp_path / "arrived").read_text()
    assert arrived.startswith("SET SESSION sql_log_bin=0;\nSELECT GET_LOCK('interlock_copy', 10);\n/* SET @@GLOBAL.GTID_PURGED")
    assert arrived.endswith("INSERT;\n")


FAILURES = {
    "the client fails while much is still to come": (
        "yes INSERT",
        "read line; echo 1290 read-only >&2; exit 3",
        "ended with 3: 1290 read-only",
    ),
    "the dump fails in the middle": (f"{WHOLE}; echo 2013 lost >&2; exit 2", "cat > /dev/null", "the dump ended with 2: 2013 lost"),
    "the dump does not tell its position": (TABLE, "cat > /dev/null", "does not say at which position"),
}


@pytest.mark.parametrize(("dump", "client", "why"), FAILURES.values(), ids=FAILURES)
def test_a_copy_that_fails_ends_with_the_reason(tmp_path: Path, dump: str, client: str, why: str) -> None:
    under_way = copy(tmp_path, dump, client)
    under_way.start()
    facts = ended(under_way)
    assert (facts.position, why in facts.error) == (None, True), facts.error


def test_a_copy_that_is_stopped_is_seen_to_end(tmp_path: Path) -> None:
    under_way = copy(tmp_path, "yes INSERT", "cat > /dev/null")
    under_way.start()
    while not under_way.facts().sent_bytes:
        CLOCK.sleep(0.01)
    under_way.stop()
    assert under_way.facts().error == "it was stopped"


def test_a_rate_is_kept(tmp_path: Path) -> None:
    under_way = copy(tmp_path, f"{HEAD}; head -c 300000 /dev/zero", "cat > /dev/null", bytes_per_s=300_000)
    began_s = CLOCK.monotonic_s()
    under_way.start()
    assert ended(under_way).position is not None
    assert CLOCK.monotonic_s() - began_s >= 0.8
