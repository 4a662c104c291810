"""`interlock watch`: a line whenever something changes; with `--act failover`, the failover by itself."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, wired, write
from interlock.cli.runs import playbook_of
from interlock.cli.signals import signals_to
from interlock.cli.watching import watching
from interlock.decisions.watching import Policy
from interlock.documents.problems import shown
from interlock.documents.values import duration_s
from interlock.engine.emergency import knock
from interlock.engine.watcher import Begin, Told, Watcher
from interlock.errors import UsageError
from interlock.model.codec import to_plain
from interlock.model.topology import ClusterName
from interlock.playbook.against import see_segments_left_alone
from interlock.report.durations import moment

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring


def watch(context: Context) -> Answer:
    """Until SIGTERM, SIGINT or SIGHUP; exits 0 then. Of what is told as JSON, too, each line is an object: the last one is empty."""
    options = context.options
    every_s = _span_s("--every", options.every)
    policy = Policy(after_s=_span_s("--after", options.after), block_s=_span_s("--block", options.block))
    ended = threading.Event()
    with wired(context) as wiring, signals_to(lambda *_: ended.set()):
        watcher = Watcher(
            world=wiring.world,
            store=wiring.store,
            clock=wiring.clock,
            policy=policy,
            tell=teller(as_json=context.json),
            begin=_failover(context, wiring, ended) if options.act is not None else None,
        )
        with _metrics(watcher, wiring.topology.name, options.metrics):
            while not ended.is_set():
                watcher.look()
                ended.wait(every_s)
    return Answer(plain={}, text=lambda _: "")


def _metrics(watcher: Watcher, topology: str, where: str | None) -> contextlib.AbstractContextManager[None]:
    if where is None:
        return contextlib.nullcontext()
    from interlock.cli.metrics import served  # noqa: PLC0415 - only if they are asked for
    from interlock.report.metrics import PairMetrics  # noqa: PLC0415 - as above

    return served(PairMetrics(watcher, topology), where)


def _failover(context: Context, wiring: Wiring, ended: threading.Event) -> Begin:
    """The playbook is read now: an invalid one is met before there is an emergency. A signal that stops the run ends the watch too."""
    playbook = playbook_of("failover", wiring)
    see_segments_left_alone(playbook, wiring.topology, {})

    def begin(dead: ClusterName, to: ClusterName, run: str) -> str | None:
        knocked = knock(wiring.world, dead, wiring.clock)
        with watching(context) as sitting:
            engine = wiring.engine(sitting.observe, sitting.ask, sitting.stop)
            outcome = engine.start(playbook, {"to": to, "from": dead}, run, knock=knocked).outcome
        if sitting.stop.requested:
            ended.set()
        return outcome

    return begin


def teller(*, as_json: bool) -> Callable[[Told], None]:
    """What prints what changed: for people a line for each subject, or an object a line."""

    def tell(told: Told) -> None:
        at = moment(told.at)
        if as_json:
            document = {"at": at, "changed": told.changed, "seen": None if told.seen is None else to_plain(told.seen)}
            write(sys.stdout, json.dumps(document, ensure_ascii=True) + "\n")
        else:
            write(sys.stdout, "".join(f"{at} {subject}: {text}\n" for subject, text in told.changed.items()))

    return tell


def _span_s(option: str, text: str) -> float:
    seconds = duration_s(text)
    if not seconds:
        raise UsageError(f"{option} {shown(text)} is no time", hint=f"such as {option} 5s")
    return seconds
