"""`interlock repair --channel CLUSTER`: the one change that lets a stopped applier go on, and whether it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, width
from interlock.cli.held_pair import ask
from interlock.cli.repair_run import Job, end_without, repair_job, unfinished_repair
from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.decisions.giving_up import sentence
from interlock.diff.mending import UNLOGGED, prove_unlogged
from interlock.diff.stuck import Stuck, change_row, find_stuck
from interlock.engine.states import State
from interlock.errors import Refused, RefusedButAlive, StatementFailed, Unreachable, UsageError
from interlock.losses.codec import shown_image
from interlock.losses.files import holds
from interlock.losses.now import Survivor
from interlock.losses.parsing import OWN_SCHEMA
from interlock.losses.payload import mysqlbinlog
from interlock.losses.permitted import see_allowed
from interlock.losses.run_facts import run_that_gave_up
from interlock.losses.sql import SETTINGS
from interlock.model.effects import StartApplier
from interlock.model.facts import ChannelFacts, channel_from
from interlock.model.marks import MarkKind
from interlock.model.position import FilePosition
from interlock.model.topology import ClusterName
from interlock.ports import RunHeader
from interlock.report.repair_text import stuck_text
from interlock.servers.server import SqlServer

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring

_ACTION = "channel.repair"
_GOES_PAST_S = 30.0
_STARTS_WITHIN_S = 1.0
_LOOK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Channel:
    """From `source` into `server`, the masters of the two clusters; `cluster` is the latter's. `program` takes compressed logs apart."""

    cluster: str
    server: SqlServer
    source: SqlServer
    program: str | None
    clock: Clock

    def facts(self) -> ChannelFacts:
        """Refused if there is none."""
        found = channel_from(self.source.name, self.server.channels())
        if found is None:
            raise Refused(f"{self.server.name} does not replicate from {self.source.name}", hint="`interlock status`")
        return found

    def stuck(self, rows: Survivor) -> Stuck:
        """Refused if the applier runs, or one row does not let it go on."""
        held = self.server.write_facts().position
        return find_stuck(self.facts(), self.source, held, rows, flavor=self.source.facts().flavor, program=self.program)

    def go_past(self, stuck: Stuck, mark: str) -> None:
        """Start the applier, and see that it applied what it had stopped at, or that it stopped again. StatementFailed if neither."""
        self.server.apply(StartApplier(server=self.server.name, channel=stuck.channel.name), mark)
        deadline, at_least = Deadline.after(self.clock, _GOES_PAST_S), Deadline.after(self.clock, _STARTS_WITHIN_S)
        now, is_past = self._now(stuck)
        while not (is_past or deadline.is_over() or (at_least.is_over() and not now.applier)):
            self.clock.sleep(_LOOK_EVERY_S)
            now, is_past = self._now(stuck)
        if now.applier and not is_past:
            raise StatementFailed(
                f"the applier of {self.server.name} runs, and has not got past {stuck.position} in {_GOES_PAST_S:g}s",
                hint="see what it waits for: `interlock status`",
                server=self.server.name,
            )
        if is_past:
            self.clock.sleep(_STARTS_WITHIN_S)  # so that an error of what follows at once is seen

    def _now(self, stuck: Stuck) -> tuple[ChannelFacts, bool]:
        """And whether it is past what it had stopped at. (MySQL says how far in the log it is only now and then.)"""
        now, held = self.facts(), self.server.write_facts().position
        is_past = now.applied != stuck.channel.applied if isinstance(held, FilePosition) else holds(held, stuck.position)
        return now, is_past


def unblock(context: Context, wiring: Wiring, cluster: str) -> Answer:
    """Without `--apply` it tells what the applier stopped at, and what lets it go on. Refused if one row does not, or must not."""
    channel = _channel(context, wiring, cluster)
    if context.options.apply:
        own = unfinished_repair(wiring, {"channel": cluster})
        return _carry_out(context, wiring, channel, times=context.options.times, own=own)
    _see_not_given_up(wiring, channel)
    session = channel.server.session(SETTINGS)
    try:
        stuck = channel.stuck(Survivor(session))
    finally:
        session.close()
    said = f"nothing was changed; to do it: interlock repair --channel {cluster} --apply"
    plain = {"channel": cluster, "dry_run": True, "stopped_at": _plain(stuck), "exit_code": 0}
    return Answer(plain=plain, text=lambda width: f"{stuck_text(stuck, width)}\n\n{said}")


def go_on_with(context: Context, wiring: Wiring, header: RunHeader, inputs: Mapping[str, object]) -> Answer:
    """With one that was left in its middle."""
    return _carry_out(context, wiring, _channel(context, wiring, str(inputs["channel"])), times=int(str(inputs["times"])), own=header)


def _channel(context: Context, wiring: Wiring, cluster: str) -> _Channel:
    clusters = wiring.topology.clusters
    if cluster not in clusters:
        raise UsageError(f"there is no cluster {cluster!r}", hint=f"known: {', '.join(clusters)}")
    (other,) = (name for name in clusters if name != cluster)
    server, source = (wiring.world.sql_server(clusters[ClusterName(one)].master.name) for one in (cluster, other))
    return _Channel(cluster=cluster, server=server, source=source, program=mysqlbinlog(context.environ), clock=wiring.clock)


def _see_not_given_up(wiring: Wiring, channel: _Channel) -> None:
    """Refused if what the channel keeps back was given up: clients have written on the server since, and it would come over that. Or if
    that is not known: another store has the run that quiesced the other side.
    """
    server, source, pair = channel.server.name, channel.source.name, wiring.topology.name
    run = run_that_gave_up(wiring.store, pair, sentence(server, channel.facts()))
    quiesced = wiring.topology.server(source).cluster
    if run:
        raise Refused(
            f"what {server} lacks of {source} was given up by run {run}: it would come over what was written on {server} since",
            hint=f"`interlock losses {run}` lists it, `interlock repair --losses {run}` puts back what nobody wrote since;"
            f" `interlock rejoin {quiesced}` lets the channel begin anew without it",
        )
    known = {header.run for header in wiring.store.runs(pair)}
    notes = [each for each in channel.server.noted(pair) if each.kind is MarkKind.QUIESCED and each.subject == quiesced]
    if unknown := [note.run for note in notes if note.run not in known]:
        raise Refused(
            f"by a note on {server}: {quiesced} was quiesced by run {unknown[0]}, which this store does not know, and that may have given"
            f" up what {server} lacks",
            hint=f"with the store that it was made with; or `interlock rejoin {quiesced}` lets the channel begin anew without it",
        )


def _carry_out(context: Context, wiring: Wiring, channel: _Channel, *, times: int, own: RunHeader | None) -> Answer:
    with repair_job(wiring, own) as job:
        try:
            return _go_on(context, job, channel, times=times)
        except (Unreachable, RefusedButAlive) as gone:
            if own is None:
                raise
            return end_without(job, _ACTION, gone)


def _go_on(context: Context, job: Job, channel: _Channel, *, times: int) -> Answer:
    session = channel.server.session(UNLOGGED)
    try:
        prove_unlogged(session)
        rows = Survivor(session)
        if job.own is None:
            _see_not_given_up(job.wiring, channel)
        stuck = _first(channel, rows, job)
        changed: list[Stuck] = []
        if stuck is not None:
            context.tell(stuck_text(stuck, width()))
            ask(context, f"let the applier of {channel.cluster} go on, up to {times} time{'s' * (times != 1)}?")
            job.begin({"channel": channel.cluster, "times": times}, channel.server)
        while stuck is not None and len(changed) < times:
            job.check()
            _let_go_on(job, channel, rows, stuck, number=len(changed) + 1)
            changed.append(stuck)
            stuck = _next(context, channel, rows, stuck)
    finally:
        session.close()
    return _ended(job, channel, changed, channel.facts())


def _first(channel: _Channel, rows: Survivor, job: Job) -> Stuck | None:
    """None if a killed repair, which goes on, has nothing more to do, or can't do it: so that it comes to its end."""
    try:
        stuck = channel.stuck(rows)
    except Refused:
        if job.own is None:
            raise
        return None
    if stuck.change is not None and stuck.change.schema != OWN_SCHEMA:
        see_allowed(rows.session, {stuck.change.schema})
    return stuck


def _let_go_on(job: Job, channel: _Channel, rows: Survivor, stuck: Stuck, *, number: int) -> None:
    if stuck.sql:
        with job.writable(channel.server):
            before = {"position": stuck.position, "row": shown_image(stuck.row)}
            job.acting(f"row {number}", _ACTION, before=before, script=(stuck.sql,), undo=(stuck.inverse,))
            change_row(rows.session, stuck, mark=job.mark)
            job.done(f"row {number}", _ACTION, f"{stuck.what} of {stuck.position}; back: {stuck.inverse}")
    channel.go_past(stuck, job.mark)


def _next(context: Context, channel: _Channel, rows: Survivor, last: Stuck) -> Stuck | None:
    """What it stopped at next; None if it runs, or stopped at what one row can't mend, which is told in the end."""
    if channel.facts().applier:
        return None
    try:
        stuck = channel.stuck(rows)
    except Refused as other:
        context.tell(f"it stopped again: {other.message}")
        return None
    context.tell(f"it stopped again:\n{stuck_text(stuck, width())}")
    return stuck if (stuck.position, stuck.sql) != (last.position, last.sql) else None


def _ended(job: Job, channel: _Channel, changed: list[Stuck], now: ChannelFacts) -> Answer:
    runs = f"the applier of {channel.cluster} {'runs' if now.applier else f'stopped again: {now.error}'}"
    rows = sum(1 for one in changed if one.sql)
    job.end(
        action=_ACTION,
        why=f"{rows} row{'s' * (rows != 1)} changed; {runs}",
        outcome=State.SUCCEEDED,
        outputs={"rows": rows, "runs": now.applier},
    )
    plain = {
        "channel": channel.cluster,
        "dry_run": False,
        "run": job.held.run,
        "changed": [_plain(one) for one in changed],
        "runs": now.applier,
        "error": now.error,
        "exit_code": 0,
    }
    more = "" if now.applier else f"\nto let it go on once more: interlock repair --channel {channel.cluster} --apply"
    return Answer(plain=plain, text=lambda _: f"{rows} row{'s' * (rows != 1)} changed, not in the binary log; {runs}{more}")


def _plain(stuck: Stuck) -> dict[str, object]:
    return {
        "error": stuck.error or stuck.channel.applier_error,
        "position": stuck.position,
        "event": stuck.what,
        "before": shown_image(stuck.change.before) if stuck.change else None,
        "after": shown_image(stuck.change.after) if stuck.change else None,
        "in_the_way": None if stuck.is_missing else shown_image(stuck.row),
        "sql": stuck.sql,
        "inverse": stuck.inverse,
    }
