"""The demo of docker-compose.yml, in a project of the tests' own, driven by the command line of compose."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.clock import Deadline, SystemClock

ROOT = Path(__file__).parents[2]
CLOCK = SystemClock()
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """All of stdout, which must be one JSON document."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A project of compose. The profile is `demo` or `mysql`."""

    project: str
    profile: str

    def compose(self, *words: str, within_s: float = 120) -> Ended:
        return docker(*self.words(*words), within_s=within_s)

    def words(self, *words: str) -> tuple[str, ...]:
        return ("compose", "--project-name", self.project, "--profile", self.profile, *words)

    def interlock(self, *words: str, within_s: float = 120) -> Ended:
        """The command line, in a container beside the demo's."""
        return docker(*self.inside("interlock", *words), within_s=within_s)

    def inside(self, *words: str) -> tuple[str, ...]:
        """The words that run a program in that container."""
        return ("exec", self.tool, *words)

    @property
    def tool(self) -> str:
        return f"{self.project}-tool"

    def start_tool(self) -> None:
        """As the service `interlock`, but it does nothing by itself: to enter a container is ten times as quick as to make one."""
        words = self.words("run", "--detach", "--no-deps", "--name", self.tool, "--entrypoint", "sleep", "interlock", "infinity")
        assert docker(*words).code == 0

    def balance(self) -> Ended:
        """The clients end; 0 if nothing that they were told is wrong, and no two servers wrote at once."""
        return docker(*self.inside("python", "-m", "demo.balance"))

    def write_again(self) -> None:
        """The clients begin anew."""
        assert docker("start", self.container("load")).code == 0
        self.await_file("/ledgers/current")

    def await_file(self, path: str, within_s: float = 60) -> None:
        deadline = Deadline.after(CLOCK, within_s)
        while docker(*self.inside("test", "-e", path)).code != 0:
            assert not deadline.is_over(), f"{path} is not there after {within_s:.0f}s"
            CLOCK.sleep(0.05)

    def container(self, service: str) -> str:
        """Of a service; `east` and `west` are the servers, of whichever kind."""
        kind = "mysql-" if self.profile == "mysql" and service in {"east", "west"} else ""
        return f"{self.project}-{kind}{service}-1"

    def cut(self, service: str, network: str) -> None:
        """Nobody is told: connections stay open on both sides, as when a cable is pulled."""
        assert docker("network", "disconnect", f"{self.project}_{network}", self.container(service)).code == 0

    def heal(self, service: str, network: str) -> None:
        assert docker("network", "connect", "--alias", service, f"{self.project}_{network}", self.container(service)).code == 0

    def status(self) -> Any:
        return self.interlock("status", "--json").document

    def await_replication(self, within_s: float = 40) -> Any:
        """The status in which both channels run again."""
        deadline = Deadline.after(CLOCK, within_s)
        while True:
            seen = self.status()
            if all(channel["running"] for channel in seen["channels"]):
                return seen
            assert not deadline.is_over(), seen
            CLOCK.sleep(0.5)


def docker(*words: str, env: Mapping[str, str] | None = None, within_s: float = 120) -> Ended:
    environment = {**_environment(), **(env or {})}
    done = subprocess.run(["docker", *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=within_s, check=False)
    return Ended(code=done.returncode, out=done.stdout, err=done.stderr)


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(["docker", *words], cwd=ROOT, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextmanager
def demo(project: str, profile: str) -> Iterator[Demo]:
    """Built and started; the run of the demo itself is under way. Taken down with all that it held."""
    made = Demo(project=project, profile=profile)
    try:
        started = made.compose("up", "--build", "--detach", within_s=600)
        assert started.code == 0, started.err[-3000:] + made.compose("logs", "--no-color", "--tail", "20").out
        yield made
    finally:
        docker("rm", "--force", made.tool)
        made.compose("down", "--volumes", "--remove-orphans")


def _environment() -> dict[str, str]:
    """This host's authorities are the build's too: some hosts reach the package registry through a proxy that has one of its own."""
    own = {"INTERLOCK_BUILD_CA": str(_AUTHORITIES)} if _AUTHORITIES.exists() else {}
    return {**own, **os.environ}
