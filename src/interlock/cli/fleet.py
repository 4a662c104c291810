"""`interlock fleet …`: one playbook on many pairs."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType

from interlock.actions.catalogue import catalogue
from interlock.bootstrap import read_topology
from interlock.cli.context import Answer, Context, here, note
from interlock.cli.runs import inputs_of
from interlock.cli.signals import signals_to
from interlock.clock import SystemClock
from interlock.dataclass import dataclass
from interlock.documents.problems import shown
from interlock.documents.values import duration_s
from interlock.documents.yaml import read_file
from interlock.errors import ExitCode, UsageError
from interlock.fleet import journal, pairs, work
from interlock.fleet.children import PROGRAM, Processes
from interlock.fleet.journal import FleetJournal, History, Order
from interlock.fleet.listing import as_it_is, fleet_header, fleets
from interlock.fleet.model import FLEET_NAME, FLEET_NAME_RULE, FleetReport, Limits, PairReport, Standing
from interlock.fleet.planning import plan_all
from interlock.fleet.pool import StopAsked
from interlock.model.codec import to_plain
from interlock.playbook.find import find_playbook
from interlock.playbook.load import load_playbook
from interlock.playbook.tree import Playbook
from interlock.ports import Store
from interlock.report import fleet_text
from interlock.stores.holder import liveness, this_holder
from interlock.stores.open import default_path, open_store, sqlite_path

_AT_ONCE = 4
_HOUR_S = 3600.0


def plan(context: Context) -> Answer:
    """`interlock fleet plan`. Exits 0 if each would succeed, otherwise as the worst of them."""
    order = _order(context)
    words = ("plan", order.playbook_file, *(word for name, value in order.inputs.items() for word in ("--input", f"{name}={value}")))
    with tempfile.TemporaryDirectory(prefix="interlock-plan-") as folder, _stops("planning") as stop:
        made = plan_all(
            order.pairs,
            order.playbook,
            (*_options(context), *words),
            Processes(Path(folder), context.program or PROGRAM),
            at_once=order.limits.at_once,
            clock=SystemClock(),
            stop=stop,
        )
    return Answer(plain=to_plain(made), text=lambda width: fleet_text.plan_text(made, width), exit_code=ExitCode(made.exit_code))


def run(context: Context) -> Answer:
    """`interlock fleet run`. InvalidFile or UsageError, with every problem of every file, before anything starts."""
    name = context.options.name
    if name is not None and not FLEET_NAME.fullmatch(name):
        raise UsageError(f"--name {shown(name)} is no name for a fleet", hint=FLEET_NAME_RULE)
    order = _order(context)
    clock = SystemClock()
    fleet = name or f"fleet-{clock.wall():%Y%m%d-%H%M%S}"
    with _store(context) as store:
        written = journal.begin(store, fleet, order, clock)
        return _carry_out(context, store, journal.read_history(fleet, store.records(fleet)), written)


def resume(context: Context) -> Answer:
    """`interlock fleet resume`."""
    with _store(context) as store:
        fleet = fleet_header(store, context.options.fleet).run
        history = journal.read_history(fleet, store.records(fleet))
        order = history.order
        if not _is_unchanged(order):
            raise UsageError(f"{order.playbook_file} is not what {fleet} began with", hint="put it back, or begin a new fleet")
        playbook = _playbook(order.playbook_file)
        found = pairs.read_pairs([Path(pair.file) for pair in order.pairs], read_topology, pairs.fits(playbook, dict(order.inputs)))
        if gone := sorted({pair.name for pair in order.pairs} - {pair.name for pair in found}):
            raise UsageError(f"no file is the topology of {', '.join(gone)} any more", hint="put back the names, or begin a new fleet")
        return _carry_out(context, store, history, FleetJournal(store, fleet, SystemClock(), history.records))


def show(context: Context) -> Answer:
    """`interlock fleet show`. Exits 0 whatever became of it: it was shown."""
    with _store(context) as store:
        fleet = fleet_header(store, context.options.fleet).run
        report = as_it_is(store, journal.read_history(fleet, store.records(fleet)), liveness)
    return replace(_answer(context, report), exit_code=ExitCode.SUCCEEDED)


def list_(context: Context) -> Answer:
    """`interlock fleet list`."""
    with _store(context) as store:
        rows = fleets(store, liveness)
    return Answer(plain=to_plain(rows), text=lambda width: fleet_text.fleets_text(rows, width))


def _carry_out(context: Context, store: Store, history: History, written: FleetJournal) -> Answer:
    progress = _Progress(all_=len(history.order.pairs))
    options = _options(context)
    if history.order.yes and "--yes" not in options:
        options = (*options, "--yes")
    office = work.Office(
        store=store,
        programs=Processes(_folder(history.fleet), context.program or PROGRAM),
        clock=SystemClock(),
        look=liveness,
        tell=progress.tell,
        holder=this_holder,
        options=options,
        unchanged=lambda: _is_unchanged(history.order),
    )
    note(f"fleet {history.fleet}: {history.order.playbook} on {len(history.order.pairs)} pairs")
    with _stops(f"fleet {history.fleet}") as stop:
        return _answer(context, work.carry_out(office, history, written, _limits(context, history.order.limits), stop))


@dataclass(slots=True, kw_only=True)
class _Progress:
    all_: int
    ended: int = 0

    def tell(self, what: str, pair: PairReport) -> None:
        self.ended += what == "ended" and pair.standing is not Standing.NOT_STARTED
        note(fleet_text.progress_line(what, pair, self.ended, self.all_))


@contextlib.contextmanager
def _stops(what: str) -> Iterator[StopAsked]:
    """Signals count as a person's asking. A hang-up is never more than the first one, as in a run."""
    stop = StopAsked()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if stop.times == 0:
            stop.times = 1
            line = f"stop requested: {what} starts no more pairs, those that run end gently; once more to stop at once\n"
            with contextlib.suppress(OSError):
                os.write(2, line.encode())  # not `note`: the signal may have come in the middle of one
        elif number != signal.SIGHUP:
            stop.times += 1

    with signals_to(on_signal):
        yield stop


def _answer(context: Context, report: FleetReport) -> Answer:
    def text(width: int) -> str:
        return fleet_text.fleet_text(report, width, said=context.said(), said_of=lambda file: context.said(topology=file))

    return Answer(plain=to_plain(report), text=text, exit_code=ExitCode(report.exit_code))


def _order(context: Context) -> Order:
    """What the words and the files say. All problems of the files at once."""
    options = context.options
    given = inputs_of(options.input)
    playbook = _playbook(options.playbook)
    return Order(
        playbook=playbook.name,
        playbook_file=playbook.path,
        text=playbook.text,
        inputs=given,
        pairs=pairs.read_pairs(pairs.files_in(Path(options.topologies)), read_topology, pairs.fits(playbook, given)),
        limits=_limits(context, Limits(at_once=_AT_ONCE, stop_after_failures=1, each_within_s=_HOUR_S)),
        yes=bool(options.yes),
    )


def _limits(context: Context, otherwise: Limits) -> Limits:
    options = context.options
    told = getattr(options, "each_within", None)
    within_s = otherwise.each_within_s if told is None else duration_s(told)
    if not within_s:
        raise UsageError(f"--each-within {shown(told)} is no duration", hint="for example: 30m or 2h")
    return Limits(
        at_once=options.at_once or otherwise.at_once,
        stop_after_failures=getattr(options, "stop_after_failures", None) or otherwise.stop_after_failures,
        each_within_s=within_s,
    )


def _playbook(name: str) -> Playbook:
    return load_playbook(find_playbook(name, here()), catalogue())


def _is_unchanged(order: Order) -> bool:
    try:
        return read_file(Path(order.playbook_file)) == order.text
    except UsageError:
        return False


def _options(context: Context) -> tuple[str, ...]:
    """What each pair's program is told beside its work."""
    url = context.store_url()
    if url is not None and url.startswith("sqlite:"):
        url = f"sqlite://{sqlite_path(url)}"
    return (*(("--store", url) if url else ()), *(("--yes",) if context.options.yes else ()))


def _folder(fleet: str) -> Path:
    """Where the programs of a fleet leave what they print."""
    folder = default_path().parent / "fleets" / fleet
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} can't be made: {error.strerror}", hint="set XDG_STATE_HOME to a folder of yours") from error
    return folder


@contextlib.contextmanager
def _store(context: Context) -> Iterator[Store]:
    store = open_store(context.store_url(), SystemClock())
    try:
        yield store
    finally:
        store.close()
