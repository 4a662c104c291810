"""`interlock repair`: what an emergency lost is put back, what a comparison found is mended, or a channel that stopped goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, wired
from interlock.errors import UsageError

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring
    from interlock.ports import Store

PLAYBOOK = "repair"
_OF_DIFFERENCES = ("onto", "table", "row", "sql", "inverse")


def repair(context: Context) -> Answer:
    """`interlock repair [NAME] | --losses RUN | --channel CLUSTER`. Without `--apply` or `--undo` nothing is changed."""
    options = context.options
    for word, given in (("NAME", options.diff), ("--losses", options.losses), ("--channel", options.channel)):
        if given == "":
            raise UsageError(f"{word} is empty", hint="was a variable of the shell not set? leave it out for the newest comparison")
    kinds = [word for word, given in (("NAME", options.diff), ("--losses", options.losses), ("--channel", options.channel)) if given]
    if len(kinds) > 1:
        raise UsageError(f"{' and '.join(kinds)} are given", hint="repair one thing at a time")
    if options.apply and options.undo:
        raise UsageError("--apply and --undo are given", hint="give one of them")
    strange = [f"--{word}" for word in _OF_DIFFERENCES if getattr(options, word) and (options.losses or options.channel)]
    if strange:
        raise UsageError(f"{', '.join(strange)} is only for what a comparison found", hint="interlock repair --help")
    if options.channel and options.undo:
        raise UsageError("what let a channel go on is not taken back by --undo", hint="the inverse was printed with it")
    if options.losses:
        return _losses(context)
    with wired(context) as wiring:
        if options.channel:
            from interlock.cli.unblocking import unblock  # noqa: PLC0415 - only here

            return unblock(context, wiring, options.channel)
        from interlock.cli.mending import repair_differences  # noqa: PLC0415 - only here

        return repair_differences(context, wiring)


def is_of_channel(store: Store, run: str) -> bool:
    """A run of `--channel` is of no playbook, so it has no text of one."""
    header = store.header(run)
    if header.playbook != PLAYBOOK:
        return False
    records = store.records(header.run)
    return bool(records) and not records[0].body.get("text")


def take_up(context: Context, wiring: Wiring, run: str, *, back: bool) -> Answer:
    """`interlock resume RUN` and `interlock rollback RUN` of one that was to let a channel go on, and did not come to its end."""
    from interlock.cli import unblocking  # noqa: PLC0415 - only here
    from interlock.cli.repair_run import inputs_of  # noqa: PLC0415 - as above

    header = wiring.store.header(run)
    if header.outcome not in {None, "halted"}:
        raise UsageError(f"run {header.run} has ended", hint=f"`interlock show {header.run}` says how")
    if back:
        raise UsageError(
            f"run {header.run} lets a channel go on, and does not go back",
            hint=f"interlock resume {header.run}; `interlock show {header.run}` has what it sent",
        )
    return unblocking.go_on_with(context, wiring, header, inputs_of(wiring.store.records(header.run)))


def _losses(context: Context) -> Answer:
    from interlock.cli.losses import facts_of  # noqa: PLC0415 - only here
    from interlock.cli.repairing import carry_out  # noqa: PLC0415 - with the engine it takes its time

    with wired(context, about=context.options.losses) as wiring:
        return carry_out(context, wiring, facts_of(wiring, context.options.losses))
