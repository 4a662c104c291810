"""Commands that begin runs, and tell of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, here, stored, wired
from interlock.cli.watching import watching
from interlock.decisions.run_names import RUN_NAME, RUN_NAME_RULE
from interlock.documents.problems import shown
from interlock.engine.report import RunReport, report_of
from interlock.errors import ExitCode, UsageError
from interlock.model.codec import fields_of, to_plain
from interlock.stores.holder import running_for_ms

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring
    from interlock.engine.runs import Engine
    from interlock.playbook.tree import Playbook


def run(context: Context) -> Answer:
    """`interlock run PLAYBOOK`."""
    return _start(context, context.options.playbook, inputs_of(context.options.input), context.options.as_)


def switchover(context: Context) -> Answer:
    """`interlock switchover --to CLUSTER`: the playbook of that name."""
    return _start(context, "switchover", inputs_of(context.options.input))


def rejoin(context: Context) -> Answer:
    """`interlock rejoin CLUSTER`: the playbook of that name."""
    return _start(context, "rejoin", inputs_of(context.options.input))


def plan(context: Context) -> Answer:
    """`interlock plan PLAYBOOK`."""
    from interlock.engine.plan import plan as make_plan  # noqa: PLC0415 - only here
    from interlock.report.history import past_outages_ms  # noqa: PLC0415 - only here
    from interlock.report.plan_text import plan_text  # noqa: PLC0415 - only here

    given = inputs_of(context.options.input)
    with wired(context) as wiring:
        playbook = playbook_of(context.options.playbook, wiring)
        report = make_plan(playbook, given, wiring.world, past_outages_ms(wiring.store, wiring.topology.name, playbook.name))
    refused = report.would != "succeed"
    code = ExitCode.REFUSED if refused else ExitCode.SUCCEEDED
    plain = {**fields_of(report), "exit_code": int(code)}
    return Answer(plain=plain, text=lambda width: plan_text(report, width), exit_code=code)


def runs(context: Context) -> Answer:
    """`interlock runs`."""
    from interlock.fleet.journal import FLEETS  # noqa: PLC0415 - only here
    from interlock.report.runs_text import rows_of, runs_text  # noqa: PLC0415 - only here
    from interlock.stores.open import store_file  # noqa: PLC0415 - only here

    with stored(context) as (store, topology):
        rows = rows_of([header for header in store.runs(topology) if header.topology != FLEETS])
    file = store_file(context.store_url())
    return Answer(plain=to_plain(rows), text=lambda width: runs_text(rows, width, file))


def show(context: Context) -> Answer:
    """`interlock show RUN`. Exits 0 whatever the run's outcome: it was shown."""
    from interlock.fleet.journal import FLEETS  # noqa: PLC0415 - only here
    from interlock.report.run_text import run_text  # noqa: PLC0415 - only here

    with stored(context) as (store, _):
        header = store.header(context.options.run)
        if header.topology == FLEETS:
            raise UsageError(f"{header.run} is a fleet, not a run", hint=f"`interlock fleet show {header.run}`")
        report = report_of(header, store.records(header.run))
    return Answer(plain=to_plain(report), text=lambda width: run_text(report, width, steps=True, said=context.said()))


def carry_out(context: Context, wiring: Wiring, go: Callable[[Engine], RunReport]) -> RunReport:
    """One run, watched by whoever sits there, and stopped by signals."""
    with watching(context) as watch:
        return go(wiring.engine(watch.observe, watch.ask, watch.stop))


def _start(context: Context, name: str, given: dict[str, str], run: str | None = None) -> Answer:
    if run is not None and not RUN_NAME.fullmatch(run):
        raise UsageError(f"--as {shown(run)} is no name for a run", hint=RUN_NAME_RULE)
    with wired(context) as wiring:
        playbook = playbook_of(name, wiring)
        return answer_of(
            context, carry_out(context, wiring, lambda engine: engine.start(playbook, given, run, start_up_ms=running_for_ms()))
        )


def answer_of(context: Context, report: RunReport) -> Answer:
    """What the command prints of it, and its exit code."""
    from interlock.report.run_text import run_text  # noqa: PLC0415 - only at the end

    code = ExitCode.HALTED if report.exit_code is None else ExitCode(report.exit_code)
    return Answer(plain=to_plain(report), text=lambda width: run_text(report, width, steps=False, said=context.said()), exit_code=code)


def playbook_of(name: str, wiring: Wiring) -> Playbook:
    """By its name, or from its file."""
    from interlock.playbook.find import find_playbook  # noqa: PLC0415 - with the parser it takes its time
    from interlock.playbook.load import load_playbook  # noqa: PLC0415 - as above

    return load_playbook(find_playbook(name, here()), wiring.catalogue)


def inputs_of(words: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` words. UsageError with every one that is none, or that is said twice."""
    given: dict[str, str] = {}
    problems = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            problems.append(f"-i {shown(word)} is not NAME=VALUE")
        elif name in given:
            problems.append(f"the input {shown(name)} is given twice: {shown(given[name])} and {shown(value)}")
        else:
            given[name] = value
    if problems:
        raise UsageError("\n".join(problems), hint="for example: -i to=west -i max_outage=5s")
    return given
