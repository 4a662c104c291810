"""`interlock watch`: a line whenever something changes; with `--act failover`, the failover by itself."""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, wired, write
from interlock.cli.runs import carry_out, playbook_of
from interlock.cli.signals import signals_to
from interlock.decisions.watching import Policy, Row, acted
from interlock.decisions.watching import watch as judge
from interlock.documents.problems import shown
from interlock.documents.values import duration_s
from interlock.engine.watch import AUTOMATIC, Observed, look_of, observe, said_of
from interlock.errors import InterlockError, UsageError
from interlock.model.codec import to_plain
from interlock.model.verdict import Act
from interlock.report.durations import moment

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring


def watch(context: Context) -> Answer:
    """Until SIGTERM, SIGINT or SIGHUP; exits 0 then."""
    options = context.options
    every_s = _span_s("--every", options.every)
    policy = Policy(after_s=_span_s("--after", options.after), block_s=_span_s("--block", options.block))
    ended = threading.Event()
    with wired(context) as wiring, signals_to(lambda *_: ended.set()):
        watcher = _Watcher(context, wiring, policy, acts=options.act is not None)
        while not ended.is_set():
            watcher.look()
            ended.wait(every_s)
    return Answer(plain={"ended": True}, text=lambda _: "")


class _Watcher:
    """What was seen and said last, and the row of dead looks."""

    def __init__(self, context: Context, wiring: Wiring, policy: Policy, *, acts: bool) -> None:
        self._context = context
        self._wiring = wiring
        self._policy = policy
        self._acts = acts
        self._row = Row()
        self._said: dict[str, str] = {}
        self._was_writer: str | None = None

    def look(self) -> None:
        """One look, what changed since the last one, and the act if it is time for it."""
        wiring = self._wiring
        try:
            seen = observe(wiring.world, wiring.store.runs(wiring.topology.name), self._was_writer)
        except InterlockError as error:
            self._row = Row(acted_s=self._row.acted_s)  # what was not seen is in no row
            self._tell({"watch": f"can't look: {error.message}"}, None)
            return
        self._was_writer = seen.was_writer
        look = look_of(seen)
        now_s = wiring.clock.monotonic_s()
        self._row, verdict = judge(self._row, look, now_s, self._policy)
        said = said_of(seen) | {"watch": "looks"}
        if self._acts and look.writer is not None and self._row.looks:
            said["watch"] = verdict.why
        self._tell(said, seen)
        if self._acts and isinstance(verdict, Act):
            self._row = acted(self._row, now_s)
            self._act(look.writer or "", verdict.why)

    def _act(self, dead: str, why: str) -> None:
        wiring = self._wiring
        to = next(name for name in wiring.topology.clusters if name != dead)
        run = f"{AUTOMATIC}{wiring.clock.wall():%Y%m%d-%H%M%S}"
        self._tell({"watch": f"acts: {why}; run {run} moves the writes to {to}"}, None)
        try:
            playbook = playbook_of("failover", wiring)
            report = carry_out(self._context, wiring, lambda engine: engine.start(playbook, {"to": to}, run))
        except InterlockError as error:
            self._tell({"watch": f"run {run} did not begin: {error.message}"}, None)
        else:
            self._tell({"watch": f"run {run} has ended: {report.outcome}"}, None)

    def _tell(self, said: dict[str, str], seen: Observed | None) -> None:
        changed = {subject: text for subject, text in said.items() if self._said.get(subject) != text}
        self._said |= said
        if not changed:
            return
        at = moment(self._wiring.clock.wall())
        if self._context.json:
            document = {"at": at, "changed": changed, "seen": None if seen is None else to_plain(seen)}
            write(sys.stdout, json.dumps(document, ensure_ascii=True) + "\n")
        else:
            write(sys.stdout, "".join(f"{at} {subject}: {text}\n" for subject, text in changed.items()))


def _span_s(option: str, text: str) -> float:
    seconds = duration_s(text)
    if not seconds:
        raise UsageError(f"{option} {shown(text)} is no time", hint=f"such as {option} 5s")
    return seconds
