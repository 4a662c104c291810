"""A repair that is killed at a write of its journal: each row is as it was or as it is wanted, and `resume` ends it.

At every move of the playbook it is played in memory: tests/unit/engine/test_repair.py.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from interlock.clock import SystemClock
from interlock.ports import RunHeader
from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from interlock.stores.open import open_store
from scenarios.command_line import interlock
from servers.repair_lab import Lab
from servers.test_repair_channel import break_it, stopped

PAIRS = {"mariadb": "pair", "mysql": "mysql_pair"}
TABLE = "CREATE TABLE app.goods (id INT PRIMARY KEY, v VARCHAR(40), tag INT UNIQUE)"
WORDS = ("repair", "--apply", "--yes")


@pytest.fixture(params=["mariadb", "mysql"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    sandbox: Sandbox = request.getfixturevalue(PAIRS[request.param])
    lab = Lab(sandbox=sandbox, folder=tmp_path)
    lab.drop("goods")
    lab.logged(TABLE, "INSERT INTO app.goods VALUES " + ",".join(f"({n}, 'v{n}', {n})" for n in range(1, 11)))
    return lab


def do(lab: Lab, kind: str, number: int, *words: str) -> subprocess.CompletedProcess[str]:
    program, tests = Path(__file__).with_name("killed_repair.py"), str(Path(__file__).parent.parent)
    argv = [sys.executable, str(program), lab.sandbox.topology, lab.env["INTERLOCK_STORE"], kind, str(number), *words]
    return subprocess.run(argv, env={**lab.env, "PYTHONPATH": tests}, capture_output=True, text=True, timeout=60, check=False)


def moments(lab: Lab, *words: str) -> list[tuple[str, int]]:
    """Of one that runs to its end."""
    done = do(lab, "before", 0, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    counted = json.loads(done.stdout.splitlines()[-1])
    return [(kind, number) for kind in ("after", "state") for number in range(1, counted[kind] + 1)]


def go_on(lab: Lab) -> None:
    """`resume` brings the killed one to a named outcome, unless it had recorded its own. One that had recorded nothing did nothing."""
    was = newest(lab)
    ended = interlock("resume", was.run, "--yes", "--json", env=lab.env)
    assert ended.code in ({2} if was.outcome else {0, 3}), ended
    assert newest(lab).outcome in {"succeeded", "refused"}


def newest(lab: Lab) -> RunHeader:
    with closing(open_store(lab.env["INTERLOCK_STORE"], SystemClock())) as store:
        return store.runs("sandbox")[0]


def fence_of(lab: Lab) -> object:
    with closing(sql.connect(lab.sandbox, "west")) as west:
        return sql.value(west, f"SELECT @@GLOBAL.{'super_' if lab.is_mysql else ''}read_only")


MOMENTS = ("after intended mend/data.mend", "before done mend/data.mend", "after acting mend/server.put_fence_back", "before ended")
"""The rows are to be mended; they are, behind a lesser fence; that is put back; all is done. The third only where there is a lesser one."""


def test_rows_that_are_mended(lab: Lab) -> None:
    def differ() -> None:
        lab.plant("west", "UPDATE app.goods SET v='other' WHERE id<4", "DELETE FROM app.goods WHERE id=5")
        lab.compare("goods")

    wanted = lab.rows("east", "goods")
    for moment in (one for one in MOMENTS if lab.is_mysql or "fence" not in one):
        differ()
        before = lab.rows("west", "goods")
        killed = do(lab, moment, 1, *WORDS)
        assert killed.returncode == -signal.SIGKILL, killed
        assert lab.rows("west", "goods") in (before, wanted), moment
        go_on(lab)
        assert newest(lab).outcome == "succeeded"
        assert (lab.rows("west", "goods"), fence_of(lab)) == (wanted, 1), moment


def test_a_channel_that_goes_on(lab: Lab) -> None:
    words = (*WORDS, "--channel", "west")
    break_it(lab, "west", 1062)
    for kind, number in moments(lab, *words):
        lab.caught_up()
        lab.logged("DELETE FROM app.goods WHERE id=50")
        break_it(lab, "west", 1062)
        killed = do(lab, kind, number, *words)
        assert killed.returncode == -signal.SIGKILL, killed
        go_on(lab)
        if stopped(lab, "west", at_once=True):
            assert lab.repair("--channel", "west", "--apply", "--yes").code == 0
        lab.caught_up()
        assert lab.rows("west", "goods") == lab.rows("east", "goods"), (kind, number)
        assert fence_of(lab) == 1
