"""The words of what a run may have lost, of what differs between both sides, and of mending it."""

from __future__ import annotations

from typing import Any

from interlock.cli.words.parser import add_pages, command, positive


def add_losses(commands: Any) -> None:
    losses = command(
        commands,
        "losses",
        "losses:losses",
        "tell what an emergency lost, row by row",
        "Tell what a failover lost: every transaction in the old writer's binary log that the survivor does not hold, and what can be\n"
        "done about each row. Changes nothing. Until it can be known the state is `pending`, with the bound that is known.",
    )
    losses.add_argument("run", metavar="RUN", help="the failover: its name, or the beginning of it")
    add_pages(losses)
    losses.add_argument("--sql", metavar="FILE", help="write what can be put back as guarded SQL into this file")
    losses.add_argument("--inverse", metavar="FILE", help="write the inverse of that SQL into this file")
    add_repair(commands)


def add_diff(commands: Any) -> None:
    diff = command(
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
    diff.add_argument("--parallel", type=positive, default=2, metavar="N", help="so many ranges of rows at a time (default: 2)")
    diff.add_argument("--max-load", type=positive, default=25, metavar="N", help="wait while a server runs more statements (default: 25)")
    diff.add_argument("--max-lag", default="5s", metavar="TIME", help="wait while the other side is further behind (default: 5s)")
    add_pages(diff)


def add_repair(commands: Any) -> None:
    repair = command(
        commands,
        "repair",
        "repair:repair",
        "mend what a comparison found, put back what an emergency lost, or let a channel go on",
        "Mend the rows in which a comparison found the two sides to differ (with --apply: = run repair); or, with --losses, put back on\n"
        "the writer the lost rows that nobody wrote since; or, with --channel, make the one change that lets a stopped applier go on.\n"
        "Without --apply it changes nothing and shows what it would send, and what it leaves out and why.",
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
    repair.add_argument("--rate", type=positive, default=1000, metavar="N", help="rows a second at the most (default: 1000)")
    repair.add_argument("--times", type=positive, default=1, metavar="N", help="with --channel: let it go on up to so often (default: 1)")
