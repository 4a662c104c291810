"""The words of looking at a pair, of holding and watching it, and of its segments."""

from __future__ import annotations

from typing import Any

from interlock.cli.words.inputs import add_given_up
from interlock.cli.words.parser import add_pages, command


def add_audit(commands: Any) -> None:
    audit = command(
        commands,
        "audit",
        "audit:audit",
        "is this pair fit for master-master? the operators' checklist, answered from the live pair",
        "Answer the operators' checklist from the live pair: sixteen questions and what a pair needs beside them, each with what was\n"
        "seen, why it matters and what mends it. Changes nothing. Exits 0 if nothing is unfit, 3 otherwise.",
    )
    audit.add_argument("--question", type=int, metavar="N", help="only this question, 1 to 16; 0: what stands beside them")
    audit.add_argument("--rule", metavar="ID", help="only this rule")
    add_pages(audit)
    audit.add_argument("--watch", action="store_true", help="again and again, and tell only what changed, until SIGTERM or Ctrl-C")
    audit.add_argument("--every", default="1h", metavar="TIME", help="with --watch: between two audits (default: 1h)")
    runbook = command(
        commands,
        "runbook",
        "runbook:runbook",
        "print the failover plan as a document",
        "Print the failover plan of the pair as Markdown: who and where, what to do with Interlock, how long it took before, how it is\n"
        "undone, and the same as bare statements and commands for the day when Interlock itself is not there. Changes nothing.",
    )
    runbook.add_argument("--to", metavar="CLUSTER", help="the side that takes the writes (default: the standby as it is now)")
    add_pages(runbook)
    window = command(
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


def add_segments(commands: Any) -> None:
    conflicts = command(
        commands,
        "conflicts",
        "conflicts:conflicts",
        "tell what a cluster wrote that it does not own, and what both wrote at the same time",
        "Read both binary logs and tell the writes to a segment by a cluster that does not own it, and the keys that both sides changed\n"
        "while neither had seen the other's change: decided by the order of both logs, not by clocks. Changes nothing.",
    )
    conflicts.add_argument("--since", metavar="TIME", help="how far to look back, such as 24h, to whole files (default: all there is)")
    segment = command(commands, "segment", "", "list and move the segments of a pair of which both sides take writes")
    inner = segment.add_subparsers(metavar="COMMAND", title="commands", required=True, dest="inner_name")
    command(inner, "list", "segments:list_", "say who owns each segment, in which epoch, and who can write it where")
    move = command(inner, "move", "segments:move", "let the other cluster own a segment, with nothing lost (= run move-segment)")
    move.add_argument("--to", required=True, metavar="CLUSTER", help="the cluster that owns it from then on")
    move.add_argument("segment", metavar="NAME", help="a segment of the topology, or `all` that the cluster does not own, one by one")
    back = command(inner, "return", "segments:return_", "move a segment back to the owner that the topology names")
    back.add_argument("segment", metavar="NAME", help="a segment of the topology")
    for each in (move, back):
        add_given_up(each)


def add_watch(commands: Any) -> None:
    hold = command(
        commands,
        "hold",
        "marks:hold",
        "keep every run from beginning while somebody works on the pair",
        "Keep every run from beginning while somebody works on the pair, also the runs of `watch`. Whoever is refused is told who holds\n"
        "it and why. One's own hold is extended, another's is not replaced. One that has expired still holds, until it is released.",
    )
    hold.add_argument("--reason", required=True, metavar="TEXT", help="what is being done, for whoever is refused because of it")
    hold.add_argument("--for", dest="for_", metavar="TIME", help="how long it is meant to last, such as 4h (default: until it is released)")
    release = command(
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
    watch = command(
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
