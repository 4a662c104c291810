"""The words of runs, and of the playbooks that they carry out."""

from __future__ import annotations

from typing import Any

from interlock.cli.words.inputs import add_all_words, add_words
from interlock.cli.words.parser import command


def add_runs(commands: Any) -> None:
    command(
        commands,
        "status",
        "status:status",
        "show the pair as it is now: roles, channels, lag, routes, sessions, unfinished runs",
        "Show the pair as it is now: roles, channels, lag, routes, sessions, unfinished runs. Changes nothing.\n"
        "Exits 0 also when it shows problems: it could look. A monitor reads `problems` of --json.",
    )
    plan = command(
        commands,
        "plan",
        "runs:plan",
        "show what a run would do, with live checks; changes nothing",
        "Show every statement and command of a run in order, the undo of each, the live checks' results and the expected outage.\n"
        "Changes nothing. Exits 0 if the run would succeed as things stand, 3 if it would be refused.",
    )
    run = command(commands, "run", "runs:run", "carry out a playbook")
    for each in (plan, run):
        each.add_argument("playbook", metavar="PLAYBOOK", help="a playbook's name (see `interlock playbook list`) or its file")
        add_all_words(each)
    run.add_argument(
        "--as", dest="as_", metavar="NAME", help="the run's name (default: the moment it begins); refused if there is a run of that name"
    )
    switchover = command(commands, "switchover", "runs:switchover", "move the writes to the standby with nothing lost (= run switchover)")
    add_words(switchover, "switchover")
    failover = command(
        commands,
        "failover",
        "failover:failover",
        "take the writes over from a master that is dead (= run failover)",
        "Take the writes over from a master that is dead: proved dead from several places, fenced from outside, and with all applied\n"
        "that was received from it. As long as it answers, the planned switchover is tried first, with a short budget.",
    )
    add_words(failover, "failover")
    rejoin = command(
        commands,
        "rejoin",
        "runs:rejoin",
        "bring a failed cluster back as a healthy standby (= run rejoin)",
        "Bring a cluster back as a standby that a failover took the writes from, or that was quiesced: fenced, with both channels running\n"
        "and proved, its data compared. What it holds that the writer lacks is kept, then taken back row by row, or ALL ITS DATA ARE\n"
        "REPLACED by the writer's: `interlock plan rejoin CLUSTER` tells which.",
    )
    add_words(rejoin, "rejoin")
    quiesce = command(
        commands,
        "quiesce",
        "quiesce:quiesce",
        "move all load onto one cluster and keep the other one quiet (= run quiesce)",
        "Move all load onto one cluster, fence the other one, and keep it so: no run begins before it has rejoined. Prints a certificate\n"
        "of the quiet. Where the channel towards the one that takes the load is broken, only what --accept names is given up. Of a pair\n"
        "with segments each is moved there first, in a run of its own.",
    )
    add_words(quiesce, "quiesce")
    command(commands, "runs", "runs:runs", "list the runs, newest first; with a topology, that pair's alone")
    for name, does, help_ in (
        ("show", "runs:show", "tell a run as a timeline, with its evidence"),
        ("resume", "taking_up:resume", "go on with an unfinished or halted run"),
        ("rollback", "taking_up:rollback", "take back an unfinished or halted run"),
    ):
        command(commands, name, does, help_).add_argument("run", metavar="RUN", help="its name, or the beginning of it")


def add_playbooks(commands: Any) -> None:
    playbook = command(commands, "playbook", "", "list, show, check and draw playbooks")
    inner = playbook.add_subparsers(metavar="COMMAND", title="commands", required=True, dest="inner_name")
    command(inner, "list", "playbooks:list_", "list the playbooks that can be run by name")
    command(inner, "show", "playbooks:show", "print a playbook, the YAML itself").add_argument("name", metavar="NAME")
    lint = command(
        inner,
        "lint",
        "playbooks:lint",
        "check playbooks whole; with a topology, against its names too",
        "Check playbooks whole and print every problem as FILE:LINE:COLUMN with a hint; exits 2 if there is one.\n"
        "With a topology, the names of clusters, servers and routes are checked against it too.",
    )
    lint.add_argument("files", metavar="FILE", nargs="+")
    command(inner, "graph", "playbooks:graph", "print a playbook as a Mermaid flowchart, the way back dotted").add_argument(
        "name", metavar="NAME"
    )
    command(inner, "schema", "playbooks:schema", "print the JSON Schema of a file, for editors").add_argument(
        "of", metavar="KIND", nargs="?", choices=("playbook", "topology"), default="playbook", help="playbook (default) or topology"
    )
