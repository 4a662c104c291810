"""The link between the servers cut by `docker network disconnect`, at each moment of a switchover under load. What may come of it is the
table of docs/reliability.md.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from containers.compose import Demo, docker, start
from interlock.playbook.find import shipped_folder

_MET = "/tmp/met"  # noqa: S108 - in the container, where run and test meet
_HEALED_AFTER_S = 3.0
_WITHIN_S = 90.0
_CODES = {"succeeded": 0, "refused": 3, "rolled_back": 4, "halted": 5}

_IN_FRONT_OF = {
    "in preflight": "  - id: before\n",
    "before the fence": "  - do: route.hold\n",
    "after the fence": "  - do: replication.wait\n",
    "in verify": "  - check: route.canary\n",
}
CASES = {
    "in preflight, for good": ("in preflight", False, {"refused"}),
    "before the fence, for good": ("before the fence", False, {"rolled_back"}),
    "in verify, for good": ("in verify", False, {"halted"}),
    "after the fence, for 3 s": ("after the fence", True, {"succeeded", "rolled_back"}),
}
"""When, whether it is healed while the command still works, and what may come of it."""


@pytest.mark.parametrize(("moment", "healed", "allowed"), CASES.values(), ids=CASES)
def test_a_cut_link_ends_as_the_table_says_and_once_it_is_healed_the_switchover_is_finished(
    pair: Demo, *, moment: str, healed: bool, allowed: set[str]
) -> None:
    seen = pair.await_replication()
    old = seen["writer"]
    new = next(name for name in seen["clusters"] if name != old)
    pair.write_again()
    report = _struck(pair, moment, new, healed=healed)
    assert report["outcome"] in allowed, report
    assert report["exit_code"] == _CODES[report["outcome"]]
    pair.await_replication()
    if report["outcome"] == "halted":
        assert pair.interlock("rollback", report["run"]).code == _CODES["rolled_back"]
    if report["outcome"] != "succeeded":
        assert pair.status()["writer"] == old
        assert pair.interlock("switchover", "--to", new).code == _CODES["succeeded"]
    seen = pair.status()
    assert seen["writer"] == new
    assert {name for name, cluster in seen["clusters"].items() if not cluster["read_only"]} == {new}
    assert {route["route"]: route["to"] for route in seen["routes"]} == {"writes": new, "name": new}
    balance = pair.balance()
    assert balance.code == 0, balance.out + balance.err


def test_the_demo_s_exit_code_is_that_of_a_run_that_was_refused(pair: Demo) -> None:
    """Clients write, so that the cut is seen by what does not arrive: without a write it is seen once heartbeats are missed, 5 s later, and
    a run that began before goes back.
    """
    pair.await_replication()
    pair.write_again()
    with _cut(pair, healed=False):
        moved = docker(*pair.inside("python", "-m", "demo.move"))
    assert moved.code == _CODES["refused"], moved.out + moved.err
    assert "switchover of demo: refused" in moved.out
    pair.await_replication()
    balance = pair.balance()
    assert balance.code == 0, balance.out + balance.err


def _struck(pair: Demo, moment: str, new: str, *, healed: bool) -> dict[str, Any]:
    """The report of a switchover in which the link was cut. It is whole again at the end."""
    lay = 'rm -rf "$0" && mkdir "$0" && printf %s "$1" >"$0/switchover.yaml"'
    assert docker(*pair.inside("sh", "-c", lay, _MET, _playbook(moment))).code == 0
    words = ("interlock", "run", f"{_MET}/switchover.yaml", "-i", f"to={new}", "-i", "max_outage=3s", "--json")
    with start(*pair.inside(*words)) as command:
        try:
            pair.await_file(f"{_MET}/here")
            with _cut(pair, healed=healed):
                docker(*pair.inside("touch", f"{_MET}/go-on"))
                out, err = command.communicate(timeout=_WITHIN_S)
        finally:
            command.kill()
    assert out, err
    return dict(json.loads(out))


@contextmanager
def _cut(pair: Demo, *, healed: bool) -> Iterator[None]:
    pair.cut("west", "link")
    healing = threading.Timer(_HEALED_AFTER_S, pair.heal, ("west", "link"))
    if healed:
        healing.start()
    try:
        yield
    finally:
        if healed:
            healing.join()
        else:
            pair.heal("west", "link")


def _playbook(moment: str) -> str:
    """The shipped switchover with a step that says that the run has come there, and waits until the link is cut."""
    loop = f"touch {_MET}/here; while [ ! -e {_MET}/go-on ]; do sleep 0.05; done"
    step = f"  - check: command\n    with: {{run: [sh, -c, '{loop}'], within: 60s}}\n"
    shipped = (shipped_folder() / "switchover.yaml").read_text()
    assert shipped.count(_IN_FRONT_OF[moment]) == 1
    return shipped.replace(_IN_FRONT_OF[moment], step + _IN_FRONT_OF[moment])
