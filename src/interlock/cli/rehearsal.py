"""Runs on a sandbox, in this process: what `drill` and `demo` are made of."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from interlock.bootstrap import Wiring, read_topology
from interlock.cli.context import Context
from interlock.cli.plain import PlainView
from interlock.cli.watching import View, watching
from interlock.engine.report import RunReport
from interlock.playbook.load import load_playbook
from interlock.sandbox.places import Sandbox


@contextlib.contextmanager
def wired_to(context: Context, sandbox: Sandbox, *, own_store: bool) -> Iterator[Wiring]:
    """The sandbox's pair. With `own_store`, runs are recorded in the sandbox, whatever the command line says."""
    url = None if own_store else context.store_url()
    wiring = Wiring(read_topology(Path(sandbox.topology)), url or sandbox.store)
    context.redact = wiring.secrets.redact
    try:
        yield wiring
    finally:
        wiring.close()


def move_writes(context: Context, sandbox: Sandbox, playbook: Path, to: str, *, own_store: bool) -> RunReport:
    """One run of a playbook with `to`, unseen."""
    return carry_out(context, sandbox, playbook, {"to": to}, own_store=own_store)


def carry_out(context: Context, sandbox: Sandbox, playbook: Path, inputs: Mapping[str, str], *, own_store: bool) -> RunReport:
    """One run of a playbook, unseen. KeyboardInterrupt once it has ended, if the operator asked for a stop in it."""
    with wired_to(context, sandbox, own_store=own_store) as wiring, watching(context, _unseen) as watch:
        loaded = load_playbook(playbook, wiring.catalogue)
        report = wiring.engine(watch.observe, watch.ask, watch.stop).start(loaded, inputs)
    if watch.stop.requested:
        raise KeyboardInterrupt
    return report


@contextlib.contextmanager
def _unseen() -> Iterator[View]:
    yield PlainView(lambda _: None)
