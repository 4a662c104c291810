"""A failover that is killed at a moment of its journal and taken up again, as test_failover.py and `make drill-crashes` do it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from interlock.errors import ExitCode
from interlock.playbook.find import shipped_folder
from interlock.ports import RunHeader
from interlock.sandbox import members
from interlock.sandbox.barred import is_barred
from interlock.sandbox.ledger import Entry, acknowledged
from interlock.sandbox.load import load
from interlock.sandbox.places import Sandbox
from interlock.sandbox.poller import poller
from interlock.sandbox.sql import query
from interlock.stores.open import open_store
from scenarios.command_line import environment, interlock
from scenarios.pair_state import CLOCK

_PROGRAM = Path(__file__).with_name("killed_command.py")
_OUTCOMES = {0: "succeeded", 3: "refused", 4: "rolled_back"}
_RECEIVES = {"mariadb": ("SHOW SLAVE STATUS", "Slave_IO_Running"), "mysql": ("SHOW REPLICA STATUS", "Replica_IO_Running")}


def kill_writer(sandbox: Sandbox) -> None:
    members.stop(Path(sandbox.directory), "east", kill=True)


def keys_on(sandbox: Sandbox, server: str) -> Counter[str]:
    return Counter(row["k"] for row in query(sandbox, server, "SELECT k FROM app.ledger"))


def lost_keys(losses: Any) -> set[str]:
    rows = [row for one in losses["transactions"] for row in one["rows"]]
    return {row["after"]["k"] for row in rows if row["table"] == "app.ledger"}


def is_fenced(sandbox: Sandbox, server: str) -> bool:
    return bool(query(sandbox, server, "SELECT @@read_only AS fenced")[0]["fenced"])


def moments_of(sandbox: Sandbox, folder: Path, kind: str) -> int:
    """How many moments of this kind a failover has; it fails over for that."""
    kill_writer(sandbox)
    done = _fail_over(sandbox, environment(sandbox, folder), kind, 0)
    assert done.returncode == 0, done.stderr
    return int(json.loads(done.stdout)[kind])


def assert_survives(sandbox: Sandbox, folder: Path, kind: str, number: int, verb: str) -> int:
    """Its exit code: the failover is killed at that moment under clients that write, and `verb` leads it to an end that it says itself."""
    env, where = environment(sandbox, folder), f"{verb} after {kind} {number}"
    with poller(sandbox) as watching, load(sandbox, pooled=1, fresh=1) as writing:
        CLOCK.sleep(0.2)
        kill_writer(sandbox)
        killed = _fail_over(sandbox, env, kind, number)
        header = _newest(env["INTERLOCK_STORE"])
        ended = interlock(verb, header.run, "--json", env=env)
        CLOCK.sleep(0.2)
        entries, samples = writing.stop(), watching.stop()
    assert (killed.returncode, samples.two) == (-signal.SIGKILL, 0), (where, killed)
    if header.outcome is not None:  # it had recorded its end
        assert ended.code == ExitCode.USAGE, (where, ended)
        outcome = header.outcome
    else:
        outcome = str(ended.document["outcome"])
        assert outcome == _OUTCOMES.get(ended.code), (where, ended)
    assert _newest(env["INTERLOCK_STORE"]).outcome == outcome, where
    _see_pair(sandbox, outcome, where, opened=_has_opened(env["INTERLOCK_STORE"], header.run))
    _see_writes(sandbox, entries, where)
    if outcome == "succeeded":
        _see_losses(sandbox, env, header.run, entries, where)
    return ended.code


def _see_pair(sandbox: Sandbox, outcome: str, where: str, *, opened: bool) -> None:
    """Failed over, or as it was: east dead and free to come back, unless west was opened meanwhile; west a standby that asks for it."""
    over = outcome == "succeeded"
    assert (is_fenced(sandbox, "west"), is_barred(sandbox.members["east"])) == (not over, opened), where
    look, column = _RECEIVES[sandbox.kind]
    received = [row[column] for row in query(sandbox, "west", look)]
    assert over or received == ["Connecting"], (where, received)


def _see_writes(sandbox: Sandbox, entries: Sequence[Entry], where: str) -> None:
    there, west = keys_on(sandbox, "west"), sandbox.members["west"].server_id
    assert {entry.key for entry in acknowledged(entries) if entry.server == west} <= there.keys(), where
    assert not {entry.key for entry in entries if entry.told.value == "failed"} & there.keys(), where
    assert max(there.values(), default=1) == 1, where


def _see_losses(sandbox: Sandbox, env: dict[str, str], run: str, entries: Sequence[Entry], where: str) -> None:
    losses = interlock("losses", run, "--json", env=env).document
    gone = {entry.key for entry in acknowledged(entries)} - keys_on(sandbox, "west").keys()
    assert (losses["state"], gone <= lost_keys(losses)) == ("known", True), (where, losses)


def _fail_over(sandbox: Sandbox, env: dict[str, str], kind: str, number: int) -> subprocess.CompletedProcess[str]:
    words = (sandbox.topology, env["INTERLOCK_STORE"], kind, str(number), "run", str(shipped_folder() / "failover.yaml"), "west")
    return subprocess.run([sys.executable, str(_PROGRAM), *words], env=env, capture_output=True, text=True, timeout=90, check=False)


def _has_opened(store_url: str, run: str) -> bool:
    with closing(open_store(store_url, CLOCK)) as store:
        return any(record.kind == "opening" for record in store.records(run))


def _newest(store_url: str) -> RunHeader:
    with closing(open_store(store_url, CLOCK)) as store:
        return store.runs(None)[0]
