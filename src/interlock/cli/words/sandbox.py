"""The words of the sandbox, of what is shown and rehearsed on it, and of the accounts that a pair needs."""

from __future__ import annotations

from typing import Any

from interlock.cli.words.parser import add_counts, command


def add_sandbox(commands: Any) -> None:
    grants = command(commands, "grants", "grants:grants", "print the least privileges that Interlock needs, as SQL")
    grants.add_argument("--flavor", metavar="FLAVOR", help="the servers' flavor (default: the pair's own, or mariadb without a topology)")
    grants.add_argument(
        "--version", dest="for_version", metavar="VERSION", help="their version, such as 8.4 (default: the pair's own, or the newest)"
    )
    grants.add_argument("--audit", action="store_true", help="only what `interlock audit` needs")
    grants.add_argument("--host", default="%", metavar="HOST", help="the host part of the accounts (default: %%)")
    sandbox = command(commands, "sandbox", "", "a private pair on this machine: servers, replication, proxy, topology file")
    inner = sandbox.add_subparsers(metavar="COMMAND", title="commands", required=True, dest="inner_name")
    drill = command(
        commands,
        "drill",
        "drill:drill",
        "rehearse switchovers, or conflicts, on the sandbox under load, and report",
        "Rehearse switchovers there and back on the sandbox, under load, and report. With --conflicts: deadlocks, lock time-outs, killed\n"
        "queries and connections and switchovers on the rows that a client writes, and whether it tries again. The audit of the pair that\n"
        "the sandbox is like shows the result. Exits 0 if all went well, else 5.",
    )
    drill.add_argument("--conflicts", action="store_true", help="make conflicts on the rows that the client writes")
    drill.add_argument(
        "--client",
        metavar="COMMAND",
        help="with --conflicts: the application, or a load of its kind (default: the drill's own; docs/sandbox.md)",
    )
    up = command(inner, "up", "sandbox:up", "start a pair in a folder of its own")
    up.add_argument(
        "--flavor", metavar="FLAVOR", help="mariadb (default), mariadb-11.8 or mysql; with --like: the nearest to the pair's own (default)"
    )
    up.add_argument("--name", metavar="NAME", help="the topology's name (default: sandbox). A second sandbox needs a --dir of its own, too")
    up.add_argument(
        "--like",
        metavar="TOPOLOGY",
        help="as that pair is: releases as near as can be had, settings, schema without data, routes and segments. It is only looked at, "
        "and what is not alike is said",
    )
    up.add_argument("--replicas", type=int, default=0, choices=range(10), metavar="N", help="replicas on each side that follow the writer")
    start = command(inner, "start", "sandbox:start", "start one of its servers that was ended; it starts fenced")
    start.add_argument("--barred", action="store_true", help="also if it was fenced from outside; that stays, and so does its mark")
    stop = command(inner, "stop", "sandbox:stop", "end one of its servers")
    stop.add_argument("--kill", action="store_true", help="at once, as in a crash, instead of letting it shut down")
    for each in (start, stop):
        each.add_argument("server", metavar="NAME", help="east or west, or as the sides are called with --like")
    status = command(inner, "status", "sandbox:status", "say what of it runs, and what to export")
    down = command(inner, "down", "sandbox:down", "end its processes and remove its folder")
    for each in (up, down):
        each.add_argument("--dir", metavar="DIR", help="the sandbox's folder (default: in your state folder)")
    for each in (start, stop, status, drill):
        each.add_argument(
            "--dir", metavar="DIR", help="the sandbox's folder (default: that of the topology in use; else in your state folder)"
        )
    add_counts(
        drill,
        (
            ("count", 20, "switchovers"),
            ("rounds", 3, "with --conflicts: each has every kind of conflict"),
            ("pooled", 8, "clients that keep their connection"),
            ("fresh", 8, "clients that make one for each transaction"),
        ),
    )
    command(
        commands,
        "demo",
        "demo:demo",
        "sandbox, load, a switchover there and back, and one that is rolled back",
        "Show the main job on real servers in a minute: a private pair, clients that write, a switchover there and back, and one\n"
        "that is rolled back. Exits 0 only if no acknowledged write was lost. Leaves nothing behind.",
    )
