"""Many pairs with one command: simulated ones by the hundred, real ones on sandboxes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from interlock.clock import SystemClock
from interlock.fleet.looking import holder_of
from interlock.ports import RunHeader
from interlock.sandbox import drill, ledger, places
from interlock.sandbox import pair as pairs
from interlock.sandbox.load import load
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from interlock.stores.open import open_store
from scenarios.command_line import Ended, environment, interlock, start
from scenarios.fleets import Fleet, simulated_fleet, topology


def _runs(fleet: Fleet) -> list[RunHeader]:
    with closing(open_store(fleet.env["INTERLOCK_STORE"], SystemClock())) as store:
        return [header for header in store.runs(None) if header.topology != "(fleets)"]


def _pair(document: Any, name: str) -> Any:
    return next(pair for pair in document["pairs"] if pair["topology"] == name)


def test_a_hundred_pairs_ten_at_once_and_what_befalls_one_touches_no_other(tmp_path: Path) -> None:
    """97 that are well, one that hangs and heeds no signal, one whose process is killed, one that halts."""
    fleet = simulated_fleet(tmp_path, [*(f"well-{n:02}" for n in range(97)), "hangs", "crashes", "halts"])
    with fleet.start("--at-once", "10", "--stop-after-failures", "9", "--each-within", "150s") as process:
        _read_until(process, "[ 99/100]", 1)  # all the others are done while it hangs
        _kill(fleet, "f.hangs")
        document, code = _document(process), process.wait(120)
    assert (code, document["succeeded"], document["failed"], document["not_started"]) == (5, 97, 3, 0)
    assert Counter(pair["outcome"] for pair in document["pairs"]) == {"succeeded": 97, "halted": 1, None: 2}
    assert "ended by signal 9" in _pair(document, "crashes")["problems"][0]["what"]
    assert _pair(document, "hangs")["problems"][0]["hint"].startswith("interlock resume f.hangs")
    assert "interlock resume f.halts" in _pair(document, "halts")["next_commands"]
    code, document = fleet.run("resume")
    assert (code, document["succeeded"], document["failed"]) == (5, 99, 1), "what halted is left to a person"
    assert len(_runs(fleet)) == 100, "no pair was run a second time"
    assert max(pair["memory_mib"] for pair in document["pairs"]) < 60
    assert sum(pair["cpu_s"] for pair in document["pairs"]) / 100 < 1.5


def _document(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.read())


def _kill(fleet: Fleet, run: str) -> None:
    with closing(open_store(fleet.env["INTERLOCK_STORE"], SystemClock())) as store:
        holder = holder_of(store.records(run))
    assert holder is not None
    os.kill(holder.pid, signal.SIGKILL)


def _read_until(process: subprocess.Popen[str], wanted: str, times: int) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        times -= wanted in line
        if times == 0:
            return
    raise AssertionError(f"it never said {wanted} so often")


def test_a_fleet_whose_process_was_killed_goes_on_and_runs_nothing_twice(tmp_path: Path) -> None:
    """Two run when it is killed, and go on without it: the fleet that goes on waits for them."""
    fleet = simulated_fleet(tmp_path, "abcde", slowly_s=1.5)
    with fleet.start("--at-once", "2") as process:
        _read_until(process, "▶", 2)
        process.kill()
    code, document = fleet.run("resume")
    assert (code, document["state"], document["succeeded"]) == (0, "done", 5), document
    assert sorted((run.run, run.outcome) for run in _runs(fleet)) == [(f"f.{name}", "succeeded") for name in "abcde"]


def test_a_stop_begins_no_more_and_the_fleet_can_go_on(tmp_path: Path) -> None:
    fleet = simulated_fleet(tmp_path, "abc", slowly_s=5.0)
    with fleet.start("--at-once", "1") as process:
        _read_until(process, "▶", 1)
        while not _runs(fleet):
            SystemClock().sleep(0.05)
        SystemClock().sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert (process.returncode, "starts no more pairs" in err) == (3, True), err
    assert [(run.run, run.outcome) for run in _runs(fleet)] == [("f.a", "refused")]
    assert fleet.at_once().run("resume")[0] == 0
    assert sorted(run.run for run in _runs(fleet)) == ["f.a", "f.a~2", "f.b", "f.c"]


# -- on real servers ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def sandboxes() -> Iterator[dict[str, Sandbox]]:
    folder = Path(tempfile.mkdtemp(prefix="interlock-"))
    try:
        with ExitStack() as after:
            made = {}
            for name in ("p0", "p1", "p2", "p3"):
                made[name] = pairs.up(folder / name, clock=SystemClock())
                after.callback(pairs.down, folder / name)
            yield made
    finally:
        shutil.rmtree(folder)


def _topologies(folder: Path, sandboxes: dict[str, Sandbox]) -> Path:
    place = folder / "topologies"
    place.mkdir()
    for name, sandbox in sandboxes.items():
        (place / f"{name}.yaml").write_text(Path(sandbox.topology).read_text().replace("topology: sandbox", f"topology: {name}"))
    return place


def _open_sides(sandboxes: dict[str, Sandbox]) -> dict[str, list[str]]:
    return {
        name: [member for member in sandbox.members if not query(sandbox, member, "SELECT @@read_only AS fenced")[0]["fenced"]]
        for name, sandbox in sandboxes.items()
    }


def _lost(sandbox: Sandbox, writing: Any) -> list[str]:
    entries = writing.stop()
    return [key for found in drill._keys(sandbox, writing.prefix) for key in ledger.balance(entries, found).lost]


def test_four_real_pairs_two_at_a_time_there_and_back_under_load(sandboxes: dict[str, Sandbox], tmp_path: Path) -> None:
    env = environment(None, tmp_path) | {"INTERLOCK_STORE": f"sqlite://{tmp_path}/runs.db"}
    words = ("switchover", "--topologies", str(_topologies(tmp_path, sandboxes)), "--at-once", "2")
    planned = interlock("fleet", "plan", *words, "--json", env=env)
    assert (planned.code, planned.document["would_succeed"]) == (0, 4), planned
    with ExitStack() as loads, ThreadPoolExecutor(4) as pool:
        writing = {name: loads.enter_context(load(sandbox, pooled=1, fresh=1, pause_s=0.02)) for name, sandbox in sandboxes.items()}
        there = _move(*words, "--name", "there", env=env)
        assert _open_sides(sandboxes) == {name: ["west"] for name in sandboxes}, there
        back = _move(*words, "--name", "back", env=env)
        assert _open_sides(sandboxes) == {name: ["east"] for name in sandboxes}, back
        assert list(pool.map(_lost, sandboxes.values(), writing.values())) == [[], [], [], []]
    for ended in (there, back):
        assert (ended.code, ended.document["state"], ended.document["succeeded"]) == (0, "done", 4)
        assert all(pair["outage_ms"] and pair["memory_mib"] < 80 and pair["cpu_s"] for pair in ended.document["pairs"])
    _assert_told(env)


def _move(*words: str, env: dict[str, str]) -> Ended:
    with start("fleet", "run", *words, "--json", env=env) as process:
        out, err = process.communicate(timeout=300)
    return Ended(code=process.returncode, out=out, err=err)


def _assert_told(env: dict[str, str]) -> None:
    """Afterwards, by the commands that tell of fleets and runs."""
    listed = interlock("fleet", "list", "--json", env=env).document
    assert [(row["fleet"], row["state"], row["succeeded"]) for row in listed] == [("back", "done", 4), ("there", "done", 4)]
    shown = interlock("fleet", "show", "th", env=env)
    assert (shown.code, "4 of 4 succeeded" in shown.out, "there.p0" in shown.out) == (0, True, True), shown
    assert {row["run"].partition(".")[0] for row in interlock("runs", "--json", env=env).document} == {"there", "back"}
    assert "fleet show there" in interlock("show", "there", env=env).err
    again = interlock("fleet", "resume", "there", env=env)
    assert (again.code, len(interlock("runs", "--json", env=env).document)) == (0, 8), "what has succeeded is not run again"


@pytest.fixture
def named() -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder with two sandboxes, made by the command line and named by it, and their topologies copied as they are into `pairs`."""
    folder = Path(tempfile.mkdtemp(prefix="il-"))  # sockets lie below it
    env = environment(None, folder)
    try:
        (folder / "pairs").mkdir()
        for name in ("a", "b"):
            made = interlock("sandbox", "up", "--dir", str(folder / name), "--name", name, "--json", env=env)
            assert made.code == 0, made
            shutil.copy(made.document["topology"], folder / "pairs" / f"{name}.yaml")
        yield folder, env
    finally:
        for name in ("a", "b"):
            interlock("sandbox", "down", "--dir", str(folder / name), env=env)
        shutil.rmtree(folder)


def test_two_named_sandboxes_are_a_fleet_as_the_page_says(named: tuple[Path, dict[str, str]]) -> None:
    """One that is not fit stops the fleet; what is printed then, typed as it stands, shows it and takes it up."""
    folder, env = named
    pair, store = places.read(folder / "b"), f"sqlite://{folder}/runs.db"
    words = ("switchover", "--topologies", str(folder / "pairs"), "-i", "to=west", "--store", store, "--name", "both", "--at-once", "1")
    query(pair, "west", "STOP SLAVE")
    stopped = interlock("fleet", "run", *words, env=env, within_s=120)
    assert (stopped.code, "1 of 2 succeeded, 1 failed" in stopped.out) == (3, True), stopped
    query(pair, "west", "START SLAVE")
    resume = next(line.strip() for line in stopped.out.splitlines() if line.strip().startswith("interlock fleet resume"))
    assert resume == f"interlock fleet resume both --store {store}"
    done = interlock(*resume.split()[1:], "--json", env=env, within_s=120)
    assert (done.code, [(each["topology"], each["outcome"]) for each in done.document["pairs"]]) == (
        0,
        [("a", "succeeded"), ("b", "succeeded")],
    )
    assert _open_sides({name: places.read(folder / name) for name in ("a", "b")}) == {"a": ["west"], "b": ["west"]}
    runs = interlock("runs", "--store", store, "--json", env=env).document
    assert sorted((row["run"], row["topology"], row["outcome"]) for row in runs) == [
        ("both.a", "a", "succeeded"),
        ("both.b", "b", "refused"),
        ("both.b~2", "b", "succeeded"),
    ]


# -- what is wrong with the words or the files --------------------------------------------------------------------------------------------


def _invalid(tmp_path: Path, *words: str) -> Ended:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "a.yaml").write_text(topology("a", 1))
    (tmp_path / "t" / "b.yaml").write_text("topology: b\noops: 1\n")
    (tmp_path / "t" / "c.yaml").write_text(topology("a", 3))
    return interlock("fleet", *words, env=environment(None, tmp_path) | {"INTERLOCK_STORE": f"sqlite://{tmp_path}/runs.db"}, cwd=tmp_path)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(("run", "switchover", "--topologies", "t"), ["b.yaml:2:1: ", "c.yaml:0:0: there are two pairs"], id="invalid files"),
        pytest.param(("run", "switchover", "--topologies", "t", "--name", "a.b"), ["--name 'a.b' is no name for a fleet"], id="name"),
        pytest.param(("run", "switchover", "--topologies", "nowhere"), ["nowhere can't be read"], id="no folder"),
        pytest.param(("run", "swichover", "--topologies", "t"), ["did you mean 'switchover'?"], id="no such playbook"),
        pytest.param(("resume", "nothing"), ["there is no fleet 'nothing'"], id="no such fleet"),
    ],
)
def test_what_is_wrong_is_told_before_anything_starts(tmp_path: Path, words: tuple[str, ...], told: list[str]) -> None:
    ended = _invalid(tmp_path, *words)
    assert ended.code == 2
    assert [each for each in told if each not in ended.err] == []
    assert not (tmp_path / "state" / "interlock" / "fleets").exists()
