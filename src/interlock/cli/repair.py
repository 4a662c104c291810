"""`interlock repair`: what an emergency lost is put back, what a comparison found is mended, or a channel that stopped goes on."""

from __future__ import annotations

from interlock.cli.context import Answer, Context, wired
from interlock.errors import UsageError

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


def _losses(context: Context) -> Answer:
    from interlock.cli.losses import facts_of  # noqa: PLC0415 - only here
    from interlock.cli.repairing import carry_out  # noqa: PLC0415 - with the engine it takes its time

    with wired(context, about=context.options.losses) as wiring:
        return carry_out(context, wiring, facts_of(wiring, context.options.losses))
