"""`interlock watch --act failover` on a real pair: one failover of a writer that is dead, and none of one that lives."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

import hanging
from faults.network import Cables, cables
from interlock.playbook.find import shipped_folder
from interlock.sandbox import members
from interlock.sandbox import pair as pairs
from interlock.sandbox.barred import is_barred
from interlock.sandbox.load import load
from interlock.sandbox.places import Sandbox
from interlock.sandbox.poller import poller
from interlock.sandbox.sql import query
from scenarios.command_line import PROGRAM, environment, interlock
from scenarios.pair_state import CLOCK, open_sides, pid_of
from waiting import eventually

_OPTIONS = ("--act", "failover", "--every", "200ms", "--after", "1s")
_LONG_S = 4.0
"""Several times as long as a dead writer would be waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    process: subprocess.Popen[str]
    printed: Path

    def says(self, text: str, *, times: int = 1, within_s: float = 60.0) -> bool:
        return eventually(lambda: self.printed.read_text().count(text) >= times, within_s)

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(120)


@contextmanager
def watching(
    env: Mapping[str, str], folder: Path, *options: str, inside: AbstractContextManager[None] | None = None, cwd: Path | None = None
) -> Iterator[Watching]:
    """It has looked once. `inside` is the network that it looks from."""
    printed = folder / "watch.out"
    with printed.open("w") as out, inside or nullcontext():
        words = [*PROGRAM, "watch", *_OPTIONS, *options]
        process = subprocess.Popen(words, env=dict(env), cwd=cwd, stdout=out, stderr=out, stdin=subprocess.DEVNULL, text=True)
    try:
        watch = Watching(process=process, printed=printed)
        assert watch.says("watch: looks"), printed.read_text()
        yield watch
    finally:
        process.kill()
        process.wait()


def runs(env: Mapping[str, str]) -> list[tuple[str, str]]:
    """Playbook and outcome of each."""
    return [(each["playbook"], each["outcome"]) for each in interlock("runs", "--json", env=env).document]


def test_a_writer_that_is_killed_is_replaced_once_as_soon_as_nobody_holds_the_pair(fresh_pair: Sandbox, tmp_path: Path) -> None:
    env = environment(fresh_pair, tmp_path)
    assert interlock("hold", "--reason", "new disk", env=env).code == 0
    metrics = f"{fresh_pair.proxy.host}:9478"
    with (
        watching(env, tmp_path, "--metrics", metrics) as watch,
        poller(fresh_pair) as polling,
        load(fresh_pair, pooled=2, fresh=2) as writing,
    ):
        CLOCK.sleep(0.3)
        members.stop(Path(fresh_pair.directory), "east", kill=True)
        assert watch.says("the pair is held by"), watch.printed.read_text()
        CLOCK.sleep(1.0)
        assert runs(env) == []
        assert interlock("release", env=env).code == 0
        assert watch.says("has ended: succeeded"), watch.printed.read_text()
        assert watch.says("writer: west takes the writes"), "it goes on watching"
        CLOCK.sleep(2.0)  # east looks dead all the time
        entries, samples = writing.stop(), polling.stop()
        scraped = urlopen(f"http://{metrics}/metrics", timeout=60).read().decode()
        assert watch.end() == 0
    assert runs(env) == [("failover", "succeeded")]
    for sample in (
        'interlock_verdict{cluster="east",interlock_verdict="dead",topology="sandbox"} 1.0',
        'interlock_takes_writes{cluster="west",topology="sandbox"} 1.0',
        'interlock_automatic_runs_total{outcome="succeeded",topology="sandbox"} 1.0',
    ):
        assert sample in scraped, scraped
    (run,) = [each["run"] for each in interlock("runs", "--json", env=env).document]
    assert run.startswith("watch-")
    said = watch.printed.read_text()
    for words in ("east: dead: east is dead: refused here", f"run {run} moves the writes to west", "east is marked as failed since"):
        assert words in said, said
    assert (samples.two, is_barred(fresh_pair.members["east"])) == (0, True)
    assert query(fresh_pair, "west", "SELECT @@read_only AS fenced") == [{"fenced": 0}]
    assert any(entry.server == fresh_pair.members["west"].server_id for entry in entries)


def test_a_writer_that_hangs_is_told_of_and_left_alone(fresh_pair: Sandbox, tmp_path: Path) -> None:
    env, east = environment(fresh_pair, tmp_path), pid_of(fresh_pair, "east")
    with watching(env, tmp_path) as watch:
        with hanging.hung(east):
            assert watch.says("east: hung: east hangs"), watch.printed.read_text()
            CLOCK.sleep(_LONG_S)
        assert eventually(lambda: watch.printed.read_text().rstrip().count("writer: east takes the writes") == 2, 60.0), (
            watch.printed.read_text()
        )
        assert watch.end() == 0
    assert (runs(env), open_sides(fresh_pair)) == ([], ["east"])
    assert "acts: " not in watch.printed.read_text()


def test_a_signal_while_it_acts_takes_the_run_back_and_ends_the_watch(fresh_pair: Sandbox, tmp_path: Path) -> None:
    """Its own failover is slow before anything is touched."""
    slow = tmp_path / "playbooks" / "failover.yaml"
    slow.parent.mkdir()
    mark, step = "  - check: runs.none_unfinished\n", "  - check: command\n    with: {run: [sleep, '3'], within: 10s}\n"
    slow.write_text((shipped_folder() / "failover.yaml").read_text().replace(mark, mark + step))
    env = environment(fresh_pair, tmp_path)
    with watching(env, tmp_path, cwd=tmp_path) as watch:
        members.stop(Path(fresh_pair.directory), "east", kill=True)
        assert watch.says("✓ runs.none_unfinished"), watch.printed.read_text()
        assert watch.end() == 0
    assert "has ended: refused" in watch.printed.read_text()
    assert runs(env) == [("failover", "refused")]
    assert query(fresh_pair, "west", "SELECT @@read_only AS fenced") == [{"fenced": 1}]
    assert not is_barred(fresh_pair.members["east"])


@pytest.fixture
def apart() -> Iterator[tuple[Sandbox, Cables]]:
    """A pair on a network of its own; west is sent a heartbeat as often as it is asked whether it hears from east."""
    folder = Path(tempfile.mkdtemp(prefix="interlock-"))
    try:
        with cables() as made:
            sandbox = pairs.up(folder / "pair", clock=CLOCK, network=made.network())
            try:
                for word in ("STOP SLAVE", "CHANGE MASTER TO MASTER_HEARTBEAT_PERIOD=0.3", "START SLAVE"):
                    query(sandbox, "west", word)
                yield sandbox, made
            finally:
                pairs.down(folder / "pair")
    finally:
        shutil.rmtree(folder)


def test_a_writer_that_a_firewall_hides_from_here_alone_is_left_alone(apart: tuple[Sandbox, Cables], tmp_path: Path) -> None:
    sandbox, network = apart
    env = environment(sandbox, tmp_path)
    with watching(env, tmp_path, inside=network.inside("tool")) as watch:
        network.cut("tool", "east")
        assert watch.says("east: cut off: east can't be reached from here, and lives"), watch.printed.read_text()
        CLOCK.sleep(_LONG_S)
        network.mend()
        assert watch.says("writer: east takes the writes", times=2), watch.printed.read_text()
        assert watch.end() == 0
    assert "acts: " not in watch.printed.read_text()
    with network.inside("tool"):
        assert (runs(env), open_sides(sandbox)) == ([], ["east"])


def test_a_writer_whose_host_is_off_is_replaced_though_each_look_waits_for_it(apart: tuple[Sandbox, Cables], tmp_path: Path) -> None:
    sandbox, network = apart
    env = environment(sandbox, tmp_path)
    for word in ("SET GLOBAL slave_net_timeout=2", "STOP SLAVE", "START SLAVE"):
        query(sandbox, "west", word)
    with watching(env, tmp_path, inside=network.inside("tool")) as watch:
        for place in ("tool", "west", "proxy"):
            network.cut(place, "east")
        assert watch.says("has ended: succeeded", within_s=90.0), watch.printed.read_text()
        assert watch.end() == 0
    with network.inside("tool"):
        assert runs(env) == [("failover", "succeeded")]
    assert query(sandbox, "west", "SELECT @@read_only AS fenced") == [{"fenced": 0}]
    assert is_barred(sandbox.members["east"])


def test_the_first_line_of_a_watch_that_can_t_act_says_why(fresh_pair: Sandbox, tmp_path: Path) -> None:
    """Its playbook is read before there is an emergency."""
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "failover.yaml").write_text("playbook: failover\n")
    ended = interlock("watch", *_OPTIONS, env=environment(fresh_pair, tmp_path), cwd=tmp_path)
    assert ended.code == 2
    assert "failover.yaml:" in ended.err
