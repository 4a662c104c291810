"""`interlock sandbox up | status | start | stop | down`: a private pair on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context
from interlock.clock import SystemClock
from interlock.errors import UsageError
from interlock.model.codec import to_plain
from interlock.sandbox import members, pair, places, replicas
from interlock.sandbox.kinds import kind_named
from interlock.sandbox.places import LONGEST_FOLDER, Entrance, Sandbox
from interlock.sandbox.settings import entrances
from interlock.stores.open import default_path

if TYPE_CHECKING:
    from interlock.cli.likeness import Likeness


def the_one_meant(context: Context) -> Path:
    """`--dir`; else the sandbox of the topology that is in use; else the usual folder."""
    told = context.options.topology or context.environ.get("INTERLOCK_TOPOLOGY")
    if not context.options.dir and told and (Path(told).absolute().parent / places.RECORD).exists():
        return Path(told).absolute().parent
    return folder(context)


def folder(context: Context) -> Path:
    """`--dir`, or a folder in the user's state folder; in /tmp where that path is too long for sockets."""
    if context.options.dir:
        return Path(context.options.dir).expanduser().absolute()
    usual = default_path().parent / "sandbox"
    if len(os.fsencode(usual)) <= LONGEST_FOLDER:
        return usual
    return Path(f"/tmp/interlock-sandbox-{os.getuid()}")  # noqa: S108 - `up` makes it 0700 and refuses one that is not empty


def up(context: Context) -> Answer:
    """Start it and say how to use it."""
    directory, options = folder(context), context.options
    likeness = None
    try:
        if options.like is not None:
            from interlock.cli.likeness import up_like  # noqa: PLC0415 - it reads a pair, with every driver

            likeness = up_like(context, directory, Path(options.like), flavor=options.flavor, name=options.name, replicas=options.replicas)
            sandbox = likeness.sandbox
        else:
            sandbox = pair.up(directory, clock=SystemClock(), kind=options.flavor or "mariadb", name=options.name or "sandbox")
            if options.replicas:
                replicas.add(sandbox, options.replicas, clock=SystemClock())
    except OSError as error:
        raise UsageError(f"{directory} can't hold a sandbox: {error}", hint="choose another folder with --dir") from error
    plain = {**_plain(sandbox), "writer": next(iter(sandbox.members))}
    if likeness is None:
        return Answer(plain=plain, text=lambda _: _how_to_use(sandbox))
    plain |= {"like": likeness.like, "not_alike": list(likeness.not_alike), "passwords": likeness.passwords}
    said = _like_what(likeness)
    return Answer(plain=plain, text=lambda _: f"{_how_to_use(sandbox, segments=bool(likeness.passwords))}\n\n{said}")


def status(context: Context) -> Answer:
    """Exits 0 whatever it finds, as `interlock status` does; 2 if there is no sandbox."""
    seen = pair.status(the_one_meant(context))
    plain = {
        **_plain(seen.sandbox),
        "running": [process.name for process in seen.running],
        "missing": list(seen.missing),
        "barred": list(seen.barred),
    }
    runs = ", ".join(f"{process.name} ({process.pid})" for process in seen.running) or "nothing"
    missing = f"\nmissing: {', '.join(seen.missing)}" if seen.missing else ""
    barred = f"\nfenced from outside, and barred from starting: {', '.join(seen.barred)}" if seen.barred else ""
    text = f"{seen.sandbox.directory}\nrunning: {runs}{missing}{barred}\n\nto use it:\n{_exports(seen.sandbox)}"
    return Answer(plain=plain, text=lambda _: text)


def start(context: Context) -> Answer:
    """Start one server that was ended; it starts fenced."""
    options = context.options
    process = members.start(the_one_meant(context), options.server, clock=SystemClock(), barred=options.barred)
    plain = {"server": process.name, "pid": process.pid, "running": True}
    return Answer(plain=plain, text=lambda _: f"{process.name} runs ({process.pid}), fenced: interlock status")


def stop(context: Context) -> Answer:
    """End one server."""
    process = members.stop(the_one_meant(context), context.options.server, kill=context.options.kill)
    plain = {"server": process.name, "pid": process.pid, "running": False}
    how = "was killed" if context.options.kill else "has shut down"
    return Answer(plain=plain, text=lambda _: f"{process.name} ({process.pid}) {how}")


def down(context: Context) -> Answer:
    """End its processes and remove its folder. Without `--dir` the usual one, and none while another one's topology is in use."""
    directory, used = folder(context), the_one_meant(context)
    if used.resolve() != directory.resolve():
        raise UsageError(
            f"the topology in use is that of the sandbox in {used}, and {directory} would be removed",
            hint=f"say which: interlock sandbox down --dir {used}, or --dir {directory}",
        )
    pair.down(directory)
    return Answer(plain={"directory": str(directory), "removed": True}, text=lambda _: f"{directory} is gone, and all its processes")


def read(context: Context) -> Sandbox:
    """The sandbox that is up and meant. UsageError if there is none."""
    return places.read(the_one_meant(context))


def _plain(sandbox: Sandbox) -> dict[str, object]:
    servers = {name: {"host": m.host, "port": m.port, "socket": m.socket, "server_id": m.server_id} for name, m in sandbox.members.items()}
    return {
        "directory": sandbox.directory,
        "topology": sandbox.topology,
        "store": sandbox.store,
        "clients": f"{sandbox.proxy.host}:{sandbox.proxy.port}",
        "servers": to_plain(servers),
    }


def _like_what(likeness: Likeness) -> str:
    lines = [f"like {likeness.like}, without its data; what is not alike:", *(f"  {said}" for said in likeness.not_alike or ("nothing",))]
    if likeness.passwords:
        lines += ["accounts of segments, with new passwords:", *(f"  {name}   {file}" for name, file in likeness.passwords.items())]
    return "\n".join(lines)


def _how_to_use(sandbox: Sandbox, *, segments: bool = False) -> str:
    servers = "\n".join(f"  {name}     {member.host}:{member.port}" for name, member in sandbox.members.items())
    second = list(sandbox.members)[1]
    tries = "  interlock segment list" if segments else f"  interlock plan switchover\n  interlock switchover --to {second}"
    ways = "\n".join(f"  clients  {sandbox.proxy.host}:{one.port}, led to {one.leads_to}{_by(sandbox, one)}" for one in entrances(sandbox))
    folder, program = kind_named(sandbox.kind).folder(), "mysql" if sandbox.kind == "mysql" else "mariadb"
    program = program if folder is None else str(folder / "bin" / program)
    client = f"{program} -h{sandbox.proxy.host} -P{sandbox.proxy.port} -uapp -p$(cat {sandbox.password_file('app')}) app"
    return f"""\
two servers that replicate to each other, and a proxy in front:
{servers}
{ways}
in {sandbox.directory}

to use it:
{_exports(sandbox)}
  interlock status
{tries}
  {client}
and to remove it:
  interlock sandbox down{"" if not _is_elsewhere(sandbox) else f" --dir {sandbox.directory}"}"""


def _exports(sandbox: Sandbox) -> str:
    return f"  export INTERLOCK_TOPOLOGY={sandbox.topology}\n  export INTERLOCK_STORE={sandbox.store}"


def _by(sandbox: Sandbox, entrance: Entrance) -> str:
    return f" by the route {entrance.route}" if len(sandbox.proxy.entrances) > 1 else ""


def _is_elsewhere(sandbox: Sandbox) -> bool:
    return Path(sandbox.directory).name not in {"sandbox", f"interlock-sandbox-{os.getuid()}"}
