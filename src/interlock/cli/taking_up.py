"""`interlock resume RUN` and `interlock rollback RUN`: a run that was left in its middle goes on, or goes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, wired
from interlock.cli.repair_run import PLAYBOOK, inputs_of
from interlock.cli.runs import answer_of, carry_out
from interlock.errors import UsageError

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring
    from interlock.ports import Store


def resume(context: Context) -> Answer:
    """`interlock resume RUN`."""
    return _take_up(context, back=False)


def rollback(context: Context) -> Answer:
    """`interlock rollback RUN`."""
    return _take_up(context, back=True)


def _take_up(context: Context, *, back: bool) -> Answer:
    name = context.options.run
    with wired(context, about=name) as wiring:
        if _is_of_channel(wiring.store, name):
            return _channel_goes_on(context, wiring, name, back=back)
        report = carry_out(context, wiring, lambda engine: engine.roll_back(name) if back else engine.resume(name))
        if report.playbook == PLAYBOOK:
            from interlock.cli.mending import told  # noqa: PLC0415 - only here

            return told(context, wiring, report)
        return answer_of(context, report)


def _is_of_channel(store: Store, run: str) -> bool:
    """A run of `repair --channel` is of no playbook, so it has no text of one."""
    header = store.header(run)
    if header.playbook != PLAYBOOK:
        return False
    records = store.records(header.run)
    return bool(records) and not records[0].body.get("text")


def _channel_goes_on(context: Context, wiring: Wiring, run: str, *, back: bool) -> Answer:
    """UsageError if the run has ended, or is to go back."""
    from interlock.cli.unblocking import go_on_with  # noqa: PLC0415 - only here

    header = wiring.store.header(run)
    if header.outcome not in {None, "halted"}:
        raise UsageError(f"run {header.run} has ended", hint=f"`interlock show {header.run}` says how")
    if back:
        raise UsageError(
            f"run {header.run} lets a channel go on, and does not go back",
            hint=f"interlock resume {header.run}; `interlock show {header.run}` has what it sent",
        )
    return go_on_with(context, wiring, header, inputs_of(wiring.store.records(header.run)))
