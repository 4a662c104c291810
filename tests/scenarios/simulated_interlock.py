"""`interlock`, on a pair in memory: the same words, store, engine and signals. What goes wrong is in the pair's name and in MISHAPS.

`python simulated_interlock.py run …` carries out a run; `… fleet …` a fleet, whose pairs this program carries out too.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from interlock.actions.catalogue import catalogue
from interlock.cli.arguments import parser
from interlock.cli.context import Context
from interlock.cli.runs import inputs_of
from interlock.cli.watching import Watch, watching
from interlock.clock import SystemClock
from interlock.engine.events import RunBegan, RunEvent, StateChanged
from interlock.engine.report import RunReport
from interlock.engine.runs import Engine
from interlock.engine.states import State
from interlock.errors import PairBusy
from interlock.model.codec import to_plain
from interlock.playbook.load import load_playbook
from interlock.simulated.pair import SimulatedPair, simulated_pair
from interlock.simulated.process import SimulatedProcess
from interlock.simulated.world import SimulatedWorld
from interlock.stores.holder import this_holder
from interlock.stores.open import open_store


def main(words: list[str]) -> int:
    context = Context(options=parser().parse_args(words), program=(sys.executable, "-P", __file__))
    if context.options.command_name == "fleet":
        from interlock.cli import fleet  # noqa: PLC0415 - the fleet's process alone needs it

        answer = {"run": fleet.run, "resume": fleet.resume}[context.options.inner_name](context)
        print(json.dumps(answer.plain))  # noqa: T201 - the program's output
        return int(answer.exit_code)
    return _run(context)


def _run(context: Context) -> int:
    name = Path(context.options.topology).stem
    pair = simulated_pair()
    pair.topology = replace(pair.topology, name=name)
    pair.clock.sleep(0.2)
    _mishaps(name, pair)
    try:
        with watching(context) as watch:
            report = _go(context, _engine(context, name, pair, watch))
    except PairBusy as busy:
        document: object = {"outcome": None, "exit_code": 6, "problems": [{"what": busy.message, "hint": busy.hint}]}
        code = 6
    else:
        document, code = to_plain(report), report.exit_code if report.exit_code is not None else 1
    print(json.dumps(document))  # noqa: T201 - the program's output
    return code


def _go(context: Context, engine: Engine) -> RunReport:
    if context.options.command_name == "resume":
        return engine.resume(context.options.run)
    playbook = load_playbook(Path(context.options.playbook), catalogue())
    return engine.start(playbook, inputs_of(context.options.input), context.options.as_)


def _engine(context: Context, name: str, pair: SimulatedPair, watch: Watch) -> Engine:
    store = open_store(context.store_url(), SystemClock())
    return Engine(
        world=SimulatedWorld(pair, SimulatedProcess(name), store),
        store=store,
        catalogue=catalogue(),
        clock=pair.clock,
        observe=_observer(name, watch, first=context.options.command_name == "run"),
        ask=watch.ask,
        stop=watch.stop,
        holder=this_holder,
        redact=str,
    )


def _mishaps(name: str, pair: SimulatedPair) -> None:
    mishap = name.partition("-")[0]
    pair.west.settings |= {"nerves": "bad" if mishap == "halts" else "good", "mood": "bad" if mishap == "rolls" else "good"}
    if mishap == "refuses":
        pair.east.settings["missing_privilege"] = "GRANT ALL"
    if mishap == "dies":
        sys.exit(1)


def _observer(name: str, watch: Watch, *, first: bool) -> Callable[[RunEvent], None]:
    mishap = name.partition("-")[0]

    def observe(event: RunEvent) -> None:
        watch.observe(event)
        if isinstance(event, RunBegan):
            SystemClock().sleep(float(os.environ.get("SLOWLY_S", "0")))
        if first and isinstance(event, StateChanged) and event.state == State.CHANGING.value:
            if mishap == "crashes":
                os.kill(os.getpid(), signal.SIGKILL)
            while mishap == "hangs":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                SystemClock().sleep(60.0)

    return observe


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
