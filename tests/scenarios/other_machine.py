"""Interlock on a machine of another name: `python -m scenarios.other_machine HOST TOPOLOGY STORE COMMAND [PLAYBOOK | RUN]`.

The engine and all drivers are the real ones; only who holds the lease is told differently, so that no other process of this machine can
look whether it lives. It prints one JSON document, and ends with the exit code that the command line would.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from interlock.bootstrap import Wiring, read_topology
from interlock.engine.execution import Stop
from interlock.engine.report import RunReport
from interlock.errors import InterlockError, PairBusy
from interlock.playbook.load import load_playbook
from interlock.ports import Holder
from interlock.stores.holder import this_holder


def main() -> int:
    host, topology, store, verb, what = sys.argv[1:]
    wiring = Wiring(read_topology(Path(topology)), store)
    engine = replace(wiring.engine(lambda _: None, lambda _: True, Stop()), holder=holder_on(host))
    does: dict[str, Callable[[], RunReport]] = {
        "run": lambda: engine.start(load_playbook(Path(what), wiring.catalogue), {}),
        "resume": lambda: engine.resume(what),
        "rollback": lambda: engine.roll_back(what),
    }
    try:
        report = does[verb]()
    except PairBusy as busy:
        return say({"outcome": None, "message": busy.message}, 6)
    except InterlockError as error:
        return say({"outcome": None, "message": f"{type(error).__name__}: {error.message}"}, 3)
    finally:
        wiring.close()
    return say(
        {"outcome": report.outcome, "run": report.run, "problems": [problem.what for problem in report.problems]}, report.exit_code or 0
    )


def holder_on(host: str) -> Callable[[str], Holder]:
    return lambda run: replace(this_holder(run), host=host, process_started=f"boot-of-{host}/pid:[1]/1")


def say(document: dict[str, object], code: int) -> int:
    sys.stdout.write(json.dumps(document))
    return code


if __name__ == "__main__":
    sys.exit(main())
