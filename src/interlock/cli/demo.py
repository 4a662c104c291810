"""`interlock demo`: the main job in a minute, told as a story. Everything it makes is in one folder, and gone at the end."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path

from interlock.cli.context import Answer, Context, width
from interlock.cli.rehearsal import move_writes, wired_to
from interlock.cli.signals import signals_to
from interlock.clock import SystemClock
from interlock.dataclass import dataclass
from interlock.engine.plan import PlanReport
from interlock.engine.plan import plan as make_plan
from interlock.engine.report import RunReport
from interlock.engine.states import State
from interlock.engine.status import status
from interlock.errors import ExitCode
from interlock.model.codec import fields_of
from interlock.playbook.find import shipped_folder
from interlock.playbook.load import load_playbook
from interlock.report.durations import span_ms
from interlock.report.status_text import status_text
from interlock.sandbox import pair
from interlock.sandbox.drill import DrillReport, drill
from interlock.sandbox.places import Sandbox

_POOLED, _FRESH = 6, 6
_REST_S = 0.7
_EXPECTED = (State.SUCCEEDED.value, State.SUCCEEDED.value, State.ROLLED_BACK.value)

_AFTER = "- phase: verify\n  steps:\n"
_FAILING = """\
  - id: application
    check: command
    with: {run: [echo, "the application is not well here"], matches: "all is well"}
"""


@dataclass(slots=True, kw_only=True)
class _Story:
    """The three switchovers of the demo, in their turn."""

    context: Context
    sandbox: Sandbox
    playbooks: tuple[Path, ...]
    reports: list[RunReport] = field(default_factory=list)

    def switch(self, to: str) -> str:
        turn = len(self.reports)
        tell = self.context.tell
        if turn == 0:
            tell(f"3. {_POOLED} clients with a connection each and {_FRESH} with one for each transaction write through the proxy.")
            self._tell_before(to)
        tell(_TITLES[turn].format(to=to))
        report = move_writes(self.context, self.sandbox, self.playbooks[turn], to, own_store=True)
        self.reports.append(report)
        for line in _facts(report):
            tell(f"   {line}")
        tell("")
        return report.outcome or report.state

    def _tell_before(self, to: str) -> None:
        tell = self.context.tell
        with wired_to(self.context, self.sandbox, own_store=True) as wiring:
            tell("\n4. The pair as it is now (interlock status):\n")
            tell(_indented(status_text(status(wiring.world), min(width(), 100) - 3)))
            planned = make_plan(load_playbook(self.playbooks[0], wiring.catalogue), {"to": to}, wiring.world, ())
        tell("\n5. What a switchover would do, with nothing changed (interlock plan switchover), in short:\n")
        for line in _short(planned):
            tell(f"   {line}")
        tell("")


_TITLES = (
    "6. interlock switchover --to {to}",
    "7. And back again: interlock switchover --to {to}",
    "8. Once more to {to}, now with a check of the application that fails after the flip. It takes everything back:",
)


def demo(context: Context) -> Answer:
    """Exits 0 if nothing acknowledged was lost and each run ended as it should, else 5."""
    tell = context.tell
    with _folder() as folder:
        tell("1. A private pair starts on this machine: two MariaDB servers that replicate to each other, and HAProxy in front.")
        sandbox = pair.up(folder / "pair", clock=SystemClock())
        tell(f"   clients connect to {sandbox.proxy.host}:{sandbox.proxy.port}; the proxy leads them to east\n")
        tell("2. Every client writes keys of its own, and keeps a ledger of each write that was acknowledged.\n")
        shipped = shipped_folder() / "switchover.yaml"
        failing = folder / "failing.yaml"
        failing.write_text(failing_playbook(shipped.read_text()))
        story = _Story(context=context, sandbox=sandbox, playbooks=(shipped, shipped, failing))
        report = drill(sandbox, story.switch, clock=SystemClock(), count=3, pooled=_POOLED, fresh=_FRESH, rest_s=_REST_S)
    outcomes = tuple(each.outcome for each in report.switches)
    good = outcomes == _EXPECTED and not (report.lost or report.duplicated or report.resurrected or report.samples.two)
    code = ExitCode.SUCCEEDED if good else ExitCode.HALTED
    plain = {**fields_of(report), "expected": list(_EXPECTED), "as_expected": good, "exit_code": int(code)}
    return Answer(plain=plain, text=lambda _: _verdict(report, good=good), exit_code=code)


def failing_playbook(shipped: str) -> str:
    """The shipped switchover with a check more, the first one after the flip, that always fails."""
    before, found, after = shipped.partition(_AFTER)
    if not found:
        raise AssertionError("the shipped switchover has no phase `verify` any more")
    return f"{before}{found}{_FAILING}{after}"


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A new folder with a short path; at the end its processes are ended and it is removed, however impatient the operator."""
    folder = Path(tempfile.mkdtemp(prefix="interlock-demo-", dir="/tmp"))
    try:
        yield folder
    finally:
        with signals_to(lambda _number, _frame: None):
            if (folder / "pair").exists():
                pair.down(folder / "pair")
            shutil.rmtree(folder)


def _short(planned: PlanReport) -> Iterator[str]:
    checks = [step for phase in planned.phases for step in phase.steps if step.result == "passes"]
    yield f"{len(checks)} checks pass: {', '.join(step.action for step in checks[:4])}, …"
    for phase in planned.phases:
        if phase.clients_wait:
            yield f"{phase.phase}, while clients wait: {', '.join(step.action for step in phase.steps)}"
    yield f"as things stand, it would {planned.would.replace('_', ' ')}"


def _facts(report: RunReport) -> Iterator[str]:
    felt = f"; outage {span_ms(report.outage_ms)}" if report.outcome == State.SUCCEEDED.value else ""
    yield f"{(report.outcome or report.state).replace('_', ' ')}, exit code {report.exit_code}{felt}"
    for phase in report.phases:
        yield from (step.detail for step in phase.steps if step.action == "evidence.one_writer")
    for problem in report.problems:
        yield f"why: {problem.what}"
    if report.rollback:
        yield f"taken back, the last effect first: {', '.join(undo.step for undo in report.rollback)}"


def _verdict(report: DrillReport, *, good: bool) -> str:
    outages = "; ".join(f"to {each.to} {each.outcome.replace('_', ' ')}: {span_ms(each.outage_ms)}" for each in report.switches)
    lines = [
        "9. The ledgers against the rows on both servers:",
        f"   acknowledged {report.acknowledged}, lost {len(report.lost)}, twice there {len(report.duplicated)}",
        f"   outage as the clients felt it: {outages}",
        *(f"   errors of {kind} clients: {_errors(errors)}" for kind, errors in report.errors.items()),
        f"   samples that saw two open servers: {report.samples.two} of {report.samples.two + report.samples.one + report.samples.none}",
        "",
        "All is as it should be." if good else "This is NOT as it should be.",
        "Now try it yourself: interlock sandbox up" if good else "",
    ]
    return "\n".join(lines).rstrip()


def _errors(errors: object) -> str:
    return ", ".join(f"{error} ({count} times)" for error, count in errors.items()) if isinstance(errors, dict) and errors else "none"


def _indented(text: str) -> str:
    return "\n".join(f"   {line}".rstrip() for line in text.split("\n"))
