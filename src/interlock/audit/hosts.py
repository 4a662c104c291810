"""What the master's host tells by SSH: jobs that set read_only, and what the option files say of the next start. Read with grep alone."""

from __future__ import annotations

from collections.abc import Sequence

from interlock.audit.facts import HostSeen
from interlock.errors import DriverError
from interlock.model.effects import RunCommand
from interlock.model.facts import CommandResult
from interlock.model.topology import ClusterName
from interlock.ports import Outside

JOBS = ("/etc/crontab", "/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/var/spool/cron")
OPTION_FILES = ("/etc/my.cnf", "/etc/my.cnf.d", "/etc/mysql")
_WITHIN_S = 10.0
_SETS = r"(super_)?read_only[[:space:]]*="
_OPTION = r"^[[:space:]]*(loose[-_])?(super[-_])?read[-_]only"
_FOUND_OR_NOT = (0, 1, 2)
"""Of grep: 1 says that no line fits, 2 that some file could not be read or is not there, too."""
_LINES_AT_MOST = 20


def look_at_host(
    outside: Outside,
    cluster: ClusterName,
    *,
    host: ClusterName | None,
    jobs: Sequence[str] = JOBS,
    option_files: Sequence[str] = OPTION_FILES,
) -> HostSeen:
    """By SSH, or here if `host` is None."""

    def lines(pattern: str, places: Sequence[str], options: str) -> tuple[str, ...]:
        argv = ("grep", options, "-E", "-e", pattern, *places)
        done = outside.run(RunCommand(argv=argv, within_s=_WITHIN_S, exits=_FOUND_OR_NOT, host=host))
        return tuple(done.stdout.splitlines()[:_LINES_AT_MOST]) if isinstance(done, CommandResult) else ()

    try:
        return HostSeen(cluster=cluster, jobs=lines(_SETS, jobs, "-rsn"), options=lines(_OPTION, option_files, "-rsh"))
    except DriverError as error:
        return HostSeen(cluster=cluster, error=error.message)
