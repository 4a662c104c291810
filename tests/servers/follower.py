"""A TCP proxy that goes where a file says, as a reader of a key, or a team's own proxy, would: a stand-in for what a route moves.

The file holds a word and a flag, `east 0`: the cluster, and whether new clients wait. New connections go to the cluster's server; those
there are keep theirs until they end. Run as a program of its own, so that clients do not share an interpreter with the run they measure.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from interlock.clock import Deadline, SystemClock

_LOOK_EVERY_S = 0.003
_SEEN_WITHIN_S = 60.0

Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower:
    """`file` is what it reads, `seen` what it has read last; `say` writes the file whole, and may wait until it was read."""

    clients: Address
    file: Path

    @property
    def seen(self) -> Path:
        return self.file.with_suffix(".seen")

    def say(self, cluster: str, *, hold: bool = False, until_seen: bool = False) -> None:
        new, text = self.file.with_suffix(".new"), f"{cluster} {int(hold)}"
        new.write_text(text)
        new.replace(self.file)
        clock = SystemClock()
        deadline = Deadline.after(clock, _SEEN_WITHIN_S)
        while until_seen and self.seen.read_text() != text and not deadline.is_over():
            clock.sleep(_LOOK_EVERY_S)


@contextmanager
def follower(folder: Path, clients: Address, targets: Mapping[str, Address], first: str = "east") -> Iterator[Follower]:
    following = Follower(clients=clients, file=folder / f"leads-{clients[0]}")
    following.say(first)
    words = [sys.executable, __file__, json.dumps({"clients": clients, "file": str(following.file), "targets": dict(targets)})]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield following
        finally:
            process.kill()


def lead(file: Path) -> str:
    """The cluster that a follower's file names."""
    return file.read_text().split()[0]


class _Proxy:
    def __init__(self, said: Mapping[str, object]) -> None:
        self.file = Path(str(said["file"]))
        self.targets: Mapping[str, Address] = said["targets"]  # type: ignore[assignment] # it is JSON of our own
        self.clients: Address = said["clients"]  # type: ignore[assignment]
        self.cluster = self.text = ""
        self.flows = asyncio.Event()

    async def run(self) -> None:
        self.look()
        server = await asyncio.start_server(self.serve, *self.clients, backlog=512)
        print("ready", flush=True)  # noqa: T201 - who started it waits for it
        async with server:
            while True:
                await asyncio.sleep(_LOOK_EVERY_S)
                self.look()

    def look(self) -> None:
        text = self.file.read_text()
        if text == self.text:
            return
        self.text = text
        self.cluster, hold = text.split()
        if hold == "1":
            self.flows.clear()
        else:
            self.flows.set()
        seen = self.file.with_suffix(".seen")
        new = seen.with_suffix(".seen-new")
        new.write_text(text)
        new.replace(seen)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await self.flows.wait()
            there, back = await asyncio.open_connection(*self.targets[self.cluster])
            await asyncio.wait([asyncio.create_task(pipe(reader, back)), asyncio.create_task(pipe(there, writer))])
        writer.close()


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while part := await reader.read(1 << 16):
            writer.write(part)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_Proxy(json.loads(sys.argv[1])).run())
