"""Questions 12, 13, 15, 16: is there a plan, does it work for either side, was it tried, and where?"""

from __future__ import annotations

from collections.abc import Iterator

from interlock.audit.facts import PairSeen
from interlock.audit.rule import Chapter, Fault, Rule, command, in_topology, replica, sql
from interlock.audit.rules.peaks import keep, kept_s
from interlock.audit.rules.settings import of_question
from interlock.decisions.replication import is_channel_healthy
from interlock.decisions.windows import DAY_S
from interlock.model.audit import AuditVerdict
from interlock.model.topology import ClusterSpec
from interlock.model.verdict import Refuse

_UNFIT, _ATTENTION, _PERSON = AuditVerdict.UNFIT, AuditVerdict.NEEDS_ATTENTION, AuditVerdict.PERSON


def _fencing(pair: PairSeen) -> Iterator[Fault]:
    for name, cluster in pair.topology.clusters.items():
        if not cluster.fencing:
            yield Fault(
                says=f"{name} has no way to be fenced from outside",
                object=f"{name}.fencing",
                fix=in_topology(f"clusters:\n  {name}:\n    fencing:\n    - {_way(cluster, str(name))}"),
            )


def _way(cluster: ClusterSpec, name: str) -> str:
    if cluster.ssh is not None:
        return "{type: service, unit: mariadb}"
    return f"{{type: command, fence: [./power, 'off', {name}], show: [./power, show, {name}], fenced: 'off'}}   # your own program"


def _logs(pair: PairSeen) -> Iterator[Fault]:
    for name, cluster in pair.topology.clusters.items():
        if cluster.logs is None:
            basename = cluster_setting(pair, str(name), "log_bin_basename")
            folder = basename.rpartition("/")[0] or "/var/lib/mysql"
            yield Fault(
                says=f"nobody knows where the binary log of {name} is, for the day when its server does not answer",
                object=f"{name}.logs",
                seen={str(name): basename},
                fix=in_topology(f"clusters:\n  {name}:\n    logs: {{dir: {folder}}}"),
            )


def cluster_setting(pair: PairSeen, cluster: str, setting: str) -> str:
    return next((one.settings.get(setting, "") for one in pair.masters if one.spec.cluster == cluster), "")


def _unfinished(pair: PairSeen) -> Iterator[Fault]:
    for run in pair.runs:
        if run.outcome is None:
            yield Fault(
                says=f"the run {run.run} ({run.playbook}) has not ended",
                object=run.run,
                seen={"state": run.state},
                fix=command(f"interlock resume {run.run}   # or: interlock rollback {run.run}"),
            )


def _documented(pair: PairSeen) -> Iterator[Fault]:
    yield Fault(
        says="where is the failover plan, and who carries it out? (`interlock runbook` writes it)",
        object="failover plan",
        seen={"clusters": ", ".join(map(str, pair.topology.clusters)), "routes": ", ".join(map(str, pair.topology.routes))},
    )


def _channels(pair: PairSeen) -> Iterator[Fault]:
    for source, server in ((pair.masters[0], pair.masters[1]), (pair.masters[1], pair.masters[0])):
        if pair.topology.clusters[server.spec.cluster].channel is not None:
            continue  # it is not the server's own replication
        verdict = is_channel_healthy(server.name, source.name, server.channels, None)
        if isinstance(verdict, Refuse):
            yield Fault(
                says=verdict.why,
                server=server.name,
                object=f"from {source.name}",
                seen={server.name: "; ".join(f"receiver {one.receiver}, applier {one.applier}" for one in server.channels) or "no channel"},
                fix=sql(server, f"START {replica(server)}"),
            )


def _refused(pair: PairSeen) -> Iterator[Fault]:
    for name, problems in pair.refusals.items():
        for problem in problems:
            yield Fault(
                says=f"a quiesce onto {name} would be refused now: {problem}",
                object=f"onto {name}: {problem}",
                fix=command(f"interlock plan quiesce --onto {name} --for 4h --reason rehearsal   # says it all, with hints"),
            )


def _retention(pair: PairSeen) -> Iterator[Fault]:
    for server in pair.masters:
        kept = kept_s(server)
        if kept is not None and kept < DAY_S:
            yield Fault(
                says=f"{server.name} keeps its log for {kept / 3600:g}h: a side that is worked on for a day can't catch up any more",
                server=server.name,
                object="retention",
                seen={server.name: f"{kept:g}s"},
                fix=keep(server, 7 * DAY_S),
            )


def _tells_plan(pair: PairSeen) -> Iterator[str]:
    for name, cluster in pair.topology.clusters.items():
        kinds = ", ".join(str(one.get("type")) for one in cluster.fencing) or "none"
        logs = cluster.logs.folder if cluster.logs else "not told"
        yield f"{name}: fencing from outside: {kinds}; ssh: {'yes' if cluster.ssh else 'no'}; logs: {logs}"


def _tells_quiesce(pair: PairSeen) -> Iterator[str]:
    first = ", with the segments moved there first" if pair.topology.segments else ""
    for name, problems in pair.refusals.items():
        yield f"a quiesce onto {name} would {'be refused' if problems else 'succeed'} now{first}"
    for server in pair.masters:
        kept = kept_s(server)
        lags = ", ".join(f"{one.lag_s}s behind {one.source or one.source_address}" for one in server.channels) or "no channel"
        yield f"{server.name}: {lags}; its log is kept {'for ever' if kept is None else f'for {kept / DAY_S:g} days'}"


PLAN = Chapter(
    question=12,
    title="A documented failover plan",
    tells=_tells_plan,
    rules=(
        Rule(
            id="plan.fencing",
            question=12,
            title="Each side can be fenced from outside",
            verdict=_ATTENTION,
            why="a master that hangs can't be told to stop: nobody can prove that it takes no writes when it wakes up",
            source="docs/fencing.md",
            look=_fencing,
        ),
        Rule(
            id="plan.logs",
            question=12,
            title="Each side's log can be reached without its server",
            verdict=_ATTENTION,
            why="what a failover lost can't be listed while the old server is down",
            source="docs/losses.md",
            look=_logs,
        ),
        Rule(
            id="plan.no_run_unfinished",
            question=12,
            title="No run stands unfinished",
            verdict=_ATTENTION,
            why="the pair is as that run left it, and no other may begin",
            source="docs/switchover.md",
            look=_unfinished,
        ),
        Rule(
            id="plan.documented",
            question=12,
            title="The plan is written down",
            verdict=_PERSON,
            why="in an emergency nobody invents one",
            source="docs/failover.md",
            look=_documented,
        ),
    ),
)
QUIESCE = Chapter(
    question=13,
    title="Quiesce to one cluster",
    tells=_tells_quiesce,
    rules=(
        Rule(
            id="quiesce.channels",
            question=13,
            title="Replication runs both ways",
            verdict=_UNFIT,
            why="the side that is to take all load lacks data, or the other one can't come back",
            source='MySQL manual, "SHOW REPLICA STATUS"',
            look=_channels,
        ),
        Rule(
            id="quiesce.plan_is_clean",
            question=13,
            title="The plan of a quiesce runs clean for either side",
            verdict=_ATTENTION,
            why="what refuses it is found out in the hour when one side must be worked on",
            source="docs/quiesce.md",
            look=_refused,
        ),
        Rule(
            id="quiesce.retention",
            question=13,
            title="The log outlasts a day's work on the other side",
            verdict=_UNFIT,
            why="a side that was down for longer than the log is kept must be built anew",
            source='MySQL manual, "binlog_expire_logs_seconds"',
            look=_retention,
        ),
        *of_question(13),
    ),
)
