"""Semi-synchronous replication of real servers goes with the writes, comes back with them, and never lets a client wait for nobody."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from interlock.clock import SystemClock
from interlock.playbook.find import shipped_folder
from interlock.sandbox import members
from interlock.sandbox import pair as pairs
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from scenarios.command_line import environment, interlock
from waiting import eventually

TIMEOUT_MS = 1500
SIDES = {"mariadb": ("master", "slave"), "mysql": ("source", "replica")}
"""What each kind of server calls the side that waits, and the one that acknowledges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    pair: Sandbox
    env: dict[str, str]

    @property
    def sides(self) -> tuple[str, str]:
        return SIDES[self.pair.kind]

    def settings(self) -> dict[str, tuple[str, str]]:
        """Of each server whether its commits wait, and whether it acknowledges."""
        return {name: self.settings_of(name) for name in ("east", "west")}

    def settings_of(self, server: str) -> tuple[str, str]:
        waits, acknowledges = self.sides
        shown = f"SELECT @@rpl_semi_sync_{waits}_enabled AS waits, @@rpl_semi_sync_{acknowledges}_enabled AS acknowledges"
        (seen,) = query(self.pair, server, shown)
        return str(seen["waits"]), str(seen["acknowledges"])

    def status(self, server: str) -> dict[str, str]:
        """What the side that waits tells, by the last words of each name: `status`, `clients`, `no_tx`."""
        beginning = f"Rpl_semi_sync_{self.sides[0]}_"
        rows = query(self.pair, server, "SHOW GLOBAL STATUS LIKE 'rpl_semi_sync%%'")
        return {name.removeprefix(beginning): row["Value"] for row in rows if (name := str(row["Variable_name"])).startswith(beginning)}

    def is_acknowledged(self, server: str) -> bool:
        """Whether a commit made now is, by the server's own count."""
        before = self.status(server)
        self.commit_s(server)
        after = self.status(server)
        return (int(after["yes_tx"]) > int(before["yes_tx"]), after["no_tx"]) == (True, before["no_tx"])

    def commit_s(self, server: str) -> float:
        """How long one commit takes."""
        began_s = time.perf_counter()
        query(self.pair, server, "INSERT INTO app.ledger (k, server_id) VALUES (UUID(), @@server_id)")
        return time.perf_counter() - began_s


@contextmanager
def _pair(kind: str, *, waits: tuple[str, ...], acknowledges: tuple[str, ...]) -> Iterator[Acknowledged]:
    sends, receives = SIDES[kind]
    options = {f"rpl_semi_sync_{sends}_timeout": str(TIMEOUT_MS)}
    if kind == "mysql":
        options = {"plugin-load-add": "semisync_source.so;semisync_replica.so", **options}
    only = {
        name: {f"rpl_semi_sync_{sends}_enabled": f"{name in waits:d}", f"rpl_semi_sync_{receives}_enabled": f"{name in acknowledges:d}"}
        for name in ("east", "west")
    }
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder:
        sandbox = pairs.up(Path(folder) / "p", clock=SystemClock(), options=options, only=only, kind=kind)
        try:
            (Path(folder) / "home").mkdir()
            yield Acknowledged(pair=sandbox, env=environment(sandbox, Path(folder) / "home"))
        finally:
            pairs.down(Path(folder) / "p")


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def one_way(request: pytest.FixtureRequest) -> Iterator[Acknowledged]:
    """East's commits wait for west, as a pair is set up that has one writer; east does not acknowledge."""
    with _pair(request.param, waits=("east",), acknowledges=("west",)) as made:
        yield made


BEFORE, AFTER = {"east": ("1", "0"), "west": ("0", "1")}, {"east": ("0", "1"), "west": ("1", "0")}


def test_it_goes_with_the_writes_there_and_back(one_way: Acknowledged) -> None:
    assert one_way.settings() == BEFORE
    moved = interlock("switchover", "--to", "west", "--yes", "--json", env=one_way.env)
    assert (moved.document["outcome"], moved.document["warnings"]) == ("succeeded", [])
    assert one_way.settings() == AFTER
    assert one_way.is_acknowledged("west")
    status = one_way.status("west")
    assert (status["status"], status["clients"]) == ("ON", "1")
    assert int(status["yes_tx"]) > 0
    assert int(status["no_tx"]) <= 1, "but for one that was under way as it was switched on, no commit goes unacknowledged"
    assert interlock("switchover", "--to", "east", "--yes", env=one_way.env).code == 0
    assert one_way.settings() == BEFORE
    assert one_way.status("east")["status"] == "ON"


@pytest.mark.parametrize("phase", ["fence", "settle"])
def test_a_run_that_goes_back_leaves_it_exactly_as_it_was(one_way: Acknowledged, tmp_path: Path, phase: str) -> None:
    text, mark = (shipped_folder() / "switchover.yaml").read_text(), f"- phase: {phase}\n  steps:\n"
    assert mark in text
    path = tmp_path / "fails.yaml"
    path.write_text(text.replace(mark, f'{mark}  - check: command\n    with: {{run: ["false"], within: 5s}}\n'))
    ended = interlock("run", str(path), "-i", "to=west", "--yes", "--json", env=one_way.env)
    assert ended.document["outcome"] == "rolled_back", ended.out
    assert one_way.settings() == BEFORE
    assert one_way.is_acknowledged("east")
    assert one_way.status("east")["clients"] == "1"


def test_a_new_writer_whose_commits_would_wait_for_nobody_gets_somebody_first() -> None:
    """Both sides are set to wait, and nobody acknowledges: the first commit on west would hang until the time-out, as it does on east."""
    with _pair("mariadb", waits=("east", "west"), acknowledges=("west",)) as made:
        for setting in ("enabled=0", "enabled=1", "timeout=60000"):
            query(made.pair, "west", f"SET GLOBAL rpl_semi_sync_master_{setting}")
        assert made.status("west")["clients"] == "0"
        moved = interlock("switchover", "--to", "west", "--yes", "--json", env=made.env)
        assert moved.document["outcome"] == "succeeded", moved.out
        assert moved.document["outage_ms"] < 60_000
        assert made.status("west")["clients"] == "1"
        assert made.settings() == {"east": ("1", "1"), "west": ("1", "1")}


def test_without_anybody_who_acknowledges_a_commit_waits_for_the_whole_time_out() -> None:
    """The fact that the order of the steps rests on."""
    with _pair("mariadb", waits=("east",), acknowledges=()) as made:
        query(made.pair, "east", "SET GLOBAL rpl_semi_sync_master_enabled=0")
        query(made.pair, "east", "SET GLOBAL rpl_semi_sync_master_enabled=1")
        assert made.commit_s("east") >= TIMEOUT_MS / 1000 * 0.9


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_after_a_failover_nobody_waits_for_the_dead_one_to_acknowledge(kind: str) -> None:
    """Both sides wait for each other, for as long as it takes: the applier's own commits would wait, too."""
    with _pair(kind, waits=("east", "west"), acknowledges=("east", "west")) as made:
        query(made.pair, "west", f"SET GLOBAL rpl_semi_sync_{made.sides[0]}_timeout=3600000")
        assert eventually(lambda: made.status("west")["clients"] == "1")
        query(made.pair, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('last', @@server_id)")
        members.stop(Path(made.pair.directory), "east", kill=True)
        ended = interlock("failover", "--to", "west", "--json", env=made.env)
        assert ended.document["outcome"] == "succeeded", ended.out
        assert made.settings_of("west") == ("0", "1")
        assert any(f"SET GLOBAL rpl_semi_sync_{made.sides[0]}_enabled=1" in each for each in ended.document["warnings"]), ended.out
        assert query(made.pair, "west", "SELECT k FROM app.ledger WHERE k='last'") == [{"k": "last"}]
