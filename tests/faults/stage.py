"""One fault in one moment of one switchover: what is struck, when, for how long, and what must hold whatever came of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import hanging
from faults.network import Cables, cables
from interlock.clock import SystemClock
from interlock.playbook.find import shipped_folder
from interlock.sandbox import ledger, processes
from interlock.sandbox import pair as pairs
from interlock.sandbox.binlog_proof import BinlogProof, prove
from interlock.sandbox.load import load
from interlock.sandbox.places import Sandbox
from interlock.sandbox.poller import Samples, poller
from interlock.sandbox.sql import query
from scenarios.command_line import environment, interlock, start
from scenarios.pair_state import Rendezvous, ask_proxy, endpoints, open_sides, positions, rendezvous, writer_and_standby
from waiting import eventually

CLOCK = SystemClock()
ROLLBACK_S = 8
BOUND_S = 60.0
"""Within which a command ends, whatever was struck: the sum of a switchover's own bounds with `max_outage` 3s, and its way back's."""

HEALED_AFTER_S = 3.0
_CODES = {"succeeded": 0, "refused": 3, "rolled_back": 4, "halted": 5}


class Moment(StrEnum):
    """Where in the shipped switchover the fault strikes."""

    BEFORE = "before"
    PREFLIGHT = "in preflight"
    DRAINED = "before the fence"
    FENCED = "after the fence"
    CAUGHT_UP = "before the opening"
    OPENED = "after the opening"
    VERIFY = "in verify"


_IN_FRONT_OF = {
    Moment.PREFLIGHT: "  - id: before\n",
    Moment.DRAINED: "  - do: route.hold\n",
    Moment.FENCED: "  - do: replication.wait\n",
    Moment.CAUGHT_UP: "  - do: server.open\n",
    Moment.OPENED: "  - do: route.flip\n",
    Moment.VERIFY: "  - check: route.canary\n",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A pair in a network of its own."""

    sandbox: Sandbox
    cables: Cables


@dataclass(slots=True, kw_only=True)
class Stage:
    """The pair as a case begins: `old` is the side that has the writes, `new` the one that shall get them. `command` is the switchover."""

    sandbox: Sandbox
    cables: Cables
    old: str
    new: str
    env: dict[str, str]
    command: subprocess.Popen[str] | None = None

    def named(self, place: str) -> str:
        """A case says `old` and `new` for the sides."""
        return {"old": self.old, "new": self.new}.get(place, place)

    def pid_of(self, program: str) -> int:
        """Of `old`, `new` or `haproxy`, as it runs now."""
        return next(each.pid for each in processes.running(Path(self.sandbox.directory)) if each.name == self.named(program))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`strike` does it; `heal` ends it, and does nothing if there is nothing to end. `closes`: a server that was ended starts again fenced,
    so a run that did not touch it leaves a pair without a writer, and the operator opens it.
    """

    strike: Callable[[Stage], None]
    heal: Callable[[Stage], None]
    closes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What came of it: the command's outcome and time, the outcome after it was taken up again, and what the three witnesses saw."""

    report: dict[str, Any]
    took_s: float
    taken_up: dict[str, Any] | None
    samples: Samples
    proof: BinlogProof
    balances: tuple[ledger.Balance, ...]
    open_sides: tuple[str, ...]
    leads_to: tuple[str, ...]
    acknowledged: int

    @property
    def outcome(self) -> str:
        return str(self.report["outcome"])


@contextmanager
def lab() -> Iterator[Lab]:
    folder = Path(tempfile.mkdtemp(prefix="interlock-"))
    try:
        with cables() as made:
            sandbox = pairs.up(folder / "pair", clock=CLOCK, network=made.network())
            try:
                yield Lab(sandbox=sandbox, cables=made)
            finally:
                pairs.down(folder / "pair")
    finally:
        shutil.rmtree(folder)


def strike_during(lab: Lab, fault: Fault, moment: Moment, folder: Path, *, healed: bool) -> Came:
    """A switchover under light load with the fault in it, healed three seconds later or only once the command has ended."""
    old, new = writer_and_standby(lab.sandbox)
    env = environment(lab.sandbox, folder)
    stage = Stage(sandbox=lab.sandbox, cables=lab.cables, old=old, new=new, env=env)
    with ExitStack() as stack:
        watching = stack.enter_context(poller(stage.sandbox))
        with stage.cables.inside("proxy"):
            writing = stack.enter_context(load(stage.sandbox, pooled=2, fresh=2, pause_s=0.02))
        stack.callback(fault.heal, stage)
        met = stack.enter_context(rendezvous(folder))
        if moment is Moment.BEFORE:
            fault.strike(stage)
            met.let_go()
        began_s = CLOCK.monotonic_s()
        words = ("run", _playbook(folder, moment, met), "-i", f"to={new}", "-i", "max_outage=3s", "--json")
        with stage.cables.inside("tool"):
            process = stage.command = stack.enter_context(start(*words, env=env))
        stack.callback(process.kill)
        if moment is not Moment.BEFORE:
            met.await_run(process)
            began_s = CLOCK.monotonic_s()
            fault.strike(stage)
            met.let_go()
        if healed:
            threading.Timer(HEALED_AFTER_S, fault.heal, (stage,)).start()
        report = _report(process)
        took_s = CLOCK.monotonic_s() - began_s
        if healed:
            CLOCK.sleep(HEALED_AFTER_S - took_s)
        fault.heal(stage)
        taken_up = _take_up(stage, report)
        if fault.closes and not open_sides(stage.sandbox):
            query(stage.sandbox, old, "SET GLOBAL read_only=0")
        entries = writing.stop()
        samples = watching.stop()
    _await_replication(stage)
    _await_same(stage)
    return Came(
        report=report,
        took_s=took_s,
        taken_up=taken_up,
        samples=samples,
        proof=prove(stage.sandbox),
        balances=tuple(ledger.balance(entries, _keys(stage, name, writing.prefix)) for name in (old, new)),
        open_sides=tuple(open_sides(stage.sandbox)),
        leads_to=tuple(ready_endpoints(stage.sandbox)),
        acknowledged=len(ledger.acknowledged(entries)),
    )


def assert_held(came: Came, allowed: set[str]) -> None:
    """What must hold after any fault: a named, allowed outcome within the bound, one writer at the most and one in the end, none lost."""
    after = f", then {came.taken_up['outcome']}" if came.taken_up else ""
    sys.stdout.write(f"{came.outcome}{after} after {came.took_s:.1f}s, {came.acknowledged} acknowledged\n")
    assert came.outcome in allowed, came.report
    assert came.report["exit_code"] == _CODES[came.outcome]
    assert came.took_s < BOUND_S
    assert came.samples.two == 0, came.samples
    assert came.samples.one > 0
    assert came.proof.violations == ()
    assert came.proof.only_in_one == 0
    assert [(balance.lost, balance.duplicated, balance.resurrected) for balance in came.balances] == [((), (), ())] * 2
    assert came.acknowledged > 0
    if came.outcome == "halted":
        assert came.taken_up is not None
        assert came.taken_up["outcome"] in {"rolled_back", "succeeded"}, came.taken_up
    assert len(came.open_sides) == 1, came.report
    assert came.leads_to == came.open_sides


# -- faults


def cut(*ends: str) -> Fault:
    """The link between two places; `old` and `new` stand for the sides."""

    def strike(stage: Stage) -> None:
        one, other = (stage.named(end) for end in ends)
        stage.cables.cut(one, other)

    return Fault(strike=strike, heal=lambda stage: stage.cables.mend())


def frozen(program: str) -> Fault:
    """A program that hangs: it answers nothing, and its connections stay open."""
    stopped: list[int] = []

    def strike(stage: Stage) -> None:
        pid = stage.pid_of(program)
        hanging.stop(pid)
        stopped.append(pid)

    def heal(_: Stage) -> None:
        while stopped:
            hanging.wake(stopped.pop())

    return Fault(strike=strike, heal=heal)


def killed(program: str) -> Fault:
    """A program that is gone from one instant to the next. Healed, it is started again, as its host would; a proxy with the state of its
    servers as it was (HAProxy's `load-server-state-from-file`), and with no hold.
    """
    gone: list[tuple[str, set[str]]] = []

    def strike(stage: Stage) -> None:
        name, pid = stage.named(program), stage.pid_of(program)
        gone.append((name, ready_endpoints(stage.sandbox)))
        os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: processes.started(pid) is None)
        processes.reap(pid)

    def heal(stage: Stage) -> None:
        while gone:
            name, ready = gone.pop()
            if name == "haproxy":
                _start_proxy(stage, ready)
            else:
                pairs.restart(stage.sandbox, name, clock=CLOCK, network=stage.cables.network())

    return Fault(strike=strike, heal=heal, closes=program == "old")


def frozen_tool() -> Fault:
    """The command itself hangs, and another operator tries the same meanwhile: the pair is not theirs."""

    def strike(stage: Stage) -> None:
        assert stage.command is not None
        hanging.stop(stage.command.pid)
        with stage.cables.inside("tool"):
            other = interlock("switchover", "--to", stage.new, "--json", env=stage.env)
        assert other.code == 6, other

    def heal(stage: Stage) -> None:
        if stage.command is not None and stage.command.poll() is None:
            hanging.wake(stage.command.pid)

    return Fault(strike=strike, heal=heal)


def _start_proxy(stage: Stage, ready: set[str]) -> None:
    proxy = stage.sandbox.proxy
    Path(proxy.admin_socket).unlink()
    with stage.cables.inside("proxy"):
        processes.spawn([processes.programs(["haproxy"])["haproxy"], "-f", proxy.config, "-db"], Path(proxy.log))
    assert eventually(Path(proxy.admin_socket).exists)
    for name in stage.sandbox.members:
        ask_proxy(stage.sandbox, f"set server {proxy.backend}/{name} state {'ready' if name in ready else 'maint'}")


_MAINTENANCE_OR_DRAIN = 0x01 | 0x08  # HAProxy management guide 9.3, "show servers state": 0x04 only says that it began disabled


def ready_endpoints(sandbox: Sandbox) -> set[str]:
    """The sides that the proxy sends clients to, as it was told; whatever its health checks say."""
    return {row["srv_name"] for row in endpoints(sandbox) if not int(row["srv_admin_state"]) & _MAINTENANCE_OR_DRAIN}


# -- parts


def _playbook(folder: Path, moment: Moment, met: Rendezvous) -> str:
    text = (shipped_folder() / "switchover.yaml").read_text()
    if moment is not Moment.BEFORE:
        mark = _IN_FRONT_OF[moment]
        assert text.count(mark) == 1, mark
        text = text.replace(mark, f"  {met.step}\n{mark}")
    path = folder / "switchover-with-a-fault.yaml"
    path.write_text(f"{text}rollback_within: {ROLLBACK_S}s\n")
    return str(path)


def _report(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=BOUND_S + 30)
    assert "Traceback" not in err, err
    report: dict[str, Any] = json.loads(out)
    return {**report, "said": err}


def _take_up(stage: Stage, report: dict[str, Any]) -> dict[str, Any] | None:
    """What the operator does once the fault is over and replication flows again, if a person was needed."""
    if report["outcome"] != "halted":
        return None
    _await_replication(stage)
    eventually(lambda: _is_same(stage), 20.0)  # a channel says that it runs for as long as it has not noticed that its link was cut
    with stage.cables.inside("tool"):
        done = interlock("rollback", str(report["run"]), "--json", env=stage.env)
    return {"code": done.code, "said": done.err, **(done.document or {})}


def _await_replication(stage: Stage) -> None:
    """Both channels run again."""
    assert eventually(lambda: all(_runs(stage, name) for name in stage.sandbox.members)), "replication did not come back"


def _await_same(stage: Stage) -> None:
    """Both servers hold the same: nobody writes any more."""
    assert eventually(lambda: _is_same(stage))


def _is_same(stage: Stage) -> bool:
    return len({frozenset(logged.split(",")) for logged in positions(stage.sandbox).values()}) == 1


def _runs(stage: Stage, name: str) -> bool:
    (channel,) = query(stage.sandbox, name, "SHOW ALL SLAVES STATUS")
    return bool(channel["Slave_IO_Running"] == channel["Slave_SQL_Running"] == "Yes")


def _keys(stage: Stage, server: str, prefix: str) -> list[str]:
    return [row["k"] for row in query(stage.sandbox, server, "SELECT k FROM app.ledger WHERE k LIKE %s", f"{prefix}-%")]
