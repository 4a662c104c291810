"""The words of the command line. Nothing heavy is imported here, so that `--help` answers at once.

Options that hold for every command may stand before its name or after it. Each command names the function that carries it out as
`module:function`; `main` imports it when it is needed.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NoReturn

from interlock.errors import UsageError

PROGRAM = "interlock"
_EPILOG = """\
exit codes: 0 succeeded · 2 bad usage or invalid file · 3 refused, nothing was changed · 4 rolled back, as before ·
5 halted, everything is fenced and a person is needed · 6 another run holds the pair · 1 a crash · 130 stopped"""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """As wide as argparse makes it; but argparse asks the terminal again for every option that is added."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


@cache
def _columns() -> int:
    return shutil.get_terminal_size().columns


class Parser(argparse.ArgumentParser):
    """Raises UsageError instead of ending the program, and names what a wrong word may have meant."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=_Formatter, **kwargs)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"{self.prog} --help")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        import difflib  # noqa: PLC0415 - only for a mistake

        known = [str(choice) for choice in action.choices]
        near = difflib.get_close_matches(str(value), known, n=1)
        what = "command" if isinstance(action.choices, dict) else action.metavar or action.dest
        raise UsageError(f"there is no {what} {str(value)!r}", hint=f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}")


class _Unasked:
    """Stands for a command that nobody asks for: whatever is added to it is left out."""

    def __getattr__(self, _: str) -> Callable[..., _Unasked]:
        return lambda *_, **__: self


class _Only:
    """Of all commands the one that is asked for: to make them all takes as long as to read the topology."""

    def __init__(self, commands: Any, name: str) -> None:
        self._commands, self._name = commands, name

    def add_parser(self, name: str, **words: Any) -> Any:
        return self._commands.add_parser(name, **words) if name == self._name else _Unasked()


def parse(words: Sequence[str]) -> argparse.Namespace:
    """UsageError for what makes no sense."""
    made = parser(words[0]) if words and not words[0].startswith("-") else parser()
    return (made if any(commands_of(made)) else parser()).parse_args(words)


def parser(only: str | None = None) -> Parser:
    """The whole command line, or of its commands the `only` one."""
    top = Parser(prog=PROGRAM, description="Move the writes of a master-master pair, and never let both sides take the same write.")
    top.epilog = _EPILOG
    _add_global(top, after=False)
    top.add_argument("--version", action="store_true", help="print the version and exit")
    every = top.add_subparsers(metavar="COMMAND", dest="command_name", title="commands")
    commands = every if only is None else _Only(every, only)
    _add_runs(commands)
    _add_losses(commands)
    _add_diff(commands)
    _add_audit(commands)
    _add_playbooks(commands)
    _add_segments(commands)
    _add_watch(commands)
    _add_fleet(commands)
    _add_sandbox(commands)
    return top


def commands_of(parent: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Every parser below `parent`, depth first, in the order in which help lists them."""
    for action in parent._actions:  # noqa: SLF001 - argparse has no other way to ask
        if isinstance(action.choices, dict):
            for child in action.choices.values():
                yield child
                yield from commands_of(child)


def _add_global(parser: argparse.ArgumentParser, *, after: bool) -> None:
    """`after`: stands behind the command's name, and must not take away what stood before it."""
    absent: Any = argparse.SUPPRESS if after else None
    flag: Any = argparse.SUPPRESS if after else False
    group = parser.add_argument_group("for every command")
    group.add_argument("-t", "--topology", metavar="FILE", default=absent, help="the pair's topology file (INTERLOCK_TOPOLOGY)")
    group.add_argument(
        "--store",
        metavar="URL",
        default=absent,
        help="where runs are recorded: sqlite:///FILE or etcd://HOST:PORT,… (INTERLOCK_STORE; by default your state folder)",
    )
    group.add_argument("--json", action="store_true", default=flag, help="one JSON document on stdout; progress goes to stderr")
    group.add_argument("--yes", action="store_true", default=flag, help="let every gate pass without asking")


def _command(commands: Any, name: str, does: str, help_: str, description: str = "") -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(name, help=help_, description=description or f"{help_[0].upper()}{help_[1:]}.")
    if does:
        made.set_defaults(does=does)
    _add_global(made, after=True)
    return made


def _add_inputs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-i", "--input", metavar="NAME=VALUE", action="append", default=[], help="an input of the playbook; may be given several times"
    )


def _add_runs(commands: Any) -> None:
    _command(
        commands,
        "status",
        "status:status",
        "show the pair as it is now: roles, channels, lag, routes, sessions, unfinished runs",
        "Show the pair as it is now: roles, channels, lag, routes, sessions, unfinished runs. Changes nothing.\n"
        "Exits 0 also when it shows problems: it could look. A monitor reads `problems` of --json.",
    )
    plan = _command(
        commands,
        "plan",
        "runs:plan",
        "show what a run would do, with live checks; changes nothing",
        "Show every statement and command of a run in order, the undo of each, the live checks' results and the expected outage.\n"
        "Changes nothing. Exits 0 if the run would succeed as things stand, 3 if it would be refused.",
    )
    run = _command(commands, "run", "runs:run", "carry out a playbook")
    for each in (plan, run):
        each.add_argument("playbook", metavar="PLAYBOOK", help="a playbook's name (see `interlock playbook list`) or its file")
        _add_inputs(each)
    plan.add_argument("--to", metavar="CLUSTER", help="the same as -i to=CLUSTER")
    run.add_argument(
        "--as", dest="as_", metavar="NAME", help="the run's name (default: the moment it begins); refused if there is a run of that name"
    )
    switchover = _command(commands, "switchover", "runs:switchover", "move the writes to the standby with nothing lost (= run switchover)")
    switchover.add_argument("--to", required=True, metavar="CLUSTER", help="the cluster that takes the writes")
    _add_inputs(switchover)
    failover = _command(
        commands,
        "failover",
        "failover:failover",
        "take the writes over from a master that is dead (= run failover)",
        "Take the writes over from a master that is dead: proved dead from several places, fenced from outside, and with all applied\n"
        "that was received from it. As long as it answers, the planned switchover is tried first, with a short budget.",
    )
    failover.add_argument("--to", required=True, metavar="CLUSTER", help="the cluster that takes the writes")
    failover.add_argument("--accept", metavar="SENTENCE", help="what can't be proved, accepted word for word as `plan failover` prints it")
    _add_inputs(failover)
    rejoin = _command(
        commands,
        "rejoin",
        "runs:rejoin",
        "bring a failed cluster back as a healthy standby (= run rejoin)",
        "Bring a cluster back as a standby that a failover took the writes from, or that was quiesced: fenced, with both channels running\n"
        "and proved, its data compared. What it holds that the writer lacks is kept, then taken back row by row, or ALL ITS DATA ARE\n"
        "REPLACED by the writer's: `interlock plan rejoin -i cluster=NAME` tells which.",
    )
    rejoin.add_argument("cluster", metavar="CLUSTER", help="the cluster that failed; its server runs again")
    _add_inputs(rejoin)
    quiesce = _command(
        commands,
        "quiesce",
        "quiesce:quiesce",
        "move all load onto one cluster and keep the other one quiet (= run quiesce)",
        "Move all load onto one cluster, fence the other one, and keep it so: no run begins before it has rejoined. Prints a certificate\n"
        "of the quiet. Where the channel towards the one that takes the load is broken, only what --accept names is given up.",
    )
    quiesce.add_argument("--onto", required=True, metavar="CLUSTER", help="the cluster that takes all load")
    quiesce.add_argument("--for", dest="for_", required=True, metavar="TIME", help="how long it is meant to last, such as 4h")
    quiesce.add_argument("--reason", required=True, metavar="TEXT", help="why, for whoever is refused because of it")
    quiesce.add_argument("--applier", choices=("stopped", "running"), help="whether the quiet one goes on applying (default: stopped)")
    quiesce.add_argument(
        "--accept", metavar="SENTENCE", help="what a broken channel keeps back is given up, word for word as `plan` prints it"
    )
    _add_inputs(quiesce)
    _command(commands, "runs", "runs:runs", "list the runs, newest first; with a topology, that pair's alone")
    for name, help_ in (
        ("show", "tell a run as a timeline, with its evidence"),
        ("resume", "go on with an unfinished or halted run"),
        ("rollback", "take back an unfinished or halted run"),
    ):
        _command(commands, name, f"runs:{name}", help_).add_argument("run", metavar="RUN", help="its name, or the beginning of it")


def _add_losses(commands: Any) -> None:
    losses = _command(
        commands,
        "losses",
        "losses:losses",
        "tell what an emergency lost, row by row",
        "Tell what a failover lost: every transaction in the old writer's binary log that the survivor does not hold, and what can be\n"
        "done about each row. Changes nothing. Until it can be known the state is `pending`, with the bound that is known.",
    )
    losses.add_argument("run", metavar="RUN", help="the failover: its name, or the beginning of it")
    for name, what in (
        ("html", "a page"),
        ("markdown", "a page"),
        ("sql", "what can be put back as guarded SQL"),
        ("inverse", "the inverse of that SQL"),
    ):
        losses.add_argument(f"--{name}", metavar="FILE", help=f"write {what} into this file")
    _add_repair(commands)


def _add_diff(commands: Any) -> None:
    diff = _command(
        commands,
        "diff",
        "diff:diff",
        "compare the two clusters' data, exactly, while the writer goes on",
        "Find which rows differ between the two clusters, and what they declare differently, while the writer goes on. Changes nothing,\n"
        "but that an applier which a quiesce stopped is led on to where the writer is. A row is told to differ only if both sides had it\n"
        "so at one position. Exits 0 if all was compared and is equal, 3 if something differs or could not be compared. What was found\n"
        "is kept, for --resume and for `interlock repair`.",
    )
    for name, metavar, help_ in (
        ("table", "SCHEMA.TABLE", "only this table; may be given several times"),
        ("schema", "SCHEMA", "only this schema; may be given several times"),
        ("exclude", "NAME", "not this schema or SCHEMA.TABLE; may be given several times"),
    ):
        diff.add_argument(f"--{name}", metavar=metavar, action="append", default=[], help=help_)
    diff.add_argument("--writer", metavar="CLUSTER", help="the side whose data counts (default: the one that takes the writes)")
    diff.add_argument("--resume", metavar="NAME", help="go on with an unfinished comparison, or tell one that has ended once more")
    diff.add_argument("--parallel", type=_positive, default=2, metavar="N", help="so many ranges of rows at a time (default: 2)")
    diff.add_argument("--max-load", type=_positive, default=25, metavar="N", help="wait while a server runs more statements (default: 25)")
    diff.add_argument("--max-lag", default="5s", metavar="TIME", help="wait while the other side is further behind (default: 5s)")
    for name in ("html", "markdown"):
        diff.add_argument(f"--{name}", metavar="FILE", help="write a page into this file")


def _add_repair(commands: Any) -> None:
    repair = _command(
        commands,
        "repair",
        "repair:repair",
        "mend what a comparison found, put back what an emergency lost, or let a channel go on",
        "Mend the rows in which a comparison found the two sides to differ; or, with --losses, put back on the writer the lost rows that\n"
        "nobody wrote since; or, with --channel, make the one change that lets a stopped applier go on. Without --apply it changes\n"
        "nothing and shows what it would send, and what it leaves out and why.",
    )
    repair.add_argument("diff", metavar="NAME", nargs="?", help="the comparison, see `interlock diff` (default: the newest of this pair)")
    repair.add_argument("--losses", metavar="RUN", help="the failover: its name, or the beginning of it")
    repair.add_argument(
        "--channel", metavar="CLUSTER", help="the cluster whose applier stopped on a row that is there already, or is missing"
    )
    repair.add_argument("--onto", metavar="CLUSTER", help="the side that is changed (default: the one that was compared with the writer)")
    repair.add_argument("--table", metavar="SCHEMA.TABLE", action="append", default=[], help="only this table; may be given several times")
    repair.add_argument(
        "--row", metavar="SCHEMA.TABLE:KEY=VALUE", action="append", default=[], help="only this row; may be given several times"
    )
    repair.add_argument("--apply", action="store_true", help="do it, after a question")
    repair.add_argument("--undo", action="store_true", help="take back what it has mended or put back, where nobody wrote since")
    repair.add_argument("--sql", metavar="FILE", help="write all statements into this file")
    repair.add_argument("--inverse", metavar="FILE", help="write the inverse of them into this file")
    repair.add_argument("--rate", type=_positive, default=1000, metavar="N", help="rows a second at the most (default: 1000)")
    repair.add_argument("--times", type=_positive, default=1, metavar="N", help="with --channel: let it go on up to so often (default: 1)")


def _add_audit(commands: Any) -> None:
    audit = _command(
        commands,
        "audit",
        "audit:audit",
        "is this pair fit for master-master? the operators' checklist, answered from the live pair",
        "Answer the operators' checklist from the live pair: sixteen questions and what a pair needs beside them, each with what was\n"
        "seen, why it matters and what mends it. Changes nothing. Exits 0 if nothing is unfit, 3 otherwise.",
    )
    audit.add_argument("--question", type=int, metavar="N", help="only this question, 1 to 16; 0: what stands beside them")
    audit.add_argument("--rule", metavar="ID", help="only this rule")
    audit.add_argument("--html", metavar="FILE", help="write a page into this file")
    audit.add_argument("--markdown", metavar="FILE", help="write a page into this file")
    audit.add_argument("--watch", action="store_true", help="again and again, and tell only what changed, until SIGTERM or Ctrl-C")
    audit.add_argument("--every", default="1h", metavar="TIME", help="with --watch: between two audits (default: 1h)")
    runbook = _command(
        commands,
        "runbook",
        "runbook:runbook",
        "print the failover plan as a document",
        "Print the failover plan of the pair as Markdown: who and where, what to do with Interlock, how long it took before, how it is\n"
        "undone, and the same as bare statements and commands for the day when Interlock itself is not there. Changes nothing.",
    )
    runbook.add_argument("--to", metavar="CLUSTER", help="the side that takes the writes (default: the standby as it is now)")
    runbook.add_argument("--markdown", metavar="FILE", help="write it into this file")
    runbook.add_argument("--html", metavar="FILE", help="write a page into this file")
    window = _command(
        commands,
        "window",
        "window:window",
        "name the quietest times for a length of work",
        "Name the quietest times of the week (of the day, where the logs reach back less) for a length of work, by the time stamps in\n"
        "both binary logs, with a plot of the day. Changes nothing. Exits 3 where the logs are too short to tell.",
    )
    window.add_argument("--for", dest="for_", default="30m", metavar="TIME", help="how long the work takes (default: 30m)")
    window.add_argument("--count", type=int, default=3, metavar="N", help="how many times to name (default: 3)")
    window.add_argument("--most", type=int, default=1024, metavar="MB", help="of each log at most so much, the newest (default: 1024)")


def _add_watch(commands: Any) -> None:
    hold = _command(
        commands,
        "hold",
        "marks:hold",
        "keep every run from beginning while somebody works on the pair",
        "Keep every run from beginning while somebody works on the pair, also the runs of `watch`. Whoever is refused is told who holds\n"
        "it and why. One's own hold is extended, another's is not replaced. One that has expired still holds, until it is released.",
    )
    hold.add_argument("--reason", required=True, metavar="TEXT", help="what is being done, for whoever is refused because of it")
    hold.add_argument("--for", dest="for_", metavar="TIME", help="how long it is meant to last, such as 4h (default: until it is released)")
    release = _command(
        commands,
        "release",
        "marks:release",
        "end what `hold` began",
        "End what `hold` began; with the cluster's name also the hold of a quiesce, for the day that nobody is left to rejoin: the\n"
        "cluster stays as it was left. What ends a quiesce otherwise is `rejoin`.",
    )
    release.add_argument("--of", metavar="OWNER", help="end the hold of this user@host: another's is not ended by habit")
    for each in (hold, release):
        each.add_argument("cluster", metavar="CLUSTER", nargs="?", help="the cluster that is worked on (default: the pair)")
    watch = _command(
        commands,
        "watch",
        "watch:watch",
        "follow the pair and print what changes; acts only if told to",
        "Follow the pair and print what changes, a line each; with --json, an object a line. Ends by SIGTERM or Ctrl-C, and exits 0 then.\n"
        "With --act failover it starts the failover by itself: only of a writer that is dead at every look, with fencing in the topology,\n"
        "with no hold, no mark and no unfinished run, and once in a block period.",
    )
    watch.add_argument("--every", default="1s", metavar="TIME", help="between two looks (default: 1s)")
    watch.add_argument("--act", choices=("failover",), metavar="PLAYBOOK", help="failover: start it by itself (default: nothing)")
    watch.add_argument("--after", default="5s", metavar="TIME", help="so long must the writer be dead at every look (default: 5s)")
    watch.add_argument("--block", default="1h", metavar="TIME", help="no second act of any watch on the pair within it (default: 1h)")
    watch.add_argument("--metrics", metavar="ADDRESS:PORT", help="answer Prometheus there, such as 127.0.0.1:9478 (default: nobody)")


def _add_segments(commands: Any) -> None:
    conflicts = _command(
        commands,
        "conflicts",
        "conflicts:conflicts",
        "tell what a cluster wrote that it does not own, and what both wrote at the same time",
        "Read both binary logs and tell the writes to a segment by a cluster that does not own it, and the keys that both sides changed\n"
        "while neither had seen the other's change: decided by the order of both logs, not by clocks. Changes nothing.",
    )
    conflicts.add_argument("--since", metavar="TIME", help="how far to look back, such as 24h, to whole files (default: all there is)")
    segment = _command(commands, "segment", "", "list and move the segments of a pair of which both sides take writes")
    inner = segment.add_subparsers(metavar="COMMAND", title="commands", required=True, dest="inner_name")
    _command(inner, "list", "segments:list_", "say who owns each segment, in which epoch, and who can write it where")
    move = _command(inner, "move", "segments:move", "let the other cluster own a segment, with nothing lost (= run move-segment)")
    move.add_argument("--to", required=True, metavar="CLUSTER", help="the cluster that owns it from then on")
    move.add_argument("segment", metavar="NAME", help="a segment of the topology, or `all` that the cluster does not own, one by one")
    back = _command(inner, "return", "segments:return_", "move a segment back to the owner that the topology names")
    back.add_argument("segment", metavar="NAME", help="a segment of the topology")
    for each in (move, back):
        _add_inputs(each)


def _add_fleet(commands: Any) -> None:
    fleet = _command(commands, "fleet", "", "carry out a playbook on many pairs, a few at once")
    inner = fleet.add_subparsers(metavar="COMMAND", title="commands", required=True, dest="inner_name")
    plan = _command(inner, "plan", "fleet:plan", "say for each pair whether a run would succeed as things stand; changes nothing")
    run = _command(
        inner,
        "run",
        "fleet:run",
        "carry out a playbook on each pair of a folder",
        "Carry out a playbook on each pair of a folder of topology files, each in a process of its own. All files are checked before\n"
        "anything starts. The first Ctrl-C starts no more and lets those that run end gently; the second ends them where they are.\n"
        "Exits 0 if all succeeded, otherwise as the worst of them: 5 halted, 1 a run without an end, 130 stopped, 4 rolled back,\n"
        "2 an invalid file or input, 6 busy, 3 refused.",
    )
    for each in (plan, run):
        each.add_argument("playbook", metavar="PLAYBOOK", help="a playbook's name (see `interlock playbook list`) or its file")
        each.add_argument("--topologies", metavar="DIR", required=True, help="every .yaml and .yml file in it is the topology of a pair")
        _add_inputs(each)
    run.add_argument("--name", metavar="FLEET", help="the fleet's name (default: the moment it begins); its runs are FLEET.PAIR")
    resume = _command(
        inner,
        "resume",
        "fleet:resume",
        "go on with a fleet: what is unfinished first, then what did not succeed, then what did not start",
        "Go on with a fleet. Runs that are still carried out are waited for, unfinished ones are resumed, pairs that were refused,\n"
        "busy or rolled back are tried anew, and those not started yet are started. A pair that succeeded is never run again; one\n"
        "that halted is left to a person. Limits not given are those that the fleet began with; failures are counted from 0.",
    )
    show = _command(inner, "show", "fleet:show", "say what became of each pair of a fleet")
    _command(inner, "list", "fleet:list_", "list the fleets, newest first")
    for each in (resume, show):
        each.add_argument("fleet", metavar="FLEET", help="its name, or the beginning of it")
    for each in (plan, run, resume):
        each.add_argument("--at-once", type=_positive, metavar="N", help="so many pairs at a time (default: 4, or as it began)")
    for each in (run, resume):
        each.add_argument(
            "--stop-after-failures",
            type=_positive,
            metavar="M",
            help="start no more once so many did not succeed (default: 1, or as it began)",
        )
        each.add_argument(
            "--each-within",
            metavar="TIME",
            help="a pair that takes longer is asked to stop, and killed after as long again (default: 1h, or as it began)",
        )


def _add_playbooks(commands: Any) -> None:
    playbook = _command(commands, "playbook", "", "list, show, check and draw playbooks")
    inner = playbook.add_subparsers(metavar="COMMAND", title="commands", required=True, dest="inner_name")
    _command(inner, "list", "playbooks:list_", "list the playbooks that can be run by name")
    _command(inner, "show", "playbooks:show", "print a playbook, the YAML itself").add_argument("name", metavar="NAME")
    lint = _command(
        inner,
        "lint",
        "playbooks:lint",
        "check playbooks whole; with a topology, against its names too",
        "Check playbooks whole and print every problem as FILE:LINE:COLUMN with a hint; exits 2 if there is one.\n"
        "With a topology, the names of clusters, servers and routes are checked against it too.",
    )
    lint.add_argument("files", metavar="FILE", nargs="+")
    _command(inner, "graph", "playbooks:graph", "print a playbook as a Mermaid flowchart, the way back dotted").add_argument(
        "name", metavar="NAME"
    )
    _command(inner, "schema", "playbooks:schema", "print the JSON Schema of a file, for editors").add_argument(
        "of", metavar="KIND", nargs="?", choices=("playbook", "topology"), default="playbook", help="playbook (default) or topology"
    )


def _add_sandbox(commands: Any) -> None:
    grants = _command(commands, "grants", "grants:grants", "print the least privileges that Interlock needs, as SQL")
    grants.add_argument("--flavor", metavar="FLAVOR", help="the servers' flavor (default: the pair's own, or mariadb without a topology)")
    grants.add_argument(
        "--version", dest="for_version", metavar="VERSION", help="their version, such as 8.4 (default: the pair's own, or the newest)"
    )
    grants.add_argument("--audit", action="store_true", help="only what `interlock audit` needs")
    grants.add_argument("--host", default="%", metavar="HOST", help="the host part of the accounts (default: %%)")
    sandbox = _command(commands, "sandbox", "", "a private pair on this machine: servers, replication, proxy, topology file")
    inner = sandbox.add_subparsers(metavar="COMMAND", title="commands", required=True, dest="inner_name")
    drill = _command(commands, "drill", "drill:drill", "rehearse switchovers there and back on the sandbox, under load, and report")
    up = _command(inner, "up", "sandbox:up", "start a pair in a folder of its own")
    up.add_argument("--flavor", default="mariadb", metavar="FLAVOR", help="mariadb (default), mariadb-11.8 or mysql")
    up.add_argument("--name", default="sandbox", metavar="NAME", help="the topology's name, for several sandboxes (default: sandbox)")
    up.add_argument("--replicas", type=int, default=0, choices=range(10), metavar="N", help="replicas on each side that follow the writer")
    start = _command(inner, "start", "sandbox:start", "start one of its servers that was ended; it starts fenced")
    start.add_argument("--barred", action="store_true", help="also if it was fenced from outside; that stays, and so does its mark")
    stop = _command(inner, "stop", "sandbox:stop", "end one of its servers")
    stop.add_argument("--kill", action="store_true", help="at once, as in a crash, instead of letting it shut down")
    for each in (start, stop):
        each.add_argument("server", metavar="NAME", help="east or west")
    for each in (
        up,
        start,
        stop,
        _command(inner, "status", "sandbox:status", "say what of it runs"),
        _command(inner, "down", "sandbox:down", "end its processes and remove its folder"),
        drill,
    ):
        each.add_argument("--dir", metavar="DIR", help="the sandbox's folder (default: in your state folder)")
    _add_counts(
        drill,
        (
            ("count", 20, "switchovers"),
            ("pooled", 8, "clients that keep their connection"),
            ("fresh", 8, "clients that make one for each transaction"),
        ),
    )
    _command(
        commands,
        "demo",
        "demo:demo",
        "sandbox, load, a switchover there and back, and one that is rolled back",
        "Show the main job on real servers in a minute: a private pair, clients that write, a switchover there and back, and one\n"
        "that is rolled back. Exits 0 only if no acknowledged write was lost. Leaves nothing behind.",
    )


def _add_counts(command: argparse.ArgumentParser, options: Iterable[tuple[str, int, str]]) -> None:
    for name, default, what in options:
        command.add_argument(f"--{name}", type=_positive, default=default, metavar="N", help=f"{what} (default: {default})")


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text[:9]) <= 10_000 or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number from 1 to 10000")
    return int(text)
