"""The door to everything that is neither a server nor a route: programs here, programs on a cluster's host, HTTP."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from interlock.clock import Clock
from interlock.errors import StatementFailed
from interlock.hosts.processes import run_program
from interlock.model.effects import CallHttp, CopyLogs, OutsideEffect, RunCommand
from interlock.model.facts import CommandResult, HttpResult
from interlock.model.topology import ClusterName, SshSpec

if TYPE_CHECKING:
    from interlock.hosts.ssh import HostConnection

# Headers that never hold a secret; the values of others are not printed.
_PLAIN_HEADERS = {"accept", "content-type", "user-agent"}


class Here:
    """`hosts` says how to reach each cluster's host by SSH; a cluster without an entry has none. `keep`: logins are kept until `close`.

    `copy` carries out CopyLogs with the host's `ssh`, if it has one.

    `redact` strikes secrets out of what an error repeats, before it is cut short: half a secret would not be found any more.
    """

    def __init__(
        self,
        clock: Clock,
        hosts: Mapping[ClusterName, SshSpec] | None = None,
        *,
        use_env_proxies: bool = False,
        keep: bool = False,
        redact: Callable[[str], str] = str,
        copy: Callable[[CopyLogs, SshSpec | None], CommandResult] | None = None,
    ) -> None:
        self._clock = clock
        self._hosts = dict(hosts or {})
        self._use_env_proxies = use_env_proxies
        self._keep = keep
        self._redact = redact
        self._copy = copy
        self._kept: dict[ClusterName, HostConnection] = {}

    def close(self) -> None:
        """End the logins that are kept."""
        while self._kept:
            self._kept.popitem()[1].close()

    def script(self, effect: OutsideEffect, /) -> tuple[str, ...]:
        """What a person could type. Header values that may be secrets are left out."""
        match effect:
            case RunCommand():
                return (self._command_line(effect),)
            case CallHttp():
                return (_request_line(effect),)
            case CopyLogs():
                return (self._copy_line(effect),)

    def run(self, effect: OutsideEffect, /) -> CommandResult | HttpResult:
        match effect:
            case RunCommand():
                result = self._run_command(effect)
                if result.exit_code not in effect.exits:
                    raise _bad_exit(effect, result, self._redact)
                return result
            case CallHttp():
                from interlock.hosts.http import call_http  # noqa: PLC0415 - HTTP and TLS take 30 ms to import

                answer = call_http(effect, use_env_proxies=self._use_env_proxies)
                if answer.status not in effect.statuses:
                    raise _bad_status(effect, answer, self._redact)
                return answer
            case CopyLogs():
                if self._copy is None:
                    raise StatementFailed(f"the binary log of {effect.cluster} can't be kept here", hint="copy it by hand")
                return self._copy(effect, self._hosts.get(effect.cluster))

    def _run_command(self, effect: RunCommand) -> CommandResult:
        if effect.host is None:
            return run_program(effect.argv, env=effect.env, within_s=effect.within_s, clock=self._clock)
        spec = self._ssh(effect.host)
        from interlock.hosts.ssh import HostConnection, run_on_host  # noqa: PLC0415 - paramiko takes a quarter of a second to import

        if not self._keep:
            return run_on_host(spec, effect, self._clock)
        return self._kept.setdefault(effect.host, HostConnection(spec, self._clock)).run(effect)

    def _ssh(self, cluster: ClusterName) -> SshSpec:
        if cluster not in self._hosts:
            raise StatementFailed(f"cluster {cluster} has no host to run a command on", hint=f"add `ssh` to clusters.{cluster}")
        return self._hosts[cluster]

    def _copy_line(self, effect: CopyLogs) -> str:
        spec = self._hosts.get(effect.cluster)
        files = shlex.quote(f"{effect.folder}/{effect.first or effect.base + '*'}")
        return f"copy {files}{' and what follows it' if effect.first else ''}" + (f" from {spec.user}@{spec.host}" if spec else "")

    def _command_line(self, effect: RunCommand) -> str:
        words = shlex.join((*(f"{name}={value}" for name, value in effect.env.items()), *effect.argv))
        if effect.env:
            words = f"env {words}"
        if effect.host is None:
            return words
        spec = self._hosts.get(effect.host)
        if spec is None:
            return f"ssh {effect.host} {shlex.quote(words)}"
        port = "" if spec.port == 22 else f"-p {spec.port} "
        return f"ssh {port}{spec.user}@{spec.host} {shlex.quote(words)}"


def _request_line(effect: CallHttp) -> str:
    headers = [f"{name}: {value if name.lower() in _PLAIN_HEADERS else '***'}" for name, value in effect.headers.items()]
    return " ".join(
        (
            effect.method,
            effect.url,
            *(f"-H {shlex.quote(header)}" for header in headers),
            *([shlex.quote(effect.body)] if effect.body else []),
        )
    )


def _bad_exit(effect: RunCommand, result: CommandResult, redact: Callable[[str], str]) -> StatementFailed:
    how = f"ended with {result.exit_code}" if result.exit_code >= 0 else f"was ended by signal {-result.exit_code}"
    allowed = ", ".join(str(code) for code in effect.exits)
    words = redact((result.stderr or result.stdout).strip())[-300:]
    return StatementFailed(f"{effect.argv[0]} {how}, allowed: {allowed}" + (f"; it said: {words}" if words else ""))


def _bad_status(effect: CallHttp, answer: HttpResult, redact: Callable[[str], str]) -> StatementFailed:
    allowed = ", ".join(str(status) for status in effect.statuses)
    hint = "a redirect to another host is not followed" if 300 <= answer.status < 400 else ""
    return StatementFailed(
        f"{effect.method} {effect.url} answered {answer.status}, allowed: {allowed}; it said: {redact(answer.body.strip())[:300]}",
        hint=hint,
    )
