"""The words of many pairs at once."""

from __future__ import annotations

from typing import Any

from interlock.cli.words.parser import add_inputs, command, positive


def add_fleet(commands: Any) -> None:
    fleet = command(commands, "fleet", "", "carry out a playbook on many pairs, a few at once")
    inner = fleet.add_subparsers(metavar="COMMAND", title="commands", required=True, dest="inner_name")
    plan = command(inner, "plan", "fleet:plan", "say for each pair whether a run would succeed as things stand; changes nothing")
    run = command(
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
        add_inputs(each)
    run.add_argument("--name", metavar="FLEET", help="the fleet's name (default: the moment it begins); its runs are FLEET.PAIR")
    resume = command(
        inner,
        "resume",
        "fleet:resume",
        "go on with a fleet: what is unfinished first, then what did not succeed, then what did not start",
        "Go on with a fleet. Runs that are still carried out are waited for, unfinished ones are resumed, pairs that were refused,\n"
        "busy or rolled back are tried anew, and those not started yet are started. A pair that succeeded is never run again; one\n"
        "that halted is left to a person. Limits not given are those that the fleet began with; failures are counted from 0.",
    )
    show = command(inner, "show", "fleet:show", "say what became of each pair of a fleet")
    command(inner, "list", "fleet:list_", "list the fleets, newest first")
    for each in (resume, show):
        each.add_argument("fleet", metavar="FLEET", help="its name, or the beginning of it")
    for each in (plan, run, resume):
        each.add_argument("--at-once", type=positive, metavar="N", help="so many pairs at a time (default: 4, or as it began)")
    for each in (run, resume):
        each.add_argument(
            "--stop-after-failures",
            type=positive,
            metavar="M",
            help="start no more once so many did not succeed (default: 1, or as it began)",
        )
        each.add_argument(
            "--each-within",
            metavar="TIME",
            help="a pair that takes longer is asked to stop, and killed after as long again (default: 1h, or as it began)",
        )
